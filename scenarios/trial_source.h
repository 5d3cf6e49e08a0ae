#pragma once

// TrialSource: which runs a hunt for a defect tries, one generation after the other.
//
//   auto source = MakeFreshSeeds(campaigns, 1);          // seed after seed of each campaign in
//   turn auto source = MakeFeedback(campaigns, 1);            // the same, and variations of what
//   was rare for (const HuntTrial& trial : source->Next(96)) { ...; source->Learn(trial, result); }
//
// Which trials come depends on the campaigns, the first seed and what was learnt, in the order of
// learning; on nothing else.

#include <cstdint>
#include <memory>
#include <vector>

#include "scenarios/scenario.h"
#include "scenarios/seed_result.h"

namespace highwater::scenarios {

struct HuntTrial {
  Scenario scenario;
  uint64_t seed = 0;
};

class TrialSource {
 public:
  virtual ~TrialSource() = default;
  [[nodiscard]] virtual std::vector<HuntTrial> Next(size_t count) = 0;
  // What a trial of Next has shown, in their order; those behind a failure may be missing.
  virtual void Learn(const HuntTrial& trial, const SeedResult& result) = 0;
};

// `campaigns` must outlive the source and not be empty.
[[nodiscard]] std::unique_ptr<TrialSource> MakeFreshSeeds(const std::vector<Scenario>& campaigns,
                                                          uint64_t first);
}  // namespace highwater::scenarios
