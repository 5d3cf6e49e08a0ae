#pragma once

// What `run` and `report` do with claims: they look for `claims.yaml` in the folders that they are
// given, and write the reliability matrix once the campaign is over.
//
//   std::optional<ClaimsFile> claims;
//   if (!LoadClaimsBeside(paths, summaries, output, claims)) return ExitCode::kUsage;
//   ...
//   if (claims) status = WriteMatrix(*claims, result, ThisBuild(), folder, matrix_file, output);

#include <absl/status/status.h>

#include <optional>
#include <string>
#include <vector>

#include "reports/build_info.h"
#include "scenarios/campaign_result.h"
#include "scenarios/claims.h"
#include "scenarios/commands.h"

namespace highwater::scenarios {

struct ClaimsFile {
  std::string path;
  std::string text;
  Claims claims;
};

// Leaves `out` empty if no folder among `paths` has claims. False, after printing why, if they have
// an error, or two folders have some. `scenarios`: those that are run; each whose file is in the
// claims' own folder must have a case.
[[nodiscard]] bool LoadClaimsBeside(const std::vector<std::string>& paths,
                                    const std::vector<ScenarioSummary>& scenarios,
                                    const Output& output, std::optional<ClaimsFile>& out);

// Writes `reliability-matrix.md` into the folder of results, a copy of the claims beside it so that
// shards can be merged, and the matrix once more to `also` unless it is empty; says so in a line.
[[nodiscard]] absl::Status WriteMatrix(const ClaimsFile& claims, const CampaignResult& campaign,
                                       const reports::BuildInfo& build, const std::string& folder,
                                       const std::string& also, const Output& output);

}  // namespace highwater::scenarios
