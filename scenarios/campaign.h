#pragma once

// Campaign: scenarios × seeds on worker processes, with results in the plan's order whatever the
// workers do.
//
// A worker that dies, hangs or runs out of memory costs one seed, which is named; the worker is
// replaced. A case that killed its worker is run once more, so that a death is known to be the
// seed's and not the machine's. Every failure is run twice and the two must agree, and so is a
// share of the seeds that held.
//
// Invariants
// 1. OnCase is called in the order of the plan, for each case once; what is reported does not
// depend on the number of workers.
// 2. With a limit of failures, exactly the cases up to the last of them are reported.
// 3. After an interrupt, the cases reported are a prefix of the plan.

#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "scenarios/campaign_result.h"
#include "scenarios/harness.h"
#include "scenarios/scenario.h"
#include "scenarios/seed_plan.h"

namespace highwater::scenarios {

struct CampaignOptions {
  SeedChoice seeds;
  Shard shard;
  int workers = 1;
  absl::Duration case_timeout = absl::Seconds(60);  // host time of one run of one seed
  std::optional<absl::Duration> budget;             // host time of all
  uint64_t max_failures = 10;                       // 0: no limit
  int64_t determinism_ppm = 20'000;                 // how many of the seeds that held are run twice
  std::optional<uint64_t> memory_limit;             // bytes of address space of a worker
  // Each case is run once, failures too, and with its trace.
  bool once = false;
  // Called for each case of a group before it is reported, to add what takes time or knows more
  // than a worker (CaseResult::shrunk, repro). `first`: of its signature.
  std::function<void(const Scenario& scenario, bool first, CaseResult& result)> complete;
};

// `interrupted` is asked some times a second. REQUIRES: no other thread runs in this process (it
// forks).
[[nodiscard]] CampaignResult RunCampaign(const std::vector<Scenario>& scenarios,
                                         const Harness& harness, const CampaignOptions& options,
                                         CampaignObserver& observer,
                                         const std::function<bool()>& interrupted);

}  // namespace highwater::scenarios
