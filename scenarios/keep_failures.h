#pragma once

// What a campaign keeps of a failure: the run materialised, made smaller, in a file.
//
//   options.complete = KeepFailures(harness, {.workers = 4, .folder_of = ...});
//
// The first failure of each signature is shrunk, within a budget of time; the others are kept as
// they were found.

#include <absl/time/time.h>

#include <functional>
#include <string>

#include "scenarios/campaign.h"
#include "scenarios/harness.h"
#include "scenarios/shrink.h"

namespace highwater::scenarios {

struct ShrinkFailureOptions {
  int workers = 1;
  absl::Duration budget = absl::Seconds(20);  // of the machine's time
  uint64_t trials = 2000;
  uint64_t other_seeds = 8;
  // Told of each smaller run that fails.
  std::function<void(const Scenario& smaller)> on_smaller;
};

struct ShrunkFailure {
  Trial smallest;
  SeedResult result;     // of the smallest, with its trace
  std::string sentence;  // empty: nothing could be left out
  uint64_t trials = 0;
  bool exhausted = false;  // the budget ended it
};

// Shrinks a run whose result, with its trace, is `original`. REQUIRES: materialised; no other
// thread (it forks).
[[nodiscard]] ShrunkFailure ShrinkFailure(const Trial& failing, const SeedResult& original,
                                          const Harness& harness,
                                          const ShrinkFailureOptions& options);

struct KeepOptions {
  bool shrink = true;
  uint64_t most_shrunk = 5;  // failures of a campaign
  ShrinkFailureOptions how;
  std::string mutant;  // planted in the harness; empty: none
  std::string build;
  // Where the folder of a failing seed is.
  std::function<std::string(const std::string& scenario, uint64_t seed)> folder_of;
  std::function<void(const std::string& sentence)> tell;  // empty: nobody
};

// For CampaignOptions::complete. `harness` outlives it.
[[nodiscard]] std::function<void(const Scenario&, bool, CaseResult&)> KeepFailures(
    const Harness& harness, KeepOptions options);

}  // namespace highwater::scenarios
