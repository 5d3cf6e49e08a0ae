#pragma once

// How one Kafka property is described and read: its type, default, legal range and what it is for.
// Used by the broker's table (broker_config.cc) and the topics' (topic_config.cc).
//
// Not responsible for: files, line numbers, precedence between properties.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <absl/types/span.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"

namespace highwater::broker {

enum class ConfigType : uint8_t { kBool, kInt, kLong, kMillis, kString, kList, kDouble };

inline constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kMaxLong = std::numeric_limits<int64_t>::max();

// A property. `min` and `max` bound numbers; `choices` (comma separated) bounds strings and each
// element of lists.
struct ConfigKey {
  std::string_view name;
  ConfigType type;
  std::string_view default_value;
  int64_t min = 0;
  int64_t max = kMaxLong;
  std::string_view choices;
  std::string_view about;
};

// Checks `text` against the key's type, range and choices. The message says what was expected and
// what came, without the property's name.
[[nodiscard]] absl::Status ValidateValue(const ConfigKey& key, std::string_view text);

// The readers of a validated value. REQUIRES: ValidateValue said OK.
[[nodiscard]] bool ReadBool(std::string_view text);
[[nodiscard]] int64_t ReadInteger(std::string_view text);
// Milliseconds; 2^63-1 and -1 mean for ever.
[[nodiscard]] absl::Duration ReadMillis(std::string_view text);
[[nodiscard]] std::vector<std::string> ReadList(std::string_view text);

[[nodiscard]] std::string_view Trim(std::string_view text);

}  // namespace highwater::broker
