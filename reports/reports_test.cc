#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "reports/junit.h"
#include "reports/result_json.h"
#include "reports/results_folder.h"
#include "reports/summary_screen.h"
#include "reports/terminal_reporter.h"
#include "reports/text.h"

namespace highwater::reports {
namespace {

namespace fs = std::filesystem;
using scenarios::CampaignProgress;
using scenarios::CampaignResult;
using scenarios::CaseResult;
using scenarios::ExitCode;
using scenarios::ScenarioSummary;
using scenarios::Verdict;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(TextTest, FormatsTimesForPeople) {
  EXPECT_EQ(ClockTime(absl::Milliseconds(3118)), "00:03.118");
  EXPECT_EQ(ClockTime(absl::Hours(1) + absl::Milliseconds(62'004)), "1:01:02.004");
  EXPECT_EQ(RoughTime(absl::Milliseconds(3240)), "3.2 s");
  EXPECT_EQ(RoughTime(absl::Hours(21)), "21.0 h");
  EXPECT_EQ(UntilArgument(absl::Microseconds(5'310'001)), "5.311s");
  EXPECT_EQ(UntilArgument(absl::Seconds(5)), "5s");
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(1234567), "1 234 567");
}

TEST(TextTest, CountsColumnsNotBytes) {
  EXPECT_EQ(Width("57 → 58"), 7u);
  EXPECT_EQ(PadRight("→", 3), "→  ");
  EXPECT_EQ(PadLeft("→", 3), "  →");
}

CampaignResult SomeCampaign() {
  CampaignResult campaign;
  ScenarioSummary holds{.name = "steady", .file = "steady.yaml"};
  holds.cases = 125;
  holds.verdicts[static_cast<size_t>(Verdict::kHeld)] = 125;
  holds.simulated = absl::Hours(20);
  ScenarioSummary fails{.name = "az-loss", .file = "az-loss.yaml"};
  fails.cases = 125;
  fails.verdicts[static_cast<size_t>(Verdict::kHeld)] = 124;
  fails.verdicts[static_cast<size_t>(Verdict::kViolated)] = 1;
  fails.shown["acked-durable"] = 1;
  fails.ledger = {{.kind = "power_loss", .requested = 125, .applied = 125, .observed = 120}};
  fails.simulated = absl::Hours(1);
  CaseResult failed{.scenario = 1};
  failed.result = {.scenario = "az-loss", .seed = 7, .verdict = Verdict::kViolated};
  failed.result.violations.push_back(
      {.invariant = "acked-durable", .sentence = "a <record> & more is gone."});
  campaign.scenarios = {holds, fails};
  campaign.groups.push_back({.scenario = 1,
                             .signature = "acked-durable/power_loss",
                             .first = failed,
                             .count = 1,
                             .seeds = {7}});
  campaign.findings.push_back({ExitCode::kViolated, "az-loss", "1 seed violated a guarantee"});
  campaign.marks = {{"fenced_fetch", 3}, {"torn_tail", 0}};
  campaign.cases = 250;
  campaign.run_twice = 9;
  campaign.elapsed = absl::Seconds(58);
  campaign.exit_code = ExitCode::kViolated;
  return campaign;
}

TEST(SummaryScreenTest, IsAsPeopleReadIt) {
  const CampaignResult campaign = SomeCampaign();
  EXPECT_EQ(ScenarioLine(campaign, campaign.scenarios[0], Style(false)),
            "       PASS  steady                               125 seeds   20.0 h simulated   0 "
            "violations (below 2.4 % at 95 %)\n");
  EXPECT_EQ(ScenarioLine(campaign, campaign.scenarios[1], Style(false)),
            "       FAIL  az-loss                              125 seeds   60.0 min simulated   "
            "acked-durable in 1 seed (1 failure)\n");
  EXPECT_EQ(SummaryScreen(campaign, Style(false)),
            R"(────────────
    Summary  250 seeds in 58 s: 249 held, 1 violated · determinism 9/9
      Speed  21.0 h simulated, 1 303× real time, 4 seeds/s on 1 worker
     Faults  scenario                     kind                  requested    applied   observed
             az-loss                      power_loss                  125        125        120
      Marks  1 of 2 reached; never: torn_tail
     Reason  az-loss: 1 seed violated a guarantee  (exit 1)
)");
}

TEST(JUnitTest, HasACaseAScenarioAndOneMoreASignature) {
  const std::string xml = JUnitXml(SomeCampaign(), {.id = "4f2c1e9"});
  EXPECT_THAT(xml, AllOf(HasSubstr("<testsuite name=\"steady\" tests=\"1\" failures=\"0\""),
                         HasSubstr("name=\"steady (125 seeds)\""),
                         HasSubstr("<testsuite name=\"az-loss\" tests=\"2\" failures=\"1\""),
                         HasSubstr("name=\"acked-durable/power_loss\""),
                         HasSubstr("message=\"a &lt;record&gt; &amp; more is gone.\""),
                         HasSubstr("value=\"highwater replay az-loss.yaml --seed 7\"")));
}

TEST(JUnitTest, WantOfEvidenceFailsTheScenariosOwnCase) {
  CampaignResult campaign = SomeCampaign();
  campaign.findings.push_back(
      {ExitCode::kInconclusive, "steady", "the fault freeze was never observed"});
  EXPECT_THAT(JUnitXml(campaign, {}),
              AllOf(HasSubstr("<testsuite name=\"steady\" tests=\"1\" failures=\"1\""),
                    HasSubstr("the fault freeze was never observed")));
}

TEST(TerminalReporterTest, TheBarFitsTheLine) {
  CampaignProgress progress{.done = 281,
                            .total = 375,
                            .elapsed = absl::Seconds(41),
                            .simulated = absl::Hours(45),
                            .failures = 3,
                            .distinct_failures = 1};
  EXPECT_EQ(
      ProgressBar(progress, 100),
      " [█████████████████░░░░░░░]  281/375   1 distinct failure   00:00:41   3 951× real time");
  for (const size_t width : {40, 60, 80}) EXPECT_LT(Width(ProgressBar(progress, width)), width);
  progress.running.push_back({"az-loss", 412, absl::Seconds(20)});
  EXPECT_THAT(ProgressCounter(progress), HasSubstr("SLOW az-loss seed 412 (20 s)"));
}

TEST(TerminalReporterTest, WithoutATerminalThereIsALineEachTenSeconds) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  const BuildInfo build{.id = "4f2c1e9"};
  TerminalReporter reporter(out, build, {});
  const CampaignResult campaign = SomeCampaign();
  reporter.OnStart(campaign, {.total = 250});
  for (int s = 0; s <= 25; ++s) reporter.OnTick({.total = 250, .elapsed = absl::Seconds(s)});
  reporter.OnEnd(campaign);
  std::fclose(out);
  const std::string printed(text, size);
  free(text);
  size_t counters = 0;
  for (size_t at = 0; (at = printed.find("....", at)) != std::string::npos; ++at) ++counters;
  EXPECT_EQ(counters, 2u);
  EXPECT_THAT(printed, Not(HasSubstr("\r")));
  EXPECT_THAT(printed, HasSubstr("FAIL  az-loss"));
}

class ResultsFolderTest : public testing::Test {
 protected:
  ~ResultsFolderTest() override { fs::remove_all(root_); }
  fs::path root_ = fs::path(testing::TempDir()) / fmt::format("results_folder_test-{}", getpid());
};

TEST_F(ResultsFolderTest, TwoRunsOfOneSecondGetTwoFoldersAndLatestFollows) {
  const BuildInfo build{.id = "4f2c1e9"};
  const auto first = ResultsFolder::Create(root_.string(), "2026-11-22T153712Z", {}, build);
  EXPECT_EQ((*first)->path(), (root_ / "2026-11-22T153712Z-4f2c1e9").string());
  const auto second = ResultsFolder::Create(root_.string(), "2026-11-22T153712Z", {}, build);
  EXPECT_EQ((*second)->path(), (root_ / "2026-11-22T153712Z-4f2c1e9-2").string());
  EXPECT_EQ(fs::read_symlink(root_ / "latest"), "2026-11-22T153712Z-4f2c1e9-2");
}

TEST_F(ResultsFolderTest, SaysWhenItCannotWrite) {
  fs::create_directories(root_);
  std::ofstream(root_ / "file") << "x";
  EXPECT_FALSE(ResultsFolder::Create((root_ / "file").string(), "t", {}, {.id = "b"}).ok());
}

// Everything that a result can say crosses the pipe between processes, whatever bytes its texts
// hold.
RC_GTEST_PROP(ResultJsonTest, ACaseRoundTrips, ()) {
  const auto text = [] { return *rc::gen::arbitrary<std::string>(); };
  const auto number = [] { return *rc::gen::arbitrary<uint64_t>(); };
  const auto time = [] { return absl::Nanoseconds(*rc::gen::arbitrary<int32_t>()); };
  CaseResult c{.scenario = 3,
               .run_twice = *rc::gen::arbitrary<bool>(),
               .differs = text(),
               .died = *rc::gen::arbitrary<bool>()};
  scenarios::SeedResult& r = c.result;
  r = {.scenario = text(),
       .seed = number(),
       .verdict = static_cast<Verdict>(*rc::gen::inRange(0, scenarios::kVerdicts)),
       .signature = text(),
       .trace_hash = number(),
       .strategy = text(),
       .simulated = time(),
       .host = time(),
       .dump = text(),
       .history = text()};
  r.metrics.acked = number();
  r.metrics.produce_latency.Record(time());
  r.metrics.produce_latency.Record(time());
  r.metrics.greatest_lag_records = number();
  r.metrics.traffic.push_back({text(), text(), number()});
  r.metrics.unavailable = time();
  r.ledger.push_back({text(), number(), number(), number()});
  r.marks.push_back({text(), number()});
  r.checks.push_back({text(), number()});
  r.timeline = {.hosts = {{text(), text(), scenarios::TimelineHostKind::kClient}},
                .partitions = {text()},
                .names = {text()},
                .events = {{.at = time(),
                            .until = time(),
                            .kind = scenarios::TimelineKind::kIsr,
                            .ended = *rc::gen::arbitrary<bool>(),
                            .host = 0,
                            .partition = 0,
                            .name = 0,
                            .from = 3,
                            .to = 4,
                            .epoch = 5,
                            .brokers = {0, -1}}},
                .left_out = number()};
  r.violations.push_back({.invariant = text(),
                          .sentence = text(),
                          .witnesses = {text(), text()},
                          .chain = {{.at = time(),
                                     .kind = scenarios::ChainEventKind::kFault,
                                     .actor = text(),
                                     .text = text(),
                                     .note = text(),
                                     .decisive = text()}},
                          .at = time()});
  const absl::StatusOr<CaseResult> decoded = DecodeCase(EncodeCase(c));
  RC_ASSERT(decoded.ok());
  RC_ASSERT(decoded->result == c.result);
  RC_ASSERT(decoded->scenario == c.scenario);
  RC_ASSERT(decoded->differs == c.differs);
  RC_ASSERT(decoded->run_twice == c.run_twice);
  RC_ASSERT(decoded->died == c.died);
  // A line for machines stays one line.
  RC_ASSERT(ResultLine(c).find('\n') == std::string::npos);
}

RC_GTEST_PROP(ResultJsonTest, BrokenBytesAreRefused, ()) {
  std::string bytes = EncodeCase(CaseResult{});
  const auto at = *rc::gen::inRange<size_t>(0, bytes.size());
  if (*rc::gen::arbitrary<bool>()) {
    bytes.resize(at);
    RC_ASSERT(!DecodeCase(bytes).ok());
  } else {
    bytes[at] = *rc::gen::arbitrary<char>();
    (void)DecodeCase(bytes);
  }
}

}  // namespace
}  // namespace highwater::reports
