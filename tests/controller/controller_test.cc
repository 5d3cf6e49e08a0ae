// A controller among brokers in a simulated world: failover, brokers that come and go, elections,
// ISR changes, zombies.

#include "tests/controller/controller_world.h"

namespace highwater::tests {
namespace {

namespace zk = broker::zk;

const TopicPartition kOrders{"orders", PartitionIndex(0)};

// Three brokers and orders-0 on 0, 1, 2.
struct ThreeBrokers : ControllerWorld {
  explicit ThreeBrokers(ControllerRules table = ControllerRules::Safe(), uint64_t seed = 1,
                        const zk::ConfigEntries& settings = {{"min.insync.replicas", "2"}})
      : ControllerWorld(3, seed, table) {
    for (int32_t i = 0; i < 3; ++i) {
      Start(i);
      Run(absl::Milliseconds(100));
    }
    Run(absl::Seconds(1));
    CreateTopic("orders", {Ids({0, 1, 2})}, settings);
  }
};

// [Z22, Z50]
TEST(KafkaControllerTest, TheFirstBrokerBecomesControllerWithEpochOne) {
  ControllerWorld w(2);
  w.Start(0);
  w.Run(absl::Seconds(1));
  w.Start(1);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.Controller(), BrokerId(0));
  EXPECT_EQ(w.Process(0)->controller.epoch(), ControllerEpoch(1));
  EXPECT_EQ(w.Process(1)->controller.active_controller(), BrokerId(0));
  EXPECT_EQ(w.Process(0)->live_brokers, (std::set{BrokerId(0), BrokerId(1)}));
  EXPECT_EQ(w.Process(1)->live_brokers, (std::set{BrokerId(0), BrokerId(1)}));
}

// [C23, C100, Z27]
TEST(KafkaControllerTest, ANewTopicGetsItsFirstLiveReplicaAsLeader) {
  ThreeBrokers w;
  const zk::LeaderAndIsr state = w.StateOf(kOrders);
  EXPECT_EQ(state.leader, BrokerId(0));
  EXPECT_EQ(state.isr, Ids({0, 1, 2}));
  EXPECT_EQ(state.leader_epoch, LeaderEpoch(0));
  for (int32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(w.Process(i)->replicas[kOrders].leader, BrokerId(0));
    EXPECT_EQ(w.CountReceived(i, "LISR orders-0 leader=0 epoch=0 isr=0,1,2 new"), 1);
    EXPECT_EQ(w.Process(i)->metadata[kOrders].leader, 0);
  }
}

// [C12, C24, C31, C42, C44, C52, Z54]
TEST(KafkaControllerTest, ADeadLeaderIsReplacedFromTheIsr) {
  ThreeBrokers w;
  w.Crash(1);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({0, 2}));
  w.Crash(0);  // the controller, and the leader
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.Controller(), BrokerId(2));
  const zk::LeaderAndIsr state = w.StateOf(kOrders);
  EXPECT_EQ(state.leader, BrokerId(2));
  EXPECT_EQ(state.isr, Ids({2}));
  EXPECT_EQ(w.Process(2)->replicas[kOrders].leader, BrokerId(2));
  EXPECT_EQ(w.Process(2)->live_brokers, std::set{BrokerId(2)});
  // [C41] The last member stays.
  w.Crash(2);
  w.Start(1);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.Controller(), BrokerId(1));
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({2}));
}

// [W1]
TEST(KafkaControllerTest, WithoutTheSafeRulesTheLastReplicaAloneLeadsAgain) {
  ThreeBrokers w(ControllerRules::Kafka323());
  for (const int32_t id : {1, 0, 2}) {
    w.Crash(id);
    w.Run(absl::Seconds(1));
  }
  w.Start(1, /*unclean=*/true);
  w.Run(absl::Seconds(1));
  EXPECT_FALSE(w.HasLeader(kOrders));
  w.Start(2, /*unclean=*/true);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(2));
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({2}));
}

