#pragma once

// Arbitrary runs: clusters, loads and schedules of faults as RapidCheck draws and shrinks them.
//
//   const Trial trial = *ArbitraryRun();
//   RC_ASSERT(!Violates(runner.Run(trial.run, trial.seed, {}), "acked-durable"));
//
// Every run is one that the loader would accept: three to five brokers, topics with three replicas
// and min.insync.replicas=2, producers with acks=all. It shrinks by Reducers().

#include <rapidcheck.h>

#include <iosfwd>

#include "scenarios/trials.h"

namespace highwater::scenarios {

[[nodiscard]] rc::Gen<Trial> ArbitraryRun();

// As a repro file.
void showValue(const Trial& trial, std::ostream& out);

}  // namespace highwater::scenarios
