// ConfigChangeListener on a fake ZooKeeper [Z13, Z14].

#include "broker/controller/config_change_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"
#include "tests/zk/fake_zookeeper.h"

namespace highwater::tests {
namespace {

using broker::controller::ConfigChangeListener;
using broker::zk::ConfigEntries;
using broker::zk::ConfigKind;
using broker::zk::KafkaZkClient;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ConfigChangeListenerTest : public ::testing::Test {
 protected:
  struct Parts {
    core::Environment& env;
    FakeZooKeeperClient& client;
    KafkaZkClient& zk;
    ConfigChangeListener& listener;
  };
  // Runs `body` on a broker whose listener has not started yet.
  void Run(const std::function<void(Parts)>& body) {
    sim::Host& host = world_.AddHost({.name = "broker", .zone = world_.network().AddZone("az-a")});
    bool done = false;
    host.SetMain([&](core::Environment& env) {
      FakeZooKeeperClient client(env, server_);
      HW_CHECK(client.Connect().ok());
      KafkaZkClient zk(client);
      HW_CHECK(zk.MakeBasePaths().ok());
      server_.now_ms = absl::ToUnixMillis(env.clock.WallNow());
      ConfigChangeListener listener(
          env, zk, [&](ConfigKind kind, const std::string& entity, const ConfigEntries& entries) {
            told_.push_back((kind == ConfigKind::kTopics ? "topic " : "broker ") + entity +
                            (entries.empty() ? " gone" : " " + entries.begin()->second));
          });
      body({env, client, zk, listener});
      done = true;
      env.fibers.SleepUntil(core::MonotonicTime::Never());  // fibers end before their objects
    });
    host.Start();
    world_.Run(world_.Elapsed() + absl::Minutes(30));
    HW_CHECK(done, "{}", world_.DescribeFibers());
  }
  static void Set(const Parts& p, const std::string& topic, const ConfigEntries& entries) {
    ASSERT_TRUE(p.zk.SetOrCreateConfig(ConfigKind::kTopics, topic, entries).ok());
    ASSERT_TRUE(p.zk.CreateConfigChange(ConfigKind::kTopics, topic).ok());
  }
  std::vector<std::string> Told() { return std::exchange(told_, {}); }
  [[nodiscard]] size_t Notifications() const {
    size_t count = 0;
    for (const auto& [path, node] : server_.nodes()) {
      count += path.starts_with("/config/changes/") ? 1u : 0u;
    }
    return count;
  }

  FakeZooKeeper server_;
  std::vector<std::string> told_;
  sim::World world_{{.seed = 1}};
};

// [Z13, Z14, Z43]
TEST_F(ConfigChangeListenerTest, TellsAtStartWhatThereIsAndThenEachChangeOnce) {
  Run([&](const Parts& p) {
    Set(p, "a", {{"k", "1"}});
    ASSERT_TRUE(p.listener.Start().ok());
    EXPECT_THAT(Told(), ElementsAre("topic a 1"));
    EXPECT_EQ(p.listener.Find(ConfigKind::kTopics, "a").at("k"), "1");
    EXPECT_THAT(p.listener.Find(ConfigKind::kTopics, "b"), IsEmpty());
    Set(p, "b", {{"k", "2"}});
    Set(p, "a", {{"k", "3"}});
    Set(p, "a", {{"k", "3"}});  // no change
    p.env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(Told(), ElementsAre("topic b 2", "topic a 3"));
    Set(p, "b", {});
    p.env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(Told(), ElementsAre("topic b gone"));
  });
}

// [Z14]
TEST_F(ConfigChangeListenerTest, AfterANewSessionEverythingIsReadAgain) {
  Run([&](const Parts& p) {
    Set(p, "a", {{"k", "1"}});
    Set(p, "b", {{"k", "1"}});
    ASSERT_TRUE(p.listener.Start().ok());
    static_cast<void>(Told());
    // A change whose notification was purged before this broker came back.
    p.client.HoldWatches(true);
    ASSERT_TRUE(p.zk.SetOrCreateConfig(ConfigKind::kTopics, "a", {{"k", "2"}}).ok());
    server_.Do(broker::zookeeper::DeleteRequest{.path = "/config/topics/b"});
    p.client.HoldWatches(false);
    p.env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(Told(), IsEmpty());
    server_.Expire(p.client.session_id());
    p.env.fibers.SleepFor(absl::Seconds(5));
    EXPECT_THAT(Told(), ElementsAre("topic b gone", "topic a 2"));
    Set(p, "a", {{"k", "4"}});
    p.env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(Told(), ElementsAre("topic a 4")) << "it watches again";
  });
}

// [Z14]
TEST_F(ConfigChangeListenerTest, NotificationsGoAfterAQuarterOfAnHour) {
  Run([&](const Parts& p) {
    ASSERT_TRUE(p.listener.Start().ok());
    Set(p, "a", {{"k", "1"}});
    p.env.fibers.SleepFor(absl::Minutes(14));
    Set(p, "a", {{"k", "2"}});
    p.env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(Notifications(), 2u);
    p.env.fibers.SleepFor(absl::Minutes(2));
    server_.now_ms = absl::ToUnixMillis(p.env.clock.WallNow());
    Set(p, "a", {{"k", "3"}});
    p.env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(Notifications(), 1u) << "those that were made at the start are too old";
    EXPECT_THAT(Told(), ElementsAre("topic a 1", "topic a 2", "topic a 3"));
  });
}

TEST_F(ConfigChangeListenerTest, StoppedItTellsNothing) {
  Run([&](const Parts& p) {
    ASSERT_TRUE(p.listener.Start().ok());
    p.listener.Stop();
    Set(p, "a", {{"k", "1"}});
    p.env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(Told(), IsEmpty());
  });
}

}  // namespace
}  // namespace highwater::tests
