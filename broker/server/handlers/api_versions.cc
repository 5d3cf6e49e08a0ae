#include <absl/strings/ascii.h>
#include <algorithm>

#include <string_view>

#include "broker/protocol/api_versions.h"
#include "broker/server/handlers/cluster_handlers.h"
#include "broker/server/handlers/handler.h"

namespace highwater::broker {

namespace {

using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;
using protocol::ErrorCode;

constexpr int16_t kHighest = ApiVersionsRequest::kHighestVersion;

// [A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?
bool IsSoftwareName(std::string_view name) {
  const auto alphanumeric = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c));
  };
  if (name.empty() || !alphanumeric(name.front()) || !alphanumeric(name.back())) return false;
  for (const char c : name) {
    if (!alphanumeric(c) && c != '-' && c != '.') return false;
  }
  return true;
}

// To a version that we do not have: the form that everybody reads, naming the versions of this one
// API (facts 2.3).
absl::StatusOr<Answer> RefuseVersion(const Call& call) {
  const ApiVersionsResponse response{
      .error_code = ErrorCode::UNSUPPORTED_VERSION,
      .api_keys = {{.api_key = static_cast<int16_t>(protocol::ApiKey::kApiVersions),
                    .min_version = 0,
                    .max_version = kHighest}}};
  HW_ASSIGN_OR_RETURN(core::Payload frame,
                      protocol::EncodeResponse(call.header.correlation_id, response, 0));
  return Answer{.frame = std::move(frame)};
}

// What this broker serves, ascending.
std::vector<protocol::ApiKey> KeysOf(const Services& services) {
  std::vector<protocol::ApiKey> keys;
  for (const ServedApi& api : ServedApis()) keys.push_back(api.key);
  if (services.member != nullptr) {
    for (const ClusterApi& api : ClusterApis()) keys.push_back(api.key);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

absl::StatusOr<Answer> HandleApiVersions(Services& services, const Call& call) {
  const int16_t version = call.header.api_version;
  if (version < 0 || version > kHighest) return RefuseVersion(call);
  return Serve<ApiVersionsRequest>(call, [&](const ApiVersionsRequest& request) {
    ApiVersionsResponse response;
    if (version >= 3 && (!IsSoftwareName(request.client_software_name) ||
                         !IsSoftwareName(request.client_software_version))) {
      response.error_code = ErrorCode::INVALID_REQUEST;
      return response;
    }
    for (const protocol::ApiKey key : KeysOf(services)) {
      const protocol::ApiInfo& info = protocol::InfoOf(key);
      response.api_keys.push_back({.api_key = static_cast<int16_t>(key),
                                   .min_version = info.lowest_version,
                                   .max_version = info.highest_version});
    }
    return response;
  });
}

}  // namespace highwater::broker
