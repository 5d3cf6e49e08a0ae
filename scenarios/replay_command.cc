// `highwater replay`.

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "reports/failure_screen.h"
#include "reports/replay_log.h"
#include "reports/result_json.h"
#include "scenarios/commands.h"
#include "scenarios/judge.h"
#include "scenarios/loader.h"
#include "scenarios/run_source.h"

namespace highwater::scenarios {
namespace {

using reports::Color;
using reports::Style;

// A debugger that watches this process gets the say.
bool IsTraced() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word == "TracerPid:") return (status >> word) && word != "0";
  }
  return false;
}

// The world's own words are out already; only the exit code is left to say.
void OnAbort(int) { _exit(static_cast<int>(ExitCode::kInternalError)); }

ExitCode ExitOf(const SeedResult& result) {
  CampaignResult campaign;
  campaign.scenarios.emplace_back();
  (void)AddCase({.result = result}, campaign);
  JudgeCampaign(campaign);
  return campaign.exit_code;
}

// Whether it was the run that the file tells of.
void PrintComparison(const Repro& repro, const SeedResult& result, const Output& output) {
  if (result.trace_hash == repro.trace_hash) {
    fmt::print(output.err, "the same run as in the repro file, made on build {}\n", repro.build);
  } else {
    fmt::print(output.err,
               "another run than in the repro file, whose state hash is {} (build {}; this is "
               "{})\n",
               FormatHash(repro.trace_hash), repro.build, reports::ThisBuild().id);
  }
}

}  // namespace

ExitCode Replay(const ReplayCommand& command, const Harness& harness, const Output& output) {
  const std::optional<RunSource> source =
      ReadRunSource(command.source, command.seed, command.mutant, harness, output);
  if (!source) return ExitCode::kUsage;
  const Scenario& scenario = source->scenario;
  const std::vector<InvariantInfo>& known = harness.load.invariants;
  if (!command.break_on.empty() && !known.empty() &&
      std::none_of(known.begin(), known.end(),
                   [&](const InvariantInfo& i) { return i.id == command.break_on; })) {
    std::vector<std::string_view> ids;
    for (const InvariantInfo& i : known) ids.push_back(i.id);
    output.Error(fmt::format("--break-on: unknown invariant \"{}\"{}", command.break_on,
                             DidYouMean(command.break_on, ids)));
    return ExitCode::kUsage;
  }

  const Style style = output.StyleOf(output.out);
  RunOptions options;
  options.until = command.until;
  options.break_on = command.break_on;
  options.trace = true;
  options.on_break = [] {
    if (IsTraced()) raise(SIGTRAP);
  };
  std::vector<std::string> brokers;
  for (int32_t i = 0; i < scenario.cluster.brokers; ++i) {
    brokers.push_back(fmt::format("broker-{}", i));
  }
  reports::ReplayLog log(std::move(brokers), style, command.log);
  if (!output.json) {
    fmt::print(output.out, "{}", log.Header());
    options.on_event = [&](const RunEvent& event) { fmt::print(output.out, "{}", log.Add(event)); };
  }
  struct sigaction on_abort = {};
  struct sigaction old_abort = {};
  on_abort.sa_handler = OnAbort;
  sigaction(SIGABRT, &on_abort, &old_abort);
  CaseResult result;
  result.result = source->harness.make_runner()->Run(scenario, source->seed, options);
  sigaction(SIGABRT, &old_abort, nullptr);
  result.result.scenario = scenario.name;
  result.result.seed = source->seed;
  if (source->repro) result.repro_path = command.source;
  // Whoever asked to stop early did not ask for a verdict.
  const bool stopped =
      command.until.has_value() && result.result.violations.empty() &&
      (result.result.verdict == Verdict::kHeld || result.result.verdict == Verdict::kInconclusive);
  JudgeSeed(scenario, result.result);

  if (output.json) {
    fmt::print(output.out, "{}\n", reports::ResultLine(result));
    return stopped ? ExitCode::kHeld : ExitOf(result.result);
  }
  fmt::print(output.out, "state hash {} after {}\n", FormatHash(result.result.trace_hash),
             reports::ClockTime(result.result.simulated));
  std::fflush(output.out);
  const Style people = output.StyleOf(output.err);
  if (source->repro && !stopped) PrintComparison(*source->repro, result.result, output);
  if (stopped) {
    fmt::print(output.err, "STOPPED  at {}, as --until says: nothing was violated so far\n",
               reports::ClockTime(result.result.simulated));
    if (!result.result.dump.empty())
      fmt::print(output.err, "\nLive fibers:\n{}", result.result.dump);
    return ExitCode::kHeld;
  }
  if (result.result.verdict == Verdict::kHeld) {
    fmt::print(output.err, "{}  {}\n", people.Paint(Color::kGreen, "PASS"),
               reports::VerdictSentence(Verdict::kHeld));
  } else {
    fmt::print(output.err, "\n{}",
               reports::FailureScreen(SummaryOf(scenario), result, reports::ThisBuild(), people));
  }
  return ExitOf(result.result);
}

}  // namespace highwater::scenarios
