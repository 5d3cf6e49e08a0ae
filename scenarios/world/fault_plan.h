#pragma once

// MaterialiseFaults: turns what a scenario says of faults into the orders of one seed: every time,
// length, strength and count drawn.
//
// Swarm: of several random kinds a seed uses a drawn part (at least one), at half, the written, or
// twice the written rate; and a quarter of the windows of time are quiet. Where the scenario asks
// for aftershocks, other faults of the swarm follow closely: what defects need is often a second
// fault while the cluster still works off the first (a new leader that crashes before it was
// followed). Draws are keyed by the fault's place in the scenario and its turn, so that leaving one
// out changes no other.

#include <vector>

#include "faults/fault_order.h"
#include "scenarios/scenario.h"

namespace highwater::scenarios {

// In the order of their times.
[[nodiscard]] std::vector<faults::FaultOrder> MaterialiseFaults(const Scenario& scenario,
                                                                uint64_t seed);

}  // namespace highwater::scenarios
