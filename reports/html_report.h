#pragma once

// report.html: a campaign as one page without anything beside it: the verdict, findings by
// signature, the guarantees, each distinct failure with lanes, logs and charts, figures, faults and
// marks, the resolved scenarios.
//
// It reads as well without scripts (there are none) and where the style sheet is refused.

#include <string>

#include "reports/build_info.h"
#include "reports/result_json.h"
#include "scenarios/campaign_result.h"

namespace highwater::reports {

[[nodiscard]] std::string HtmlReport(const scenarios::CampaignResult& campaign, const RunInfo& run,
                                     const BuildInfo& build);

// `1 guarantee was broken, in 1 of 375 seeds.`
[[nodiscard]] std::string VerdictLine(const scenarios::CampaignResult& campaign);

}  // namespace highwater::reports
