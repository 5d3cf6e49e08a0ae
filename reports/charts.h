#pragma once

// How a run went, over its simulated time: produce latency, records acknowledged, in-sync replicas,
// partitions without a leader; faults as bands behind. SVG, one time axis for all.

#include <string>

#include "scenarios/timeline.h"

namespace highwater::reports {

// Empty if the timeline is.
[[nodiscard]] std::string ChartsHtml(const scenarios::Timeline& timeline);

}  // namespace highwater::reports
