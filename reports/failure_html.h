#pragma once

// A failure as a section of report.html: its screen, its story as lanes, the logs before and after,
// charts of the run.

#include <string>

#include "reports/build_info.h"
#include "scenarios/campaign_result.h"

namespace highwater::reports {

[[nodiscard]] std::string FailureHtml(const scenarios::ScenarioSummary& scenario,
                                      const scenarios::SignatureGroup& group,
                                      const BuildInfo& build);

}  // namespace highwater::reports
