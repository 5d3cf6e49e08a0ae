#pragma once

// Results as JSON for machines, and as bytes between processes. Only this part of Highwater
// (result_json.cc, run_json.cc) and results_reader.cc, which reads it back, know the JSON library,
// beside scenarios/repro.cc.
//
// Keys carry their units: `simulated_s`, `produce_latency_p99_ms`. Hashes are strings of 16
// hexadecimal digits, since JSON readers hold numbers as floating point. Every document has
// `schema_version`.

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reports/build_info.h"
#include "scenarios/campaign_result.h"

namespace highwater::reports {

// Between processes: everything, bit for bit. Decoding is total.
[[nodiscard]] std::string EncodeCase(const scenarios::CaseResult& result);
[[nodiscard]] absl::StatusOr<scenarios::CaseResult> DecodeCase(std::string_view bytes);

// One line of results.ndjson, without its end of line: equal for equal runs but for `host_ms`.
[[nodiscard]] std::string ResultLine(const scenarios::CaseResult& result);

// What a line holds of a run's figures bit for bit, as it stands under `exact`: adding such up
// loses nothing. Nothing if it is not that.
[[nodiscard]] std::optional<scenarios::SeedMetrics> DecodeMetrics(std::string_view exact);

// summary.json.
[[nodiscard]] std::string SummaryJson(const scenarios::CampaignResult& campaign,
                                      const BuildInfo& build);

// What run.json says beside the campaign.
struct RunInfo {
  std::vector<std::string> command;
  std::string started;  // UTC, ISO 8601
  std::string host;
  std::string seeds;  // as chosen
  std::string shard;
};
// `finished`: the campaign has ended; without that, nobody knows what it had still to say.
[[nodiscard]] std::string RunJson(const RunInfo& run, const scenarios::CampaignResult& campaign,
                                  const BuildInfo& build, bool finished);

// marks.json and `list --json`: named things, each with words about it.
struct ListEntry {
  std::string name;
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<ListEntry> parts;  // a fault's parameters
};
[[nodiscard]] std::string ListJson(std::string_view what, const std::vector<ListEntry>& entries);

}  // namespace highwater::reports
