#pragma once

// Shrinking: a failing run made smaller while it fails in the same way.
//
//   ShrinkOutcome smaller = Shrink(trial, find, {.trials = 400});     // the search over reducers.h
//
// What is left is not the smallest run: it is one in which nothing more can be left out alone, or
// where the budget ended. Since a world answers to each change with another interleaving, the
// search also tries runs without some faults under other seeds; what a seed draws beside the faults
// (latencies, losses, the order of fibers) is kept in the result as its seed.
//
// Invariants
// 1. The smallest run has failed alike, with the seed that it is given with.
// 2. Outcome and its cost depend on what the trials showed, not on how many were run at a time;
// budgets of time excepted.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/trials.h"

namespace highwater::scenarios {

// Whether `result` fails as `original` did: what it violates is among what the original violated,
// and the original's first violation is there; or, without violations, it ended alike.
[[nodiscard]] bool FailsAlike(const SeedResult& original, const SeedResult& result);

struct Failing {
  size_t index = 0;
  std::optional<absl::Duration> violated;  // when the first violation was seen
};
// Gives the first of the trials that fails alike.
using FindFailing = std::function<std::optional<Failing>(const std::vector<Trial>& trials)>;

struct ShrinkLimits {
  uint64_t trials = 1000;           // at most about so many
  uint64_t other_seeds = 8;         // for runs without some of the faults; 0: the own seed only
  std::function<bool()> stop = {};  // asked between batches
};

struct ShrinkOutcome {
  Trial smallest;
  uint64_t trials = 0;
  bool exhausted = false;  // a limit ended it
};

// REQUIRES: `failing` is materialised, and fails with its first violation at `violated` (if it is
// one that is seen at an event).
[[nodiscard]] ShrinkOutcome Shrink(Trial failing, std::optional<absl::Duration> violated,
                                   const FindFailing& find, const ShrinkLimits& limits);

// `12 faults shrunk to 2, 20 s to 5.3 s, 3 producers to 1`; what is as it was is not named.
[[nodiscard]] std::string DescribeShrinking(const Scenario& before, const Scenario& after);

}  // namespace highwater::scenarios
