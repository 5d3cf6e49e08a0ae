#pragma once

// Merge: what shards of a campaign, run anywhere, say together.
//
//   absl::StatusOr<Merged> merged = MergeResults(std::move(folders));
//   merged->campaign.exit_code
//
// Invariant: the merge of shards equals the campaign that ran all of their seeds itself, but for
// the machines' time, however the seeds were shared out and in whichever order the folders come.

#include <absl/status/statusor.h>

#include <functional>
#include <vector>

#include "reports/results_reader.h"
#include "scenarios/campaign_result.h"

namespace highwater::scenarios {

struct Merged {
  CampaignResult campaign;
  reports::RunInfo run;
  reports::BuildInfo build;
};

// Told of each case once it is added, in the merged order; `folder`: where it came from.
using MergedCase = std::function<void(const CampaignResult& campaign, const CaseResult& result,
                                      const SignatureGroup* group, const std::string& folder)>;

// InvalidArgument: they are not of one build, or scenarios of one name differ. A seed that stands
// in several folders counts once; if its runs differ, that is a finding.
[[nodiscard]] absl::StatusOr<Merged> MergeResults(std::vector<reports::ReadResults> folders,
                                                  const MergedCase& told = nullptr);

}  // namespace highwater::scenarios
