// `highwater run` and `highwater replay`.

#include <errno.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>

#include "reports/failure_screen.h"
#include "reports/replay_log.h"
#include "reports/result_json.h"
#include "reports/results_folder.h"
#include "reports/terminal_reporter.h"
#include "scenarios/commands.h"
#include "scenarios/judge.h"
#include "scenarios/loader.h"
#include "scenarios/matrix.h"
#include "scenarios/worker.h"

namespace highwater::scenarios {
namespace {

using reports::Color;
using reports::Style;

volatile sig_atomic_t interrupts = 0;

void OnInterrupt(int) {
  interrupts = interrupts + 1;
  // Twice: somebody is in a hurry.
  if (interrupts > 1) _exit(static_cast<int>(ExitCode::kInterrupted));
}

// Takes SIGINT and SIGTERM as a wish to stop, while the scope lives.
class ScopedInterrupt {
 public:
  ScopedInterrupt() {
    interrupts = 0;
    struct sigaction action = {};
    action.sa_handler = OnInterrupt;
    sigaction(SIGINT, &action, &old_int_);
    sigaction(SIGTERM, &action, &old_term_);
  }
  ~ScopedInterrupt() {
    sigaction(SIGINT, &old_int_, nullptr);
    sigaction(SIGTERM, &old_term_, nullptr);
  }
  ScopedInterrupt(const ScopedInterrupt&) = delete;
  ScopedInterrupt& operator=(const ScopedInterrupt&) = delete;

 private:
  struct sigaction old_int_;
  struct sigaction old_term_;
};

class ObserverList final : public CampaignObserver {
 public:
  void Add(CampaignObserver& observer) { observers_.push_back(&observer); }
  void OnStart(const CampaignResult& campaign, const CampaignProgress& plan) override {
    for (CampaignObserver* o : observers_) o->OnStart(campaign, plan);
  }
  void OnCase(const CampaignResult& campaign, const CaseResult& result,
              const SignatureGroup* group) override {
    for (CampaignObserver* o : observers_) o->OnCase(campaign, result, group);
  }
  void OnTick(const CampaignProgress& progress) override {
    for (CampaignObserver* o : observers_) o->OnTick(progress);
  }
  void OnEnd(const CampaignResult& campaign) override {
    for (CampaignObserver* o : observers_) o->OnEnd(campaign);
  }

 private:
  std::vector<CampaignObserver*> observers_;
};

class LinePrinter final : public CampaignObserver {
 public:
  explicit LinePrinter(std::FILE* out) : out_(out) {}
  void OnStart(const CampaignResult&, const CampaignProgress&) override {}
  void OnCase(const CampaignResult&, const CaseResult& result, const SignatureGroup*) override {
    fmt::print(out_, "{}\n", reports::ResultLine(result));
  }
  void OnTick(const CampaignProgress&) override {}
  void OnEnd(const CampaignResult&) override {}

 private:
  std::FILE* out_;
};

std::vector<uint64_t> DrawSeeds(uint64_t count) {
  std::set<uint64_t> seeds;
  while (seeds.size() < count) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) continue;
    // Seeds that people can type, and that every JSON reader holds exactly.
    seeds.insert(seed % 1'000'000'000'000 + 1);
  }
  return {seeds.begin(), seeds.end()};
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

std::string UtcTime(const char* format) {
  return absl::FormatTime(format, absl::Now(), absl::UTCTimeZone());
}

reports::TerminalOptions TerminalOptionsOf(const Output& output) {
  reports::TerminalOptions options;
  options.terminal = isatty(fileno(output.err)) == 1;
  options.color = output.StyleOf(output.err).colored();
  options.quiet = output.quiet;
  winsize size = {};
  if (options.terminal && ioctl(fileno(output.err), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    options.width = size.ws_col;
  }
  return options;
}

void PrintMessage(const Output& output, const absl::Status& status) {
  output.Error({status.message().data(), status.message().size()});
}

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

}  // namespace

ExitCode Run(RunCommand command, const Harness& harness, const Output& output) {
  const std::optional<std::vector<Scenario>> scenarios =
      LoadAll(command.scenarios, harness.load, output);
  if (!scenarios) return ExitCode::kUsage;
  if (scenarios->empty()) {
    output.Error("no scenario found");
    return ExitCode::kNothingSelected;
  }
  std::vector<ScenarioSummary> summaries;
  for (const Scenario& scenario : *scenarios) summaries.push_back(SummaryOf(scenario));
  std::optional<ClaimsFile> claims;
  if (!LoadClaimsBeside(command.scenarios, summaries, output, claims)) return ExitCode::kUsage;
  if (!command.matrix.empty() && !claims) {
    output.Error("--matrix: no folder that is run has a claims.yaml");
    return ExitCode::kUsage;
  }
  SeedChoice& seeds = command.options.seeds;
  if (seeds.drawn) {
    seeds.list = DrawSeeds(*seeds.drawn);
    fmt::print(output.err, " Drawn seeds: {}\n", fmt::join(seeds.list, " "));
  }
  const reports::BuildInfo& build = reports::ThisBuild();
  auto folder = reports::ResultsFolder::Create(
      command.folder, UtcTime("%Y-%m-%dT%H%M%SZ"),
      {.command = command.command,
       .started = UtcTime("%Y-%m-%dT%H:%M:%SZ"),
       .host = HostName(),
       .seeds = command.seeds_text.empty() ? "each scenario's own" : command.seeds_text,
       .shard = command.shard_text.empty() ? "1/1" : command.shard_text},
      build);
  if (!folder.ok()) {
    PrintMessage(output, folder.status());
    return ExitCode::kUsage;
  }

  reports::TerminalReporter terminal(output.err, build, TerminalOptionsOf(output));
  LinePrinter lines(output.out);
  ObserverList observers;
  observers.Add(**folder);
  observers.Add(terminal);
  if (output.ndjson) observers.Add(lines);
  const ScopedInterrupt interrupt;
  const std::function<bool()> interrupted = [] { return interrupts > 0; };
  const CampaignResult result =
      RunCampaign(*scenarios, harness, command.options, observers, interrupted);

  absl::Status written;
  if (claims)
    written = WriteMatrix(*claims, result, build, (*folder)->path(), command.matrix, output);
  fmt::print(output.err, "     Result  {}      exit {}\n", (*folder)->path(),
             static_cast<int>(result.exit_code));
  if (output.json) fmt::print(output.out, "{}\n", reports::SummaryJson(result, build));
  written.Update((*folder)->status());
  if (!written.ok()) {
    PrintMessage(output, written);
    if (result.exit_code == ExitCode::kHeld) return ExitCode::kInternalError;
  }
  return result.exit_code;
}

ExitCode Replay(const ReplayCommand& command, const Harness& harness, const Output& output) {
  const LoadedScenario loaded = LoadScenarioFile(command.scenario, harness.load);
  for (const Diagnostic& d : loaded.diagnostics)
    fmt::print(output.err, "{}\n", FormatDiagnostic(d));
  if (!loaded.scenario) return ExitCode::kUsage;
  const Scenario& scenario = *loaded.scenario;
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
  result.result = harness.make_runner()->Run(scenario, command.seed, options);
  sigaction(SIGABRT, &old_abort, nullptr);
  result.result.scenario = scenario.name;
  result.result.seed = command.seed;
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
