// Topics under a controller: growth, deletion, reassignment, with crashes in between.

#include "broker/controller/cluster_controller.h"
#include "tests/controller/controller_world.h"

namespace highwater::tests {
namespace {

namespace zk = broker::zk;
namespace protocol = broker::protocol;

const TopicPartition kOrders{"orders", PartitionIndex(0)};

void StartAll(ControllerWorld& w, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    w.Start(i);
    w.Run(absl::Milliseconds(200));
  }
  w.Run(absl::Seconds(1));
}

zk::ReplicaAssignment AssignmentOf(ControllerWorld& w) {
  const auto topic = zk::DecodeTopicZnode(w.zookeeper.DataOf(zk::TopicPath("orders")));
  HW_CHECK(topic.ok());
  return topic->partitions.at(PartitionIndex(0));
}

// Asks for another assignment at the controller; nullopt cancels.
ErrorCode Reassign(ControllerWorld& w, const std::optional<std::vector<int32_t>>& replicas) {
  const BrokerId controller = w.Controller();
  if (controller == broker::kNoBroker) return ErrorCode::NOT_CONTROLLER;
  ErrorCode error = ErrorCode::REQUEST_TIMED_OUT;
  w.On(controller.value(), [&](FakeBrokerProcess& process) {
    protocol::AlterPartitionReassignmentsRequest request;
    request.topics.push_back(
        {.name = "orders", .partitions = {{.partition_index = 0, .replicas = replicas}}});
    const auto response = process.controller.AlterReassignments(
        request, process.env.fibers.Now() + absl::Seconds(30));
    if (!response) return;
    error = response->error_code;
    if (error == ErrorCode::NONE) error = response->responses[0].partitions[0].error_code;
  });
  return error;
}

// The leader takes everybody assigned and alive into the ISR, as fetches would make it.
void CatchUp(ControllerWorld& w) {
  const zk::LeaderAndIsr state = w.StateOf(kOrders);
  if (state.leader == broker::kNoBroker || w.Process(state.leader.value()) == nullptr) return;
  std::vector<BrokerId> isr = state.isr;
  for (const BrokerId id : AssignmentOf(w).replicas) {
    if (!zk::Contains(isr, id) && w.Process(id.value()) != nullptr) isr.push_back(id);
  }
  if (isr != state.isr) static_cast<void>(w.ProposeIsr(kOrders, isr));
  w.Run(absl::Seconds(1));
}

// [C25, C26, C75, C91, C92, C93, C95]
TEST(ReassignmentTest, MovesReplicasOnceTheNewOnesAreInSync) {
  ControllerWorld w(5);
  StartAll(w, 5);
  w.CreateTopic("orders", {Ids({1, 2, 3})});
  EXPECT_EQ(Reassign(w, {{4, 2, 3}}), ErrorCode::NONE);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(AssignmentOf(w).replicas, Ids({4, 2, 3, 1}));
  EXPECT_EQ(AssignmentOf(w).adding, Ids({4}));
  EXPECT_EQ(AssignmentOf(w).removing, Ids({1}));
  EXPECT_TRUE(w.Process(4)->replicas.contains(kOrders));
  CatchUp(w);
  EXPECT_EQ(AssignmentOf(w), (zk::ReplicaAssignment{.replicas = Ids({4, 2, 3})}));
  const zk::LeaderAndIsr state = w.StateOf(kOrders);
  EXPECT_EQ(state.leader, BrokerId(4));
  EXPECT_EQ(state.isr, Ids({2, 3, 4}));
  EXPECT_FALSE(w.Process(1)->replicas.contains(kOrders));  // deleted
  EXPECT_EQ(w.Process(2)->replicas[kOrders].replicas, Ids({4, 2, 3}));
  EXPECT_EQ(Reassign(w, std::nullopt), ErrorCode::NO_REASSIGNMENT_IN_PROGRESS);
}

// [C90]
TEST(ReassignmentTest, IsRefusedToTheDeadAndTheUnknown) {
  ControllerWorld w(4);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({0, 1})});
  EXPECT_EQ(Reassign(w, {{0, 3}}), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
  EXPECT_EQ(Reassign(w, {{0, 0}}), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
  EXPECT_EQ(Reassign(w, std::vector<int32_t>{}), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
}

// [C45, C92, C94]
TEST(ReassignmentTest, ACancelTakesTheAddedReplicaAwayW15) {
  for (const bool safe : {true, false}) {
    ControllerWorld w(5, 1, safe ? ControllerRules::Safe() : ControllerRules::Kafka323());
    StartAll(w, 5);
    w.CreateTopic("orders", {Ids({1, 2, 3})});
    EXPECT_EQ(Reassign(w, {{4, 2, 3}}), ErrorCode::NONE);
    w.Run(absl::Seconds(1));
    EXPECT_EQ(Reassign(w, std::nullopt), ErrorCode::NONE);
    w.Run(absl::Seconds(1));
    // What was added first is gone, what was there before stands as the request had ordered it.
    EXPECT_EQ(AssignmentOf(w), (zk::ReplicaAssignment{.replicas = Ids({2, 3, 1})}));
    EXPECT_EQ(w.Process(4)->replicas.contains(kOrders), !safe);
  }
}

// [C93]
TEST(ReassignmentTest, SurvivesACrashOfTheControllerAtEachWrite) {
  int crashes = 0;
  for (int write = 1; write <= 24; ++write) {
    SCOPED_TRACE(write);
    ControllerWorld w(5);
    StartAll(w, 5);
    w.CreateTopic("orders", {Ids({1, 2, 3})}, {{"min.insync.replicas", "2"}});
    w.crash_controller_at_write = write;
    for (int round = 0; round < 8; ++round) {
      const bool asked =
          AssignmentOf(w).IsBeingReassigned() || AssignmentOf(w).replicas == Ids({4, 2, 3});
      if (!asked) static_cast<void>(Reassign(w, {{4, 2, 3}}));
      w.Run(absl::Seconds(1));
      w.zookeeper.ExpireDead();
      w.Run(absl::Seconds(1));
      CatchUp(w);
      for (int32_t i = 0; i < 5; ++i) {
        if (w.IsRunning(i)) continue;
        ++crashes;
        w.zookeeper.ExpireDead();
        w.Start(i);
        w.Run(absl::Seconds(1));
      }
    }
    EXPECT_EQ(AssignmentOf(w), (zk::ReplicaAssignment{.replicas = Ids({4, 2, 3})}));
    const zk::LeaderAndIsr state = w.StateOf(kOrders);
    EXPECT_TRUE(zk::Contains(Ids({4, 2, 3}), state.leader));
    for (const BrokerId id : state.isr) EXPECT_TRUE(zk::Contains(Ids({4, 2, 3}), id));
    EXPECT_EQ(w.unclean_elections, 0);
    EXPECT_NE(w.Controller(), broker::kNoBroker);
  }
  // So many writes there are: the removed replica leaves the ISR by one that is made anyway; as
  // Kafka 3.2.3, with `limited_to` of its own, there is a sixth.
  EXPECT_EQ(crashes, 5);
}

// [C6, C53, C102, C103]
TEST(TopicDeletionTest, WaitsForAnOfflineReplica) {
  ControllerWorld w(3);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({0, 1, 2})});
  w.Crash(2);
  w.Run(absl::Seconds(1));
  w.DeleteTopic("orders");
  w.Run(absl::Seconds(5));
  EXPECT_TRUE(w.zookeeper.nodes().contains("/brokers/topics/orders"));
  EXPECT_FALSE(w.Process(1)->metadata.contains(kOrders));
  w.Start(2);
  w.Run(absl::Seconds(5));
  EXPECT_FALSE(w.zookeeper.nodes().contains("/brokers/topics/orders"));
  EXPECT_FALSE(w.zookeeper.nodes().contains("/admin/delete_topics/orders"));
  for (const BrokerId id : Ids({0, 1, 2})) EXPECT_FALSE(w.log_ends[id].contains(kOrders));
  // [C104] The name is free again, and epochs begin anew.
  w.CreateTopic("orders", {Ids({2, 1})});
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(2));
  EXPECT_EQ(w.StateOf(kOrders).leader_epoch, LeaderEpoch(0));
}

