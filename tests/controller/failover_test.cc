// What a controller does when its term begins, and with the events that come to it: the rules that
// controller_test.cc and topic_changes_test.cc do not show.

#include "tests/controller/controller_world.h"

namespace highwater::tests {
namespace {

namespace zk = broker::zk;
namespace protocol = broker::protocol;
using broker::controller::ControllerEventManager;

const TopicPartition kOrders{"orders", PartitionIndex(0)};

void StartAll(ControllerWorld& w, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    w.Start(i);
    w.Run(absl::Milliseconds(200));
  }
  w.Run(absl::Seconds(1));
}

void Write(ControllerWorld& w, const std::string& path, const std::string& data) {
  const auto set = w.zookeeper.Do(
      broker::zookeeper::SetDataRequest{.path = path, .data = core::Bytes::Copy(data)});
  if (set.ok()) return;
  const auto made = w.zookeeper.Do(
      broker::zookeeper::CreateRequest{.path = path, .data = core::Bytes::Copy(data)});
  HW_CHECK(made.ok());
}

// ---- Failover [C10, C11, C12].

// [C26, C60]
TEST(FailoverTest, BrokersHearOfEachOtherBeforeTheyHearOfLeaders) {
  ControllerWorld w(3);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({1, 2})});
  w.CreateTopic("late", {Ids({0})});
  w.received.clear();
  w.Crash(0);
  w.Run(absl::Seconds(1));
  ASSERT_EQ(w.Controller(), BrokerId(1));
  std::vector<std::string> lines;
  for (const Received& one : w.received) {
    if (one.broker == BrokerId(2)) lines.push_back(one.line);
  }
  ASSERT_GE(lines.size(), 2u);
  EXPECT_EQ(lines[0], "UMR brokers=1,2") << "the addresses first";
  EXPECT_EQ(lines[1], "LISR orders-0 leader=1 epoch=0 isr=1,2") << "replicas online: as it was";
  EXPECT_EQ(w.StateOf({"late", PartitionIndex(0)}).leader, broker::kNoBroker)
      << "whose only replica is away is offline";
}

// [C76, Z8]
TEST(FailoverTest, OldNotificationsAreDropped) {
  ControllerWorld w(1);
  StartAll(w, 1);
  w.Crash(0, /*expire=*/false);
  Write(w, "/log_dir_event_notification/log_dir_event_0000000007",
        zk::EncodeLogDirEvent(BrokerId(0)));
  Write(w, "/isr_change_notification/isr_change_0000000003", zk::EncodePartitions({}));
  w.zookeeper.ExpireDead();
  w.Start(0);
  w.Run(absl::Seconds(1));
  ASSERT_EQ(w.Controller(), BrokerId(0));
  for (const auto& [path, node] : w.zookeeper.nodes()) {
    EXPECT_FALSE(path.starts_with("/log_dir_event_notification/")) << path;
    EXPECT_FALSE(path.starts_with("/isr_change_notification/")) << path;
  }
}

TEST(FailoverTest, ATopicWithoutAnIdGetsOne) {  // [Z25]
  ControllerWorld w(2);
  StartAll(w, 1);
  w.Crash(0, /*expire=*/false);
  zk::TopicZnode old;
  old.partitions[PartitionIndex(0)].replicas = Ids({0});
  Write(w, "/brokers/topics/old", zk::EncodeTopicZnode(old));
  w.zookeeper.ExpireDead();
  w.Start(0);
  w.Run(absl::Seconds(1));
  const auto topic = zk::DecodeTopicZnode(w.zookeeper.DataOf("/brokers/topics/old"));
  EXPECT_FALSE(topic->id.is_zero());
  EXPECT_FALSE(protocol::IsReservedUuid(topic->id));
}

