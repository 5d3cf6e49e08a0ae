#pragma once

// Hunt: plants one defect and runs trials until one fails that the healthy product passes.
//
//   const Detection found = Hunt(defect, healthy, baseline, *MakeFreshSeeds(campaigns, 1), {.trials
//   = 300}); if (!found.what.empty()) ...     // caught by that, after found.trials
//
// A trial in which the healthy product fails, too, says nothing of the defect and is passed over;
// so is one that fails in the harness itself. Nor does a trial count in which only such things are
// violated as the healthy product violates in other seeds of that campaign (Baseline): a defect
// makes another run of each seed, and some of those would have failed anyhow.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/harness.h"
#include "scenarios/trial_source.h"

namespace highwater::scenarios {

// What the healthy product violates now and then: by campaign, in how many of `trials` seeds.
struct Baseline {
  uint64_t trials = 0;  // of each campaign
  std::map<std::string, std::map<std::string, uint64_t>> violated;

  // Whether the healthy product has been seen to fail by `what`.
  [[nodiscard]] bool Shows(const std::string& campaign, const std::string& what) const;
};

// Runs the seeds first .. first + trials - 1 of each campaign. REQUIRES: as Hunt.
[[nodiscard]] Baseline MeasureBaseline(const std::vector<Scenario>& campaigns,
                                       const Harness& healthy, uint64_t first, uint64_t trials,
                                       int workers);

struct HuntLimits {
  uint64_t trials = 300;     // at most so many
  double cpu_seconds = 1e9;  // and about so much time of processors
  int workers = 1;
};

struct Detection {
  std::string what;          // the invariants that caught it; empty: undetected
  uint64_t trials = 0;       // the one that caught it included
  double cpu = 0;            // seconds of processors, the looks at the healthy product included
  uint64_t passed_over = 0;  // trials in which the healthy product fails, too
  std::optional<HuntTrial> trial;  // the one that caught it
};

// REQUIRES: no other thread runs in this process (it forks).
[[nodiscard]] Detection Hunt(const PlantedDefect& defect, const Harness& healthy,
                             const Baseline& baseline, TrialSource& source,
                             const HuntLimits& limits);

}  // namespace highwater::scenarios
