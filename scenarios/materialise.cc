#include "scenarios/materialise.h"

#include <algorithm>

#include "core/check.h"
#include "scenarios/fault_table.h"
#include "scenarios/world/fault_plan.h"

namespace highwater::scenarios {
namespace {

std::optional<faults::Aim> AimOf(const std::string& text) {
  if (text.empty()) return std::nullopt;
  absl::StatusOr<faults::Aim> aim = faults::ParseAim(text);
  HW_CHECK(aim.ok(), "a run has told of a victim {}", text);
  return *std::move(aim);
}

}  // namespace

Scenario Materialise(const Scenario& scenario, uint64_t seed) {
  Scenario run = scenario;
  if (run.materialised) return run;
  // Who heals depends on what the scenario may do, also where this seed does not.
  const std::vector<std::string> kinds = EnabledFaults(scenario);
  if (std::any_of(kinds.begin(), kinds.end(), MovesReplicas)) run.run.heal_with = HealWith::kAll;
  run.materialised = Materialised{.orders = MaterialiseFaults(scenario, seed), .operations = {}};
  run.timeline.clear();
  run.random.clear();
  return run;
}

void Settle(const SeedResult& result, Scenario& run) {
  HW_CHECK(run.materialised.has_value(), "{} is not materialised", run.name);
  for (const FiredFault& fired : result.fired) {
    for (faults::FaultOrder& order : run.materialised->orders) {
      // What waits for an event waits for one at which its role is filled, too.
      if (order.key != fired.key || order.when.has_value()) continue;
      order.hit = AimOf(fired.hit);
      order.other_hit = AimOf(fired.other_hit);
    }
  }
  for (const Strategy strategy : {Strategy::kFifo, Strategy::kRandom, Strategy::kPct}) {
    if (result.strategy == StrategyName(strategy)) run.run.strategy = strategy;
  }
}

}  // namespace highwater::scenarios