TEST(FailoverTest, WhatANewerControllerWroteIsNotOverruled) {  // [C30, C43]
  ControllerWorld w(3);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({1, 2})});
  const std::string path = zk::StatePath(kOrders);
  auto state = *zk::DecodeState(w.zookeeper.DataOf(path), PartitionEpoch(0));
  state.controller_epoch = ControllerEpoch(99);
  Write(w, path, zk::EncodeState(state));
  const size_t writes = w.written.size();
  w.Crash(1);
  w.Run(absl::Seconds(2));
  EXPECT_EQ(w.Controller(), BrokerId(0));
  EXPECT_EQ(w.written.size(), writes) << w.written.back();
}

// [C13, Z53]
TEST(FailoverTest, WhatCannotBeBegunIsGivenUpAndTriedAgain) {
  ControllerWorld w(2);
  StartAll(w, 2);
  w.CreateTopic("orders", {Ids({0, 1})});
  const std::string before = w.zookeeper.DataOf("/brokers/topics/orders");
  w.Crash(0, /*expire=*/false);
  Write(w, "/brokers/topics/orders", "no topic");
  w.zookeeper.ExpireDead();
  w.Run(absl::Seconds(5));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(0)) << "nobody could elect another";
  const auto tries = *zk::DecodeControllerEpoch(w.zookeeper.DataOf("/controller_epoch"));
  EXPECT_GT(tries, ControllerEpoch(3));
  Write(w, "/brokers/topics/orders", before);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.Controller(), BrokerId(1));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(1));
}

// ---- Events [C1, C3].

// [W17]
TEST(ControllerEventManagerTest, EventsAreProcessedOneByOneAndAnExpiryDropsThoseThatWait) {
  sim::World world({.seed = 1});
  std::string log;
  sim::Host& host = world.AddHost({.name = "h", .zone = world.network().AddZone("z")});
  host.SetMain([&](core::Environment& env) {
    ControllerEventManager events(env);
    const auto event = [&](char name) {
      return broker::controller::ControllerEvent{
          .name = "event",
          .process =
              [&, name] {
                log += name;
                env.fibers.SleepFor(absl::Seconds(1));
                log += ';';
              },
          .preempt = [&, name] { log += std::string("-") + name; }};
    };
    events.Put(event('x'));  // before the start: nobody will come to it
    events.Start();
    events.Put(event('a'));
    events.Put(event('b'));
    env.fibers.SleepFor(absl::Milliseconds(1500));
    events.Put(event('c'));
    events.Put(event('d'));
    EXPECT_EQ(events.waiting(), 2u);
    events.ClearAndPut(event('e'));
    env.fibers.SleepFor(absl::Seconds(1));
    events.Put(event('f'));
    events.StopAndWait();
    log += '.';
  });
  host.Start();
  world.RunUntilIdle();
  EXPECT_EQ(log, "-xa;b-c-d;e-f;.");
}

// ---- What comes to it.

TEST(ControllerEventsTest, PreferredLeadersComeBackByThemselves) {  // [C110]
  ControllerWorld w(3);
  w.config.auto_leader_rebalance_enable = true;
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({1, 2})});
  w.Crash(1);
  w.Run(absl::Seconds(1));
  w.Start(1);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(2));
  w.Run(absl::Seconds(310));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(2)) << "it is not in sync";
  EXPECT_EQ(w.ProposeIsr(kOrders, Ids({2, 1})), ErrorCode::NONE);
  w.Run(absl::Seconds(310));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(1));
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({2, 1})) << "nobody leaves for it";
}

// [C33, Z9]
TEST(ControllerEventsTest, AFailedLogDirectoryMovesItsLeaders) {  // [C65, C111]
  ControllerWorld w(3);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({1, 2})});
  w.CreateTopic("other", {Ids({1, 2})});
  w.on_failed_directory.insert({BrokerId(1), kOrders});
  Write(w, "/log_dir_event_notification/log_dir_event_0000000000",
        zk::EncodeLogDirEvent(BrokerId(1)));
  w.Run(absl::Seconds(2));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(2));
  EXPECT_EQ(w.StateOf(kOrders).isr, Ids({2}));
  EXPECT_EQ(w.StateOf({"other", PartitionIndex(0)}).leader, BrokerId(1)) << "on another disk";
  EXPECT_FALSE(
      w.zookeeper.nodes().contains("/log_dir_event_notification/log_dir_event_0000000000"));
}

