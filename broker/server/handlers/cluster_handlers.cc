#include "broker/server/handlers/cluster_handlers.h"

#include <optional>
#include <utility>

namespace highwater::broker {

namespace {

using controller::ClusterController;
using protocol::ApiKey;

// How long brokers wait for an answer [D16].
constexpr absl::Duration kBrokerPatience = absl::Seconds(30);

template <typename Request, typename Handle>
absl::StatusOr<Answer> ServeOptional(const Call& call, Handle handle) {
  HW_ASSIGN_OR_RETURN(const Request request, ReadRequest<Request>(call));
  const std::optional<typename Request::Response> response = handle(request);
  if (!response) return absl::DeadlineExceededError("the controller did not answer");
  return WriteAnswer(call, *response);
}

template <typename Request, auto kMethod>
absl::StatusOr<Answer> OfBroker(core::Environment& env, ClusterController& controller,
                                const Call& call) {
  return ServeOptional<Request>(call, [&](const Request& request) {
    return (controller.kafka().*kMethod)(request, env.fibers.Now() + kBrokerPatience);
  });
}

template <typename Request, auto kMethod>
absl::StatusOr<Answer> OfAdmin(core::Environment& env, ClusterController& controller,
                               const Call& call) {
  return ServeOptional<Request>(call, [&](const Request& request) {
    return (controller.kafka().*kMethod)(request, DeadlineAfter(env, request.timeout_ms));
  });
}

// Version 0 has no error for the request as a whole: each partition that was asked for gets it.
absl::StatusOr<Answer> HandleElectLeaders(core::Environment& env, ClusterController& controller,
                                          const Call& call) {
  using protocol::ElectLeadersRequest;
  return ServeOptional<ElectLeadersRequest>(call, [&](const ElectLeadersRequest& request) {
    auto response =
        controller.kafka().ElectLeaders(request, DeadlineAfter(env, request.timeout_ms));
    if (!response || call.header.api_version > 0) return response;
    const auto error = std::exchange(response->error_code, protocol::ErrorCode::NONE);
    if (error == protocol::ErrorCode::NONE || !request.topic_partitions) return response;
    for (const auto& topic : *request.topic_partitions) {
      auto& result = response->replica_election_results.emplace_back();
      result.topic = topic.topic;
      for (const int32_t index : topic.partitions) {
        result.partition_result.push_back(
            {.partition_id = index, .error_code = error, .error_message = std::nullopt});
      }
    }
    return response;
  });
}

absl::StatusOr<Answer> HandleCreatePartitions(core::Environment& env, ClusterController& controller,
                                              const Call& call) {
  return Serve<protocol::CreatePartitionsRequest>(call, [&](const auto& request) {
    return controller.CreatePartitions(request, DeadlineAfter(env, request.timeout_ms));
  });
}

absl::StatusOr<Answer> HandleAlterConfigs(core::Environment&, ClusterController& controller,
                                          const Call& call) {
  return Serve<protocol::AlterConfigsRequest>(
      call, [&](const auto& request) { return controller.AlterConfigs(request); });
}

absl::StatusOr<Answer> HandleIncrementalAlterConfigs(core::Environment&,
                                                     ClusterController& controller,
                                                     const Call& call) {
  return Serve<protocol::IncrementalAlterConfigsRequest>(
      call, [&](const auto& request) { return controller.IncrementalAlterConfigs(request); });
}

using Kafka = controller::KafkaController;

constexpr ClusterApi kApis[] = {
    {ApiKey::kControlledShutdown,
     OfBroker<protocol::ControlledShutdownRequest, &Kafka::ControlledShutdown>},
    {ApiKey::kAlterConfigs, HandleAlterConfigs},
    {ApiKey::kCreatePartitions, HandleCreatePartitions},
    {ApiKey::kElectLeaders, HandleElectLeaders},
    {ApiKey::kIncrementalAlterConfigs, HandleIncrementalAlterConfigs},
    {ApiKey::kAlterPartitionReassignments,
     OfAdmin<protocol::AlterPartitionReassignmentsRequest, &Kafka::AlterReassignments>},
    {ApiKey::kListPartitionReassignments,
     OfAdmin<protocol::ListPartitionReassignmentsRequest, &Kafka::ListReassignments>},
    {ApiKey::kAlterPartition, OfBroker<protocol::AlterPartitionRequest, &Kafka::AlterPartition>},
    {ApiKey::kAllocateProducerIds,
     OfBroker<protocol::AllocateProducerIdsRequest, &Kafka::AllocateProducerIds>},
};

}  // namespace

absl::Span<const ClusterApi> ClusterApis() { return kApis; }

}  // namespace highwater::broker
