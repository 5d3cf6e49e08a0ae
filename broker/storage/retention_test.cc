#include "broker/storage/retention.h"

#include <gtest/gtest.h>

namespace highwater::broker::storage {
namespace {

// Three segments of 100 bytes at 0, 10 and 20; the log ends at 30; their largest timestamps are
// 1000, 2000, 3000.
const std::vector<RetentionSegment> kSegments = {
    {Offset(0), 100, 1000}, {Offset(10), 100, 2000}, {Offset(20), 100, 3000}};

RetentionState At(int64_t now_ms, Offset high_watermark = Offset(30),
                  Offset log_start = Offset(0)) {
  return {.high_watermark = high_watermark,
          .log_start_offset = log_start,
          .log_end_offset = Offset(30),
          .now_ms = now_ms};
}

LogConfig Config(int64_t ms, int64_t bytes) {
  LogConfig config;
  config.retention_ms = ms;
  config.retention_bytes = bytes;
  return config;
}

TEST(RetentionTest, DropsByTimeTheOldestFirst) {  // [T2]
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(2500), Config(1000, -1)).segments, 1u);
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(2000), Config(1000, -1)).segments, 0u);
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(3001), Config(1000, -1)).segments, 2u);
}

TEST(RetentionTest, RollsFirstIfTheActiveSegmentGoesToo) {  // [T3]
  const RetentionVerdict verdict = ApplyRetentionRules(kSegments, At(9999), Config(1000, -1));
  EXPECT_EQ(verdict.segments, 3u);
  EXPECT_TRUE(verdict.roll_first);
}

TEST(RetentionTest, AnEmptyActiveSegmentStays) {
  const std::vector<RetentionSegment> segments = {{Offset(0), 100, 1000}, {Offset(30), 0, -1}};
  const RetentionVerdict verdict = ApplyRetentionRules(segments, At(9999), Config(1000, -1));
  EXPECT_EQ(verdict.segments, 1u);
  EXPECT_FALSE(verdict.roll_first);
}

// [T2]
TEST(RetentionTest, AYoungSegmentShieldsTheOlderOnesBehindIt) {
  const std::vector<RetentionSegment> segments = {
      {Offset(0), 100, 9000}, {Offset(10), 100, 2000}, {Offset(20), 100, 3000}};
  EXPECT_EQ(ApplyRetentionRules(segments, At(9999), Config(1000, -1)).segments, 0u);
}

TEST(RetentionTest, DropsBySizeWhileAWholeSegmentIsInExcess) {  // [T2]
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(0), Config(-1, 200)).segments, 1u);
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(0), Config(-1, 201)).segments, 0u);
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(0), Config(-1, 100)).segments, 2u);
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(0), Config(-1, -1)).segments, 0u);
}

// [L12]
TEST(RetentionTest, DropsBelowTheLogStartButNotTheActiveSegment) {  // [T2]
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(0, Offset(30), Offset(19)), Config(-1, -1)).segments,
            1u);
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(0, Offset(30), Offset(30)), Config(-1, -1)).segments,
            2u);
}

// [T4]
TEST(RetentionTest, NeverDropsAtOrAboveTheHighWatermark) {  // [T2]
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(9999, Offset(19)), Config(1000, -1)).segments, 1u);
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(9999, Offset(29)), Config(1000, -1)).segments, 2u);
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(9999, Offset(0)), Config(1000, -1)).segments, 0u);
}

TEST(RetentionTest, ACompactedLogKeepsAllButWhatIsBelowTheLogStart) {  // [T1]
  LogConfig config = Config(1000, 100);
  config.cleanup_delete = false;
  config.cleanup_compact = true;
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(9999), config).segments, 0u);
  EXPECT_EQ(ApplyRetentionRules(kSegments, At(9999, Offset(30), Offset(10)), config).segments, 1u);
}

}  // namespace
}  // namespace highwater::broker::storage
