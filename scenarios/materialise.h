#pragma once

// The materialised run: a scenario and a seed with everything that the seed would draw of faults
// written out, so that one fault can be left out and all others stay what they were.
//
//   Scenario run = Materialise(scenario, seed);       // the same run: the same state hash
//   SeedResult result = runner.Run(run, seed, {.trace = true});
//   Settle(result, run);                              // aims and strategy as they turned out: the
//                                                     // same run again
//   run.materialised->orders.erase(...);              // another run
//
// It is a Scenario like any other to whoever runs, judges and reports it; its cluster, topics,
// clients and times may be made smaller too. What it still draws from the seed is what the world
// draws: latencies, losses of unsynced data, the order of fibers, each keyed by who draws it.
//
// Not responsible for: making it smaller (shrink.h), keeping it in a file (repro.h).
//
// Invariants
// 1. Materialise and Settle change no event of the run of that seed.
// 2. Materialise of a materialised run is that run.

#include "scenarios/scenario.h"
#include "scenarios/seed_result.h"

namespace highwater::scenarios {

[[nodiscard]] Scenario Materialise(const Scenario& scenario, uint64_t seed);

// Writes into `run` what its own run, with RunOptions.trace, has told: whom each fault hit, and the
// scheduler's strategy.
void Settle(const SeedResult& result, Scenario& run);

}  // namespace highwater::scenarios
