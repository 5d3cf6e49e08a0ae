#pragma once

// What a seed's result means for its scenario, and what all of them mean for the campaign. Pure
// functions.

#include "scenarios/campaign_result.h"
#include "scenarios/scenario.h"

namespace highwater::scenarios {

// Completes a runner's result: the verdict as to `expect` and vacuity, and a signature where there
// is none. Idempotent.
void JudgeSeed(const Scenario& scenario, SeedResult& result);

// A summary with the scenario's names and no counts.
[[nodiscard]] ScenarioSummary SummaryOf(const Scenario& scenario);

// Adds a judged case to the sums. Returns its group if it failed or violated as expected. The
// pointer is good until the next call.
const SignatureGroup* AddCase(const CaseResult& result, CampaignResult& campaign);

// Writes findings and the exit code from the sums.
//
// Beside violations, a campaign fails for want of evidence (exit 5): an expected invariant that no
// seed violated; a fault that every seed should meet and none observed; a drawn fault that was
// requested, or had 20 seeds to be, and was never observed; a seed in which no record was
// acknowledged. These four are not asked of a campaign that was interrupted or stopped early.
void JudgeCampaign(CampaignResult& campaign);

}  // namespace highwater::scenarios
