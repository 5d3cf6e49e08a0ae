#include "scenarios/world/zone_left_out.h"

#include <gtest/gtest.h>

#include <set>

#include "sim/host.h"
#include "sim/world.h"

namespace highwater::scenarios {
namespace {

// Three brokers in three zones, and one ZooKeeper server in the first.
struct CoreTest : ::testing::Test {
  CoreTest() {
    scenario.cluster.zones = {"az-a", "az-b", "az-c"};
    scenario.cluster.brokers = 3;
    scenario.cluster.zookeeper = 1;
    scenario.cluster.settings.push_back({"zookeeper.session.timeout.ms", "3000"});
    scenario.topics.push_back({.name = "orders", .partitions = 1, .replicas = 3});
    scenario.run.heal = absl::Seconds(15);
    for (int32_t i = 0; i < 3; ++i) {
      sim::Host& host = world.AddHost({.name = "broker-" + std::to_string(i)});
      host.SetMain([](core::Environment& env) { (void)env.fibers.SleepFor(absl::Hours(1)); });
      host.Start();
      members.push_back({.host = &host,
                         .zone = scenario.cluster.zones[static_cast<size_t>(i)],
                         .kind = faults::Cast::Kind::kBroker,
                         .number = i});
    }
  }
  [[nodiscard]] std::set<std::string> Drawn() const {
    std::set<std::string> zones;
    for (uint64_t seed = 1; seed <= 100; ++seed) {
      zones.insert(ZoneLeftOut(scenario, seed, members).value_or("none"));
    }
    return zones;
  }

  Scenario scenario;
  sim::World world{{.seed = 1}};
  std::vector<faults::Cast::Member> members;
};

TEST_F(CoreTest, SomeSeedsLeaveAZoneOutButNeverThatOfTheOnlyZooKeeperServer) {
  EXPECT_EQ(Drawn(), (std::set<std::string>{"none", "az-b", "az-c"}));
}

TEST_F(CoreTest, AnyZoneMayBeMissedByAnEnsemble) {
  scenario.cluster.zookeeper = 3;
  scenario.run.heal_with = HealWith::kCore;
  EXPECT_EQ(Drawn(), (std::set<std::string>{"az-a", "az-b", "az-c"}));
}

TEST_F(CoreTest, AZoneThatHasLostABrokerStaysAsItIs) {
  members[2].host->Crash();
  EXPECT_EQ(Drawn(), (std::set<std::string>{"none", "az-c"}));
}

TEST_F(CoreTest, NobodyIsLeftOutWhereTheRestCouldNotGoOn) {
  scenario.run.heal_with = HealWith::kAll;
  EXPECT_EQ(Drawn(), std::set<std::string>{"none"});
  scenario.run.heal_with = HealWith::kCore;
  EXPECT_TRUE(CanLeaveAZoneOut(scenario));
  scenario.topics[0].replicas = 2;
  EXPECT_FALSE(CanLeaveAZoneOut(scenario));
  scenario.topics[0].replicas = 3;
  scenario.topics[0].settings.push_back({"min.insync.replicas", "3"});
  EXPECT_FALSE(CanLeaveAZoneOut(scenario));
  scenario.topics[0].settings.clear();
  scenario.run.heal = absl::Seconds(5);
  EXPECT_FALSE(CanLeaveAZoneOut(scenario)) << "too short to notice who is away";
  scenario.run.heal = absl::Seconds(15);
  scenario.random.push_back({.fault = {.kind = "migrate_zone"}});
  EXPECT_FALSE(CanLeaveAZoneOut(scenario));
}

}  // namespace
}  // namespace highwater::scenarios
