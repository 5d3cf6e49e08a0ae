#pragma once

// What the writers of JSON share. Only they include this: it brings the JSON library.

#include <absl/time/time.h>

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "reports/build_info.h"

namespace highwater::reports {

using Json = nlohmann::ordered_json;

inline constexpr int kSchemaVersion = 1;

// Text of a world may hold any bytes: what is not UTF-8 is replaced, never thrown about.
[[nodiscard]] inline std::string Dump(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

[[nodiscard]] inline int64_t Nanos(absl::Duration d) { return absl::ToInt64Nanoseconds(d); }
[[nodiscard]] inline double Seconds(absl::Duration d) {
  return static_cast<double>(Nanos(d)) / 1e9;
}

[[nodiscard]] inline Json Build(const BuildInfo& build) {
  return {
      {"id", build.id}, {"clean", build.clean}, {"compiler", build.compiler}, {"type", build.type}};
}

}  // namespace highwater::reports
