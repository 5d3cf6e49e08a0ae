// What must hold once the faults are over, also where a zone stays away for good; and that each of
// these checks fails when the rule that it rests upon is broken.

#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

using broker::LeaderProgress;
using broker::ReplicaProgress;
using broker::controller::Elected;
using broker::controller::ElectionFacts;

// Crashes, and then one zone stays away.
Scenario WithoutAZone() {
  Scenario scenario = ClusterScenario();
  scenario.cluster.settings.push_back({"replica.socket.timeout.ms", "3000"});
  scenario.cluster.settings.push_back({"controller.socket.timeout.ms", "3000"});
  scenario.run.heal = absl::Seconds(15);
  scenario.run.heal_with = HealWith::kCore;
  scenario.random = {FaultEvery("crash_broker", absl::Seconds(3))};
  return scenario;
}

TEST(AtRestTest, TheOthersGoOnWithoutAZone) {
  const auto failed = FindSeed(WithoutAZone(), 1, 20, {}, [](const SeedResult& result) {
    return result.verdict != Verdict::kHeld;
  });
  EXPECT_FALSE(failed.has_value());
}

// The high watermark waits for each assigned replica, in sync or not.
TEST(AtRestMutantTest, AHighWatermarkThatWaitsForTheDeadIsCaughtByCommittedAtRest) {
  RunHooks hooks;
  hooks.broker_options.rules.HoldsHighWatermark =
      [](const ReplicaProgress&, bool /*in_maximal_isr*/, const LeaderProgress&) { return true; };
  EXPECT_TRUE(FindSeed(WithoutAZone(), 1, 20, hooks, [](const SeedResult& result) {
                return Violates(result, "committed-at-rest");
              }).has_value());
}

// Who left the ISR while it was too small to commit is never elected.
TEST(AtRestMutantTest, NotElectingWhoIsEligibleIsCaughtByReadableAtRest) {
  Scenario scenario = WithoutAZone();
  scenario.random.push_back(FaultEvery("partition_network", absl::Seconds(3)));
  scenario.random.back().fault.place = "faults.random[1]";
  RunHooks hooks;
  hooks.broker_options.controller_rules.elect_offline = [](const ElectionFacts& facts) -> Elected {
    broker::zk::LeaderAndIsr state = facts.state;
    state.eligible.clear();
    return broker::controller::ElectOffline({.state = state,
                                             .replicas = facts.replicas,
                                             .live = facts.live,
                                             .live_or_shutting_down = facts.live_or_shutting_down,
                                             .target = facts.target,
                                             .shutting_down = facts.shutting_down,
                                             .min_insync_replicas = facts.min_insync_replicas});
  };
  EXPECT_TRUE(FindSeed(scenario, 1, 200, hooks, [](const SeedResult& result) {
                return Violates(result, "readable-at-rest");
              }).has_value());
}

}  // namespace
}  // namespace highwater::scenarios
