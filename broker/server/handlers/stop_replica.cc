#include "broker/protocol/stop_replica.h"

#include "broker/server/handlers/handler.h"

namespace highwater::broker {

using protocol::StopReplicaRequest;
using protocol::StopReplicaResponse;

// [R8, R9]
absl::StatusOr<Answer> HandleStopReplica(Services& services, const Call& call) {
  return Serve<StopReplicaRequest>(call, [&](const StopReplicaRequest& request) {
    if (!services.replicas.in_cluster()) {
      StopReplicaResponse refused;
      refused.error_code = protocol::ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
      return refused;
    }
    return services.replicas.StopReplicas(request, call.header.api_version);
  });
}

}  // namespace highwater::broker
