#include "reports/reliability_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "reports/binomial.h"

namespace highwater::reports {
namespace {

using scenarios::CampaignResult;
using scenarios::Claim;
using scenarios::ClaimCase;
using scenarios::ClaimedLoss;
using scenarios::ClaimedWrites;
using scenarios::Claims;
using scenarios::ScenarioSummary;
using scenarios::WatchedSeeds;
using testing::HasSubstr;
using testing::Not;

TEST(BinomialTest, NoneOfManyIsTheRuleOfThreeMadeExact) {
  EXPECT_NEAR(BinomialBounds(0, 200).high, 0.01487, 1e-5);  // 1 - 0.05^(1/200)
  EXPECT_EQ(BinomialBounds(0, 200).low, 0);
  EXPECT_NEAR(BinomialBounds(200, 200).low, 1 - 0.01487, 1e-5);
  EXPECT_EQ(BinomialBounds(200, 200).high, 1);
}

TEST(BinomialTest, AgreesWithPublishedExactBounds) {
  // Clopper and Pearson (1934): 10 of 100.
  EXPECT_NEAR(BinomialBounds(10, 100).low, 0.0490, 1e-4);
  EXPECT_NEAR(BinomialBounds(10, 100).high, 0.1762, 1e-4);
}

RC_GTEST_PROP(BinomialTest, TheShareSeenLiesWithinTheBoundsAndMoreRunsTellMore, ()) {
  const auto trials = *rc::gen::inRange<uint64_t>(1, 3000);
  const auto successes = *rc::gen::inRange<uint64_t>(0, trials + 1);
  const Bounds bounds = BinomialBounds(successes, trials);
  const double share = static_cast<double>(successes) / static_cast<double>(trials);
  RC_ASSERT(bounds.low <= share);
  RC_ASSERT(share <= bounds.high);
  const Bounds more = BinomialBounds(successes * 4, trials * 4);
  RC_ASSERT(more.high - more.low < bounds.high - bounds.low);
}

TEST(BinomialTest, SaysSharesInWords) {
  EXPECT_EQ(ShareText(0, 200), "0 of 200 (below 1.5 %)");
  EXPECT_EQ(ShareText(200, 200), "200 of 200 (above 98.5 %)");
  EXPECT_EQ(ShareText(10, 100), "10 of 100 (4.9 % to 17.6 %)");
  EXPECT_EQ(ShareText(0, 0), "no run");
}

WatchedSeeds Seeds(uint64_t all, uint64_t some, uint64_t none) {
  return {.all = {.count = all, .first = 1},
          .some = {.count = some, .first = 500},
          .none = {.count = none, .first = 900}};
}

TEST(ReliabilityMatrixTest, ALossThatIsRuledOutIsWrongAndOneThatIsNotMentionedIsLeftOut) {
  const ScenarioSummary held{.decided = 10};
  const ScenarioSummary lost{.decided = 10, .lost = {.count = 1, .first = 3}};
  EXPECT_EQ(JudgeLoss(ClaimedLoss::kNone, held), ClaimVerdict::kHolds);
  EXPECT_EQ(JudgeLoss(ClaimedLoss::kNone, lost), ClaimVerdict::kWrong);
  EXPECT_EQ(JudgeLoss(ClaimedLoss::kPossible, held), ClaimVerdict::kNotSeen);
  EXPECT_EQ(JudgeLoss(ClaimedLoss::kPossible, lost), ClaimVerdict::kHolds);
  EXPECT_EQ(JudgeLoss(ClaimedLoss::kSilent, held), ClaimVerdict::kSilent);
  EXPECT_EQ(JudgeLoss(ClaimedLoss::kSilent, lost), ClaimVerdict::kLeftOut);
}

TEST(ReliabilityMatrixTest, WritesHoldIfAllButATwentiethOfTheRunsAgree) {
  EXPECT_EQ(JudgeWrites(ClaimedWrites::kAll, Seeds(95, 5, 0)), ClaimVerdict::kHolds);
  EXPECT_EQ(JudgeWrites(ClaimedWrites::kAll, Seeds(94, 6, 0)), ClaimVerdict::kPartly);
  EXPECT_EQ(JudgeWrites(ClaimedWrites::kNone, Seeds(94, 0, 6)), ClaimVerdict::kPartly);
  EXPECT_EQ(JudgeWrites(ClaimedWrites::kNone, Seeds(90, 5, 5)), ClaimVerdict::kWrong);
  EXPECT_EQ(JudgeWrites(ClaimedWrites::kSilent, Seeds(90, 5, 5)), ClaimVerdict::kSilent);
  EXPECT_EQ(JudgeWrites(ClaimedWrites::kAll, Seeds(0, 0, 0)), ClaimVerdict::kNotRun);
}

Claims OneClaim(ClaimCase said) {
  return {.document = "the document",
          .sections = {{.title = "Table",
                        .about = "",
                        .claims = {{.title = "3 / all / 3",
                                    .where = "line 7",
                                    .says = "Nothing is lost.",
                                    .cases = {std::move(said)}}}}},
          .unmeasured = {"The VIP."}};
}

CampaignResult Campaign(ScenarioSummary summary) {
  summary.name = "crash";
  summary.file = "scenarios/crash.yaml";
  summary.about = "A leader crashes.";
  return {.scenarios = {std::move(summary)}};
}

std::string Matrix(const Claims& claims, const CampaignResult& campaign) {
  return MakeReliabilityMatrix(claims, campaign, {.id = "4f2c1e9"}).markdown;
}

TEST(ReliabilityMatrixTest, WhereTheDocumentIsWrongItNamesASeedAndHowToReplayIt) {
  ScenarioSummary lost{.decided = 200, .lost = {.count = 10, .first = 17}};
  lost.totals.lost = 42;
  const std::string text =
      Matrix(OneClaim({.scenario = "crash", .loss = ClaimedLoss::kNone}), Campaign(lost));
  EXPECT_THAT(text, HasSubstr("- **3 / all / 3**, `crash`: records are lost in 10 of 200 (2.4 % to "
                              "9.0 %) runs: `highwater replay scenarios/crash.yaml --seed 17`"));
  EXPECT_THAT(text, HasSubstr("| none | 10 of 200 (2.4 % to 9.0 %), 42 records |"));
  EXPECT_THAT(text, HasSubstr("in 1 it is wrong"));
}

TEST(ReliabilityMatrixTest, WhereClientsWriteAndShouldNotItNamesTheFirstSeedThatIsNotAsDocumented) {
  ScenarioSummary measured{.decided = 200};
  measured.minority_writes = Seeds(0, 198, 2);
  const std::string text = Matrix(
      OneClaim({.scenario = "crash", .cut_off_writes = ClaimedWrites::kNone}), Campaign(measured));
  EXPECT_THAT(text, HasSubstr("clients that are cut off write to some of the partitions, not to "
                              "none, in 198 of 200"));
  EXPECT_THAT(text, HasSubstr("--seed 500`"));
}

TEST(ReliabilityMatrixTest, WhatHoldsIsNotAmongTheDifferences) {
  const std::string text = Matrix(OneClaim({.scenario = "crash", .loss = ClaimedLoss::kNone}),
                                  Campaign(ScenarioSummary{.decided = 200}));
  EXPECT_THAT(text, HasSubstr("leaves a loss out\n\nNowhere.\n"));
  EXPECT_THAT(text, HasSubstr("| none | 0 of 200 (below 1.5 %) |"));
  EXPECT_THAT(text, HasSubstr("| holds |\n"));
  EXPECT_THAT(text, HasSubstr("## Not in the matrix\n\n- The VIP.\n"));
}

TEST(ReliabilityMatrixTest, AScenarioWithoutADecidedRunIsNotRunAndNothingIsSaidOfIt) {
  const std::string text = Matrix(OneClaim({.scenario = "crash", .loss = ClaimedLoss::kNone}),
                                  Campaign(ScenarioSummary{.decided = 0}));
  EXPECT_THAT(text, HasSubstr("| not run |"));
  EXPECT_THAT(text, Not(HasSubstr("holds |\n")));
}

TEST(ReliabilityMatrixTest, ATimeIsJudgedByWhatHalfOfThemTake) {
  ScenarioSummary slow{.decided = 10};
  slow.totals.time_to_leader.Record(absl::Seconds(18));
  slow.totals.time_to_leader.Record(absl::Seconds(19));
  slow.totals.time_to_leader.Record(absl::Seconds(1));
  const auto text = [&](absl::Duration most) {
    return Matrix(OneClaim({.scenario = "crash", .time_to_leader = most}), Campaign(slow));
  };
  EXPECT_THAT(text(absl::Seconds(10)), HasSubstr("time to a leader: half take more than 18 s"));
  EXPECT_THAT(text(absl::Seconds(30)), HasSubstr("| holds |\n"));
}

}  // namespace
}  // namespace highwater::reports
