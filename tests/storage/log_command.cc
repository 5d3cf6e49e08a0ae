// How a script is printed, and the settings of its log.

#include <ostream>

#include "log_script.h"

namespace highwater::broker::storage::testing {

std::ostream& operator<<(std::ostream& out, const Command& command) {
  static constexpr const char* kNames[] = {
      "kAppend",        "kReplicate",  "kBumpEpoch", "kFlush",      "kRoll",  "kTruncate",
      "kTruncateFully", "kRaiseStart", "kRetain",    "kCheckpoint", "kSleep", "kDrain"};
  return out << "{Kind::" << kNames[static_cast<size_t>(command.kind)] << ", " << command.a << ", "
             << command.b << "}";
}

std::ostream& operator<<(std::ostream& out, const Incarnation& incarnation) {
  static constexpr const char* kEnds[] = {"kCleanStop", "kPowerLoss", "kCrash",
                                          "kStopThenPowerLoss"};
  out << "{{";
  for (const Command& command : incarnation.commands) out << command << ", ";
  return out << "}, End::" << kEnds[static_cast<size_t>(incarnation.end)] << ", "
             << incarnation.at_effect << "}";
}

LogConfig TinyConfig() {
  LogConfig config;
  config.segment_bytes = 700;
  config.index_interval_bytes = 64;
  config.retention_bytes = 3000;
  config.retention_ms = -1;
  config.file_delete_delay_ms = 100;
  return config;
}

}  // namespace highwater::broker::storage::testing
