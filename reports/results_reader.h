#pragma once

// Reads folders of results back: what ResultsFolder wrote, in another process or on another
// machine.
//
//   for (const std::string& path : FindResultFolders("shards/hw-3")) {
//     absl::StatusOr<ReadResults> results = ReadResultsFolder(path);
//   }
//
// Not responsible for: what several of them say together (scenarios/merge.h).
//
// Invariant: what is read adds up to what the campaign itself added up (AddCase), whichever way its
// cases were shared out. Only a failing case's chain, timeline and texts are missing from its line:
// ReadFailure has them, of those that got a folder.

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

#include "reports/build_info.h"
#include "reports/result_json.h"
#include "scenarios/campaign_result.h"

namespace highwater::reports {

struct ReadResults {
  std::string path;
  RunInfo run;
  BuildInfo build;
  // Scenarios, guarantees and marks without counts; how it ended.
  scenarios::CampaignResult campaign;
  std::vector<scenarios::CaseResult> cases;  // in the order of their lines
};

// `path` itself if it is a folder of results, else those in it, sorted; `latest` is no other one.
[[nodiscard]] std::vector<std::string> FindResultFolders(const std::string& path);

// A last line that was cut off, as a killed campaign leaves it, is no error: the campaign then
// counts as interrupted, as does one that never finished.
[[nodiscard]] absl::StatusOr<ReadResults> ReadResultsFolder(const std::string& path);

// All of a failing case; nothing if it has no folder.
[[nodiscard]] std::optional<scenarios::CaseResult> ReadFailure(const std::string& path,
                                                               const std::string& scenario,
                                                               uint64_t seed);

}  // namespace highwater::reports
