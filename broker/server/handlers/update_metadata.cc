#include "broker/protocol/update_metadata.h"

#include "broker/server/cluster_membership.h"
#include "broker/server/handlers/handler.h"

namespace highwater::broker {

using protocol::UpdateMetadataRequest;
using protocol::UpdateMetadataResponse;

// [R2, R7]
absl::StatusOr<Answer> HandleUpdateMetadata(Services& services, const Call& call) {
  return Serve<UpdateMetadataRequest>(call, [&](const UpdateMetadataRequest& request) {
    if (!services.replicas.in_cluster()) {
      UpdateMetadataResponse refused;
      refused.error_code = protocol::ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
      return refused;
    }
    UpdateMetadataResponse response = services.replicas.UpdateMetadata(request);
    if (services.member != nullptr && response.error_code == protocol::ErrorCode::NONE) {
      services.member->ControllerSpoke(BrokerEpoch(request.broker_epoch));
    }
    return response;
  });
}

}  // namespace highwater::broker
