#pragma once

// A story as lanes: a column for each broker and client, time downwards, one row an event, messages
// as arrows, faults and dead processes shaded, the leader's lane bold. SVG.

#include <string>

#include "reports/story.h"

namespace highwater::reports {

// Empty if the story has no rows.
[[nodiscard]] std::string LanesSvg(const Story& story);

}  // namespace highwater::reports
