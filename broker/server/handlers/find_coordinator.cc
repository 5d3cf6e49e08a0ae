#include "broker/protocol/find_coordinator.h"

#include "broker/server/handlers/handler.h"

namespace highwater::broker {

namespace {

using protocol::ErrorCode;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;

constexpr const char* kNoCoordinator = "The coordinator is not available.";

}  // namespace

// There are no consumer groups and no transactions yet: the coordinator is not up, which clients
// take as "try again". The API has to be there all the same, or librdkafka would not use lz4.
absl::StatusOr<Answer> HandleFindCoordinator(Services&, const Call& call) {
  return Serve<FindCoordinatorRequest>(call, [&](const FindCoordinatorRequest& request) {
    FindCoordinatorResponse response;
    const bool known_type = request.key_type == 0 || request.key_type == 1;
    const ErrorCode error =
        known_type ? ErrorCode::COORDINATOR_NOT_AVAILABLE : ErrorCode::INVALID_REQUEST;
    if (call.header.api_version < 4) {
      response.error_code = error;
      response.error_message = kNoCoordinator;
      response.node_id = -1;
      response.port = -1;
      return response;
    }
    for (const std::string& key : request.coordinator_keys) {
      response.coordinators.push_back({.key = key,
                                       .node_id = -1,
                                       .host = "",
                                       .port = -1,
                                       .error_code = error,
                                       .error_message = kNoCoordinator});
    }
    return response;
  });
}

}  // namespace highwater::broker
