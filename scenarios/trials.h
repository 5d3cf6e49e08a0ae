#pragma once

// Trials: materialised runs that somebody wants to know the outcome of, one after the other or many
// at once, each in a worker process as in a campaign: one that dies or hangs is a result, too.
//
//   auto hit = FindTrial(candidates, harness, {.workers = 4}, [](const SeedResult& r) { ... });
//
// Which trial is found does not depend on the number of workers.

#include <absl/time/time.h>

#include <functional>
#include <optional>
#include <vector>

#include "scenarios/harness.h"
#include "scenarios/scenario.h"
#include "scenarios/seed_result.h"

namespace highwater::scenarios {

struct Trial {
  Scenario run;
  uint64_t seed = 0;
};

struct TrialOptions {
  int workers = 1;
  absl::Duration timeout = absl::Seconds(20);  // of the machine's time, for one trial
  std::function<bool()> stop;                  // asked now and then; empty: never
};

struct TrialHit {
  size_t index = 0;
  SeedResult result;
};

// The first of `trials`, in their order, whose result is wanted. Nothing: none, or it was stopped.
// Results hold their traces. REQUIRES: no other thread runs in this process (it forks).
[[nodiscard]] std::optional<TrialHit> FindTrial(
    const std::vector<Trial>& trials, const Harness& harness, const TrialOptions& options,
    const std::function<bool(const SeedResult&)>& wanted);

}  // namespace highwater::scenarios
