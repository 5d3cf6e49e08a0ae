#include "scenarios/run_source.h"

#include <fmt/format.h>

#include "scenarios/loader.h"

namespace highwater::scenarios {
namespace {

bool ReadScenarioFile(const std::string& path, std::optional<uint64_t> seed, const Output& output,
                      RunSource& source) {
  LoadedScenario loaded = LoadScenarioFile(path, source.harness.load);
  for (const Diagnostic& d : loaded.diagnostics) {
    fmt::print(output.err, "{}\n", FormatDiagnostic(d));
  }
  if (!loaded.scenario) return false;
  if (!seed) {
    output.Error("--seed is missing: a scenario has many runs (a repro file has one)");
    return false;
  }
  source.scenario = *std::move(loaded.scenario);
  source.seed = *seed;
  return true;
}

bool ReadReproFile(const std::string& path, std::optional<uint64_t> seed, const Output& output,
                   RunSource& source) {
  absl::StatusOr<Repro> repro = LoadRepro(path, source.harness.load);
  if (!repro.ok()) {
    const absl::string_view message = repro.status().message();
    output.Error({message.data(), message.size()});
    return false;
  }
  source.scenario = repro->run;
  source.seed = seed.value_or(repro->seed);
  if (source.mutant.empty()) source.mutant = repro->mutant;
  source.repro = *std::move(repro);
  return true;
}

}  // namespace

std::optional<RunSource> ReadRunSource(const std::string& path, std::optional<uint64_t> seed,
                                       const std::string& mutant, const Harness& harness,
                                       const Output& output) {
  RunSource source{.scenario = {}, .seed = 0, .mutant = mutant, .harness = harness, .repro = {}};
  const bool read = path.ends_with(".json") ? ReadReproFile(path, seed, output, source)
                                            : ReadScenarioFile(path, seed, output, source);
  if (!read) return std::nullopt;
  std::optional<Harness> planted = WithMutant(harness, source.mutant, output);
  if (!planted) return std::nullopt;
  source.harness = *std::move(planted);
  return source;
}

std::optional<Harness> WithMutant(const Harness& harness, std::string_view id,
                                  const Output& output) {
  Harness planted = harness;
  if (id.empty()) return planted;
  for (const PlantedDefect& defect : harness.zoo) {
    if (defect.id != id) continue;
    planted.make_runner = defect.make_runner;
    return planted;
  }
  output.Error(fmt::format("--mutant: no defect {} in the zoo; see highwater zoo --list", id));
  return std::nullopt;
}

}  // namespace highwater::scenarios
