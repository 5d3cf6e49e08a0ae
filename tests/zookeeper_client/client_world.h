#pragma once

// ZooKeeperClientWorld: a world with a fake ensemble and one host whose program is the test's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "broker/zookeeper/client/session_client.h"
#include "sim/network/simulated_network.h"
#include "tests/zookeeper_client/fake_ensemble.h"

namespace highwater::tests {

using broker::zookeeper::ZooKeeperClient;
using broker::zookeeper::ZooKeeperClientOptions;

struct ZooKeeperClientWorld {
  explicit ZooKeeperClientWorld(int servers = 3, uint64_t seed = 1,
                                sim::StrategyKind strategy = sim::StrategyKind::kFifo)
      : world({.seed = seed, .strategy = strategy}),
        ensemble(world, servers),
        client(world.AddHost({.name = "client", .zone = world.network().AddZone("az-0")})) {
    options.servers = ensemble.endpoints();
    options.session_timeout = absl::Seconds(6);
    options.connection_timeout = absl::Seconds(6);
  }
  // Starts everything and runs `main` on the client until it returns.
  void Run(std::function<void(core::Environment&)> main, absl::Duration limit = absl::Minutes(10)) {
    bool done = false;
    client.SetMain([&done, main = std::move(main)](core::Environment& env) {
      main(env);
      done = true;
    });
    ensemble.StartAll();
    client.Start();
    while (!done && world.Elapsed() < limit) world.Run(world.Elapsed() + absl::Milliseconds(100));
    EXPECT_TRUE(done) << world.DescribeFibers();
  }
  // As Run, with a client that is connected.
  void RunConnected(std::function<void(core::Environment&, ZooKeeperClient&)> main) {
    Run([this, main = std::move(main)](core::Environment& env) {
      const auto zk = broker::zookeeper::MakeZooKeeperClient(env, options);
      const absl::Status connected = zk->Connect();
      EXPECT_TRUE(connected.ok()) << connected;
      if (connected.ok()) main(env, *zk);
      zk->Close(absl::Seconds(10));
    });
  }
  [[nodiscard]] int ServerOf(const ZooKeeperClient& zk) const {
    return ensemble.ServerOf(zk.session_id());
  }

  sim::World world;
  FakeEnsemble ensemble;
  sim::Host& client;
  ZooKeeperClientOptions options;
};

// Writes down what it is told.
class RecordingHandler final : public broker::zookeeper::ZNodeChangeHandler,
                               public broker::zookeeper::ZNodeChildChangeHandler {
 public:
  RecordingHandler(std::string path, std::vector<std::string>& log)
      : path_(std::move(path)), log_(log) {}
  std::string_view path() const override { return path_; }
  void OnCreated() override { log_.push_back("created " + path_); }
  void OnDeleted() override { log_.push_back("deleted " + path_); }
  void OnDataChanged() override { log_.push_back("data " + path_); }
  void OnChildrenChanged() override { log_.push_back("children " + path_); }

 private:
  std::string path_;
  std::vector<std::string>& log_;
};

class RecordingSessionHandler final : public broker::zookeeper::SessionStateHandler {
 public:
  explicit RecordingSessionHandler(std::vector<std::string>& log, std::string name = "")
      : log_(log), name_(std::move(name)) {}
  void BeforeInitializingSession() override { log_.push_back("before" + name_); }
  void AfterInitializingSession() override { log_.push_back("after" + name_); }

 private:
  std::vector<std::string>& log_;
  std::string name_;
};

}  // namespace highwater::tests