TEST(ControllerEventsTest,
     OnceUncleanElectionsAreAllowedAnOfflinePartitionIsElectedFor) {  // [C112]
  ControllerWorld w(3);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({1, 2})});
  EXPECT_EQ(w.ProposeIsr(kOrders, Ids({1})), ErrorCode::NONE);
  w.Crash(1);
  w.Run(absl::Seconds(1));
  EXPECT_FALSE(w.HasLeader(kOrders));
  Write(w, "/config/topics/orders", zk::EncodeConfig({{"unclean.leader.election.enable", "true"}}));
  w.On(0, [](FakeBrokerProcess& process) { process.controller.TopicConfigChanged("orders"); });
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(2));
  EXPECT_EQ(w.unclean_elections, 1);
}

// [Z11, C90]
TEST(ControllerEventsTest, AReassignmentOfTheOldAdminCommandIsCarriedOut) {
  ControllerWorld w(4);
  StartAll(w, 4);
  w.CreateTopic("orders", {Ids({1, 2})});
  Write(w, "/admin/reassign_partitions",
        zk::EncodeReassignments({{kOrders, Ids({3, 2})}, {{"none", PartitionIndex(0)}, Ids({1})}}));
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.ProposeIsr(kOrders, Ids({1, 2, 3})), ErrorCode::NONE);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(3));
  EXPECT_FALSE(w.zookeeper.nodes().contains("/admin/reassign_partitions"));
}

// [Z12, C35]
TEST(ControllerEventsTest, APreferredElectionOfTheOldAdminCommandIsHeld) {
  ControllerWorld w(3);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({1, 2})});
  w.Crash(1);
  w.Run(absl::Seconds(1));
  w.Start(1);
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.ProposeIsr(kOrders, Ids({2, 1})), ErrorCode::NONE);
  Write(w, "/admin/preferred_replica_election",
        zk::EncodePartitions(std::vector<TopicPartition>{kOrders}));
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.StateOf(kOrders).leader, BrokerId(1));
  EXPECT_FALSE(w.zookeeper.nodes().contains("/admin/preferred_replica_election"));
}

// [C76, Z8]
TEST(ControllerEventsTest, AnIsrThatALeaderWroteItselfIsToldToEverybody) {
  ControllerWorld w(3);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({1, 2})});
  const std::string path = zk::StatePath(kOrders);
  auto state = *zk::DecodeState(w.zookeeper.DataOf(path), PartitionEpoch(0));
  state.leader_and_isr.isr = Ids({1});
  Write(w, path, zk::EncodeState(state));
  Write(w, "/isr_change_notification/isr_change_0000000000",
        zk::EncodePartitions(std::vector<TopicPartition>{kOrders}));
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.Process(2)->metadata[kOrders].isr, std::vector<int32_t>{1});
  EXPECT_FALSE(w.zookeeper.nodes().contains("/isr_change_notification/isr_change_0000000000"));
  // What the controller knows has the version of that write: the next change is no conflict.
  EXPECT_EQ(w.ProposeIsr(kOrders, Ids({1, 2})), ErrorCode::NONE);
}

TEST(ControllerEventsTest, ChangedEndpointsAreToldToEverybodyUnderTheSameEpoch) {  // [Z33]
  ControllerWorld w(2);
  StartAll(w, 2);
  const std::string path = zk::BrokerIdPath(BrokerId(1));
  auto broker =
      *zk::DecodeBrokerRegistration(BrokerId(1), BrokerEpoch(0), w.zookeeper.DataOf(path));
  broker.endpoints[0].port = 9999;
  w.received.clear();
  Write(w, path, zk::EncodeBrokerRegistration(broker));
  w.Run(absl::Seconds(1));
  EXPECT_EQ(w.CountReceived(0, "UMR brokers=0,1"), 1);
  EXPECT_EQ(w.Process(0)->cache.brokers().at(BrokerId(1)).listeners.at(0).endpoint.port, 9999);
}

