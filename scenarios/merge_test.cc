#include "scenarios/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/check.h"
#include "reports/html_report.h"
#include "reports/junit.h"
#include "reports/results_folder.h"
#include "scenarios/judge.h"

namespace highwater::scenarios {
namespace {

namespace fs = std::filesystem;
using reports::ReadResults;
using testing::HasSubstr;

const reports::BuildInfo kBuild{.id = "4f2c1e9", .clean = true};

// A folder that is gone with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    static int count = 0;
    path_ = fs::path(testing::TempDir()) / fmt::format("merge_test-{}-{}", getpid(), ++count);
    fs::create_directories(path_);
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string operator/(std::string_view name) const { return path_ / name; }

 private:
  fs::path path_;
};

CampaignResult EmptyCampaign(size_t scenarios) {
  CampaignResult campaign;
  for (size_t i = 0; i < scenarios; ++i) {
    ScenarioSummary summary{.name = fmt::format("scenario-{}", i),
                            .file = fmt::format("scenario-{}.yaml", i),
                            .about = "Something \"quoted\" <must> hold.",
                            .resolved_yaml = fmt::format("name: scenario-{}\n", i),
                            .expect = {}};
    if (i == 1) summary.expect = {"acked-durable"};
    if (i == 2) summary.faults_at_random = {"crash_broker"};
    campaign.scenarios.push_back(std::move(summary));
  }
  campaign.marks = {{"fenced_fetch", 0}, {"torn_tail", 0}};
  campaign.guarantees = {{.invariant = "acked-durable", .sentence = "Nothing is lost."},
                         {.invariant = "phantom", .sentence = "Nothing is invented."}};
  return campaign;
}

core::LatencyHistogram AnyHistogram() {
  core::LatencyHistogram histogram;
  for (const auto sample :
       *rc::gen::container<std::vector<int64_t>>(rc::gen::inRange<int64_t>(0, 100'000'000'000))) {
    histogram.Record(absl::Nanoseconds(sample));
  }
  return histogram;
}

absl::Duration AnyTime() {
  return absl::Nanoseconds(*rc::gen::inRange<int64_t>(0, 1'000'000'000'000));
}

uint64_t AnyCount() { return *rc::gen::inRange<uint64_t>(0, 1'000'000); }

CaseResult AnyCase(size_t scenario, uint64_t seed) {
  CaseResult result{.scenario = scenario, .run_twice = *rc::gen::arbitrary<bool>()};
  SeedResult& r = result.result;
  r = {.scenario = fmt::format("scenario-{}", scenario), .seed = seed};
  r.verdict = *rc::gen::element(Verdict::kHeld, Verdict::kHeld, Verdict::kViolated,
                                Verdict::kExpected, Verdict::kInconclusive);
  if (r.verdict == Verdict::kViolated || r.verdict == Verdict::kExpected) {
    const std::string invariant = *rc::gen::element<std::string>("acked-durable", "phantom");
    r.signature = invariant;
    r.violations.push_back({.invariant = invariant,
                            .sentence = "it broke",
                            .witnesses = {fmt::format("in seed {}", seed)},
                            .at = AnyTime()});
    r.timeline.hosts.push_back({.name = "broker-0", .zone = "az-a"});
    r.timeline.events.push_back({.at = AnyTime(), .kind = TimelineKind::kUp, .host = 0});
  } else if (r.verdict != Verdict::kHeld) {
    r.signature = VerdictName(r.verdict);
  }
  r.trace_hash = *rc::gen::arbitrary<uint64_t>();
  r.simulated = AnyTime();
  r.host = AnyTime();
  r.metrics.acked = AnyCount();
  r.metrics.produced = r.metrics.acked + 1;
  r.metrics.greatest_lag_records = AnyCount();
  r.metrics.unavailable = AnyTime();
  r.metrics.produce_latency = AnyHistogram();
  r.metrics.time_to_leader = AnyHistogram();
  r.metrics.traffic = {{"az-a", "az-b", AnyCount()}};
  r.ledger = {{.kind = "crash_broker", .requested = AnyCount(), .applied = 1, .observed = 1}};
  r.marks = {{"torn_tail", AnyCount()}};
  r.checks = {{"acked-durable", AnyCount()}, {"phantom", *rc::gen::inRange<uint64_t>(0, 2)}};
  return result;
}

// What a campaign of these cases leaves.
CampaignResult RunThem(CampaignResult campaign, const std::vector<CaseResult>& cases,
                       CampaignObserver* observer) {
  if (observer != nullptr) observer->OnStart(campaign, {});
  for (const CaseResult& result : cases) {
    const SignatureGroup* group = AddCase(result, campaign);
    if (observer != nullptr) observer->OnCase(campaign, result, group);
  }
  JudgeCampaign(campaign);
  if (observer != nullptr) observer->OnEnd(campaign);
  return campaign;
}

absl::StatusOr<ReadResults> WriteAndRead(const std::string& root, const CampaignResult& campaign,
                                         const std::vector<CaseResult>& cases,
                                         const reports::BuildInfo& build = kBuild) {
  auto folder =
      reports::ResultsFolder::Create(root, "t", {.started = "now", .seeds = "all"}, build);
  HW_CHECK(folder.ok(), "cannot write below {}", root);
  (void)RunThem(campaign, cases, folder->get());
  const std::string path = (*folder)->path();
  folder->reset();
  return reports::ReadResultsFolder(path);
}

RC_GTEST_PROP(MergeTest, ShardsAddUpToTheCampaignThatRanAllSeedsItself, ()) {
  const size_t scenarios = *rc::gen::inRange<size_t>(1, 4);
  const auto shards = *rc::gen::inRange<size_t>(1, 4);
  const CampaignResult empty = EmptyCampaign(scenarios);
  std::vector<CaseResult> cases;
  std::vector<std::vector<CaseResult>> shared(shards);
  for (size_t scenario = 0; scenario < scenarios; ++scenario) {
    const auto seeds = *rc::gen::inRange<uint64_t>(0, 5);
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
      cases.push_back(AnyCase(scenario, seed));
      shared[(cases.size() - 1) % shards].push_back(cases.back());
    }
  }
  const CampaignResult whole = RunThem(empty, cases, nullptr);

  TemporaryFolder folder;
  std::vector<ReadResults> read;
  for (size_t i = 0; i < shards; ++i) {
    absl::StatusOr<ReadResults> results =
        WriteAndRead(folder / fmt::format("shard-{}", i), empty, shared[i]);
    RC_ASSERT(results.ok());
    read.push_back(*std::move(results));
  }
  std::reverse(read.begin(), read.end());
  const absl::StatusOr<Merged> merged = MergeResults(std::move(read));
  RC_ASSERT(merged.ok());
  RC_ASSERT(reports::SummaryJson(merged->campaign, kBuild) == reports::SummaryJson(whole, kBuild));
  RC_ASSERT(reports::JUnitXml(merged->campaign, kBuild) == reports::JUnitXml(whole, kBuild));
  CampaignResult alike = merged->campaign;
  alike.workers = whole.workers;
  RC_ASSERT(reports::HtmlReport(alike, {}, kBuild) == reports::HtmlReport(whole, {}, kBuild));
  RC_ASSERT(merged->campaign.exit_code == whole.exit_code);
}

CaseResult HeldCase(uint64_t seed, uint64_t hash) {
  CaseResult result;
  result.result = {.scenario = "scenario-0", .seed = seed, .trace_hash = hash};
  result.result.metrics.acked = 1;
  return result;
}

TEST(MergeTest, ASeedOfTwoFoldersCountsOnceAndMustBeTheSameInBoth) {
  TemporaryFolder folder;
  const CampaignResult empty = EmptyCampaign(1);
  const auto merge = [&](std::string_view first, std::string_view second, uint64_t hash) {
    return MergeResults({*WriteAndRead(folder / first, empty, {HeldCase(1, 7)}),
                         *WriteAndRead(folder / second, empty, {HeldCase(1, hash)})});
  };
  const auto equal = merge("a", "b", 7);
  EXPECT_EQ(equal->campaign.cases, 1u);
  EXPECT_EQ(equal->campaign.exit_code, ExitCode::kHeld);
  EXPECT_EQ(merge("c", "d", 8)->campaign.exit_code, ExitCode::kNotDeterministic);
}

TEST(MergeTest, FoldersOfTwoBuildsOrOfTwoScenariosOfOneNameAreRefused) {
  TemporaryFolder folder;
  const CampaignResult empty = EmptyCampaign(1);
  CampaignResult other = empty;
  other.scenarios[0].resolved_yaml = "name: scenario-0 # of another day\n";
  const ReadResults first = *WriteAndRead(folder / "a", empty, {});
  const auto changed = MergeResults({first, *WriteAndRead(folder / "b", other, {})});
  EXPECT_THAT(std::string(changed.status().message()), HasSubstr("is not that of the other"));
  const auto built = MergeResults({first, *WriteAndRead(folder / "c", empty, {}, {.id = "other"})});
  EXPECT_THAT(std::string(built.status().message()), HasSubstr("two builds"));
}

TEST(MergeTest, WhatAKilledShardLeftCountsAndTheWholeAsInterrupted) {
  TemporaryFolder folder;
  const std::string path = WriteAndRead(folder / "a", EmptyCampaign(1), {HeldCase(1, 7)})->path;
  std::ofstream(path + "/results.ndjson", std::ios::app) << R"({"schema_version":1,"scen)";
  const auto merged = MergeResults({*reports::ReadResultsFolder(path)});
  EXPECT_EQ(merged->campaign.cases, 1u);
  EXPECT_EQ(merged->campaign.exit_code, ExitCode::kInterrupted);
}

TEST(MergeTest, ALineThatIsNoResultIsNamed) {
  TemporaryFolder folder;
  const std::string path = WriteAndRead(folder / "a", EmptyCampaign(1), {HeldCase(1, 7)})->path;
  std::ofstream(path + "/results.ndjson", std::ios::app) << "{}\n";
  const auto read = reports::ReadResultsFolder(path);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("results.ndjson:2"));
}

TEST(MergeTest, FindsTheFoldersBelowARootButNotLatest) {
  TemporaryFolder folder;
  const std::string first = WriteAndRead(folder / "a", EmptyCampaign(1), {})->path;
  const std::string second = WriteAndRead(folder / "a", EmptyCampaign(1), {})->path;
  EXPECT_EQ(reports::FindResultFolders(folder / "a"), (std::vector<std::string>{first, second}));
  EXPECT_EQ(reports::FindResultFolders(first), (std::vector<std::string>{first}));
}

}  // namespace
}  // namespace highwater::scenarios
