// KafkaZkClient on a fake ZooKeeper: registration, election, fences, lost replies.

#include "broker/zk/kafka_zk_client.h"

#include <gtest/gtest.h>

#include <functional>

#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"
#include "tests/zk/fake_zookeeper.h"

namespace highwater::tests {
namespace {

using namespace broker;      // NOLINT
using namespace broker::zk;  // NOLINT
using zookeeper::MultiRequest;
using zookeeper::Request;

struct ZkWorld {
  // Runs `main` with a connected client on a host of its own.
  void Run(std::function<void(core::Environment&, FakeZooKeeperClient&, KafkaZkClient&)> main) {
    sim::Host& host = world.AddHost(
        {.name = fmt::format("host-{}", ++hosts), .zone = world.network().AddZone("z")});
    bool done = false;
    host.SetMain([&](core::Environment& env) {
      FakeZooKeeperClient client(env, server);
      HW_CHECK(client.Connect().ok());
      KafkaZkClient zk(client);
      HW_CHECK(zk.MakeBasePaths().ok());
      main(env, client, zk);
      done = true;
      // Objects of a process end after its fibers.
      env.fibers.SleepUntil(core::MonotonicTime::Never());
    });
    host.Start();
    world.Run(world.Elapsed() + absl::Minutes(5));
    HW_CHECK(done, "{}", world.DescribeFibers());
  }
  // Loses the reply of the next multi.
  void LoseOneMulti() {
    server.lose_reply = [this, lost = false](const Request& request) mutable {
      if (lost || !std::holds_alternative<MultiRequest>(request)) return false;
      lost = true;
      ++losses;
      return true;
    };
  }