// [C52]
TEST(ControllerEventsTest, AShutdownThatCannotMoveALeaderSaysSo) {  // [C80, C81, C83]
  ControllerWorld w(2);
  StartAll(w, 2);
  w.CreateTopic("orders", {Ids({1, 0})});
  EXPECT_EQ(w.ProposeIsr(kOrders, Ids({1})), ErrorCode::NONE);
  w.On(0, [&](FakeBrokerProcess& process) {
    const auto ask = [&](int32_t id, int64_t epoch) {
      protocol::ControlledShutdownRequest request;
      request.broker_id = id;
      request.broker_epoch = epoch;
      return *process.controller.ControlledShutdown(request,
                                                    process.env.fibers.Now() + absl::Seconds(9));
    };
    const int64_t epoch = w.Process(1)->registrar.epoch().value();
    EXPECT_EQ(ask(7, -1).error_code, ErrorCode::BROKER_NOT_AVAILABLE);
    EXPECT_EQ(ask(1, epoch - 1).error_code, ErrorCode::STALE_BROKER_EPOCH);
    const auto response = ask(1, epoch);
    EXPECT_EQ(response.error_code, ErrorCode::NONE);
    ASSERT_EQ(response.remaining_partitions.size(), 1u);
    EXPECT_EQ(response.remaining_partitions[0].topic_name, "orders");
    EXPECT_TRUE(process.controller.context().shutting_down.contains(BrokerId(1)));
  });
  w.Crash(1);
  w.Run(absl::Seconds(1));
  w.On(0, [&](FakeBrokerProcess& process) {
    EXPECT_TRUE(process.controller.context().shutting_down.empty());
  });
}

TEST(ControllerEventsTest, ProducerIdsAreGivenToRegisteredBrokersOnly) {  // [C113]
  ControllerWorld w(2);
  StartAll(w, 2);
  w.On(0, [&](FakeBrokerProcess& process) {
    const auto ask = [&](int32_t id, int64_t epoch) {
      protocol::AllocateProducerIdsRequest request;
      request.broker_id = id;
      request.broker_epoch = epoch;
      return process.controller
          .AllocateProducerIds(request, process.env.fibers.Now() + absl::Seconds(9))
          ->error_code;
    };
    const int64_t epoch = w.Process(1)->registrar.epoch().value();
    EXPECT_EQ(ask(7, epoch), ErrorCode::BROKER_ID_NOT_REGISTERED);
    EXPECT_EQ(ask(1, epoch + 1), ErrorCode::STALE_BROKER_EPOCH);
    EXPECT_EQ(ask(1, epoch), ErrorCode::NONE);
  });
}

TEST(ControllerEventsTest, PartitionsOfATopicThatIsBeingDeletedAreNotAdded) {  // [C101]
  ControllerWorld w(3);
  StartAll(w, 3);
  w.CreateTopic("orders", {Ids({1, 2})});
  w.Crash(2);
  w.Run(absl::Seconds(1));
  w.DeleteTopic("orders");  // waits for broker 2
  auto topic = *zk::DecodeTopicZnode(w.zookeeper.DataOf("/brokers/topics/orders"));
  topic.partitions[PartitionIndex(1)].replicas = Ids({1, 0});
  Write(w, "/brokers/topics/orders", zk::EncodeTopicZnode(topic));
  w.Run(absl::Seconds(1));
  const auto restored = *zk::DecodeTopicZnode(w.zookeeper.DataOf("/brokers/topics/orders"));
  EXPECT_EQ(restored.partitions.size(), 1u);
  EXPECT_FALSE(w.HasLeader({"orders", PartitionIndex(1)}));
}

TEST(ControllerEventsTest, WhereDeletionIsDisabledTheRequestIsDropped) {  // [C102]
  ControllerWorld w(2);
  w.config.delete_topic_enable = false;
  StartAll(w, 2);
  w.CreateTopic("orders", {Ids({0, 1})});
  w.DeleteTopic("orders");
  EXPECT_FALSE(w.zookeeper.nodes().contains("/admin/delete_topics/orders"));
  EXPECT_TRUE(w.HasLeader(kOrders));
}

}  // namespace
}  // namespace highwater::tests
