// `highwater shrink`.

#include <fmt/format.h>

#include <cstdio>

#include "reports/failure_screen.h"
#include "scenarios/commands.h"
#include "scenarios/judge.h"
#include "scenarios/keep_failures.h"
#include "scenarios/materialise.h"
#include "scenarios/run_source.h"

namespace highwater::scenarios {
namespace {

// The run with its trace, in a process of its own.
std::optional<SeedResult> RunOnceTraced(const Trial& trial, const Harness& harness) {
  std::optional<TrialHit> hit = FindTrial({trial}, harness, {.timeout = absl::Seconds(60)},
                                          [](const SeedResult&) { return true; });
  if (!hit) return std::nullopt;
  return std::move(hit->result);
}

bool WriteFile(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written;
}

}  // namespace

ExitCode ShrinkRun(const ShrinkCommand& command, const Harness& harness, const Output& output) {
  const std::optional<RunSource> source =
      ReadRunSource(command.source, command.seed, command.mutant, harness, output);
  if (!source) return ExitCode::kUsage;
  Trial trial{.run = Materialise(source->scenario, source->seed), .seed = source->seed};
  const std::optional<SeedResult> original = RunOnceTraced(trial, source->harness);
  if (!original || (original->violations.empty() && !IsFailure(original->verdict))) {
    output.Error("this run does not fail: there is nothing to shrink");
    return ExitCode::kNothingSelected;
  }
  Settle(*original, trial.run);
  const Scenario before = trial.run;
  ShrunkFailure smaller =
      ShrinkFailure(trial, *original, source->harness,
                    {.workers = command.workers,
                     .budget = command.budget,
                     .on_smaller = [&](const Scenario& run) {
                       fmt::print(output.err, "       .... {}\n", DescribeShrinking(before, run));
                     }});
  const reports::BuildInfo& build = reports::ThisBuild();
  Repro repro = ReproOf(smaller.smallest.run, smaller.result, source->mutant, build.id);
  repro.seed = smaller.smallest.seed;
  repro.shrunk = smaller.sentence;
  if (!WriteFile(command.output, ReproJson(repro))) {
    output.Error(fmt::format("cannot write {}", command.output));
    return ExitCode::kUsage;
  }
  CaseResult result{.result = *original, .repro = "", .repro_path = command.output};
  result.shrunk = scenarios::ShrunkRun{smaller.result, smaller.sentence};
  fmt::print(output.err, "\n{}\n",
             reports::FailureScreen(SummaryOf(source->scenario), result, build,
                                    output.StyleOf(output.err)));
  fmt::print(output.out, "{}: {} ({} runs{})\n", command.output,
             smaller.sentence.empty() ? "nothing could be left out" : smaller.sentence,
             smaller.trials, smaller.exhausted ? ", the budget ended" : "");
  return ExitCode::kHeld;
}

}  // namespace highwater::scenarios
