#pragma once

// Reducers: from a materialised run to smaller ones.
//
//   for (const Reducer& reducer : Reducers()) {
//     for (Scenario& smaller : reducer.reduce(run)) ...   // the boldest first
//   }
//
// Without some of its faults, with less time, fewer clients, partitions, records and servers, with
// shorter and weaker faults, with narrower aims. Pure functions, shared by `highwater shrink` and
// by the properties in tests/properties/.
//
// Not responsible for: whether a smaller run still fails (shrink.h).
//
// Invariants
// 1. Each reduction is smaller than its run by a measure that cannot fall for ever (faults, time,
// clients, partitions, records, servers, lengths, numbers, hosts named), so that a search ends.
// 2. A reduction keeps Scenario's invariants, so that it can be written and loaded again.

#include <absl/types/span.h>

#include <string_view>
#include <vector>

#include "scenarios/scenario.h"

namespace highwater::scenarios {

struct Reducer {
  std::string_view name;
  // REQUIRES: the run is materialised.
  std::vector<Scenario> (*reduce)(const Scenario& run);
};

// In the order in which they are tried: first those that leave out most.
[[nodiscard]] absl::Span<const Reducer> Reducers();

// The first of them: without some of the faults.
[[nodiscard]] std::vector<Scenario> WithFewerFaults(const Scenario& run);

// The run ended soon after `moment`, and without the faults after it: with the shortest healing
// first, then with its own. Nothing if that is not shorter.
[[nodiscard]] std::vector<Scenario> WithoutWhatFollows(const Scenario& run, absl::Duration moment);

}  // namespace highwater::scenarios
