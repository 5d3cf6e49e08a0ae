#include "broker/client/admin.h"

#include <algorithm>

#include "broker/client/admin_impl.h"
#include "broker/protocol/create_topics.h"
#include "broker/protocol/delete_topics.h"
#include "broker/protocol/list_offsets.h"
#include "broker/protocol/metadata.h"

namespace highwater::broker::client {

using core::MonotonicTime;
using core::Wake;
using protocol::ErrorCode;

namespace {

TopicResult ResultOf(std::string name, ErrorCode error, const std::optional<std::string>& message) {
  return {.name = std::move(name),
          .error = protocol::KnownOrUnknown(error),
          .message = message.value_or("")};
}

protocol::CreateTopicsRequest::CreatableTopic Creatable(const NewTopic& topic) {
  protocol::CreateTopicsRequest::CreatableTopic creatable;
  creatable.name = topic.name;
  creatable.num_partitions = topic.partitions;
  creatable.replication_factor = topic.replication_factor;
  for (const auto& [name, value] : topic.settings) {
    auto& config = creatable.configs.emplace_back();
    config.name = name;
    config.value = value;
  }
  return creatable;
}

}  // namespace

Admin::Admin(core::Environment& env, AdminConfig config)
    : impl_(std::make_shared<Impl>(env, std::move(config))) {}
Admin::~Admin() { impl_->Close(); }

absl::StatusOr<std::vector<TopicResult>> Admin::CreateTopics(absl::Span<const NewTopic> topics,
                                                             MonotonicTime deadline) {
  protocol::CreateTopicsRequest request;
  request.timeout_ms =
      static_cast<int32_t>(absl::ToInt64Milliseconds(impl_->config_.request_timeout));
  for (const NewTopic& topic : topics) request.topics.push_back(Creatable(topic));
  HW_ASSIGN_OR_RETURN(
      const auto response, impl_->CallController(request, deadline, [](const auto& answer) {
        return std::any_of(answer.topics.begin(), answer.topics.end(),
                           [](const auto& t) { return t.error_code == ErrorCode::NOT_CONTROLLER; });
      }));
  std::vector<TopicResult> results;
  for (const auto& topic : response.topics) {
    results.push_back(ResultOf(topic.name, topic.error_code, topic.error_message));
  }
  return results;
}

absl::StatusOr<std::vector<TopicResult>> Admin::DeleteTopics(absl::Span<const std::string> names,
                                                             MonotonicTime deadline) {
  protocol::DeleteTopicsRequest request;
  request.timeout_ms =
      static_cast<int32_t>(absl::ToInt64Milliseconds(impl_->config_.request_timeout));
  // One list for each form of the request: by names up to version 5, by name or id behind it.
  for (const std::string& name : names) {
    request.topic_names.push_back(name);
    request.topics.emplace_back().name = name;
  }
  const auto is_wrong = [](const auto& answer) {
    return std::any_of(answer.responses.begin(), answer.responses.end(),
                       [](const auto& t) { return t.error_code == ErrorCode::NOT_CONTROLLER; });
  };
  HW_ASSIGN_OR_RETURN(const auto response, impl_->CallController(request, deadline, is_wrong));
  std::vector<TopicResult> results;
  for (const auto& topic : response.responses) {
    results.push_back(ResultOf(topic.name.value_or(""), topic.error_code, topic.error_message));
  }
  return results;
}

absl::StatusOr<ClusterDescription> Admin::Describe(absl::Span<const std::string> names,
                                                   MonotonicTime deadline) {
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  if (!names.empty()) {
    request.topics.emplace();
    for (const std::string& name : names) request.topics->emplace_back().name = name;
  } else {
    request.topics.reset();
  }
  HW_ASSIGN_OR_RETURN(const auto response, impl_->CallAny(request, deadline));
  ClusterDescription cluster;
  cluster.cluster_id = response.cluster_id.value_or("");
  cluster.controller = BrokerId(response.controller_id);
  for (const auto& broker : response.brokers) {
    cluster.brokers.push_back(
        {BrokerId(broker.node_id),
         {broker.host, static_cast<uint16_t>(static_cast<uint32_t>(broker.port))},
         broker.rack.value_or("")});
  }
  std::sort(cluster.brokers.begin(), cluster.brokers.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const auto& topic : response.topics) {
    TopicDescription& described = cluster.topics.emplace_back();
    described.name = topic.name.value_or("");
    described.error = protocol::KnownOrUnknown(topic.error_code);
    described.topic_id = topic.topic_id;
    for (const auto& p : topic.partitions) {
      PartitionDescription& partition = described.partitions.emplace_back();
      partition.partition = PartitionIndex(p.partition_index);
      partition.error = protocol::KnownOrUnknown(p.error_code);
      partition.leader = BrokerId(p.leader_id);
      partition.leader_epoch = LeaderEpoch(p.leader_epoch);
      for (const int32_t id : p.replica_nodes) partition.replicas.push_back(BrokerId(id));
      for (const int32_t id : p.isr_nodes) partition.isr.push_back(BrokerId(id));
    }
    std::sort(described.partitions.begin(), described.partitions.end(),
              [](const auto& a, const auto& b) { return a.partition < b.partition; });
  }
  std::sort(cluster.topics.begin(), cluster.topics.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return cluster;
}

absl::StatusOr<ListedOffset> Admin::Impl::ListOne(const TopicPartition& id, int64_t timestamp_ms,
                                                  MonotonicTime deadline) {
  network_->AddTopic(id.topic);
  while (true) {
    const PartitionMetadata* known = network_->metadata().FindPartition(id.topic, id.partition);
    const std::shared_ptr<BrokerConnection> connection =
        known == nullptr ? nullptr : network_->ConnectionTo(known->leader);
    if (connection == nullptr) {
      HW_RETURN_IF_ERROR(NewMetadata(deadline));
      continue;
    }
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = id.topic;
    topic.partitions.push_back({.partition_index = id.partition.value(),
                                .current_leader_epoch = known->leader_epoch.value(),
                                .timestamp = timestamp_ms});
    const auto response = connection->Call(request, deadline);
    if (absl::IsUnimplemented(response.status())) return response.status();
    if (response.ok() && response->topics.size() == 1 &&
        response->topics[0].partitions.size() == 1) {
      const auto& answer = response->topics[0].partitions[0];
      if (!protocol::IsRetriable(protocol::KnownOrUnknown(answer.error_code))) {
        return ListedOffset{.partition = id,
                            .error = protocol::KnownOrUnknown(answer.error_code),
                            .offset = Offset(answer.offset),
                            .leader_epoch = LeaderEpoch(answer.leader_epoch),
                            .timestamp = answer.timestamp < 0
                                             ? absl::InfinitePast()
                                             : absl::FromUnixMillis(answer.timestamp)};
      }
    }
    HW_RETURN_IF_ERROR(LookAgain(deadline));
  }
}

absl::StatusOr<std::vector<ListedOffset>> Admin::ListOffsets(
    absl::Span<const TopicPartition> partitions, int64_t timestamp_ms, MonotonicTime deadline) {
  std::vector<ListedOffset> listed;
  for (const TopicPartition& id : partitions) {
    HW_ASSIGN_OR_RETURN(ListedOffset one, impl_->ListOne(id, timestamp_ms, deadline));
    listed.push_back(std::move(one));
  }
  return listed;
}

}  // namespace highwater::broker::client
