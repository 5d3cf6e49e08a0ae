#include "scenarios/load_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::scenarios {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kClaims = R"(highwater_claims: 1
document: the product document
sections:
  - title: Replicas
    about: A table.
    claims:
      - title: 3 / all / 2
        where: lines 1 to 3
        says: Tolerates one failure.
        cases:
          - { scenario: crash, loss: none, writes: all, cut_off_writes: some, note: A reason. }
          - { scenario: cut, loss: possible, writes: none, time_to_leader: 10s, produce_latency: 200ms }
          - { scenario: crash }
unmeasured: [ The drift of the VIP. ]
)";

const std::vector<std::string_view> kScenarios = {"crash", "cut"};

std::vector<std::string> Lines(const LoadedClaims& loaded) {
  std::vector<std::string> lines;
  for (const Diagnostic& d : loaded.diagnostics) lines.push_back(FormatDiagnostic(d));
  return lines;
}

std::vector<std::string> ErrorsWith(std::string_view from, std::string_view to,
                                    const std::vector<std::string_view>& scenarios = kScenarios) {
  std::string text(kClaims);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  const LoadedClaims loaded =
      LoadClaims("claims.yaml", text.replace(at, from.size(), to), scenarios, scenarios);
  EXPECT_FALSE(loaded.claims.has_value());
  return Lines(loaded);
}

TEST(LoadClaimsTest, ReadsWhatADocumentSaysOfEachSituation) {
  const LoadedClaims loaded = LoadClaims("claims.yaml", kClaims, kScenarios, kScenarios);
  ASSERT_THAT(Lines(loaded), IsEmpty());
  EXPECT_EQ(loaded.claims->document, "the product document");
  EXPECT_THAT(loaded.claims->unmeasured, ElementsAre("The drift of the VIP."));
  const Claim& claim = loaded.claims->sections.at(0).claims.at(0);
  EXPECT_EQ(claim.where, "lines 1 to 3");
  ASSERT_EQ(claim.cases.size(), 3u);
  EXPECT_EQ(claim.cases[0].loss, ClaimedLoss::kNone);
  EXPECT_EQ(claim.cases[0].writes, ClaimedWrites::kAll);
  EXPECT_EQ(claim.cases[0].cut_off_writes, ClaimedWrites::kSome);
  EXPECT_EQ(claim.cases[1].loss, ClaimedLoss::kPossible);
  EXPECT_EQ(claim.cases[1].writes, ClaimedWrites::kNone);
  EXPECT_EQ(claim.cases[1].time_to_leader, absl::Seconds(10));
  EXPECT_EQ(claim.cases[1].produce_latency, absl::Milliseconds(200));
  EXPECT_EQ(claim.cases[2].loss, ClaimedLoss::kSilent);
  EXPECT_EQ(claim.cases[2].writes, ClaimedWrites::kSilent);
}

TEST(LoadClaimsTest, ACaseOfAScenarioThatIsNotThereIsAnError) {
  EXPECT_THAT(
      ErrorsWith("scenario: cut", "scenario: cot", {"crash", "cut-off"}),
      ElementsAre("claims.yaml:1:1: error: the scenario cut-off is in no case",
                  "claims.yaml:12:25: error: scenario: there is no \"cot\" in this folder"));
}

TEST(LoadClaimsTest, AScenarioThatNoCaseUsesIsAnError) {
  EXPECT_THAT(ErrorsWith("scenario: cut", "scenario: crash"),
              ElementsAre("claims.yaml:1:1: error: the scenario cut is in no case"));
}

TEST(LoadClaimsTest, AScenarioOfAnotherFolderNeedNoCase) {
  const LoadedClaims loaded =
      LoadClaims("claims.yaml", kClaims, {"crash", "cut", "of-another-folder"}, kScenarios);
  EXPECT_THAT(Lines(loaded), IsEmpty());
}

TEST(LoadClaimsTest, UnknownWordsAndKeysAreErrorsWithTheirPlaces) {
  EXPECT_THAT(ErrorsWith("loss: none", "loss: never"),
              ElementsAre("claims.yaml:11:38: error: loss: expected none or possible, got "
                          "\"never\""));
  EXPECT_EQ(ErrorsWith("loss: none", "losses: none").size(), 1u);
  EXPECT_EQ(ErrorsWith("highwater_claims: 1", "highwater_claims: 2").size(), 1u);
}

}  // namespace
}  // namespace highwater::scenarios
