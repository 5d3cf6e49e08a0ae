#pragma once

// SimulatedSeedRunner: the SeedRunner of the `highwater` program, and the Harness that knows the
// product's names.

#include <optional>

#include "scenarios/harness.h"
#include "scenarios/seed_runner.h"
#include "scenarios/world/applications.h"

namespace highwater::scenarios {

class SimulatedSeedRunner final : public SeedRunner {
 public:
  // `hooks`: where a defect is planted, instead of what the scenario itself asks for (HooksOf).
  explicit SimulatedSeedRunner(std::optional<RunHooks> hooks = std::nullopt)
      : hooks_(std::move(hooks)) {}
  [[nodiscard]] SeedResult Run(const Scenario& scenario, uint64_t seed,
                               const RunOptions& options) override;

 private:
  std::optional<RunHooks> hooks_;
};

// Runs seeds in simulated worlds; checks settings against the broker's and the clients' own tables.
[[nodiscard]] Harness MakeSimulatedHarness();

}  // namespace highwater::scenarios
