#include "broker/controller/alter_partition_rules.h"

#include <gtest/gtest.h>

namespace highwater::broker::controller {
namespace {

using protocol::ErrorCode;

std::vector<BrokerId> Ids(std::initializer_list<int32_t> ids) {
  std::vector<BrokerId> brokers;
  for (const int32_t id : ids) brokers.emplace_back(id);
  return brokers;
}

struct Proposal {
  zk::LeaderAndIsr known{.leader = BrokerId(1), .leader_epoch = LeaderEpoch(5), .isr = Ids({1, 2})};
  zk::LeaderAndIsr proposed{
      .leader = BrokerId(1), .leader_epoch = LeaderEpoch(5), .isr = Ids({1, 2, 3})};
  BrokerId requester{1};
  std::vector<BrokerId> live = Ids({1, 2, 3});

  [[nodiscard]] AlterPartitionFacts facts() const {
    return {.requester = requester,
            .proposed = proposed,
            .known = known,
            .replicas = Ids({1, 2, 3}),
            .live = live};
  }
  [[nodiscard]] ErrorCode Safe() const { return CheckAlterPartition(facts()).error; }
  [[nodiscard]] ErrorCode Original() const { return CheckAlterPartitionOfKafka323(facts()).error; }
};

TEST(AlterPartitionRulesTest, AllowsAnAssignedLiveReplicaToJoin) {
  EXPECT_EQ(Proposal().Safe(), ErrorCode::NONE);
  EXPECT_FALSE(CheckAlterPartition(Proposal().facts()).already_so);
}

TEST(AlterPartitionRulesTest, FencesAnOlderEpochC71) {
  Proposal p;
  p.proposed.leader_epoch = LeaderEpoch(4);
  EXPECT_EQ(p.Safe(), ErrorCode::FENCED_LEADER_EPOCH);
  EXPECT_EQ(p.Original(), ErrorCode::FENCED_LEADER_EPOCH);
}

TEST(AlterPartitionRulesTest, DoesNotJudgeANewerEpochW3) {
  Proposal p;
  p.proposed.leader_epoch = LeaderEpoch(6);
  EXPECT_EQ(p.Safe(), ErrorCode::NOT_CONTROLLER);
  EXPECT_EQ(p.Original(), ErrorCode::NONE);
}

TEST(AlterPartitionRulesTest, AnswersWhatAlreadyIsSoWithoutAWriteC71) {
  Proposal p;
  p.proposed.isr = p.known.isr;
  EXPECT_TRUE(CheckAlterPartition(p.facts()).already_so);
  EXPECT_TRUE(CheckAlterPartitionOfKafka323(p.facts()).already_so);
  p.proposed.isr = Ids({2, 1});
  EXPECT_FALSE(CheckAlterPartition(p.facts()).already_so);
}

TEST(AlterPartitionRulesTest, RefusesIllegalRecoveryStatesC71) {
  Proposal p;
  p.proposed.recovery = zk::LeaderRecoveryState::kRecovering;
  EXPECT_EQ(p.Safe(), ErrorCode::INVALID_REQUEST);
  p.proposed.isr = Ids({1});
  EXPECT_EQ(p.Safe(), ErrorCode::INVALID_REQUEST);  // was recovered
  p.known.recovery = zk::LeaderRecoveryState::kRecovering;
  EXPECT_EQ(p.Safe(), ErrorCode::NONE);
  EXPECT_EQ(p.Original(), ErrorCode::NONE);
}

// [C74]
TEST(AlterPartitionRulesTest, RefusesADeadReplicaThatWouldJoinW3) {
  Proposal p;
  p.live = Ids({1, 2});
  EXPECT_EQ(p.Safe(), ErrorCode::OPERATION_NOT_ATTEMPTED);
  EXPECT_EQ(p.Original(), ErrorCode::NONE);
  // One that stands in it is the controller's to remove.
  p.proposed.isr = Ids({1});
  EXPECT_EQ(p.Safe(), ErrorCode::NONE);
}

TEST(AlterPartitionRulesTest, OnlyTheLeaderMayAskW3) {
  Proposal p;
  p.requester = BrokerId(2);
  p.proposed.leader = BrokerId(2);
  EXPECT_EQ(p.Safe(), ErrorCode::INVALID_REQUEST);
  EXPECT_EQ(p.Original(), ErrorCode::NONE);
}

// [C74]
TEST(AlterPartitionRulesTest, RefusesAnIsrWithoutTheLeaderOrWithStrangersW3) {
  Proposal p;
  p.proposed.isr = Ids({2});
  EXPECT_EQ(p.Safe(), ErrorCode::INVALID_REQUEST);
  p.proposed.isr = Ids({1, 9});
  p.live = Ids({1, 9});
  EXPECT_EQ(p.Safe(), ErrorCode::INVALID_REQUEST);
}

TEST(AlterPartitionRulesTest, KnowsItsOwnWriteAgainW2) {
  zk::LeaderIsrAndControllerEpoch wanted{.leader_and_isr = Proposal().proposed,
                                         .controller_epoch = ControllerEpoch(3)};
  wanted.leader_and_isr.partition_epoch = PartitionEpoch(7);
  zk::LeaderIsrAndControllerEpoch stored = wanted;
  stored.leader_and_isr.partition_epoch = PartitionEpoch(8);
  EXPECT_TRUE(WasApplied(stored, wanted));
  EXPECT_FALSE(NeverApplied(stored, wanted));
  stored.controller_epoch = ControllerEpoch(4);
  EXPECT_FALSE(WasApplied(stored, wanted));
  stored = wanted;
  stored.leader_and_isr.partition_epoch = PartitionEpoch(9);
  EXPECT_FALSE(WasApplied(stored, wanted));
}

}  // namespace
}  // namespace highwater::broker::controller
