// Admin's calls about partitions, replicas and configurations.

#include <algorithm>
#include <charconv>

#include "broker/client/admin_impl.h"
#include "broker/protocol/alter_partition_reassignments.h"
#include "broker/protocol/create_partitions.h"
#include "broker/protocol/describe_cluster.h"
#include "broker/protocol/describe_configs.h"
#include "broker/protocol/elect_leaders.h"
#include "broker/protocol/incremental_alter_configs.h"
#include "broker/protocol/list_partition_reassignments.h"

namespace highwater::broker::client {

using core::MonotonicTime;
using protocol::ErrorCode;

namespace {

// The broker that alone knows the resource; kNoBroker: any does.
BrokerId OwnerOf(const ConfigResource& resource) {
  if (resource.type == ConfigResource::Type::kTopic || resource.name.empty()) return kNoBroker;
  int32_t id = kNoBroker.value();
  std::from_chars(resource.name.data(), resource.name.data() + resource.name.size(), id);
  return BrokerId(id);
}

// The broker that was asked was not the controller, or the controller could not do it yet.
bool AsksAgain(ErrorCode error) {
  return error == ErrorCode::NOT_CONTROLLER || error == ErrorCode::REQUEST_TIMED_OUT;
}

// Where the topic of `id` stands in a request that is being filled.
template <typename Topics, typename Name>
auto& TopicEntry(Topics& topics, Name name, const TopicPartition& id) {
  if (topics.empty() || topics.back().*name != id.topic) topics.emplace_back().*name = id.topic;
  return topics.back();
}

std::vector<BrokerId> Brokers(const std::vector<int32_t>& ids) {
  std::vector<BrokerId> brokers;
  for (const int32_t id : ids) brokers.emplace_back(id);
  return brokers;
}

int32_t Millis(absl::Duration duration) {
  return static_cast<int32_t>(absl::ToInt64Milliseconds(duration));
}

}  // namespace

absl::StatusOr<std::vector<TopicResult>> Admin::CreatePartitions(
    const std::map<std::string, int32_t>& counts, MonotonicTime deadline) {
  protocol::CreatePartitionsRequest request;
  request.timeout_ms = Millis(impl_->config_.request_timeout);
  for (const auto& [name, count] : counts) {
    request.topics.push_back({.name = name, .count = count, .assignments = std::nullopt});
  }
  const auto is_wrong = [](const auto& answer) {
    return std::any_of(answer.results.begin(), answer.results.end(), [](const auto& result) {
      return result.error_code == ErrorCode::NOT_CONTROLLER;
    });
  };
  HW_ASSIGN_OR_RETURN(const auto response, impl_->CallController(request, deadline, is_wrong));
  std::vector<TopicResult> results;
  for (const auto& result : response.results) {
    results.push_back({result.name, protocol::KnownOrUnknown(result.error_code),
                       result.error_message.value_or("")});
  }
  return results;
}

absl::StatusOr<std::vector<ConfigDescription>> Admin::DescribeConfigs(
    absl::Span<const ConfigResource> resources, MonotonicTime deadline) {
  std::vector<ConfigDescription> descriptions;
  for (const ConfigResource& resource : resources) {
    protocol::DescribeConfigsRequest request;
    request.resources.push_back({.resource_type = static_cast<int8_t>(resource.type),
                                 .resource_name = resource.name,
                                 .configuration_keys = std::nullopt});
    const auto again = [](const auto& answer) {
      return answer.results.size() != 1 || AsksAgain(answer.results[0].error_code);
    };
    const BrokerId owner = OwnerOf(resource);
    HW_ASSIGN_OR_RETURN(const auto response,
                        owner == kNoBroker ? impl_->CallAny(request, deadline, again)
                                           : impl_->CallBroker(owner, request, deadline, again));
    const auto& result = response.results[0];
    ConfigDescription& description = descriptions.emplace_back();
    description.resource = resource;
    description.error = protocol::KnownOrUnknown(result.error_code);
    description.message = result.error_message.value_or("");
    for (const auto& config : result.configs) {
      description.entries.push_back({.name = config.name,
                                     .value = config.value,
                                     .read_only = config.read_only,
                                     .is_sensitive = config.is_sensitive,
                                     .source = config.config_source});
    }
  }
  return descriptions;
}

absl::StatusOr<std::vector<ConfigResult>> Admin::IncrementalAlterConfigs(
    absl::Span<const ConfigChanges> changes, MonotonicTime deadline) {
  std::vector<ConfigResult> results;
  for (const ConfigChanges& one : changes) {
    protocol::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = static_cast<int8_t>(one.resource.type);
    resource.resource_name = one.resource.name;
    for (const ConfigChange& change : one.changes) {
      resource.configs.push_back({.name = change.name,
                                  .config_operation = static_cast<int8_t>(change.operation),
                                  .value = change.value});
    }
    const auto again = [](const auto& answer) {
      return answer.responses.size() != 1 || AsksAgain(answer.responses[0].error_code);
    };
    const BrokerId owner = OwnerOf(one.resource);
    HW_ASSIGN_OR_RETURN(const auto response,
                        owner == kNoBroker ? impl_->CallAny(request, deadline, again)
                                           : impl_->CallBroker(owner, request, deadline, again));
    const auto& result = response.responses[0];
    results.push_back({one.resource, protocol::KnownOrUnknown(result.error_code),
                       result.error_message.value_or("")});
  }
  return results;
}

absl::StatusOr<std::vector<PartitionResult>> Admin::ElectLeaders(
    ElectionType type, absl::Span<const TopicPartition> partitions, MonotonicTime deadline) {
  using Request = protocol::ElectLeadersRequest;
  Request request;
  request.election_type = static_cast<int8_t>(type);
  request.timeout_ms = Millis(impl_->config_.request_timeout);
  if (partitions.empty()) {
    request.topic_partitions.reset();
  } else {
    for (const TopicPartition& id : partitions) {
      TopicEntry(*request.topic_partitions, &Request::TopicPartitions::topic, id)
          .partitions.push_back(id.partition.value());
    }
  }
  // Version 0 has no error of its own: it stands with each partition.
  const auto is_wrong = [](const auto& answer) {
    if (answer.error_code == ErrorCode::NOT_CONTROLLER) return true;
    for (const auto& topic : answer.replica_election_results) {
      for (const auto& result : topic.partition_result) {
        if (result.error_code == ErrorCode::NOT_CONTROLLER) return true;
      }
    }
    return false;
  };
  HW_ASSIGN_OR_RETURN(const auto response, impl_->CallController(request, deadline, is_wrong));
  std::vector<PartitionResult> results;
  if (response.error_code != ErrorCode::NONE) {
    for (const TopicPartition& id : partitions) {
      results.push_back({id, protocol::KnownOrUnknown(response.error_code), ""});
    }
    return results;
  }
  for (const auto& topic : response.replica_election_results) {
    for (const auto& result : topic.partition_result) {
      results.push_back({{topic.topic, PartitionIndex(result.partition_id)},
                         protocol::KnownOrUnknown(result.error_code),
                         result.error_message.value_or("")});
    }
  }
  return results;
}

absl::StatusOr<std::vector<PartitionResult>> Admin::AlterPartitionReassignments(
    absl::Span<const NewReplicas> reassignments, MonotonicTime deadline) {
  using Request = protocol::AlterPartitionReassignmentsRequest;
  Request request;
  request.timeout_ms = Millis(impl_->config_.request_timeout);
  for (const NewReplicas& one : reassignments) {
    auto& partition = TopicEntry(request.topics, &Request::ReassignableTopic::name, one.partition)
                          .partitions.emplace_back();
    partition.partition_index = one.partition.partition.value();
    if (!one.replicas.has_value()) continue;
    partition.replicas.emplace();
    for (const BrokerId id : *one.replicas) partition.replicas->push_back(id.value());
  }
  HW_ASSIGN_OR_RETURN(const auto response,
                      impl_->CallController(request, deadline, [](const auto& answer) {
                        return AsksAgain(answer.error_code);
                      }));
  std::vector<PartitionResult> results;
  if (response.error_code != ErrorCode::NONE) {
    for (const NewReplicas& one : reassignments) {
      results.push_back({one.partition, protocol::KnownOrUnknown(response.error_code),
                         response.error_message.value_or("")});
    }
    return results;
  }
  for (const auto& topic : response.responses) {
    for (const auto& result : topic.partitions) {
      results.push_back({{topic.name, PartitionIndex(result.partition_index)},
                         protocol::KnownOrUnknown(result.error_code),
                         result.error_message.value_or("")});
    }
  }
  return results;
}

absl::StatusOr<std::vector<OngoingReassignment>> Admin::ListPartitionReassignments(
    absl::Span<const TopicPartition> partitions, MonotonicTime deadline) {
  using Request = protocol::ListPartitionReassignmentsRequest;
  Request request;
  request.timeout_ms = Millis(impl_->config_.request_timeout);
  if (!partitions.empty()) request.topics.emplace();
  for (const TopicPartition& id : partitions) {
    TopicEntry(*request.topics, &Request::ListPartitionReassignmentsTopics::name, id)
        .partition_indexes.push_back(id.partition.value());
  }
  HW_ASSIGN_OR_RETURN(const auto response,
                      impl_->CallController(request, deadline, [](const auto& answer) {
                        return AsksAgain(answer.error_code);
                      }));
  if (response.error_code != ErrorCode::NONE) {
    return absl::UnknownError(
        fmt::format("the controller answered {}", protocol::KnownOrUnknown(response.error_code)));
  }
  std::vector<OngoingReassignment> ongoing;
  for (const auto& topic : response.topics) {
    for (const auto& p : topic.partitions) {
      ongoing.push_back({.partition = {topic.name, PartitionIndex(p.partition_index)},
                         .replicas = Brokers(p.replicas),
                         .adding = Brokers(p.adding_replicas),
                         .removing = Brokers(p.removing_replicas)});
    }
  }
  return ongoing;
}

absl::StatusOr<ClusterDescription> Admin::DescribeCluster(MonotonicTime deadline) {
  const auto response =
      impl_->CallAny(protocol::DescribeClusterRequest(), deadline,
                     [](const auto& answer) { return AsksAgain(answer.error_code); });
  if (absl::IsUnimplemented(response.status())) {
    HW_ASSIGN_OR_RETURN(ClusterDescription cluster, Describe({}, deadline));
    cluster.topics.clear();
    return cluster;
  }
  HW_RETURN_IF_ERROR(response.status());
  if (response->error_code != ErrorCode::NONE) {
    return absl::UnknownError(
        fmt::format("the broker answered {}", protocol::KnownOrUnknown(response->error_code)));
  }
  ClusterDescription cluster;
  cluster.cluster_id = response->cluster_id;
  cluster.controller = BrokerId(response->controller_id);
  for (const auto& broker : response->brokers) {
    cluster.brokers.push_back(
        {BrokerId(broker.broker_id),
         {broker.host, static_cast<uint16_t>(static_cast<uint32_t>(broker.port))},
         broker.rack.value_or("")});
  }
  std::sort(cluster.brokers.begin(), cluster.brokers.end(),
            [](const auto& x, const auto& y) { return x.id < y.id; });
  return cluster;
}

}  // namespace highwater::broker::client