// [W1]
TEST(KafkaControllerTest, AnEligibleReplicaTakesOverFromAnUncleanOne) {
  ThreeBrokers w;
  w.Crash(1);
  w.Run(absl::Seconds(1));
  w.Crash(0);
  w.Run(absl::Seconds(1));
  // min.insync.replicas is 2: what 0 has is all that was committed.
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({2}));
  EXPECT_EQ(w.StateOf(kOrders).eligible, Ids({0}));
  w.Crash(2);
  w.Start(0);
  w.Run(absl::Seconds(2));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(0));
  w.Start(2, /*unclean=*/true);
  w.Run(absl::Seconds(2));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(0));
  EXPECT_EQ(w.unclean_elections, 0);
}

TEST(KafkaControllerTest, IfAllMayHaveLostRecordsTheLongestLogOfAllLeads) {
  ThreeBrokers w;
  for (const int32_t id : {1, 0, 2}) w.Crash(id, /*expire=*/false);
  w.zookeeper.ExpireDead();
  w.log_ends[BrokerId(0)][kOrders] = {LeaderEpoch(0), Offset(90)};
  w.log_ends[BrokerId(1)][kOrders] = {LeaderEpoch(0), Offset(100)};
  w.log_ends[BrokerId(2)][kOrders] = {LeaderEpoch(0), Offset(80)};
  w.Start(0, /*unclean=*/true);
  w.Run(absl::Seconds(2));
  w.Start(2, /*unclean=*/true);
  w.Run(absl::Seconds(5));
  // 1 may hold what both have lost.
  EXPECT_FALSE(w.HasLeader(kOrders));
  w.Start(1, /*unclean=*/true);
  w.Run(absl::Seconds(2));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(1));
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({1}));
  for (int32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(w.Process(i)->replicas[kOrders].leader, BrokerId(1));
    // The controller has answered: the next one does not ask again.
    EXPECT_FALSE(w.Process(i)->registrar.unclean_start());
  }
  w.Crash(w.Controller().value());
  w.Run(absl::Seconds(2));
  w.Start(0);
  w.Run(absl::Seconds(2));
}

TEST(KafkaControllerTest, AnUncleanFollowerLeavesTheIsrThatItStillStandsIn) {
  ThreeBrokers w;
  // Its session ends and it is back before the controller looks.
  w.Process(0)->client.HoldWatches(true);
  w.Crash(2);
  w.Start(2, /*unclean=*/true);
  w.Run(absl::Seconds(2));
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({0, 1, 2}));
  w.Process(0)->client.HoldWatches(false);
  w.Run(absl::Seconds(2));
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({0, 1}));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(0));
}

TEST(KafkaControllerTest, AnUncleanFollowerOutsideTheIsrCannotBeProposedForWhatItHadBefore) {
  ThreeBrokers w;
  EXPECT_EQ(w.ProposeIsr(kOrders, Ids({0, 1})), ErrorCode::NONE);
  const zk::LeaderAndIsr before = w.StateOf(kOrders);
  w.Crash(2);
  w.Start(2);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.StateOf(kOrders), before);
  w.Crash(2);
  w.Start(2, /*unclean=*/true);
  w.Run(absl::Seconds(1));
  EXPECT_GT(w.StateOf(kOrders).partition_epoch, before.partition_epoch);
  EXPECT_GT(w.StateOf(kOrders).leader_epoch, before.leader_epoch);
  EXPECT_EQ(w.Process(0)->replicas[kOrders].leader_epoch, w.StateOf(kOrders).leader_epoch);
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({0, 1}));
}

// [C6, C50, C51]
TEST(KafkaControllerTest, ABouncedBrokerIsHandledAsFailedAndStarted) {
  ThreeBrokers w;
  w.Process(0)->client.HoldWatches(true);
  w.Crash(2);
  w.Start(2);
  w.Run(absl::Seconds(2));
  w.Process(0)->client.HoldWatches(false);
  w.Run(absl::Seconds(2));
  // [C52], [C53] Out of the ISR with a new epoch, then told of its partitions.
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({0, 1}));
  EXPECT_EQ(w.Process(2)->replicas[kOrders].leader_epoch, w.StateOf(kOrders).leader_epoch);
  EXPECT_EQ(w.ProposeIsr(kOrders, Ids({0, 1, 2})), ErrorCode::NONE);
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({0, 1, 2}));
}

