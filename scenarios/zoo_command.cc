// `highwater zoo`.

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "scenarios/commands.h"
#include "scenarios/hunt.h"
#include "scenarios/zoo_table.h"

namespace highwater::scenarios {
namespace {

constexpr uint64_t kBaseDistance = 1'000'000;
// Of what the healthy product violates: apart from the seeds that hunts begin with.
constexpr uint64_t kBaselineSeed = 500'000;

std::optional<Strategy> StrategyFromName(std::string_view name) {
  for (const Strategy strategy :
       {Strategy::kMixed, Strategy::kFifo, Strategy::kRandom, Strategy::kPct}) {
    if (StrategyName(strategy) == name) return strategy;
  }
  return std::nullopt;
}

ZooRow HuntFromEachBase(const PlantedDefect& defect, const std::vector<Scenario>& campaigns,
                        const ZooCommand& command, const Harness& healthy, const Baseline& baseline,
                        const Output& output) {
  const HuntLimits limits{.trials = command.trials,
                          .cpu_seconds = absl::ToDoubleSeconds(command.cpu),
                          .workers = command.workers};
  ZooRow row{.defect = &defect,
             .strategy = command.strategy.empty() ? std::string("mixed") : command.strategy,
             .hunts = {}};
  for (uint64_t base = command.first_base; base < command.first_base + command.bases; ++base) {
    const auto source = MakeFreshSeeds(campaigns, 1 + base * kBaseDistance);
    row.hunts.push_back(Hunt(defect, healthy, baseline, *source, limits));
    const Detection& found = row.hunts.back();
    if (found.trial.has_value()) {
      fmt::print(output.err, "{}: {} seed {}, after {} trials{}\n", defect.id,
                 found.trial->scenario.name, found.trial->seed, found.trials,
                 found.passed_over > 0 ? fmt::format("; {} passed over: the healthy product fails "
                                                     "there, too",
                                                     found.passed_over)
                                       : "");
    }
  }
  return row;
}

bool WasCaught(const ZooRow& row) {
  return std::any_of(row.hunts.begin(), row.hunts.end(),
                     [](const Detection& hunt) { return !hunt.what.empty(); });
}

// Writes the rows into the table of `path`.
bool WriteTable(const std::string& path, const std::vector<ZooRow>& rows,
                const std::vector<PlantedDefect>& zoo, const Output& output) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream document;
  if (in) document << in.rdbuf();
  const auto updated = UpdateZooTable(document.str(), rows, zoo);
  if (!in || !updated.ok()) {
    output.Error(fmt::format("--table {}: {}", path,
                             in ? std::string(updated.status().message()) : "cannot read it"));
    return false;
  }
  std::ofstream(path, std::ios::binary) << *updated;
  return true;
}

// What does not count as a detection.
void PrintBaseline(const Baseline& baseline, const Output& output) {
  for (const auto& [campaign, violated] : baseline.violated) {
    for (const auto& [what, seeds] : violated) {
      fmt::print(output.err,
                 "{}: {} in {} of {} seeds of the healthy product: no detection there\n", campaign,
                 what, seeds, baseline.trials);
    }
  }
}

void PrintList(const std::vector<const PlantedDefect*>& defects, const Output& output) {
  for (const PlantedDefect* defect : defects) {
    fmt::print(output.out, "{:<6} {:<12} {} ({})\n", defect->id, defect->area, defect->sentence,
               defect->source);
  }
}

}  // namespace

ExitCode Zoo(const ZooCommand& command, const Harness& harness, const Output& output) {
  std::vector<const PlantedDefect*> chosen;
  for (const PlantedDefect& defect : harness.zoo) {
    const auto names = [&](const std::string& word) {
      return word == defect.id || word == defect.area;
    };
    if (command.only.empty() || std::any_of(command.only.begin(), command.only.end(), names)) {
      chosen.push_back(&defect);
    }
  }
  if (chosen.empty()) {
    output.Error("--only: no such defect in the zoo; see highwater zoo --list");
    return ExitCode::kUsage;
  }
  if (command.list) {
    PrintList(chosen, output);
    return ExitCode::kHeld;
  }
  std::optional<std::vector<Scenario>> campaigns = LoadAll(command.scenarios, harness.load, output);
  if (!campaigns || campaigns->empty()) return ExitCode::kUsage;
  if (const auto strategy = StrategyFromName(command.strategy)) {
    for (Scenario& campaign : *campaigns) campaign.run.strategy = *strategy;
  }
  const Baseline baseline =
      MeasureBaseline(*campaigns, harness, kBaselineSeed, command.baseline, command.workers);
  PrintBaseline(baseline, output);
  fmt::print(output.out, "{}", ZooTableHead());
  std::vector<ZooRow> rows;
  size_t caught = 0;
  for (const PlantedDefect* defect : chosen) {
    rows.push_back(HuntFromEachBase(*defect, *campaigns, command, harness, baseline, output));
    if (WasCaught(rows.back())) ++caught;
    fmt::print(output.out, "{}", FormatZooRow(rows.back()));
    std::fflush(output.out);
    // Row by row: a hunt is long, and may be interrupted.
    if (!command.table.empty() && !WriteTable(command.table, {rows.back()}, harness.zoo, output)) {
      return ExitCode::kUsage;
    }
  }
  fmt::print(output.err,
             "{} of {} defects were caught, with at most {} trials from each of {} bases\n", caught,
             chosen.size(), command.trials, command.bases);
  return caught == chosen.size() ? ExitCode::kHeld : ExitCode::kTargetMissed;
}

}  // namespace highwater::scenarios