// [C10, C102, Z10]
TEST(TopicDeletionTest, IsTakenUpByTheNextController) {
  for (int write = 1; write <= 12; ++write) {
    SCOPED_TRACE(write);
    ControllerWorld w(4);
    StartAll(w, 4);
    w.CreateTopic("orders", {Ids({1, 2, 3})}, {{"min.insync.replicas", "2"}});
    w.crash_controller_at_write = write;
    w.DeleteTopic("orders");
    w.Run(absl::Seconds(1));
    w.zookeeper.ExpireDead();
    for (int32_t i = 0; i < 4; ++i) {
      if (!w.IsRunning(i)) w.Start(i);
    }
    w.Run(absl::Seconds(10));
    EXPECT_FALSE(w.zookeeper.nodes().contains("/brokers/topics/orders"));
    EXPECT_FALSE(w.zookeeper.nodes().contains("/config/topics/orders"));
    EXPECT_FALSE(w.zookeeper.nodes().contains("/admin/delete_topics/orders"));
  }
}

// [C6, C101]
TEST(TopicGrowthTest, NewPartitionsGetTheirLeaders) {
  ControllerWorld w(3);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({0, 1, 2})});
  auto topic = *zk::DecodeTopicZnode(w.zookeeper.DataOf("/brokers/topics/orders"));
  topic.partitions[PartitionIndex(1)].replicas = Ids({1, 2, 0});
  w.zookeeper.Do(broker::zookeeper::SetDataRequest{
      .path = "/brokers/topics/orders", .data = core::Bytes::Copy(zk::EncodeTopicZnode(topic))});
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.StateOf({"orders", PartitionIndex(1)}).leader, BrokerId(1));
}

