#include "scenarios/materialise.h"

#include <algorithm>

#include "core/check.h"
#include "scenarios/drawn_settings.h"
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

void ForgetChoices(Settings& settings) {
  for (Setting& setting : settings) setting.choices.clear();
}

}  // namespace

Scenario Materialise(const Scenario& scenario, uint64_t seed) {
  if (scenario.materialised) return scenario;
  Scenario run = WithDrawnSettings(scenario, seed);
  // Who heals depends on what the scenario may do, also where this seed does not.
  const std::vector<std::string> kinds = EnabledFaults(scenario);
  if (std::any_of(kinds.begin(), kinds.end(), MovesReplicas)) run.run.heal_with = HealWith::kAll;
  run.materialised = Materialised{.orders = MaterialiseFaults(run, seed), .operations = {}};
  run.timeline.clear();
  run.random.clear();
  run.aftershocks_ppm = 0;
  ForgetChoices(run.cluster.settings);
  for (TopicSpec& topic : run.topics) ForgetChoices(topic.settings);
  for (ClientSpec& client : run.clients) ForgetChoices(client.settings);
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
