// `highwater pin`.

#include <absl/time/clock.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "reports/build_info.h"
#include "scenarios/campaign.h"
#include "scenarios/commands.h"
#include "scenarios/loader.h"
#include "scenarios/materialise.h"
#include "scenarios/pin.h"
#include "scenarios/resolved_yaml.h"
#include "scenarios/run_source.h"
#include "scenarios/trials.h"

namespace highwater::scenarios {
namespace {

constexpr uint64_t kSeeds = 100;
constexpr uint64_t kLeastShown = 10;

bool Shows(const SeedResult& result, const Repro& failure) {
  if (failure.invariants.empty()) return result.verdict == failure.verdict;
  return std::any_of(result.violations.begin(), result.violations.end(),
                     [&](const Violation& v) { return v.invariant == failure.invariants.front(); });
}

// What the first hundred seeds show.
struct Showing {
  uint64_t seeds = 0;                // in which the failure was shown
  std::set<std::string> invariants;  // all that were violated
};

Showing Show(const Scenario& scenario, const Repro& failure, const Harness& harness, int workers) {
  std::vector<Trial> trials;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) trials.push_back({scenario, seed});
  Showing showing;
  (void)FindTrial(trials, harness, {.workers = workers}, [&](const SeedResult& result) {
    if (Shows(result, failure)) ++showing.seeds;
    for (const Violation& violation : result.violations) {
      showing.invariants.insert(violation.invariant);
    }
    return false;
  });
  return showing;
}

class Nobody final : public CampaignObserver {
 public:
  void OnStart(const CampaignResult&, const CampaignProgress&) override {}
  void OnCase(const CampaignResult&, const CaseResult&, const SignatureGroup*) override {}
  void OnTick(const CampaignProgress&) override {}
  void OnEnd(const CampaignResult&) override {}
};

// Why it does not pass as a test on every commit; nullopt: it does.
std::optional<std::string> WhyNot(const Scenario& pin, const Harness& harness, int workers) {
  CampaignOptions options;
  options.workers = workers;
  Nobody nobody;
  const CampaignResult result = RunCampaign({pin}, harness, options, nobody, nullptr);
  if (result.exit_code == ExitCode::kHeld) return std::nullopt;
  return result.findings.empty() ? "it fails" : result.findings.front().text;
}

ExitCode Check(const PinCommand& command, const Harness& healthy, const Output& output) {
  const LoadedScenario loaded = LoadScenarioFile(command.source, healthy.load);
  for (const Diagnostic& d : loaded.diagnostics) {
    fmt::print(output.err, "{}\n", FormatDiagnostic(d));
  }
  if (!loaded.scenario) return ExitCode::kUsage;
  if (!loaded.scenario->regression) {
    output.Error(fmt::format("{}: it has no \"regression\": it is no pin", command.source));
    return ExitCode::kUsage;
  }
  const Regression& regression = *loaded.scenario->regression;
  const std::optional<Harness> harness =
      WithMutant(healthy, command.mutant.empty() ? regression.mutant : command.mutant, output);
  if (!harness) return ExitCode::kUsage;
  Repro failure{.run = {}};
  failure.invariants = {regression.rule};
  const uint64_t shown = Show(*loaded.scenario, failure, *harness, command.workers).seeds;
  fmt::print(output.out, "{} shows {} in {} of {} seeds\n", loaded.scenario->name, regression.rule,
             shown, kSeeds);
  return shown >= kLeastShown ? ExitCode::kHeld : ExitCode::kTargetMissed;
}

bool WriteFile(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written;
}

// The first candidate that shows the failure often enough, complete but for its file.
std::optional<Scenario> FindPin(const PinCommand& command, const RunSource& source,
                                const Harness& healthy, const std::vector<FiredFault>& fired,
                                const Output& output) {
  const Repro& repro = *source.repro;
  const std::string name = command.name.empty() ? PinName(repro) : command.name;
  uint64_t best = 0;
  std::string why;  // of the last candidate that shows it and does not pass
  for (Scenario& pin : PinCandidates(repro, fired)) {
    pin.name = name;
    const Showing showing = Show(pin, repro, source.harness, command.workers);
    const uint64_t shown = showing.seeds;
    best = std::max(best, shown);
    fmt::print(output.err, "       .... {} of {} seeds\n", shown, kSeeds);
    if (shown < kLeastShown) continue;
    pin.regression =
        Regression{.rule = repro.invariants.front(),
                   .found = absl::FormatTime("%Y-%m-%d", absl::Now(), absl::UTCTimeZone()),
                   .build = reports::ThisBuild().id,
                   .seed = repro.seed,
                   .issue = command.issue,
                   .mutant = source.mutant,
                   .shown = fmt::format("{} of {} seeds", shown, kSeeds)};
    pin.seeds = {1, kSeeds};
    pin.expect.clear();
    if (command.expected) {
      pin.expect.assign(showing.invariants.begin(), showing.invariants.end());
    }
    // Of a defect of the product as it is today, the pin fails until it is mended.
    const bool must_pass = command.expected || !source.mutant.empty();
    if (!must_pass) return pin;
    std::optional<std::string> obstacle = WhyNot(pin, healthy, command.workers);
    if (!obstacle) return pin;
    why = *std::move(obstacle);
  }
  if (!why.empty()) {
    output.Error(
        fmt::format("not pinned: the product as it is does not pass the pin as a test: {}", why));
    return std::nullopt;
  }
  output.Error(
      fmt::format("not pinned: as a scenario it shows {} in at most {} of {} seeds, and {} are "
                  "wanted. A pin that seldom fails guards nothing: shrink it further, or pin "
                  "another seed of its kind",
                  repro.invariants.front(), best, kSeeds, kLeastShown));
  return std::nullopt;
}

}  // namespace

ExitCode Pin(const PinCommand& command, const Harness& harness, const Output& output) {
  if (command.check) return Check(command, harness, output);
  if (!command.source.ends_with(".json")) {
    output.Error(fmt::format("expected a repro.json, got {}", command.source));
    return ExitCode::kUsage;
  }
  const std::optional<RunSource> source =
      ReadRunSource(command.source, std::nullopt, command.mutant, harness, output);
  if (!source) return ExitCode::kUsage;
  if (source->repro->invariants.empty()) {
    output.Error("its failure is no violation of an invariant: only these are pinned");
    return ExitCode::kUsage;
  }
  const std::optional<TrialHit> own =
      FindTrial({{source->scenario, source->seed}}, source->harness, {.timeout = absl::Seconds(60)},
                [](const SeedResult&) { return true; });
  if (!own || !Shows(own->result, *source->repro)) {
    output.Error(fmt::format("on this build the run itself does not show {} any more",
                             source->repro->invariants.front()));
    return ExitCode::kNothingSelected;
  }
  const std::optional<Scenario> pin = FindPin(command, *source, harness, own->result.fired, output);
  if (!pin) return ExitCode::kTargetMissed;
  std::error_code ignored;
  std::filesystem::create_directories(command.folder, ignored);
  const std::string path = fmt::format("{}/{}.yaml", command.folder, pin->name);
  if (std::filesystem::exists(path, ignored)) {
    output.Error(fmt::format("{} is there already: give another --name", path));
    return ExitCode::kUsage;
  }
  if (!WriteFile(path, ResolvedYaml(*pin))) {
    output.Error(fmt::format("cannot write {}", path));
    return ExitCode::kUsage;
  }
  fmt::print(output.out, "{}: shows {} in {}\n", path, pin->regression->rule,
             pin->regression->shown);
  return ExitCode::kHeld;
}

}  // namespace highwater::scenarios
