// Materialised runs in a simulated world: the same run from values, from a file, and made smaller.

#include "scenarios/materialise.h"

#include "scenarios/repro.h"
#include "scenarios/world/simulated_seed_runner.h"
#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

Scenario Troubled() {
  Scenario scenario = ClusterScenario();
  scenario.cluster.settings.push_back(
      {.name = "log.segment.bytes", .value = "16384", .choices = {"16384", "32768", "65536"}});
  scenario.aftershocks_ppm = 300'000;
  scenario.random = {FaultEvery("crash_broker", absl::Seconds(2)),
                     FaultEvery("partition_network", absl::Seconds(2)),
                     FaultEvery("lose_zone", absl::Seconds(4)),
                     FaultEvery("freeze", absl::Seconds(3))};
  scenario.random[0].fault.target = {
      .role = faults::Aim::Role::kLeader, .number = 0, .name = "orders"};
  for (size_t i = 0; i < scenario.random.size(); ++i) {
    scenario.random[i].fault.place = fmt::format("faults.random[{}]", i);
  }
  return scenario;
}

SeedResult RunOnce(const Scenario& scenario, uint64_t seed) {
  RunOptions options;
  options.trace = true;
  return SimulatedSeedRunner().Run(scenario, seed, options);
}

TEST(MaterialisedRunTest, IsTheRunOfItsSeed) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const SeedResult drawn = RunOnce(Troubled(), seed);
    Scenario run = Materialise(Troubled(), seed);
    const SeedResult played = RunOnce(run, seed);
    EXPECT_EQ(played.trace_hash, drawn.trace_hash) << "seed " << seed;
    Settle(played, run);
    EXPECT_EQ(RunOnce(run, seed).trace_hash, drawn.trace_hash) << "seed " << seed << ", settled";
  }
}

// What a seed does not draw has a say too: where replicas may be moved no zone is left out.
TEST(MaterialisedRunTest, HealsWithThoseWhoWouldHaveHealed) {
  Scenario scenario = Troubled();
  scenario.random.push_back(FaultEvery("reassign_partition", absl::Seconds(9)));
  scenario.random.back().fault.place = "faults.random[4]";
  scenario.run.heal_with = HealWith::kCore;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    const Scenario run = Materialise(scenario, seed);
    EXPECT_EQ(RunOnce(run, seed).trace_hash, RunOnce(scenario, seed).trace_hash) << "seed " << seed;
  }
}

TEST(MaterialisedRunTest, IsTheSameRunFromAFile) {
  const Harness harness = MakeSimulatedHarness();
  Scenario run = Materialise(Troubled(), 2);
  const SeedResult result = RunOnce(run, 2);
  Settle(result, run);
  const auto repro = ParseRepro("r.json", ReproJson(ReproOf(run, result, "", "")), harness.load);
  ASSERT_TRUE(repro.ok()) << repro.status();
  EXPECT_EQ(RunOnce(repro->run, repro->seed).trace_hash, result.trace_hash);
}

// Settled, a fault keeps its victim whatever else is left out.
TEST(MaterialisedRunTest, AFaultKeepsItsVictimWithoutTheOthers) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Scenario run = Materialise(Troubled(), seed);
    const SeedResult whole = RunOnce(run, seed);
    Settle(whole, run);
    if (whole.fired.size() < 2) continue;
    const FiredFault& last = whole.fired.back();
    std::erase_if(run.materialised->orders, [&](const auto& o) { return o.key != last.key; });
    const SeedResult alone = RunOnce(run, seed);
    ASSERT_EQ(alone.fired.size(), 1u);
    EXPECT_EQ(alone.fired.front().hit, last.hit) << "seed " << seed;
  }
}

TEST(MaterialisedRunTest, ARunTellsWhoPlayedWhichRole) {
  bool led = false;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Scenario run = Materialise(Troubled(), seed);
    for (const FiredFault& fired : RunOnce(run, seed).fired) {
      const auto order =
          std::find_if(run.materialised->orders.begin(), run.materialised->orders.end(),
                       [&](const auto& o) { return o.key == fired.key; });
      if (order->kind != "crash_broker") continue;
      const auto& roles = fired.roles;
      led = std::find(roles.begin(), roles.end(), "leader(orders-0)") != roles.end();
      EXPECT_TRUE(led) << "seed " << seed;
    }
  }
  EXPECT_TRUE(led);
}

TEST(MaterialisedRunTest, OperationsLimitEachProducer) {
  Scenario run = Materialise(ClusterScenario(), 1);
  run.materialised->operations = 3;
  EXPECT_EQ(RunOnce(run, 1).metrics.produced, 6u);  // two producers
}

// The effects of a server are counted, and a crash before one of them comes just there.
TEST(EffectCrashTest, CrashesBeforeTheEffectThatItNames) {
  Scenario run = Materialise(ClusterScenario(), 1);
  run.materialised->effect_crash = EffectCrash{.victim = {.role = faults::Aim::Role::kBroker},
                                               .effect = 0,
                                               .power_loss = false,
                                               .down = absl::Seconds(1)};
  const SeedResult counted = RunOnce(run, 1);
  EXPECT_GT(counted.victim_effects, 100u);
  EXPECT_TRUE(counted.ledger.empty());
  run.materialised->effect_crash->effect = counted.victim_effects / 2;
  for (const bool power_loss : {false, true}) {
    run.materialised->effect_crash->power_loss = power_loss;
    const SeedResult crashed = RunOnce(run, 1);
    ASSERT_EQ(crashed.ledger.size(), 1u);
    EXPECT_EQ(crashed.ledger.front().kind, power_loss ? "power_loss" : "crash_broker");
    EXPECT_EQ(crashed.ledger.front().observed, 1u);
    EXPECT_EQ(crashed.verdict, Verdict::kHeld);
    EXPECT_GT(crashed.victim_effects, counted.victim_effects / 2);
  }
}

}  // namespace
}  // namespace highwater::scenarios
