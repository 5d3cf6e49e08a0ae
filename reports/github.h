#pragma once

// A campaign for GitHub Actions: annotations on the scenarios' lines, and the summary of a step.
//
// Limits of theirs: ten annotations of a level a step, more are dropped in silence; a summary of
// more than 1 MiB is dropped whole.

#include <string>
#include <string_view>

#include "reports/build_info.h"
#include "scenarios/campaign_result.h"

namespace highwater::reports {

// Lines of `::error file=…,line=…,title=…::…`: one a signature, and one a finding of other kind.
[[nodiscard]] std::string GitHubAnnotations(const scenarios::CampaignResult& campaign);

// Markdown: the verdict, scenarios and signatures as tables, the first failure in full.
[[nodiscard]] std::string GitHubSummary(const scenarios::CampaignResult& campaign,
                                        const BuildInfo& build);

// Where a scenario file names itself, from 1; 1 if the file cannot be read.
[[nodiscard]] int LineOfName(const std::string& file);

}  // namespace highwater::reports
