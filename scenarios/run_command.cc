// `highwater run`.

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

#include "reports/result_json.h"
#include "reports/results_folder.h"
#include "reports/terminal_reporter.h"
#include "scenarios/commands.h"
#include "scenarios/judge.h"
#include "scenarios/keep_failures.h"
#include "scenarios/matrix.h"
#include "scenarios/run_source.h"

namespace highwater::scenarios {
namespace {

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

}  // namespace

ExitCode Run(RunCommand command, const Harness& healthy, const Output& output) {
  const std::optional<Harness> planted = WithMutant(healthy, command.mutant, output);
  if (!planted) return ExitCode::kUsage;
  const Harness& harness = *planted;
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
  command.options.complete = KeepFailures(
      harness, {.shrink = command.shrink,
                .how = {.workers = command.options.workers, .budget = command.shrink_budget},
                .mutant = command.mutant,
                .build = build.id,
                .folder_of =
                    [&](const std::string& scenario, uint64_t seed) {
                      return fmt::format("{}/{}", (*folder)->path(),
                                         reports::FailureFolder(scenario, seed));
                    },
                .tell =
                    [&](const std::string& sentence) {
                      if (!output.quiet) fmt::print(output.err, "     SHRUNK  {}\n", sentence);
                    }});
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

}  // namespace highwater::scenarios
