#pragma once

// A campaign's end as people read it: a line a scenario, the sums, the fault ledger, the marks, the
// reasons of the exit code.

#include <string>

#include "reports/text.h"
#include "scenarios/campaign_result.h"

namespace highwater::reports {

// `      PASS  rolling-restart   125 seeds   20.8 h simulated   0 violations (below 2.4 % at 95
// %)`, and two lines of figures below it.
[[nodiscard]] std::string ScenarioLine(const scenarios::CampaignResult& campaign,
                                       const scenarios::ScenarioSummary& scenario,
                                       const Style& style);

[[nodiscard]] std::string SummaryScreen(const scenarios::CampaignResult& campaign,
                                        const Style& style);

// `374 held, 1 violated`: verdicts that occurred, over all scenarios.
[[nodiscard]] std::string VerdictCounts(const scenarios::CampaignResult& campaign);

// `below 2.4 % at 95 %`: how likely a violation still is after so many seeds without one.
[[nodiscard]] std::string UpperBound(uint64_t seeds);

// Whether the scenario itself is to be shown as failed.
[[nodiscard]] bool ScenarioFailed(const scenarios::CampaignResult& campaign,
                                  const scenarios::ScenarioSummary& scenario);

}  // namespace highwater::reports
