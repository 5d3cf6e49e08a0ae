#include "scenarios/timeline.h"

namespace highwater::scenarios {

std::string_view TimelineKindName(TimelineKind kind) {
  static constexpr std::string_view kNames[kTimelineKinds] = {
      "up",           "down",        "controller",
      "resigned",     "election",    "leads",
      "follows",      "ISR",         "high watermark",
      "appended",     "flushed",     "truncated",
      "log opened",   "log deleted", "fetched",
      "acknowledged", "send",        "request",
      "message",      "fault",       "partitions without leader",
      "violation"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace highwater::scenarios
