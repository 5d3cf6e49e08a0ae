#include "scenarios/world/fault_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "scenarios/loader.h"

namespace highwater::scenarios {
namespace {

Scenario WithAftershocks(int64_t ppm) {
  constexpr std::string_view kText = R"(highwater: 1
name: plan
cluster: { brokers: { count: 3 }, zookeeper: { count: 1 } }
run: { warmup: 2s, duration: 20s, heal: 5s }
faults:
  random:
    - { crash_broker: { every: 4s, down: 1s } }
    - { power_loss: { every: 5s, down: 1s } }
    - { freeze: { every: 3s, for: 1s..2s } }
)";
  LoadedScenario loaded = LoadScenario("plan.yaml", kText, {});
  EXPECT_TRUE(loaded.scenario.has_value());
  loaded.scenario->aftershocks_ppm = ppm;
  return *std::move(loaded.scenario);
}

TEST(FaultPlanTest, AftershocksComeBesideTheFaultsThatAreThereWithoutThem) {
  size_t added = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const auto without = MaterialiseFaults(WithAftershocks(0), seed);
    const auto with = MaterialiseFaults(WithAftershocks(500'000), seed);
    std::set<uint64_t> keys;
    for (const faults::FaultOrder& order : with) EXPECT_TRUE(keys.insert(order.key).second);
    for (const faults::FaultOrder& order : without) EXPECT_TRUE(keys.contains(order.key));
    added += with.size() - without.size();
  }
  EXPECT_GT(added, 100u);
}

TEST(FaultPlanTest, AnAftershockFollowsWithinEightSecondsAndBeforeTheEndOfTheLoad) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const auto orders = MaterialiseFaults(WithAftershocks(900'000), seed);
    const std::set<uint64_t> first = [&] {
      std::set<uint64_t> keys;
      for (const auto& order : MaterialiseFaults(WithAftershocks(0), seed)) keys.insert(order.key);
      return keys;
    }();
    absl::Duration before = -absl::InfiniteDuration();
    for (const faults::FaultOrder& order : orders) {
      EXPECT_LT(order.at, absl::Seconds(22));
      if (!first.contains(order.key)) {
        EXPECT_LE(order.at - before, absl::Seconds(8));
      }
      before = order.at;
    }
  }
}

}  // namespace
}  // namespace highwater::scenarios