// [C72]
TEST(KafkaControllerTest, AnIsrChangeNeedsThePartitionEpochThatStands) {
  ThreeBrokers w;
  EXPECT_EQ(w.ProposeIsr(kOrders, Ids({0, 1})), ErrorCode::NONE);
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({0, 1}));
  EXPECT_EQ(w.StateOf(kOrders).leader_epoch, LeaderEpoch(0));  // [C73]
  EXPECT_EQ(w.Process(2)->metadata[kOrders].isr.size(), 2u);
  // Behind the controller's back.
  zk::LeaderIsrAndControllerEpoch other{.leader_and_isr = w.StateOf(kOrders),
                                        .controller_epoch = ControllerEpoch(1)};
  other.leader_and_isr.isr = Ids({0});
  const auto stale = w.StateOf(kOrders);
  w.zookeeper.Do(broker::zookeeper::SetDataRequest{
      .path = zk::StatePath(kOrders), .data = core::Bytes::Copy(zk::EncodeState(other))});
  broker::protocol::AlterPartitionRequest request;
  request.broker_id = 0;
  request.broker_epoch = w.Process(0)->registrar.epoch().value();
  request.topics.push_back({.name = "orders",
                            .partitions = {{.partition_index = 0,
                                            .leader_epoch = 0,
                                            .new_isr = {0, 1, 2},
                                            .partition_epoch = stale.partition_epoch.value()}}});
  w.On(0, [&](FakeBrokerProcess& process) {
    const auto response =
        process.controller.AlterPartition(request, process.env.fibers.Now() + absl::Seconds(9));
    EXPECT_EQ(response->topics[0].partitions[0].error_code, ErrorCode::INVALID_UPDATE_VERSION);
  });
}

// [C72, W2, Z42]
TEST(KafkaControllerTest, AnIsrChangeWhoseReplyWasLostIsASuccess) {
  for (const bool safe : {true, false}) {
    ThreeBrokers w(safe ? ControllerRules::Safe() : ControllerRules::Kafka323());
    w.zookeeper.lose_reply = [lost = false](const broker::zookeeper::Request& request) mutable {
      if (lost || !std::holds_alternative<broker::zookeeper::MultiRequest>(request)) return false;
      return lost = true;
    };
    EXPECT_EQ(w.ProposeIsr(kOrders, Ids({0, 1})),
              safe ? ErrorCode::NONE : ErrorCode::INVALID_UPDATE_VERSION);
    EXPECT_EQ(w.StateOf(kOrders).isr, Ids({0, 1}));
  }
}

// [C70, W17]
TEST(KafkaControllerTest, AnIsrChangeOfAStaleBrokerEpochIsRefused) {
  ThreeBrokers w;
  broker::protocol::AlterPartitionRequest request;
  request.broker_id = 0;
  request.broker_epoch = w.Process(0)->registrar.epoch().value() - 1;
  w.On(0, [&](FakeBrokerProcess& process) {
    const auto response =
        process.controller.AlterPartition(request, process.env.fibers.Now() + absl::Seconds(9));
    EXPECT_EQ(response->error_code, ErrorCode::STALE_BROKER_EPOCH);
  });
  w.On(1, [&](FakeBrokerProcess& process) {
    const auto response =
        process.controller.AlterPartition(request, process.env.fibers.Now() + absl::Seconds(9));
    EXPECT_EQ(response->error_code, ErrorCode::NOT_CONTROLLER);
  });
}

