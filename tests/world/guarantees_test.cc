// The guarantees of a single broker, seen to hold and seen to fail.

#include "faults/mutants/file_system_mutants.h"
#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

Scenario PowerLoss(bool flush_each) {
  Scenario scenario = SmallScenario();
  if (flush_each) scenario.cluster.settings.push_back({"log.flush.interval.messages", "1"});
  scenario.random = {FaultEvery("power_loss", absl::Seconds(3))};
  return scenario;
}

auto ViolatesRule(std::string_view rule) {
  return [rule](const SeedResult& result) { return Violates(result, rule); };
}
auto Fails() {
  // In so short a run a schedule may keep the topics from being created at all: such a seed says
  // nothing.
  return [](const SeedResult& result) {
    return result.verdict != Verdict::kHeld && result.verdict != Verdict::kVacuous;
  };
}

std::string Explain(const std::optional<SeedResult>& result) {
  if (!result.has_value()) return "";
  std::string text =
      fmt::format("seed {}: {}\n{}", result->seed, VerdictName(result->verdict), result->dump);
  for (const Violation& violation : result->violations) {
    text += violation.sentence + "\n";
    for (const std::string& witness : violation.witnesses) text += "  " + witness + "\n";
  }
  return text;
}

// [K17, L7]
TEST(SingleBrokerTest, LosesAckedRecordsAtAPowerLossUnderTheDefaultFlushPolicy) {
  EXPECT_TRUE(FindSeed(PowerLoss(false), 1, 50, {}, ViolatesRule("acked-durable")).has_value());
}

TEST(SingleBrokerTest, ALossBeyondTheGuaranteeIsNotJudgedWithinIt) {
  Scenario scenario = PowerLoss(false);
  scenario.check.guarantee = Guarantee::kWithin;
  EXPECT_FALSE(FindSeed(scenario, 1, 50, {}, ViolatesRule("acked-durable")).has_value());
}

// [L7]
TEST(SingleBrokerTest, KeepsThemWhenEachRecordIsFlushed) {
  const auto failed = FindSeed(PowerLoss(true), 1, 100, {}, Fails());
  EXPECT_FALSE(failed.has_value()) << Explain(failed);
}

TEST(SingleBrokerTest, KeepsThemThroughProcessCrashes) {
  Scenario scenario = SmallScenario();
  scenario.random = {FaultEvery("crash_broker", absl::Seconds(2))};
  const auto failed = FindSeed(scenario, 1, 100, {}, Fails());
  EXPECT_FALSE(failed.has_value()) << Explain(failed);
}

// Each check has a mutant that breaks just its rule.

TEST(MutantTest, ASyncThatLiesIsCaughtByAckedDurable) {
  const RunHooks hooks{.decorate_files = [](core::FileSystem& inner, uint64_t) {
    return faults::MakeLyingSync(inner);
  }};
  EXPECT_TRUE(FindSeed(PowerLoss(true), 1, 50, hooks, ViolatesRule("acked-durable")).has_value());
}

TEST(MutantTest, AlteredRecordsAreCaughtByPhantom) {
  const RunHooks hooks{.decorate_files = [](core::FileSystem& inner, uint64_t) {
    return faults::MakeAlteredRecords(inner);
  }};
  EXPECT_TRUE(FindSeed(SmallScenario(), 1, 1, hooks, ViolatesRule("phantom")).has_value());
}

TEST(MutantTest, ABrokerThatCannotStartAgainIsCaughtByReadableAtRest) {
  Scenario scenario = SmallScenario();
  scenario.random = {FaultEvery("crash_broker", absl::Seconds(2))};
  const RunHooks hooks{.decorate_files = [](core::FileSystem& inner, uint64_t run_id) {
    return faults::MakeStaleLock(inner, run_id);
  }};
  EXPECT_TRUE(FindSeed(scenario, 1, 20, hooks, ViolatesRule("readable-at-rest")).has_value());
}

}  // namespace
}  // namespace highwater::scenarios
