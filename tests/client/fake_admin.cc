// How a fake broker answers what only an admin asks.

#include <fmt/ranges.h>

#include "broker/protocol/alter_partition_reassignments.h"
#include "broker/protocol/create_partitions.h"
#include "broker/protocol/describe_cluster.h"
#include "broker/protocol/describe_configs.h"
#include "broker/protocol/elect_leaders.h"
#include "broker/protocol/incremental_alter_configs.h"
#include "broker/protocol/list_partition_reassignments.h"
#include "tests/client/fake_exchange.h"

namespace highwater::tests {
namespace {

ErrorCode ControllersError(const Exchange& x) {
  if (x.verdict.error != ErrorCode::NONE) return x.verdict.error;
  return x.self == x.cluster.controller ? ErrorCode::NONE : ErrorCode::NOT_CONTROLLER;
}

core::Payload DescribeCluster(const Exchange& x) {
  protocol::DescribeClusterResponse response;
  response.error_code = x.verdict.error;
  response.cluster_id = "fake";
  response.controller_id = x.cluster.controller.value();
  for (int b = x.cluster.broker_count() - 1; b >= 0; --b) {
    response.brokers.push_back(
        {.broker_id = b, .host = FakeCluster::HostName(b), .port = 9092, .rack = "az-a"});
  }
  return x.Encode(response);
}

core::Payload CreatePartitions(const Exchange& x) {
  protocol::CreatePartitionsResponse response;
  for (const auto& topic : x.Decode<protocol::CreatePartitionsRequest>().topics) {
    auto& result = response.results.emplace_back();
    result.name = topic.name;
    result.error_code = ControllersError(x);
    if (result.error_code != ErrorCode::NONE) continue;
    auto& partitions = x.cluster.topics.at(topic.name).partitions;
    if (static_cast<size_t>(topic.count) <= partitions.size()) {
      result.error_code = ErrorCode::INVALID_PARTITIONS;
    } else {
      partitions.resize(static_cast<size_t>(topic.count));
    }
  }
  return x.Encode(response);
}

core::Payload DescribeConfigs(const Exchange& x) {
  protocol::DescribeConfigsResponse response;
  for (const auto& resource : x.Decode<protocol::DescribeConfigsRequest>().resources) {
    auto& result = response.results.emplace_back();
    result.error_code = x.verdict.error;
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    result.configs.push_back({.name = "asked.of", .value = std::to_string(x.self.value())});
    result.configs.push_back({.name = "secret", .value = std::nullopt, .is_sensitive = true});
  }
  return x.Encode(response);
}

core::Payload IncrementalAlterConfigs(const Exchange& x) {
  protocol::IncrementalAlterConfigsResponse response;
  for (const auto& resource : x.Decode<protocol::IncrementalAlterConfigsRequest>().resources) {
    auto& result = response.responses.emplace_back();
    result.error_code = x.verdict.error;
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    for (const auto& config : resource.configs) {
      x.cluster.admin_log.push_back(fmt::format(
          "{} {}/{} {}={} at {}", config.config_operation, resource.resource_type,
          resource.resource_name, config.name, config.value.value_or("null"), x.self.value()));
    }
  }
  return x.Encode(response);
}

core::Payload ElectLeaders(const Exchange& x) {
  const auto request = x.Decode<protocol::ElectLeadersRequest>();
  protocol::ElectLeadersResponse response;
  response.error_code = ControllersError(x);
  if (response.error_code != ErrorCode::NONE) return x.Encode(response);
  if (!request.topic_partitions.has_value()) {
    x.cluster.admin_log.push_back(fmt::format("elect {} everywhere", request.election_type));
    return x.Encode(response);
  }
  for (const auto& topic : *request.topic_partitions) {
    auto& out = response.replica_election_results.emplace_back();
    out.topic = topic.topic;
    for (const int32_t partition : topic.partitions) {
      x.cluster.admin_log.push_back(
          fmt::format("elect {} {}-{}", request.election_type, topic.topic, partition));
      out.partition_result.push_back({.partition_id = partition,
                                      .error_code = ErrorCode::ELECTION_NOT_NEEDED,
                                      .error_message = "as it should be"});
    }
  }
  return x.Encode(response);
}

core::Payload AlterPartitionReassignments(const Exchange& x) {
  protocol::AlterPartitionReassignmentsResponse response;
  response.error_code = ControllersError(x);
  if (response.error_code != ErrorCode::NONE) return x.Encode(response);
  for (const auto& topic : x.Decode<protocol::AlterPartitionReassignmentsRequest>().topics) {
    auto& out = response.responses.emplace_back();
    out.name = topic.name;
    for (const auto& p : topic.partitions) {
      out.partitions.push_back({.partition_index = p.partition_index});
      x.cluster.admin_log.push_back(
          p.replicas.has_value() ? fmt::format("move {}-{} to {}", topic.name, p.partition_index,
                                               fmt::join(*p.replicas, ","))
                                 : fmt::format("leave {}-{}", topic.name, p.partition_index));
    }
  }
  return x.Encode(response);
}

core::Payload ListPartitionReassignments(const Exchange& x) {
  const auto request = x.Decode<protocol::ListPartitionReassignmentsRequest>();
  protocol::ListPartitionReassignmentsResponse response;
  response.error_code = ControllersError(x);
  if (response.error_code != ErrorCode::NONE) return x.Encode(response);
  auto& topic = response.topics.emplace_back();
  topic.name = request.topics.has_value() ? request.topics->at(0).name : "all";
  topic.partitions.push_back({.partition_index = 2,
                              .replicas = {0, 1, 2},
                              .adding_replicas = {2},
                              .removing_replicas = {0}});
  return x.Encode(response);
}

}  // namespace

bool AnswerAdmin(const Exchange& x, core::Payload& answer) {
  switch (x.request.header.api_key) {
    case ApiKey::kDescribeCluster:
      answer = DescribeCluster(x);
      return true;
    case ApiKey::kCreatePartitions:
      answer = CreatePartitions(x);
      return true;
    case ApiKey::kDescribeConfigs:
      answer = DescribeConfigs(x);
      return true;
    case ApiKey::kIncrementalAlterConfigs:
      answer = IncrementalAlterConfigs(x);
      return true;
    case ApiKey::kElectLeaders:
      answer = ElectLeaders(x);
      return true;
    case ApiKey::kAlterPartitionReassignments:
      answer = AlterPartitionReassignments(x);
      return true;
    case ApiKey::kListPartitionReassignments:
      answer = ListPartitionReassignments(x);
      return true;
    default:
      return false;
  }
}

}  // namespace highwater::tests
