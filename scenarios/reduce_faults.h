#pragma once

// The reducers (reducers.h) that change single faults and keep their number.

#include <vector>

#include "scenarios/scenario.h"

namespace highwater::scenarios {

// Each fault's length at the least that the fault table allows, then at half.
[[nodiscard]] std::vector<Scenario> WithShorterFaults(const Scenario& run);
// Each number at the table's least, then half way to it.
[[nodiscard]] std::vector<Scenario> WithWeakerFaults(const Scenario& run);
// One server instead of its whole zone, and one on the other side instead of everybody else, where
// the kind can hit one.
[[nodiscard]] std::vector<Scenario> WithNarrowerAims(const Scenario& run);

}  // namespace highwater::scenarios
