#pragma once

// What holds of each API beyond its fields: versions, header versions, who may send it.
//
// Follows wire-protocol facts 1.4 (header versions) and 3 (the table). ApiKey, ApiInfo and kApis
// are generated from the schemas.

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

#include "broker/protocol/api_key.h"
#include "core/plain_formatter.h"

namespace highwater::broker::protocol {

// The API with this key; nullptr if we do not have it.
[[nodiscard]] const ApiInfo* FindApi(int16_t key);
// REQUIRES: `key` is one of the enumerators.
[[nodiscard]] const ApiInfo& InfoOf(ApiKey key);

// Whether a request of this key and version can be served.
[[nodiscard]] bool IsSupported(int16_t key, int16_t version);

// The header that a request or response carries: a function of key and version alone, defined also
// for versions of ApiVersions that we do not have.
[[nodiscard]] int16_t RequestHeaderVersion(ApiKey key, int16_t version);
[[nodiscard]] int16_t ResponseHeaderVersion(ApiKey key, int16_t version);

// Sent inside the cluster only: needs the right ClusterAction.
[[nodiscard]] bool IsClusterInternal(ApiKey key);
// Must reach the active controller: others answer NOT_CONTROLLER.
[[nodiscard]] bool IsForController(ApiKey key);
// The first version from which a client waits for throttle_time_ms by itself; kNeverThrottles if
// none.
inline constexpr int16_t kNeverThrottles = 32767;
[[nodiscard]] int16_t FirstClientThrottledVersion(ApiKey key);

}  // namespace highwater::broker::protocol

template <>
struct fmt::formatter<highwater::broker::protocol::ApiKey> : highwater::core::PlainFormatter {
  template <typename Context>
  auto format(highwater::broker::protocol::ApiKey key, Context& context) const {
    const auto* info = highwater::broker::protocol::FindApi(static_cast<int16_t>(key));
    if (info != nullptr) return fmt::format_to(context.out(), "{}", info->name);
    return fmt::format_to(context.out(), "Api{}", static_cast<int16_t>(key));
  }
};
