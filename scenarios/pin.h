#pragma once

// Pins: scenarios made of one failing run, to be run on every commit from then on.
//
//   for (Scenario& pin : PinCandidates(repro, result.fired)) ...   // the most telling first
//
// A repro says exactly what was: this host, that nanosecond. A pin says what it was about: the
// leader of orders-0, about then, so that it still means something when the run around it has
// changed. Whether a candidate shows the failure often enough is tried by the command.
//
// Not responsible for: running anything. What a scenario cannot say (a limit of records, a crash
// before an effect) is left out.
//
// Invariant: a candidate can be written, loaded, and is then the same.

#include <optional>
#include <string>
#include <vector>

#include "scenarios/repro.h"
#include "scenarios/seed_result.h"

namespace highwater::scenarios {

// `fired`: of the repro's own run, with its trace. Candidates differ in how faults name their
// victims (by the role that it played, as the fault was aimed, exactly), in how coarsely times are
// rounded, and in the scheduler. They have no name yet.
[[nodiscard]] std::vector<Scenario> PinCandidates(const Repro& repro,
                                                  const std::vector<FiredFault>& fired);

// `acked-durable-power-loss-freeze`: a name from what happened.
[[nodiscard]] std::string PinName(const Repro& repro);

}  // namespace highwater::scenarios
