#include "scenarios/hunt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scenarios/scripted_seed_runner.h"
#include "scenarios/zoo_table.h"

namespace highwater::scenarios {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<Scenario> Campaigns() {
  std::vector<Scenario> campaigns(2);
  campaigns[0].name = "one";
  campaigns[1].name = "two";
  return campaigns;
}

PlantedDefect Defect(ScriptedSeedRunner::Script script) {
  return {.id = "M1",
          .area = "storage",
          .source = "KIP-1",
          .sentence = "it forgets",
          .make_runner = ScriptedHarness(std::move(script)).make_runner};
}

Harness Healthy() {
  return ScriptedHarness(
      [](const Scenario& s, uint64_t seed, const RunOptions&) { return HeldSeed(s, seed); });
}

TEST(TrialSourceTest, FreshSeedsTakeTheCampaignsInTurn) {
  const std::vector<Scenario> campaigns = Campaigns();
  const auto source = MakeFreshSeeds(campaigns, 10);
  std::vector<std::pair<std::string, uint64_t>> trials;
  for (const size_t count : {3, 2}) {
    for (const HuntTrial& trial : source->Next(count)) {
      trials.emplace_back(trial.scenario.name, trial.seed);
    }
  }
  using testing::ElementsAre;
  using testing::Pair;
  EXPECT_THAT(trials, ElementsAre(Pair("one", 10), Pair("two", 10), Pair("one", 11),
                                  Pair("two", 11), Pair("one", 12)));
}

TEST(HuntTest, CountsTheTrialsUpToTheFirstThatFails) {
  const std::vector<Scenario> campaigns = Campaigns();
  const PlantedDefect defect =
      Defect([](const Scenario& s, uint64_t seed, const RunOptions&) -> SeedResult {
        return s.name == "two" && seed >= 40 ? ViolatedSeed(s, seed) : HeldSeed(s, seed);
      });
  const auto source = MakeFreshSeeds(campaigns, 1);
  const Detection found = Hunt(defect, Healthy(), {}, *source, {.trials = 300});
  EXPECT_EQ(found.what, "acked-durable");
  EXPECT_EQ(found.trials, 80u);
  ASSERT_TRUE(found.trial.has_value());
  EXPECT_EQ(found.trial->scenario.name, "two");
  EXPECT_EQ(found.trial->seed, 40u);
}

TEST(HuntTest, PassesOverATrialInWhichTheHealthyProductFailsToo) {
  const std::vector<Scenario> campaigns = Campaigns();
  const auto fails_at = [](uint64_t first, uint64_t second) {
    return [=](const Scenario& s, uint64_t seed, const RunOptions&) -> SeedResult {
      return seed == first || seed == second ? ViolatedSeed(s, seed) : HeldSeed(s, seed);
    };
  };
  const auto source = MakeFreshSeeds(campaigns, 1);
  const Detection found =
      Hunt(Defect(fails_at(3, 9)), ScriptedHarness(fails_at(3, 3)), {}, *source, {.trials = 300});
  EXPECT_EQ(found.passed_over, 2u);
  ASSERT_TRUE(found.trial.has_value());
  EXPECT_EQ(found.trial->seed, 9u);
}

TEST(HuntTest, WhatTheHealthyProductViolatesInOtherSeedsIsNoDetection) {
  const std::vector<Scenario> campaigns = Campaigns();
  const Harness healthy =
      ScriptedHarness([](const Scenario& s, uint64_t seed, const RunOptions&) -> SeedResult {
        return s.name == "one" && seed == 1'000 ? ViolatedSeed(s, seed, "phantom")
                                                : HeldSeed(s, seed);
      });
  const Baseline baseline = MeasureBaseline(campaigns, healthy, 995, 10, 1);
  EXPECT_TRUE(baseline.Shows("one", "phantom"));
  EXPECT_FALSE(baseline.Shows("two", "phantom"));
  const PlantedDefect defect =
      Defect([](const Scenario& s, uint64_t seed, const RunOptions&) -> SeedResult {
        return seed == 5 ? ViolatedSeed(s, seed, "phantom") : HeldSeed(s, seed);
      });
  const auto source = MakeFreshSeeds(campaigns, 1);
  const Detection found = Hunt(defect, healthy, baseline, *source, {.trials = 30});
  EXPECT_EQ(found.what, "phantom");
  EXPECT_EQ(found.passed_over, 1u);
  ASSERT_TRUE(found.trial.has_value());
  EXPECT_EQ(found.trial->scenario.name, "two");
}

TEST(HuntTest, GivesUpAfterItsTrials) {
  const std::vector<Scenario> campaigns = Campaigns();
  const PlantedDefect defect =
      Defect([](const Scenario& s, uint64_t seed, const RunOptions&) { return HeldSeed(s, seed); });
  const auto source = MakeFreshSeeds(campaigns, 1);
  const Detection found = Hunt(defect, Healthy(), {}, *source, {.trials = 70});
  EXPECT_EQ(found.what, "");
  EXPECT_EQ(found.trials, 70u);
}

TEST(ZooTableTest, ARowTakesThePlaceOfTheOneWithItsId) {
  const std::vector<PlantedDefect> zoo{{.id = "M1",
                                        .area = "storage",
                                        .source = "KIP-1",
                                        .sentence = "it forgets",
                                        .make_runner = nullptr},
                                       {.id = "M2",
                                        .area = "storage",
                                        .source = "KIP-2",
                                        .sentence = "it lies",
                                        .make_runner = nullptr}};
  const std::string document =
      "# Zoo\n<!-- zoo: begin -->\n| M1 | old |\n| M9 | gone |\n"
      "<!-- zoo: end -->\nThe end.\n";
  ZooRow row{.defect = &zoo[1], .strategy = "pct", .hunts = {{.what = "phantom", .trials = 7}, {}}};
  row.hunts[1].trials = 30;
  const auto once = UpdateZooTable(document, {row}, zoo);
  ASSERT_TRUE(once.ok());
  EXPECT_THAT(*once, HasSubstr("| M1 | old |\n| M2 | storage | KIP-2 | it lies | phantom |"));
  EXPECT_THAT(*once, HasSubstr("| 7 · >30 |"));
  EXPECT_THAT(*once, Not(HasSubstr("M9")));
  EXPECT_THAT(*once, testing::StartsWith("# Zoo\n"));
  EXPECT_THAT(*once, testing::EndsWith("\nThe end.\n"));
  // Written again with the same row it stays what it is.
  EXPECT_EQ(*UpdateZooTable(*once, {row}, zoo), *once);
  EXPECT_FALSE(UpdateZooTable("no table", {row}, zoo).ok());
}

}  // namespace
}  // namespace highwater::scenarios
