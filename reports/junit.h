#pragma once

// JUnit XML for continuous integration: a suite a scenario; a case for the scenario with its number
// of seeds, and one more for each distinct failure. Never a case a seed: there are thousands.

#include <string>

#include "reports/build_info.h"
#include "scenarios/campaign_result.h"

namespace highwater::reports {

[[nodiscard]] std::string JUnitXml(const scenarios::CampaignResult& campaign,
                                   const BuildInfo& build);

}  // namespace highwater::reports
