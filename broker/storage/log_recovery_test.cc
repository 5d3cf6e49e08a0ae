#include "broker/storage/log_recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

ScannedBatch Batch(uint64_t position, int64_t base, int64_t last, uint64_t length = 100) {
  return {.position = position,
          .length = length,
          .magic = 2,
          .checksum_ok = true,
          .base_offset = Offset(base),
          .last_offset = Offset(last)};
}

SegmentScan Scan(uint64_t size, const RecoveryRules& rules = {}, bool compacted = false) {
  return SegmentScan(rules, compacted, Offset(0), Offset(10), size);
}

// [K12]
TEST(SegmentScanTest, KeepsBatchesThatFollowEachOther) {
  SegmentScan scan = Scan(200);
  EXPECT_TRUE(scan.Accept(Batch(0, 10, 14)));
  EXPECT_TRUE(scan.Accept(Batch(100, 15, 15)));
  EXPECT_TRUE(scan.finished());
  EXPECT_EQ(scan.valid_bytes(), 200u);
  EXPECT_EQ(scan.next_offset(), Offset(16));
  EXPECT_EQ(scan.fault(), BatchFault::kNone);
}

TEST(SegmentScanTest, CutsAtTheFirstBatchThatCannotStay) {  // [K12]
  struct Case {
    ScannedBatch batch;
    BatchFault fault;
  };
  ScannedBatch wrong_magic = Batch(100, 15, 15);
  wrong_magic.magic = 1;
  ScannedBatch wrong_checksum = Batch(100, 15, 15);
  wrong_checksum.checksum_ok = false;
  const Case cases[] = {
      {Batch(100, 15, 15, 101), BatchFault::kIncomplete},
      {Batch(100, 15, 15, 60), BatchFault::kIncomplete},
      {{.position = 100}, BatchFault::kIncomplete},
      {wrong_magic, BatchFault::kMagic},
      {wrong_checksum, BatchFault::kChecksum},
      {Batch(100, 14, 15), BatchFault::kOffset},
      {Batch(100, 15, 14), BatchFault::kOffset},
      {Batch(100, 15, 10 + (int64_t{1} << 31)), BatchFault::kOffset},
      {Batch(100, 16, 17), BatchFault::kHole},
  };
  for (const Case& c : cases) {
    SegmentScan scan = Scan(200);
    ASSERT_TRUE(scan.Accept(Batch(0, 10, 14)));
    EXPECT_FALSE(scan.Accept(c.batch));
    EXPECT_EQ(scan.fault(), c.fault);
    EXPECT_EQ(scan.valid_bytes(), 100u);
    EXPECT_EQ(scan.next_offset(), Offset(15));
    EXPECT_TRUE(scan.finished());
  }
}

TEST(SegmentScanTest, ACompactedLogAndTheOriginalRuleMayHaveHoles) {  // [K12b]
  SegmentScan compacted = Scan(200, {}, true);
  EXPECT_TRUE(compacted.Accept(Batch(0, 12, 14)));
  SegmentScan original = Scan(200, RecoveryRules::Kafka323());
  EXPECT_TRUE(original.Accept(Batch(0, 12, 14)));
  SegmentScan safe = Scan(200);
  EXPECT_FALSE(safe.Accept(Batch(0, 12, 14)));
}

LogRecovery Recovery(Offset recovery_point, const RecoveryRules& rules = {}, bool clean = false) {
  return LogRecovery(rules, clean, false, recovery_point, {Offset(0), Offset(10), Offset(20)});
}

// [K11]
TEST(LogRecoveryTest, ScansFromTheSegmentOfTheRecoveryPoint) {  // [K12]
  EXPECT_EQ(Recovery(Offset(0)).first_to_scan(), 0u);
  EXPECT_EQ(Recovery(Offset(9)).first_to_scan(), 0u);
  EXPECT_EQ(Recovery(Offset(10)).first_to_scan(), 1u);
  EXPECT_EQ(Recovery(Offset(99)).first_to_scan(), 2u);
  EXPECT_EQ(Recovery(Offset(5), {}, true).first_to_scan(), 3u) << "a clean log is trusted [K11]";
}

