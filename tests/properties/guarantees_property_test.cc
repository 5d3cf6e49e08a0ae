// What must hold for all schedules of faults, and what breaks it.

#include <gtest/gtest.h>

#include "scenarios/world/simulated_seed_runner.h"
#include "scenarios/zoo/mutants.h"
#include "tests/properties/arbitrary_run.h"
#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

constexpr uint64_t kSeed = 20261123;
constexpr int kRuns = 60;
// A defect is looked for in so many.
constexpr int kHunt = 400;

struct Outcome {
  bool holds = false;
  std::string text;
  Trial smallest;  // the smallest counterexample
};

// Whether no run violates any of `rules` within what its configuration guarantees.
Outcome CheckAll(const std::vector<std::string>& rules, SeedRunner& runner, int runs) {
  Outcome outcome;
  rc::detail::TestParams params;
  params.seed = kSeed;
  params.maxSuccess = runs;
  const auto result = rc::detail::checkTestable(
      [&] {
        const Trial trial = *ArbitraryRun();
        const SeedResult ran = runner.Run(trial.run, trial.seed, {});
        for (const std::string& rule : rules) {
          if (!Violates(ran, rule)) continue;
          // RapidCheck goes on from each run that fails: the last of them is the smallest.
          outcome.smallest = trial;
          RC_FAIL("violates " + rule);
        }
      },
      rc::detail::TestMetadata(), params);
  outcome.holds = result.is<rc::detail::SuccessResult>();
  std::ostringstream text;
  rc::detail::printResultMessage(result, text);
  outcome.text = text.str();
  return outcome;
}

std::unique_ptr<SeedRunner> Planted(std::string_view id) {
  for (const PlantedDefect& defect : PlantedDefects()) {
    if (defect.id == id) return defect.make_runner();
  }
  HW_UNREACHABLE("no defect {}", id);
}

std::unique_ptr<SeedRunner> Healthy() { return MakeSimulatedHarness().make_runner(); }

const std::vector<std::string> kNoLoss = {"acked-durable", "lost-write", "committed-kept"};
const std::vector<std::string> kOnce = {"duplicate", "phantom"};
const std::vector<std::string> kOneStory = {"one-leader-per-epoch", "log-matching",
                                            "inconsistent-offsets"};

TEST(GuaranteesProperty, NoRecordAckedWithAcksAllIsLostWithinTheGuarantee) {
  const Outcome outcome = CheckAll(kNoLoss, *Healthy(), kRuns);
  EXPECT_TRUE(outcome.holds) << outcome.text;
}

TEST(GuaranteesProperty, AnIdempotentProducersRecordsAppearOnce) {
  const Outcome outcome = CheckAll(kOnce, *Healthy(), kRuns);
  EXPECT_TRUE(outcome.holds) << outcome.text;
}

TEST(GuaranteesProperty, ReplicasTellOneStory) {
  const Outcome outcome = CheckAll(kOneStory, *Healthy(), kRuns);
  EXPECT_TRUE(outcome.holds) << outcome.text;
}

// Each is seen to fail, and its counterexample to become small.

void ExpectCaught(const std::vector<std::string>& rules, std::string_view mutant) {
  const auto runner = Planted(mutant);
  const Outcome outcome = CheckAll(rules, *runner, kHunt);
  ASSERT_FALSE(outcome.holds) << mutant << " is not caught";
  EXPECT_LE(outcome.smallest.run.materialised->orders.size(), 3u) << outcome.text;
}

TEST(GuaranteesProperty, AHighWatermarkThatWaitsForNobodyIsCaught) { ExpectCaught(kNoLoss, "M24"); }

TEST(GuaranteesProperty, AnElectionOfWhoIsNotInSyncIsCaught) { ExpectCaught(kNoLoss, "M67"); }

TEST(GuaranteesProperty, AnEpochThatDoesNotGrowIsCaught) { ExpectCaught(kOneStory, "M71"); }

TEST(GuaranteesProperty, AlteredBatchesAreCaught) { ExpectCaught(kOnce, "M87"); }

}  // namespace
}  // namespace highwater::scenarios