  FakeZooKeeper server;  // outlives the fibers that its clients run on
  sim::World world{{.seed = 1}};
  int hosts = 0;
  int losses = 0;
};

BrokerRegistration Broker(int32_t id) {
  return {.id = BrokerId(id), .endpoints = {{.host = "h", .port = 9092}}};
}

// [Z3, Z31]
TEST(KafkaZkClientTest, RegistersUnderTheCzxidAsEpoch) {
  ZkWorld w;
  w.Run([&](auto&, auto&, KafkaZkClient& zk) {
    const auto epoch = zk.RegisterBroker(Broker(1));
    ASSERT_TRUE(epoch.ok());
    EXPECT_EQ(epoch->value(), w.server.nodes().at("/brokers/ids/1").stat.czxid.value());
    const auto brokers = zk.GetBrokers();
    EXPECT_EQ(brokers->at(BrokerId(1)).epoch, *epoch);
  });
}

// [Z32]
TEST(KafkaZkClientTest, TakesARegistrationOfItsOwnSessionForItsOwn) {
  ZkWorld w;
  w.LoseOneMulti();
  w.Run([&](auto&, auto&, KafkaZkClient& zk) {
    const auto epoch = zk.RegisterBroker(Broker(1));
    ASSERT_TRUE(epoch.ok()) << epoch.status();
    EXPECT_EQ(w.losses, 1);
    EXPECT_EQ(epoch->value(), w.server.nodes().at("/brokers/ids/1").stat.czxid.value());
  });
}

// [Z32]
TEST(KafkaZkClientTest, RefusesAnIdThatAnotherSessionHolds) {
  ZkWorld w;
  w.Run([&](core::Environment& env, auto&, KafkaZkClient& zk) {
    ASSERT_TRUE(zk.RegisterBroker(Broker(1)).ok());
    FakeZooKeeperClient other(env, w.server);
    ASSERT_TRUE(other.Connect().ok());
    KafkaZkClient second(other);
    EXPECT_TRUE(absl::IsAlreadyExists(second.RegisterBroker(Broker(1)).status()));
    other.Close(absl::Seconds(1));
    static_cast<void>(env.fibers.SleepFor(absl::Seconds(1)));
  });
}

// [Z20, Z21, Z22, Z50, Z51]
TEST(KafkaZkClientTest, TheFirstControllerHasEpochOneAndTheNextIsFencedByIt) {
  ZkWorld w;
  w.Run([&](core::Environment&, auto&, KafkaZkClient& zk) {
    const auto won = zk.RegisterControllerAndIncrementEpoch(BrokerId(1), 0);
    ASSERT_TRUE(won.ok());
    EXPECT_EQ(won->epoch, ControllerEpoch(1));
    EXPECT_EQ(won->fence, FenceVersion(1));
    EXPECT_TRUE(IsControllerMoved(zk.RegisterControllerAndIncrementEpoch(BrokerId(2), 0).status()));
    // Another one takes over; what the first writes now fails as a whole.
    ASSERT_TRUE(zk.DeleteController(won->fence).ok());
    const auto next = zk.RegisterControllerAndIncrementEpoch(BrokerId(2), 0);
    ASSERT_TRUE(next.ok());
    EXPECT_EQ(next->epoch, ControllerEpoch(2));
    EXPECT_TRUE(IsControllerMoved(zk.SetTopic("t", {}, won->fence)));
    EXPECT_TRUE(IsControllerMoved(zk.DeleteController(won->fence)));
    EXPECT_TRUE(absl::IsNotFound(zk.SetTopic("t", {}, next->fence)));
  });
}

// [Z41, Z52]
TEST(KafkaZkClientTest, AnElectionWhoseReplyWasLostIsWon) {
  ZkWorld w;
  w.LoseOneMulti();
  w.Run([&](auto&, auto&, KafkaZkClient& zk) {
    const auto won = zk.RegisterControllerAndIncrementEpoch(BrokerId(1), 0);
    ASSERT_TRUE(won.ok()) << won.status();
    EXPECT_EQ(w.losses, 1);
    EXPECT_EQ(won->epoch, ControllerEpoch(1));
    EXPECT_TRUE(zk.DeleteController(won->fence).ok());
  });
}

// [C23]
TEST(KafkaZkClientTest, WritesStatesOnlyOverTheVersionThatWasRead) {
  ZkWorld w;
  w.Run([&](auto&, auto&, KafkaZkClient& zk) {
    const auto won = *zk.RegisterControllerAndIncrementEpoch(BrokerId(1), 0);
    ASSERT_TRUE(zk.CreateTopic("t", {}).ok());
    const TopicPartition id{"t", PartitionIndex(0)};
    const LeaderIsrAndControllerEpoch state{
        .leader_and_isr = {.leader = BrokerId(1), .isr = {BrokerId(1)}},
        .controller_epoch = won.epoch};
    const auto created = zk.CreateStates({{id, state}}, won.fence);
    ASSERT_TRUE(created.ok());
    EXPECT_TRUE(created->front().ok());
    EXPECT_TRUE(absl::IsAlreadyExists(zk.CreateStates({{id, state}}, won.fence)->front()));
    EXPECT_EQ(*zk.GetStates({&id, 1})->front(), state);
    EXPECT_EQ(*zk.UpdateStates({{id, state}}, won.fence)->front(), PartitionEpoch(1));
    EXPECT_TRUE(
        absl::IsFailedPrecondition(zk.UpdateStates({{id, state}}, won.fence)->front().status()));
    // What a lost reply leaves behind looks like a conflict [Z41].
    LeaderIsrAndControllerEpoch newer = state;
    newer.leader_and_isr.partition_epoch = PartitionEpoch(1);
    w.LoseOneMulti();
    EXPECT_TRUE(
        absl::IsFailedPrecondition(zk.UpdateStates({{id, newer}}, won.fence)->front().status()));
    EXPECT_EQ(zk.GetStates({&id, 1})->front()->leader_and_isr.partition_epoch, PartitionEpoch(2));
    ASSERT_TRUE(zk.DeleteTopic("t", won.fence).ok());
    EXPECT_TRUE(zk.GetTopicNames()->empty());
  });
}

// [Z14]
TEST(KafkaZkClientTest, ReadsConfigChangesAfterTheLastOneSeen) {
  ZkWorld w;
  w.Run([&](auto&, auto&, KafkaZkClient& zk) {
    ASSERT_TRUE(zk.SetOrCreateConfig(ConfigKind::kTopics, "t", {{"k", "v"}}).ok());
    ASSERT_TRUE(zk.CreateConfigChange(ConfigKind::kTopics, "t").ok());
    ASSERT_TRUE(zk.CreateConfigChange(ConfigKind::kBrokers, kDefaultEntity).ok());
    const auto all = zk.GetConfigChanges(-1);
    ASSERT_EQ(all->size(), 2u);
    EXPECT_EQ(all->front().entity_path, "topics/t");
    const auto later = zk.GetConfigChanges(all->front().sequence);
    ASSERT_EQ(later->size(), 1u);
    EXPECT_EQ(later->front().entity_path, "brokers/<default>");
    EXPECT_EQ(zk.GetConfig(ConfigKind::kTopics, "t")->at("k"), "v");
  });
}

TEST(KafkaZkClientTest, SettingsAreWrittenBackOnlyIfNobodyWroteMeanwhile) {
  ZkWorld w;
  w.Run([&](auto&, auto&, KafkaZkClient& zk) {
    auto first = zk.GetVersionedConfig(ConfigKind::kTopics, "t");
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(first->version, std::nullopt);
    first->entries["a"] = "1";
    ASSERT_TRUE(zk.SetConfigIf(ConfigKind::kTopics, "t", *first).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(zk.SetConfigIf(ConfigKind::kTopics, "t", *first)));
    auto next = zk.GetVersionedConfig(ConfigKind::kTopics, "t");
    next->entries["b"] = "2";
    ASSERT_TRUE(zk.SetConfigIf(ConfigKind::kTopics, "t", *next).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(zk.SetConfigIf(ConfigKind::kTopics, "t", *next)));
    EXPECT_EQ(zk.GetConfig(ConfigKind::kTopics, "t")->size(), 2u);
  });
}

}  // namespace
}  // namespace highwater::tests