// [C4, Z20, Z45, Z54]
TEST(KafkaControllerTest, AZombieIsStoppedByItsFence) {
  ThreeBrokers w;
  // Broker 0 hears nothing while its node goes and 1 or 2 is elected.
  w.Process(0)->client.HoldWatches(true);
  w.zookeeper.Do(broker::zookeeper::DeleteRequest{.path = "/controller"});
  w.Run(absl::Seconds(2));
  EXPECT_TRUE(w.Process(0)->controller.IsActive());
  ASSERT_TRUE(w.Process(1)->controller.IsActive() || w.Process(2)->controller.IsActive());
  const auto before = w.StateOf(kOrders);
  broker::protocol::AlterPartitionRequest request;
  request.broker_id = 0;
  request.broker_epoch = w.Process(0)->registrar.epoch().value();
  request.topics.push_back({.name = "orders",
                            .partitions = {{.partition_index = 0,
                                            .leader_epoch = before.leader_epoch.value(),
                                            .new_isr = {0},
                                            .partition_epoch = before.partition_epoch.value()}}});
  w.On(0, [&](FakeBrokerProcess& process) {
    const auto response =
        process.controller.AlterPartition(request, process.env.fibers.Now() + absl::Seconds(9));
    EXPECT_EQ(response->error_code, ErrorCode::NOT_CONTROLLER);
  });
  EXPECT_EQ(w.StateOf(kOrders), before);
  EXPECT_FALSE(w.Process(0)->controller.IsActive());
}

// [C54, Z32, Z34, Z44, Z55]
TEST(KafkaControllerTest, AnExpiredControllerComesBackAsABrokerWithANewEpoch) {
  ThreeBrokers w;
  const BrokerEpoch before = w.Process(0)->registrar.epoch();
  w.Process(0)->client.CutOff(true);
  w.zookeeper.Expire(w.Process(0)->client.session_id());
  w.Run(absl::Seconds(2));
  EXPECT_TRUE(w.Process(0)->controller.IsActive());  // [Z45] it does not know
  EXPECT_NE(w.StateOf(kOrders).leader, BrokerId(0));
  w.Process(0)->client.CutOff(false);
  w.Run(absl::Seconds(2));
  EXPECT_FALSE(w.Process(0)->controller.IsActive());
  EXPECT_NE(w.Controller(), broker::kNoBroker);
  EXPECT_GT(w.Process(0)->registrar.epoch(), before);
  EXPECT_EQ(w.Process(0)->replicas[kOrders].leader, w.StateOf(kOrders).leader);
}

// [C36, C40, C45, C82, C82b, C83]
TEST(KafkaControllerTest, AShutdownMovesLeadersAndTheStopIsHeeded) {
  for (const bool safe : {true, false}) {
    ThreeBrokers w(safe ? ControllerRules::Safe() : ControllerRules::Kafka323());
    w.CreateTopic("other", {Ids({1, 0})});
    w.On(0, [&](FakeBrokerProcess& process) {
      broker::protocol::ControlledShutdownRequest request;
      request.broker_id = 0;
      request.broker_epoch = process.registrar.epoch().value();
      const auto response = process.controller.ControlledShutdown(
          request, process.env.fibers.Now() + absl::Seconds(9));
      EXPECT_EQ(response->error_code, ErrorCode::NONE);
      EXPECT_TRUE(response->remaining_partitions.empty());
    });
    w.Run(absl::Seconds(1));
    EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(1));
    EXPECT_EQ(w.StateOf(kOrders).isr, Ids({1, 2}));
    EXPECT_EQ(w.StateOf({"other", PartitionIndex(0)}).isr, Ids({1}));
    // [W9]
    const bool stopped = w.Process(0)->replicas[{"other", PartitionIndex(0)}].stopped;
    EXPECT_EQ(stopped, safe);
    // [W3] It does not come back into the ISR while it leaves.
    EXPECT_EQ(w.ProposeIsr({"other", PartitionIndex(0)}, Ids({1, 0})),
              safe ? ErrorCode::OPERATION_NOT_ATTEMPTED : ErrorCode::NONE);
  }
}

// [C61, W18]
TEST(KafkaControllerTest, ARequestThatABrokerMissedIsSentAgain) {
  ThreeBrokers w;
  w.deaf.insert(BrokerId(2));
  w.CreateTopic("late", {Ids({1, 2})});
  w.Run(absl::Minutes(2));
  w.deaf.clear();
  w.Run(absl::Minutes(1));
  EXPECT_EQ(w.Process(2)->replicas[(TopicPartition{"late", PartitionIndex(0)})].leader,
            BrokerId(1));
}

}  // namespace
}  // namespace highwater::tests
