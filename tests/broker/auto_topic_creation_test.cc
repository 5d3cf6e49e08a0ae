// Topics that a client has only named, in a cluster of three brokers and a ZooKeeper server:
// whichever broker is asked, the controller makes them.

#include <fmt/format.h>

#include "broker/client/broker_connection.h"
#include "broker/protocol/metadata.h"
#include "broker/zookeeper/zookeeper_node.h"
#include "tests/broker/broker_world.h"

namespace highwater::tests {
namespace {

using broker::protocol::ErrorCode;
using broker::protocol::MetadataRequest;
using broker::protocol::MetadataResponse;

// Members of the application: they go after their fibers.
struct ZooKeeperProcess final : sim::Application {
  explicit ZooKeeperProcess(core::Environment& env) : node(env, Options(), words, observer) {}
  static broker::zookeeper::ZooKeeperNodeOptions Options() {
    broker::zookeeper::ZooKeeperNodeOptions options{.data_dir = "/zookeeper"};
    options.server.client_address = {.host = "zookeeper", .port = 2181};
    options.server.tick_time_ms = 500;
    return options;
  }
  void Run(core::Environment&) override {
    HW_CHECK(node.Start().ok());
    HW_CHECK(node.Run().ok());
  }
  broker::zookeeper::NoFourLetterWords words;
  broker::ZooKeeperObserver observer;
  broker::zookeeper::ZooKeeperNode node;
};

struct BrokerProcess final : sim::Application {
  BrokerProcess(core::Environment& env, const Settings& settings)
      : server(env, *broker::BrokerConfig::FromMap(settings), observer) {}
  void Run(core::Environment&) override {
    HW_CHECK(server.Start().ok());
    HW_CHECK(server.Run().ok());
  }
  broker::Observer observer;
  broker::Broker server;
};

// Brokers 0 to 2 on hosts of their own.
class Trio {
 public:
  explicit Trio(Settings settings = {}) : world({.seed = 1}) {
    const auto zone = world.network().AddZone("az-a");
    sim::Host& zookeeper =
        world.AddHost({.name = "zookeeper", .zone = zone, .disk = sim::MakeDiskFactory({})});
    zookeeper.SetProgram(
        [](core::Environment& env) { return std::make_unique<ZooKeeperProcess>(env); });
    zookeeper.Start();
    for (int32_t id = 0; id < 3; ++id) {
      const std::string name = fmt::format("broker-{}", id);
      Settings own{{"broker.id", fmt::format("{}", id)},
                   {"listeners", fmt::format("PLAINTEXT://{}:{}", name, kPort)},
                   {"log.dirs", "/data"},
                   {"num.partitions", "2"},
                   {"default.replication.factor", "3"},
                   {"zookeeper.connect", "zookeeper:2181"}};
      for (const auto& [setting, value] : settings) own.insert_or_assign(setting, value);
      hosts.push_back(
          &world.AddHost({.name = name, .zone = zone, .disk = sim::MakeDiskFactory({})}));
      hosts.back()->SetProgram(
          [own](core::Environment& env) { return std::make_unique<BrokerProcess>(env, own); });
      hosts.back()->Start();
    }
    client = &world.AddHost({.name = "client", .zone = zone});
    world.Run(absl::Seconds(5));
  }

  // What this broker answers to a question for these topics; runs the world until it does.
  MetadataResponse Ask(int32_t broker, const std::vector<std::string>& topics, bool create = true) {
    std::optional<MetadataResponse> answer;
    client->SetMain([&](core::Environment& env) {
      const auto connection = std::make_shared<broker::client::BrokerConnection>(
          env, broker::client::ClientConfig{},
          core::Endpoint{fmt::format("broker-{}", broker), kPort}, 1);
      MetadataRequest request{.allow_auto_topic_creation = create};
      request.topics.emplace();
      for (const std::string& topic : topics) request.topics->push_back({.name = topic});
      auto response = connection->Call(request, env.fibers.Now() + absl::Seconds(20));
      HW_CHECK(response.ok(), "{}", response.status().ToString());
      answer = *std::move(response);
    });
    client->Start();
    for (int i = 0; i < 3000 && !answer; ++i) Run(absl::Milliseconds(10));
    HW_CHECK(answer.has_value(), "{}", world.DescribeFibers());
    if (client->running()) client->Crash();
    Run(absl::Milliseconds(10));
    return *std::move(answer);
  }
  void Run(absl::Duration duration) { world.Run(world.Elapsed() + duration); }
  int32_t Controller() { return Ask(0, {"none"}, false).controller_id; }
  // A broker that is not the controller.
  int32_t Another() { return (Controller() + 1) % 3; }

  sim::World world;
  std::vector<sim::Host*> hosts;
  sim::Host* client = nullptr;
};

TEST(AutoTopicCreationTest, ABrokerThatIsNotTheControllerHasTheTopicsMade) {
  Trio trio;
  const MetadataResponse answer = trio.Ask(trio.Another(), {"orders", "payments"});
  ASSERT_EQ(answer.topics.size(), 2u);
  for (const auto& topic : answer.topics) {
    EXPECT_EQ(topic.error_code, ErrorCode::NONE) << *topic.name;
    ASSERT_EQ(topic.partitions.size(), 2u);
    EXPECT_EQ(topic.partitions[0].replica_nodes.size(), 3u);
    EXPECT_NE(topic.partitions[0].leader_id, -1);
  }
}

TEST(AutoTopicCreationTest, TheControllerMakesThemItself) {
  Trio trio;
  const MetadataResponse answer = trio.Ask(trio.Controller(), {"orders"});
  EXPECT_EQ(answer.topics.at(0).error_code, ErrorCode::NONE);
}

TEST(AutoTopicCreationTest, NothingIsMadeWhereTheClientOrTheSettingForbidsIt) {
  Trio trio;
  EXPECT_EQ(trio.Ask(trio.Another(), {"orders"}, false).topics.at(0).error_code,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  Trio forbidding(Settings{{"auto.create.topics.enable", "false"}});
  EXPECT_EQ(forbidding.Ask(forbidding.Another(), {"orders"}).topics.at(0).error_code,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

TEST(AutoTopicCreationTest, WhatTheControllerRefusesTheClientIsTold) {
  Trio trio(Settings{{"default.replication.factor", "4"}});
  EXPECT_EQ(trio.Ask(trio.Another(), {"orders"}).topics.at(0).error_code,
            ErrorCode::INVALID_REPLICATION_FACTOR);
}

TEST(AutoTopicCreationTest, ADeadControllerHoldsUpNoAnswerForLongAndTheNextOneMakesTheTopic) {
  Trio trio;
  const int32_t controller = trio.Controller();
  const int32_t asked = (controller + 1) % 3;
  trio.hosts[static_cast<size_t>(controller)]->LosePower();
  const absl::Duration begin = trio.world.Elapsed();
  const MetadataResponse unknown = trio.Ask(asked, {"orders"});
  EXPECT_EQ(unknown.topics.at(0).error_code, ErrorCode::LEADER_NOT_AVAILABLE);
  EXPECT_LT(trio.world.Elapsed() - begin, absl::Seconds(6));
  // Its session ends, another is elected; three replicas need the third broker back.
  trio.Run(absl::Seconds(20));
  trio.hosts[static_cast<size_t>(controller)]->Start();
  trio.Run(absl::Seconds(5));
  for (const int32_t broker : {0, 1, 2}) {
    EXPECT_EQ(trio.Ask(broker, {"orders"}).topics.at(0).error_code, ErrorCode::NONE) << broker;
  }
}

}  // namespace
}  // namespace highwater::tests
