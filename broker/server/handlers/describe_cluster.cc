#include "broker/protocol/describe_cluster.h"

#include "broker/server/handlers/handler.h"

namespace highwater::broker {

using protocol::DescribeClusterRequest;
using protocol::DescribeClusterResponse;

absl::StatusOr<Answer> HandleDescribeCluster(Services& services, const Call& call) {
  return Serve<DescribeClusterRequest>(call, [&](const DescribeClusterRequest& request) {
    DescribeClusterResponse response;
    response.cluster_id = services.controller.cluster_id();
    response.controller_id = services.controller.controller_id().value();
    for (const BrokerAddress& broker : services.controller.Brokers()) {
      response.brokers.push_back({.broker_id = broker.id.value(),
                                  .host = broker.endpoint.host,
                                  .port = broker.endpoint.port});
      if (!broker.rack.empty()) response.brokers.back().rack = broker.rack;
    }
    if (request.include_cluster_authorized_operations) {
      response.cluster_authorized_operations = kAllClusterOperations;
    }
    return response;
  });
}

}  // namespace highwater::broker
