#pragma once

// What tests of whole worlds share: a small one-broker scenario in code, and running it over seeds.

#include <string>

#include "scenarios/scenario.h"
#include "scenarios/world/simulated_run.h"

namespace highwater::scenarios {

// One broker, one topic of two partitions, two producers, one consumer; 6 s of load.
[[nodiscard]] Scenario SmallScenario();

// Three brokers in three zones, with ZooKeeper, and a topic of two partitions with three replicas.
[[nodiscard]] Scenario ClusterScenario();

// The fault `kind` at random times about `every`, aimed at any broker, with the table's defaults
// and `choices` over them.
[[nodiscard]] RandomFault FaultEvery(
    std::string_view kind, absl::Duration every,
    std::map<std::string, ParameterValue, std::less<>> parameters = {});

// Runs seeds first..last until `stop` says true of a result; returns that result, or nullopt.
[[nodiscard]] std::optional<SeedResult> FindSeed(
    const Scenario& scenario, uint64_t first, uint64_t last, const RunHooks& hooks,
    const std::function<bool(const SeedResult&)>& stop);

// Whether `result` holds a violation of `invariant`.
[[nodiscard]] bool Violates(const SeedResult& result, std::string_view invariant);

}  // namespace highwater::scenarios
