#include "reports/failure_screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::reports {
namespace {

using scenarios::CaseResult;
using scenarios::ChainEventKind;
using scenarios::ScenarioSummary;
using scenarios::Verdict;
using testing::HasSubstr;
using testing::Not;

absl::Duration Ms(int64_t ms) { return absl::Milliseconds(ms); }

BuildInfo SomeBuild() {
  return {.id = "4f2c1e9", .clean = true, .compiler = "gcc 12.2.0", .type = "release"};
}

ScenarioSummary SomeScenario() {
  return {.name = "power-loss-default-flush",
          .file = "scenarios/single-broker/power-loss-default-flush.yaml"};
}

CaseResult LostRecord() {
  CaseResult c;
  c.result = {.scenario = "power-loss-default-flush",
              .seed = 417,
              .verdict = Verdict::kViolated,
              .trace_hash = 0x9c41'0000'0000'e07a,
              .strategy = "pct",
              .simulated = absl::Seconds(22)};
  c.result.violations.push_back(
      {.invariant = "acked-durable",
       .sentence = "a record acknowledged with acks=all is gone.",
       .witnesses = {"topic orders, partition 0, offset 57, key \"o-1031\"",
                     "acknowledged to producer-1 at 00:03.118 by broker-0",
                     "absent     on broker-0, whose log ends at 57"},
       .chain = {{.at = Ms(3117),
                  .actor = "producer-1 → broker-0",
                  .text = "Produce(acks=all, orders-0)"},
                 {.at = Ms(3118),
                  .actor = "broker-0",
                  .text = "high watermark 57 → 58; ack to producer-1",
                  .note = "not yet flushed",
                  .decisive = "acknowledged here"},
                 {.at = Ms(3120),
                  .kind = ChainEventKind::kFault,
                  .text = "broker-0 loses power, unflushed pages gone",
                  .note = "faults.timeline[0]"},
                 {.at = Ms(5040),
                  .actor = "broker-0",
                  .text = "restarts: log end offset 57",
                  .decisive = "record 57 lost here"},
                 {.at = Ms(5312), .kind = ChainEventKind::kViolation, .text = "acked-durable"}},
       .at = Ms(5312)});
  return c;
}

TEST(FailureScreenTest, ShowsTheGuaranteeTheWitnessesTheChainAndWhatToType) {
  EXPECT_EQ(
      FailureScreen(SomeScenario(), LostRecord(), SomeBuild(), Style(false)),
      R"(FAIL  power-loss-default-flush  seed 417  build 4f2c1e9 (clean, gcc 12.2.0, release)  trace-hash 9c41…e07a

  acked-durable: a record acknowledged with acks=all is gone.
    topic orders, partition 0, offset 57, key "o-1031"
    acknowledged to producer-1 at 00:03.118 by broker-0
    absent     on broker-0, whose log ends at 57

  What led to it (22 s simulated, scheduler pct):
    00:03.117  producer-1 → broker-0   Produce(acks=all, orders-0)
    00:03.118  broker-0                high watermark 57 → 58; ack to producer-1    not yet flushed  ← acknowledged here
    00:03.120  FAULT  broker-0 loses power, unflushed pages gone                    faults.timeline[0]
    00:05.040  broker-0                restarts: log end offset 57                  ← record 57 lost here
    00:05.312  VIOLATION  acked-durable

  Replay  highwater replay scenarios/single-broker/power-loss-default-flush.yaml --seed 417
  Stop    highwater replay scenarios/single-broker/power-loss-default-flush.yaml --seed 417 --break-on acked-durable
  Before  highwater replay scenarios/single-broker/power-loss-default-flush.yaml --seed 417 --until 5.311s
  Note    the seed reproduces on build 4f2c1e9 only.
)");
}

TEST(FailureScreenTest, AWorldThatDidNotEndShowsItsFibers) {
  CaseResult c;
  c.result = {.scenario = "x", .seed = 3, .verdict = Verdict::kStuck};
  for (int i = 0; i < 100; ++i) c.result.dump += fmt::format("broker-0 fiber {} waits\n", i);
  const std::string screen = FailureScreen(SomeScenario(), c, SomeBuild(), Style(false));
  EXPECT_THAT(screen, HasSubstr("stuck: The world did not end"));
  EXPECT_THAT(screen, HasSubstr("    broker-0 fiber 59 waits\n    … 41 more lines"));
}

TEST(FailureScreenTest, AnExpectedViolationIsNotCalledAFailure) {
  CaseResult c = LostRecord();
  c.result.verdict = Verdict::kExpected;
  const std::string screen = FailureScreen(SomeScenario(), c, SomeBuild(), Style(false));
  EXPECT_THAT(screen, testing::StartsWith("EXPECTED  power-loss-default-flush"));
  EXPECT_THAT(screen, Not(HasSubstr("FAIL")));
}

TEST(FailureScreenTest, ADifferenceOfTwoRunsIsNamed) {
  CaseResult c = LostRecord();
  c.differs = "trace hash 1 in one run, 2 in the next";
  EXPECT_THAT(FailureScreen(SomeScenario(), c, SomeBuild(), Style(false)),
              HasSubstr("highwater hash-check "
                        "scenarios/single-broker/power-loss-default-flush.yaml --seeds 417"));
}

TEST(FailureScreenTest, TextOfTheWorldCannotMoveTheCursor) {
  CaseResult c = LostRecord();
  c.result.violations[0].witnesses[0] = "key \"\033[2J\"";
  EXPECT_THAT(FailureScreen(SomeScenario(), c, SomeBuild(), Style(false)), Not(HasSubstr("\033")));
}

TEST(FailureScreenTest, AFileWithBlanksIsQuotedForTheShell) {
  ScenarioSummary scenario = SomeScenario();
  scenario.file = "my scenarios/it's.yaml";
  EXPECT_EQ(ReplayCommand(scenario, 1), R"(highwater replay 'my scenarios/it'\''s.yaml' --seed 1)");
}

}  // namespace
}  // namespace highwater::reports
