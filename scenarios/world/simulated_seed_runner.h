#pragma once

// SimulatedSeedRunner: the SeedRunner of the `highwater` program, and the Harness that knows the
// product's names.

#include "scenarios/harness.h"
#include "scenarios/seed_runner.h"

namespace highwater::scenarios {

class SimulatedSeedRunner final : public SeedRunner {
 public:
  [[nodiscard]] SeedResult Run(const Scenario& scenario, uint64_t seed,
                               const RunOptions& options) override;
};

// Runs seeds in simulated worlds; checks settings against the broker's and the clients' own tables.
[[nodiscard]] Harness MakeSimulatedHarness();

}  // namespace highwater::scenarios
