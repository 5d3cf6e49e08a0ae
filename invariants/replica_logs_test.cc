#include "invariants/replica_logs.h"

#include <gmock/gmock.h>

namespace highwater::invariants {
namespace {

using broker::BrokerId;
using broker::LeaderEpoch;
using broker::Offset;
using broker::TopicPartition;

class ReplicaLogsTest : public ::testing::Test {
 protected:
  void Append(int32_t broker, int64_t base, int64_t last, int32_t epoch, uint64_t digest) {
    logs_.OnAppended(BrokerId(broker), {.partition = orders_,
                                        .leader_epoch = LeaderEpoch(epoch),
                                        .base_offset = Offset(base),
                                        .last_offset = Offset(last),
                                        .digest = digest});
  }
  void Load(int32_t broker, int64_t end, int64_t start = 0) {
    logs_.OnLogLoaded(BrokerId(broker), {.partition = orders_,
                                         .clean = false,
                                         .log_start_offset = Offset(start),
                                         .log_end_offset = Offset(end),
                                         .truncated_bytes = 0});
  }
  void Commit(int32_t leader, int64_t high_watermark) {
    logs_.OnHighWatermarkMoved(BrokerId(leader), orders_, Offset(high_watermark));
  }
  std::optional<Difference> DifferenceOf(int32_t broker) {
    return logs_.FindDifference(BrokerId(broker), orders_);
  }

  TopicPartition orders_{"orders", broker::PartitionIndex(0)};
  ReplicaLogs logs_;
};

TEST_F(ReplicaLogsTest, AReplicaThatHoldsWhatWasCommittedDoesNotDiffer) {
  for (const int32_t broker : {0, 1}) {
    Append(broker, 0, 4, 0, 11);
    Append(broker, 5, 5, 0, 12);
  }
  Commit(0, 6);
  EXPECT_EQ(logs_.CommitPoint(orders_), Offset(6));
  EXPECT_EQ(DifferenceOf(1), std::nullopt);
  EXPECT_EQ(logs_.HoldersUpTo(orders_, Offset(6)), 2);
}

TEST_F(ReplicaLogsTest, AShorterLogLacksTheFirstCommittedBatchPastItsEnd) {
  Append(0, 0, 4, 0, 11);
  Append(0, 5, 9, 0, 12);
  Append(1, 0, 4, 0, 11);
  Commit(0, 10);
  const auto difference = DifferenceOf(1);
  ASSERT_TRUE(difference.has_value());
  EXPECT_EQ(difference->committed.base, Offset(5));
  EXPECT_FALSE(difference->found.has_value());
  EXPECT_EQ(logs_.HoldersUpTo(orders_, Offset(10)), 1);
}

TEST_F(ReplicaLogsTest, OtherContentOrAnotherEpochAtTheSamePlaceDiffers) {
  Append(0, 0, 4, 0, 11);
  Append(1, 0, 4, 0, 99);
  Append(2, 0, 4, 1, 11);
  Commit(0, 5);
  EXPECT_EQ(DifferenceOf(1)->found->digest, 99u);
  EXPECT_EQ(DifferenceOf(2)->found->epoch, LeaderEpoch(1));
}

TEST_F(ReplicaLogsTest, WhatIsAboveTheCommitPointMayDiffer) {
  Append(0, 0, 4, 0, 11);
  Append(0, 5, 5, 0, 12);
  Append(1, 0, 4, 0, 11);
  Commit(0, 5);
  EXPECT_EQ(DifferenceOf(1), std::nullopt);
}

TEST_F(ReplicaLogsTest, ATruncationAndAShorterRecoveryForgetBatches) {
  Append(0, 0, 4, 0, 11);
  Append(0, 5, 9, 0, 12);
  Commit(0, 10);
  logs_.OnTruncated(BrokerId(0), orders_, Offset(5));
  EXPECT_EQ(DifferenceOf(0)->committed.base, Offset(5));
  Append(0, 5, 9, 0, 12);
  EXPECT_EQ(DifferenceOf(0), std::nullopt);
  Load(0, 0);
  EXPECT_EQ(DifferenceOf(0)->committed.base, Offset(0));
}

TEST_F(ReplicaLogsTest, WhatRetentionTookIsNotMissed) {
  Append(0, 0, 4, 0, 11);
  Append(0, 5, 9, 0, 12);
  Commit(0, 10);
  logs_.OnLogStartMoved(BrokerId(0), orders_, Offset(5));
  EXPECT_EQ(DifferenceOf(0), std::nullopt);
}

TEST_F(ReplicaLogsTest, TheCommitPointNeverGoesBack) {
  Append(0, 0, 4, 0, 11);
  Append(1, 0, 4, 0, 11);
  Commit(0, 5);
  Commit(1, 3);
  EXPECT_EQ(logs_.CommitPoint(orders_), Offset(5));
}

}  // namespace
}  // namespace highwater::invariants