// [K12b]
TEST(LogRecoveryTest, DropsWhatComesBehindALostPieceOrAHole) {  // [K12, W20]
  SegmentScan whole = Scan(100);
  ASSERT_TRUE(whole.Accept(Batch(0, 10, 19)));
  EXPECT_FALSE(Recovery(Offset(0)).MustDropAfter(1, whole));
  EXPECT_FALSE(Recovery(Offset(0)).MustDropAfter(2, whole)) << "there is nothing behind the last";
  SegmentScan shorter = Scan(100);
  ASSERT_TRUE(shorter.Accept(Batch(0, 10, 17)));
  EXPECT_TRUE(Recovery(Offset(0)).MustDropAfter(1, shorter));
  EXPECT_FALSE(Recovery(Offset(0), RecoveryRules::Kafka323()).MustDropAfter(1, shorter))
      << "[K12b]";
  SegmentScan cut = Scan(200);
  ASSERT_TRUE(cut.Accept(Batch(0, 10, 19)));
  ASSERT_FALSE(cut.Accept({.position = 100}));
  EXPECT_TRUE(Recovery(Offset(0), RecoveryRules::Kafka323()).MustDropAfter(1, cut));
  SegmentScan longer = Scan(100);
  ASSERT_TRUE(longer.Accept(Batch(0, 10, 25)));
  EXPECT_TRUE(Recovery(Offset(0)).MustDropAfter(1, longer)) << "two batches with one offset";
}

// [L2]
TEST(LogRecoveryTest, BoundsFollowCheckpointsAndSegments) {  // [K11, K12, K14]
  LoadedBounds bounds = BoundsAfterLoad(false, Offset(5), Offset(50), Offset(3), Offset(40));
  EXPECT_EQ(bounds.log_start_offset, Offset(5));
  EXPECT_EQ(bounds.recovery_point, Offset(40)) << "never above the log end [M82]";
  EXPECT_FALSE(bounds.start_over);
  bounds = BoundsAfterLoad(true, Offset(0), Offset(7), Offset(3), Offset(40));
  EXPECT_EQ(bounds.log_start_offset, Offset(3));
  EXPECT_EQ(bounds.recovery_point, Offset(40));
  bounds = BoundsAfterLoad(false, Offset(100), Offset(20), Offset(3), Offset(40));
  EXPECT_TRUE(bounds.start_over);
  EXPECT_EQ(bounds.log_end_offset, Offset(100));
  EXPECT_EQ(bounds.recovery_point, Offset(20));
}

TEST(PlanDirectoryTest, TidiesWhatAFormerRunLeft) {  // [K13]
  std::vector<core::DirectoryEntry> entries;
  for (const char* name :
       {"00000000000000000000.log", "00000000000000000000.index", "00000000000000000005.index",
        "00000000000000000007.log.deleted", "00000000000000000009.log.cleaned",
        "00000000000000000004.log.swap", "00000000000000000012.log.swap", "leader-epoch-checkpoint",
        "leader-epoch-checkpoint.tmp", "partition.metadata", "00000000000000000010.log",
        "00000000000000000010.snapshot", "0.log", "x.log"}) {
    entries.push_back({name, core::FileInfo::Kind::kFile});
  }
  const DirectoryPlan plan = PlanDirectory(entries);
  EXPECT_THAT(plan.segments, ElementsAre(Offset(0), Offset(4), Offset(10)));
  EXPECT_THAT(plan.snapshots, ElementsAre(Offset(10)));
  EXPECT_THAT(plan.remove,
              UnorderedElementsAre("00000000000000000005.index", "00000000000000000007.log.deleted",
                                   "00000000000000000009.log.cleaned",
                                   "00000000000000000012.log.swap", "leader-epoch-checkpoint.tmp"));
  ASSERT_EQ(plan.rename.size(), 1u);
  EXPECT_EQ(plan.rename[0].from, "00000000000000000004.log.swap");
  EXPECT_EQ(plan.rename[0].to, "00000000000000000004.log");
}

}  // namespace
}  // namespace highwater::broker::storage
