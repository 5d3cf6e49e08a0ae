#pragma once

// The figures of runs in words: how long clients waited, how long partitions had no leader, how far
// followers fell behind, what went between zones.

#include <string>

#include "scenarios/campaign_result.h"

namespace highwater::reports {

// Two indented lines below a scenario's own; empty if nothing was produced.
[[nodiscard]] std::string FigureLines(const scenarios::SeedMetrics& metrics);

// Bytes of all scenarios by pair of zones, as a table of lines from and columns to; empty if there
// is none. `label` stands before its first line.
[[nodiscard]] std::string TrafficTable(const scenarios::CampaignResult& campaign,
                                       std::string_view label, size_t label_width);

// `1.2 GB`, by powers of ten.
[[nodiscard]] std::string RoughBytes(uint64_t bytes);

}  // namespace highwater::reports
