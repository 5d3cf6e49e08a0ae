#pragma once

// ClientWorld: a world with a fake cluster and one host whose program is the test's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "broker/client/admin.h"
#include "broker/client/consumer.h"
#include "broker/client/producer.h"
#include "sim/network/simulated_network.h"
#include "tests/client/fake_cluster.h"

namespace highwater::tests {

using broker::client::ConsumerConfig;
using broker::client::ProducerConfig;
using broker::client::SendOutcome;
using broker::client::SendResult;

inline const std::vector<core::Endpoint> kBootstrap = {{"broker-0", 9092}, {"broker-1", 9092}};

template <typename Config>
Config ConfigOf(const broker::client::Properties& properties = {}) {
  auto config = Config::FromMap(properties);
  HW_CHECK(config.ok(), "{}", config.status().ToString());
  config->bootstrap_servers = kBootstrap;
  return *std::move(config);
}

struct ClientWorld {
  explicit ClientWorld(uint64_t seed = 1, sim::StrategyKind strategy = sim::StrategyKind::kFifo,
                       int brokers = 2)
      : world({.seed = seed, .strategy = strategy}),
        cluster(world, brokers),
        client(world.AddHost({.name = "client", .zone = world.network().AddZone("az-a")})) {
    cluster.AddTopic("orders", 1);
  }
  // Starts everything and runs `main` on the client until it returns.
  void Run(std::function<void(core::Environment&)> main, absl::Duration limit = absl::Minutes(30)) {
    bool done = false;
    client.SetMain([&done, main = std::move(main)](core::Environment& env) {
      main(env);
      done = true;
    });
    cluster.StartAll();
    client.Start();
    while (!done && world.Elapsed() < limit) world.Run(world.Elapsed() + absl::Milliseconds(100));
    EXPECT_TRUE(done) << world.DescribeFibers();
  }

  sim::World world;
  FakeCluster cluster;
  sim::Host& client;
};

// What the callbacks said, by value.
struct Outcomes {
  struct One {
    SendOutcome outcome;
    ErrorCode error;
    Offset offset;
    PartitionIndex partition;
  };
  std::vector<std::pair<std::string, One>> all;

  broker::client::SendCallback For(std::string value) {
    return [this, value = std::move(value)](const SendResult& r) {
      all.push_back({value, {r.outcome, r.error, r.offset, r.partition}});
    };
  }
  [[nodiscard]] size_t Count(SendOutcome outcome) const {
    size_t count = 0;
    for (const auto& [value, one] : all) count += one.outcome == outcome ? 1 : 0;
    return count;
  }
};

}  // namespace highwater::tests
