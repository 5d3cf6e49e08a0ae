// The weak points of Kafka 3.2.3 (docs/weak-points.md): the scenarios of scenarios/kafka-3.2.3/
// show them with the original decisions and hold with the safe ones, and it is the one decision
// that makes the difference.

#include <gmock/gmock.h>

#include <filesystem>

#include "scenarios/loader.h"
#include "scenarios/world/simulated_seed_runner.h"
#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

using broker::BrokerOptions;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;

struct WeakPoint {
  std::string_view scenario;
  // The original decision, all others safe.
  void (*restore)(BrokerOptions& safe, const BrokerOptions& original);
  uint64_t seeds;  // among so many at least one shows it
};

constexpr WeakPoint kWeakPoints[] = {
    {"w1-last-replica-standing",
     [](BrokerOptions& safe, const BrokerOptions& original) {
       safe.rules.MayCommit = original.rules.MayCommit;
       safe.controller_rules.elect_offline = original.controller_rules.elect_offline;
       safe.controller_rules.may_have_lost_records =
           original.controller_rules.may_have_lost_records;
       safe.controller_rules.eligible_after = original.controller_rules.eligible_after;
     },
     10},
    {"w2-lost-zookeeper-reply",
     [](BrokerOptions& safe, const BrokerOptions& original) {
       safe.controller_rules.was_applied = original.controller_rules.was_applied;
       safe.controller_rules.rereads_after_conflict =
           original.controller_rules.rereads_after_conflict;
     },
     10},
    {"w3-dead-replica-joins",
     [](BrokerOptions& safe, const BrokerOptions& original) {
       safe.controller_rules.check_alter_partition =
           original.controller_rules.check_alter_partition;
     },
     20},
    {"w7-remembered-progress",
     [](BrokerOptions& safe, const BrokerOptions& original) {
       safe.rules.KeepsRemoteProgress = original.rules.KeepsRemoteProgress;
     },
     20},
    {"w8-high-watermark-of-divergence",
     [](BrokerOptions& safe, const BrokerOptions& original) {
       safe.rules.TrustsHighWatermarkOfDivergence = original.rules.TrustsHighWatermarkOfDivergence;
     },
     20},
    // A controller that looks who is live [W3] keeps the leaver out even if it ignores its stop.
    {"w9-back-before-it-stops",
     [](BrokerOptions& safe, const BrokerOptions& original) {
       safe.rules.MustObeyStop = original.rules.MustObeyStop;
       safe.controller_rules.stop_epoch = original.controller_rules.stop_epoch;
       safe.controller_rules.check_alter_partition =
           original.controller_rules.check_alter_partition;
     },
     10},
    {"w20-hole-between-segments",
     [](BrokerOptions& safe, const BrokerOptions& original) { safe.recovery = original.recovery; },
     80},
    {"uncompared-tail",
     [](BrokerOptions& safe, const BrokerOptions& original) {
       safe.rules.MustStartAnew = original.rules.MustStartAnew;
     },
     100},
};

std::filesystem::path Folder() {
  return std::filesystem::path(HIGHWATER_SCENARIOS) / "kafka-3.2.3";
}

Scenario Load(const std::string& name) {
  const std::string path = (Folder() / (name + ".yaml")).string();
  const LoadedScenario loaded = LoadScenarioFile(path, MakeSimulatedHarness().load);
  for (const Diagnostic& diagnostic : loaded.diagnostics) {
    ADD_FAILURE() << FormatDiagnostic(diagnostic);
  }
  HW_CHECK(loaded.scenario.has_value(), "{} does not load", path);
  return *loaded.scenario;
}

std::vector<std::string> Violated(const SeedResult& result) {
  std::vector<std::string> ids;
  for (const Violation& violation : result.violations) ids.push_back(violation.invariant);
  return ids;
}

class WeakPointTest : public testing::TestWithParam<WeakPoint> {};

// The two files of a pair differ in what they say of themselves and in whose decisions are taken.
TEST_P(WeakPointTest, TheSafeTwinIsTheSameScenario) {
  const Scenario original = Load(std::string(GetParam().scenario));
  Scenario safe = Load(std::string(GetParam().scenario) + "-safe");
  EXPECT_EQ(original.compatibility, Compatibility::kKafka323);
  EXPECT_EQ(safe.compatibility, Compatibility::kSafe);
  EXPECT_THAT(original.expect, Not(IsEmpty()));
  EXPECT_THAT(safe.expect, IsEmpty());
  EXPECT_TRUE(safe.check.all_invariants);
  safe.name = original.name;
  safe.about = original.about;
  safe.compatibility = original.compatibility;
  safe.expect = original.expect;
  safe.check = original.check;
  EXPECT_TRUE(SameScenario(original, safe));
}

TEST_P(WeakPointTest, ShowsWithTheOriginalDecisionsAndNotWithTheSafeOnes) {
  const Scenario original = Load(std::string(GetParam().scenario));
  const Scenario safe = Load(std::string(GetParam().scenario) + "-safe");
  bool shown = false;
  for (uint64_t seed = 1; seed <= GetParam().seeds && !shown; ++seed) {
    const RunOptions options;
    const std::vector<std::string> violated = Violated(SimulatedRun(original, seed, options).Run());
    for (const std::string& id : violated) EXPECT_THAT(original.expect, Contains(id));
    shown = !violated.empty();
    const SeedResult held = SimulatedRun(safe, seed, options).Run();
    EXPECT_EQ(held.verdict, Verdict::kHeld) << "seed " << seed;
    EXPECT_THAT(Violated(held), IsEmpty()) << "seed " << seed;
  }
  EXPECT_TRUE(shown) << "in none of " << GetParam().seeds << " seeds";
}

TEST_P(WeakPointTest, TheOneDecisionMakesTheDifference) {
  const Scenario original = Load(std::string(GetParam().scenario));
  RunHooks hooks;
  GetParam().restore(hooks.broker_options, BrokerOptions::Kafka323());
  const auto shows = [](const SeedResult& result) { return !result.violations.empty(); };
  EXPECT_TRUE(FindSeed(original, 1, GetParam().seeds, hooks, shows).has_value());
}

INSTANTIATE_TEST_SUITE_P(Kafka323, WeakPointTest, testing::ValuesIn(kWeakPoints),
                         [](const auto& info) {
                           std::string name(
                               info.param.scenario.substr(0, info.param.scenario.find('-')));
                           name[0] = static_cast<char>(std::toupper(name[0]));
                           return name;
                         });

// Each file of the folder belongs to a pair above.
TEST(WeakPointsTest, EveryScenarioOfTheFolderIsOneOfAPair) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Folder())) {
    files += entry.path().extension() == ".yaml" ? 1 : 0;
  }
  EXPECT_EQ(files, 2 * std::size(kWeakPoints));
}

// Who asks for nothing else gets the safe decisions.
TEST(WeakPointsTest, AScenarioSaysWhoseDecisionsAreTaken) {
  Scenario scenario = SmallScenario();
  const auto keeps_holes = [&] {
    return HooksOf(scenario).broker_options.recovery.MayHaveHole(false, broker::Offset(1),
                                                                 broker::Offset(2));
  };
  EXPECT_FALSE(keeps_holes());
  scenario.compatibility = Compatibility::kKafka323;
  EXPECT_TRUE(keeps_holes());
}

}  // namespace
}  // namespace highwater::scenarios
