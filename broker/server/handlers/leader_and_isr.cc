#include "broker/protocol/leader_and_isr.h"

#include "broker/server/handlers/handler.h"

namespace highwater::broker {

using protocol::LeaderAndIsrRequest;
using protocol::LeaderAndIsrResponse;

// [R1-R6, R15-R26, R28]
absl::StatusOr<Answer> HandleLeaderAndIsr(Services& services, const Call& call) {
  return Serve<LeaderAndIsrRequest>(call, [&](const LeaderAndIsrRequest& request) {
    if (!services.replicas.in_cluster()) {
      // A broker without a cluster is its own controller and obeys nobody.
      LeaderAndIsrResponse refused;
      refused.error_code = protocol::ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
      return refused;
    }
    return services.replicas.BecomeLeaderOrFollower(request, call.header.api_version);
  });
}

}  // namespace highwater::broker
