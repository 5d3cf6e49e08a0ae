#pragma once

// The APIs that only a member of a cluster serves, all of them through its ClusterController: admin
// requests, and what other brokers ask of the controller.
//
//   for (const ClusterApi& api : ClusterApis()) ... api.handle(controller, call) ...
//
// Each in all versions of Kafka 3.2.3. An error closes the connection without an answer: the sender
// asks again, perhaps somebody else [C3], [S4].

#include <absl/types/span.h>

#include "broker/controller/cluster_controller.h"
#include "broker/server/handlers/handler.h"

namespace highwater::broker {

struct ClusterApi {
  protocol::ApiKey key;
  absl::StatusOr<Answer> (*handle)(core::Environment& env,
                                   controller::ClusterController& controller, const Call& call);
};
// In the order of their keys.
[[nodiscard]] absl::Span<const ClusterApi> ClusterApis();

}  // namespace highwater::broker
