#include "reports/github.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace highwater::reports {
namespace {

using scenarios::CampaignResult;
using scenarios::ExitCode;
using scenarios::Verdict;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

CampaignResult Failing(size_t signatures, std::string file) {
  CampaignResult campaign;
  campaign.scenarios.push_back({.name = "az-loss", .file = std::move(file)});
  for (size_t i = 0; i < signatures; ++i) {
    scenarios::SignatureGroup group{
        .signature = fmt::format("acked-durable/{}", i), .count = 3, .seeds = {7}};
    group.first.result = {.scenario = "az-loss", .seed = 7, .verdict = Verdict::kViolated};
    group.first.result.violations.push_back(
        {.invariant = "acked-durable", .sentence = "100 % of <records>,\nall: gone."});
    campaign.groups.push_back(std::move(group));
  }
  campaign.exit_code = ExitCode::kViolated;
  return campaign;
}

TEST(GitHubTest, ASignatureIsAnErrorOnTheLineWhereItsScenarioIsNamed) {
  const std::string file = fmt::format("{}/github_test-{}.yaml", testing::TempDir(), getpid());
  std::ofstream(file) << "# a comment\nhighwater: 1\nname: az-loss\n";
  const std::string text = GitHubAnnotations(Failing(1, file));
  EXPECT_THAT(text, StartsWith("::error file="));
  EXPECT_THAT(text, HasSubstr(",line=3,title=acked-durable/0::"));
  EXPECT_THAT(text, HasSubstr("acked-durable: 100 %25 of <records>,%0Aall: gone.%0AIn 3 seeds."));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  unlink(file.c_str());
}

TEST(GitHubTest, NoMoreAnnotationsThanAreShown) {
  const std::string text = GitHubAnnotations(Failing(25, "az-loss.yaml"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_THAT(text, HasSubstr("::error title=and more::16 more are in the report"));
}

TEST(GitHubTest, TheSummaryHoldsTheFirstFailureAndIsNeverTooLong) {
  EXPECT_THAT(GitHubSummary(Failing(1, "az-loss.yaml"), {.id = "4f2c1e9"}),
              HasSubstr("100 % of &lt;records&gt;"));
  CampaignResult vast = Failing(1, "az-loss.yaml");
  for (int i = 0; i < 30'000; ++i) {
    vast.scenarios.push_back({.name = fmt::format("a-scenario-of-a-long-name-{}", i)});
  }
  vast.groups[0].first.result.dump = std::string(2'000'000, 'x');
  const std::string text = GitHubSummary(vast, {});
  EXPECT_LT(text.size(), 1u << 20);
  EXPECT_THAT(text, HasSubstr("too long"));
}

}  // namespace
}  // namespace highwater::reports
