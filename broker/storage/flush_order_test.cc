#include "broker/storage/flush_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = FlushStep::Kind;

const std::vector<FlushableSegment> kSegments = {{Offset(0)}, {Offset(10)}, {Offset(20)}};

FlushRequest Request(int64_t from, int64_t to) {
  return {.recovery_point = Offset(from), .target = Offset(to), .log_end_offset = Offset(30)};
}

std::vector<size_t> SegmentsOf(const std::vector<FlushStep>& steps) {
  std::vector<size_t> segments;
  for (const FlushStep& step : steps) {
    if (step.kind == Kind::kLog) segments.push_back(step.segment);
  }
  return segments;
}

TEST(FlushOrderTest,
     SyncsLogThenOffsetIndexThenTimeIndexThenTransactionIndexThenTheDirectory) {  // [L6]
  const std::vector<FlushableSegment> segments = {{Offset(0), true}};
  FlushRequest request = Request(0, 5);
  request.directory_changed = true;
  EXPECT_THAT(FlushOrder(segments, request),
              ElementsAre(FlushStep{Kind::kLog, 0}, FlushStep{Kind::kOffsetIndex, 0},
                          FlushStep{Kind::kTimeIndex, 0}, FlushStep{Kind::kTransactionIndex, 0},
                          FlushStep{Kind::kDirectory, 0}));
}

// [M82]
TEST(FlushOrderTest, TakesTheSegmentsBetweenRecoveryPointAndTarget) {  // [L6]
  EXPECT_THAT(SegmentsOf(FlushOrder(kSegments, Request(0, 30))), ElementsAre(0, 1, 2));
  EXPECT_THAT(SegmentsOf(FlushOrder(kSegments, Request(0, 10))), ElementsAre(0));
  EXPECT_THAT(SegmentsOf(FlushOrder(kSegments, Request(9, 11))), ElementsAre(0, 1));
  EXPECT_THAT(SegmentsOf(FlushOrder(kSegments, Request(10, 20))), ElementsAre(1));
  EXPECT_THAT(FlushOrder(kSegments, Request(30, 30)), IsEmpty());
  EXPECT_THAT(FlushOrder(kSegments, Request(20, 10)), IsEmpty());
}

TEST(FlushOrderTest, ACleanStopIncludesAnEmptyActiveSegment) {  // [L6]
  const std::vector<FlushableSegment> segments = {{Offset(0)}, {Offset(30)}};
  FlushRequest request = Request(30, 30);
  request.include_empty_active = true;
  EXPECT_THAT(SegmentsOf(FlushOrder(segments, request)), ElementsAre(1));
}

}  // namespace
}  // namespace highwater::broker::storage
