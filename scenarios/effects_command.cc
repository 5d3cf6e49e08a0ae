// `highwater run --crash-at-every-effect`.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "reports/build_info.h"
#include "scenarios/commands.h"
#include "scenarios/materialise.h"
#include "scenarios/repro.h"
#include "scenarios/run_source.h"
#include "scenarios/trials.h"

namespace highwater::scenarios {
namespace {

// Runs that are planned at a time: each is a scenario in memory.
constexpr uint64_t kBatch = 200;

// What the crashes of one seed of one scenario came to.
struct Points {
  uint64_t effects = 0;  // of the victim in the load
  uint64_t tried = 0;
  uint64_t failed = 0;
  uint64_t inconclusive = 0;
  // By signature without its faults: how many, and the first run.
  std::map<std::string, std::pair<uint64_t, Trial>> failures;
  std::map<std::string, SeedResult> results;
};

std::string WhatFailed(const SeedResult& result) {
  std::string what;
  for (const Violation& violation : result.violations) {
    if (what.find(violation.invariant) != std::string::npos) continue;
    what += fmt::format("{}{}", what.empty() ? "" : "+", violation.invariant);
  }
  return what.empty() ? result.signature : what;
}

Trial CrashAt(const Scenario& base, uint64_t seed, const EffectCrash& crash) {
  Trial trial{.run = base, .seed = seed};
  trial.run.materialised->effect_crash = crash;
  return trial;
}

Points RunPoints(const Scenario& base, uint64_t seed, EffectCrash crash,
                 const EffectsCommand& command, const Harness& harness) {
  Points points;
  const TrialOptions options{.workers = command.workers, .timeout = absl::Seconds(60), .stop = {}};
  crash.effect = 0;
  const auto counted = FindTrial({CrashAt(base, seed, crash)}, harness, options,
                                 [](const SeedResult&) { return true; });
  points.effects = counted ? counted->result.victim_effects : 0;
  for (uint64_t first = 1; first <= points.effects; first += kBatch * command.stride) {
    std::vector<Trial> trials;
    for (uint64_t i = 0; i < kBatch; ++i) {
      crash.effect = first + i * command.stride;
      if (crash.effect <= points.effects) trials.push_back(CrashAt(base, seed, crash));
    }
    size_t index = 0;
    (void)FindTrial(trials, harness, options, [&](const SeedResult& result) {
      const Trial& trial = trials[index++];
      ++points.tried;
      if (result.verdict == Verdict::kInconclusive) ++points.inconclusive;
      if (!IsFailure(result.verdict)) return false;
      ++points.failed;
      const std::string what = WhatFailed(result);
      const auto [failure, is_new] = points.failures.try_emplace(what, 0, trial);
      ++failure->second.first;
      if (is_new) points.results.emplace(what, result);
      return false;
    });
  }
  return points;
}

void PrintFailures(const Points& points, const Scenario& scenario, const EffectsCommand& command,
                   const Output& output) {
  size_t number = 0;
  for (const auto& [what, failure] : points.failures) {
    const auto& [count, trial] = failure;
    const std::string path =
        fmt::format("repro-{}-{}-effect{}.json", scenario.name, trial.seed, ++number);
    fmt::print(output.err, "     FAIL  {}: {} points, the first before effect {}\n", what, count,
               trial.run.materialised->effect_crash->effect);
    const Repro repro =
        ReproOf(trial.run, points.results.at(what), command.mutant, reports::ThisBuild().id);
    std::FILE* file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) continue;
    fmt::print(file, "{}", ReproJson(repro));
    std::fclose(file);
    fmt::print(output.err, "           Replay  highwater replay {}\n", path);
  }
}

}  // namespace

ExitCode CrashAtEveryEffect(const EffectsCommand& command, const Harness& healthy,
                            const Output& output) {
  const std::optional<Harness> harness = WithMutant(healthy, command.mutant, output);
  if (!harness) return ExitCode::kUsage;
  const absl::StatusOr<faults::Aim> victim = faults::ParseAim(command.victim);
  if (!victim.ok()) {
    const absl::string_view message = victim.status().message();
    output.Error(fmt::format("--crash-at-every-effect: {}",
                             std::string_view(message.data(), message.size())));
    return ExitCode::kUsage;
  }
  const auto scenarios = LoadAll(command.scenarios, harness->load, output);
  if (!scenarios) return ExitCode::kUsage;
  uint64_t tried = 0;
  uint64_t failed = 0;
  uint64_t inconclusive = 0;
  for (const Scenario& scenario : *scenarios) {
    const SeedRange seeds =
        command.seeds.range.value_or(SeedRange{scenario.seeds.first, scenario.seeds.first});
    for (uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
      const EffectCrash crash{
          .victim = *victim, .effect = 0, .power_loss = command.power_loss, .down = command.down};
      const Points points = RunPoints(Materialise(scenario, seed), seed, crash, command, *harness);
      fmt::print(output.out, "{} seed {}: {} {} {} before {} of {} effects; {} failed\n",
                 scenario.name, seed, command.victim, command.power_loss ? "lost power" : "crashed",
                 points.tried == 1 ? "once," : "once each", points.tried, points.effects,
                 points.failed);
      PrintFailures(points, scenario, command, output);
      tried += points.tried;
      failed += points.failed;
      inconclusive += points.inconclusive;
    }
  }
  fmt::print(output.out, "{} points of crash, {} failed, {} were given up\n", tried, failed,
             inconclusive);
  if (tried == 0) return ExitCode::kNothingSelected;
  if (failed > 0) return ExitCode::kViolated;
  return inconclusive > 0 ? ExitCode::kInconclusive : ExitCode::kHeld;
}

}  // namespace highwater::scenarios
