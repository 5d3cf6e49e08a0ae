#pragma once

// WithDrawnSettings: the scenario of one seed, in which each setting that was written as a list of
// choices has the one that the seed chose.
//
//   settings: { replica.lag.time.max.ms: [800, 2000, 6000] }    // a third of the seeds each
//
// Draws are keyed by the setting's place and name: taking one setting out, or a client, changes no
// other. Drawing again with the same seed changes nothing.

#include <cstdint>
#include <string>
#include <string_view>

#include "scenarios/scenario.h"

namespace highwater::scenarios {

[[nodiscard]] Scenario WithDrawnSettings(Scenario scenario, uint64_t seed);

// What was drawn, for people: `orders segment.bytes=16384, producers[0] acks=1`; empty if nothing.
[[nodiscard]] std::string DescribeDrawnSettings(const Scenario& scenario);

// The greatest value that `name` may have: by `own` settings, or else by the `general` ones; 0 if
// neither has it.
[[nodiscard]] int64_t GreatestValue(std::string_view name, const Settings& own,
                                    const Settings& general);

// The next combination of choices, as a counter goes on; false after the last.
[[nodiscard]] bool NextCombination(Settings& settings);

}  // namespace highwater::scenarios
