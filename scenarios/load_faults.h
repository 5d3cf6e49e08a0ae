#pragma once

// The `faults:` part of a scenario, read by the fault table.

#include "scenarios/harness.h"
#include "scenarios/map_reader.h"
#include "scenarios/scenario.h"

namespace highwater::scenarios {

// Reads `faults` into scenario.timeline and scenario.random.
// REQUIRES: scenario's cluster, clients and run are read: targets and times are checked against
// them.
void LoadFaults(const YamlNode& faults, const LoadContext& context, DiagnosticSink& sink,
                Scenario& scenario);

}  // namespace highwater::scenarios
