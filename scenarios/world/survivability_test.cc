#include "scenarios/world/survivability.h"

#include <gmock/gmock.h>

namespace highwater::scenarios {
namespace {

using broker::BrokerId;
using broker::Offset;
using broker::TopicPartition;
using invariants::TopicPromise;

class SurvivabilityTest : public ::testing::Test {
 protected:
  SurvivabilityTest() {
    for (const int32_t broker : {0, 1, 2}) Append(broker, 0, 9);
    logs_.OnHighWatermarkMoved(BrokerId(0), orders_, Offset(10));
  }
  void Append(int32_t broker, int64_t base, int64_t last) {
    logs_.OnAppended(BrokerId(broker), {.partition = orders_,
                                        .leader_epoch = broker::LeaderEpoch(0),
                                        .base_offset = Offset(base),
                                        .last_offset = Offset(last),
                                        .digest = 7});
  }
  void Load(int32_t broker, int64_t end) {
    logs_.OnLogLoaded(BrokerId(broker), {.partition = orders_,
                                         .clean = false,
                                         .log_start_offset = Offset(0),
                                         .log_end_offset = Offset(end),
                                         .truncated_bytes = 0});
    survivability_.OnLogLoaded(BrokerId(broker), orders_);
  }
  bool Excuses(int16_t acks = -1, std::string invariant = "acked-durable") {
    return survivability_.Excuses(
        {.invariant = std::move(invariant), .partition = orders_, .acks = acks});
  }

  TopicPartition orders_{"orders", broker::PartitionIndex(0)};
  invariants::ReplicaLogs logs_;
  Survivability survivability_{logs_, [](std::string_view) {
                                 return TopicPromise{.replicas = 3, .min_insync_replicas = 2};
                               }};
};

TEST_F(SurvivabilityTest, OneDamagedReplicaOfThreeIsWithinTheGuarantee) {
  survivability_.LostData(BrokerId(1));
  EXPECT_FALSE(Excuses());
}

TEST_F(SurvivabilityTest, AsManyDamagedAsMinInsyncIsBeyond) {
  survivability_.LostData(BrokerId(1));
  survivability_.LostData(BrokerId(2));
  EXPECT_TRUE(Excuses());
  EXPECT_TRUE(Excuses(-1, "committed-kept"));
  EXPECT_FALSE(Excuses(-1, "one-leader-per-epoch"));
}

TEST_F(SurvivabilityTest, AReplicaThatFetchedPastTheCommitPointIsWholeAgain) {
  survivability_.LostData(BrokerId(1));
  Load(1, 4);
  survivability_.OnFollowerFetched(BrokerId(1), orders_, Offset(9));
  survivability_.OnFollowerFetched(BrokerId(1), orders_, Offset(10));
  survivability_.LostData(BrokerId(2));
  EXPECT_FALSE(Excuses());
}

TEST_F(SurvivabilityTest, AReplicaThatHasNotFetchedFarEnoughIsNot) {
  survivability_.LostData(BrokerId(1));
  Load(1, 4);
  survivability_.OnFollowerFetched(BrokerId(1), orders_, Offset(9));
  survivability_.LostData(BrokerId(2));
  EXPECT_TRUE(Excuses());
}

TEST_F(SurvivabilityTest, AFetchThatWasSentBeforeTheLossRepairsNothing) {
  survivability_.LostData(BrokerId(1));
  survivability_.OnFollowerFetched(BrokerId(1), orders_, Offset(10));
  survivability_.LostData(BrokerId(2));
  EXPECT_TRUE(Excuses());
}

TEST_F(SurvivabilityTest, ALogThatIsOpenedWholeWasNotDamaged) {
  survivability_.LostData(BrokerId(1));
  Load(1, 10);
  survivability_.LostData(BrokerId(2));
  EXPECT_FALSE(Excuses());
}

TEST_F(SurvivabilityTest, ItNeverComesBack) {
  survivability_.LostData(BrokerId(1));
  survivability_.LostData(BrokerId(2));
  Load(1, 10);
  Load(2, 10);
  EXPECT_TRUE(Excuses());
}

TEST_F(SurvivabilityTest, ACorruptDiskStaysDamaged) {
  survivability_.Corrupted(BrokerId(1));
  Load(1, 10);
  survivability_.OnFollowerFetched(BrokerId(1), orders_, Offset(10));
  survivability_.LostData(BrokerId(2));
  EXPECT_TRUE(Excuses());
}

TEST_F(SurvivabilityTest, AnEmptyDiskIsTheLossOfThatCopy) {
  survivability_.DiskReplaced(BrokerId(1));
  EXPECT_FALSE(Excuses());
  survivability_.DiskReplaced(BrokerId(2));
  EXPECT_TRUE(Excuses());
}

TEST_F(SurvivabilityTest, ANewDiskDoesNotCorruptWhatTheOldOneDid) {
  survivability_.Corrupted(BrokerId(1));
  survivability_.DiskReplaced(BrokerId(1));
  Load(1, 0);
  survivability_.OnFollowerFetched(BrokerId(1), orders_, Offset(10));
  survivability_.LostData(BrokerId(2));
  EXPECT_FALSE(Excuses());
}

TEST_F(SurvivabilityTest, WhatAFormerReplicaLacksConcernsNobody) {
  survivability_.LostData(BrokerId(1));
  logs_.OnLogDeleted(BrokerId(1), orders_);
  survivability_.OnLogDeleted(BrokerId(1), orders_);
  survivability_.LostData(BrokerId(2));
  EXPECT_FALSE(Excuses());
  survivability_.LostData(BrokerId(1));  // it has nothing to lose
  EXPECT_FALSE(Excuses());
}

TEST_F(SurvivabilityTest, ATopicThatIsCreatedAnewBeginsWithinItsGuarantee) {
  survivability_.LostData(BrokerId(1));
  survivability_.LostData(BrokerId(2));
  survivability_.OnTopicDeleted("orders");
  EXPECT_FALSE(Excuses());
}

TEST_F(SurvivabilityTest, AcksOneIsNotPromisedAcrossLeaders) {
  EXPECT_TRUE(Excuses(1));
  EXPECT_FALSE(Excuses(-1));
}

TEST_F(SurvivabilityTest, WithoutItsCoordinationNothingIsGuaranteed) {
  survivability_.CoordinationLost();
  EXPECT_TRUE(Excuses());
}

}  // namespace
}  // namespace highwater::scenarios