// [C35]
TEST(ElectionRequestTest, PreferredLeadersComeBackAndUncleanOnesOnlyIfAsked) {
  ControllerWorld w(3);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({1, 2})});
  w.Crash(1);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(2));
  w.Start(1);
  w.Run(absl::Seconds(1));
  CatchUp(w);
  const auto elect = [&](int8_t type) {
    ErrorCode error = ErrorCode::REQUEST_TIMED_OUT;
    w.On(0, [&](FakeBrokerProcess& process) {
      protocol::ElectLeadersRequest request;
      request.election_type = type;
      request.topic_partitions->push_back({.topic = "orders", .partitions = {0}});
      const auto response =
          process.controller.ElectLeaders(request, process.env.fibers.Now() + absl::Seconds(9));
      error = response->replica_election_results.at(0).partition_result.at(0).error_code;
    });
    return error;
  };
  EXPECT_EQ(elect(0), ErrorCode::NONE);
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(1));
  EXPECT_EQ(elect(0), ErrorCode::ELECTION_NOT_NEEDED);
  EXPECT_EQ(elect(1), ErrorCode::ELECTION_NOT_NEEDED);
  EXPECT_EQ(w.ProposeIsr(kOrders, Ids({1})), ErrorCode::NONE);
  w.Crash(1);
  w.Run(absl::Seconds(1));
  EXPECT_FALSE(w.HasLeader(kOrders));
  EXPECT_EQ(elect(1), ErrorCode::NONE);
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(2));
  EXPECT_EQ(w.unclean_elections, 1);
}

// [C113, Z15]
TEST(ProducerIdsTest, AreGivenOutInBlocksOnceEach) {
  ControllerWorld w(2);
  StartAll(w, 2);
  std::vector<int64_t> starts;
  for (int i = 0; i < 3; ++i) {
    w.On(0, [&](FakeBrokerProcess& process) {
      protocol::AllocateProducerIdsRequest request;
      request.broker_id = 1;
      request.broker_epoch = w.Process(1)->registrar.epoch().value();
      const auto response = process.controller.AllocateProducerIds(
          request, process.env.fibers.Now() + absl::Seconds(9));
      ASSERT_EQ(response->error_code, ErrorCode::NONE);
      EXPECT_EQ(response->producer_id_len, 1000);
      starts.push_back(response->producer_id_start);
    });
  }
  EXPECT_EQ(starts, (std::vector<int64_t>{0, 1000, 2000}));
}

}  // namespace
}  // namespace highwater::tests
