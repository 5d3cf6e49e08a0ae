#pragma once

// A scenario written back as YAML with every default spelled out: what a run really used.

#include <string>

#include "scenarios/scenario.h"

namespace highwater::scenarios {

// Loading the text gives the same scenario (SameScenario).
[[nodiscard]] std::string ResolvedYaml(const Scenario& scenario);

}  // namespace highwater::scenarios
