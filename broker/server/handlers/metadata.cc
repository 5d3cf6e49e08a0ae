#include "broker/protocol/metadata.h"

#include <set>

#include "broker/controller/topic_rules.h"
#include "broker/server/handlers/handler.h"

namespace highwater::broker {

namespace {

using protocol::ErrorCode;
using protocol::MetadataRequest;
using protocol::MetadataResponse;
using Topic = MetadataResponse::MetadataResponseTopic;

constexpr size_t kTopicsBetweenYields = 64;
// Well below what clients wait for metadata: an unknown topic must not keep them from what is
// known.
constexpr int32_t kCreationTimeoutMs = 5'000;

Topic Refusal(std::string name, ErrorCode error) {
  Topic topic;
  topic.error_code = error;
  topic.name = std::move(name);
  return topic;
}

std::vector<int32_t> Numbers(const std::vector<BrokerId>& brokers) {
  std::vector<int32_t> numbers;
  for (const BrokerId broker : brokers) numbers.push_back(broker.value());
  return numbers;
}

Topic ToTopic(const TopicDescription& description, bool with_operations) {
  Topic topic;
  topic.name = description.name;
  topic.topic_id = description.id;
  topic.is_internal = description.internal;
  topic.partitions.reserve(description.partitions.size());
  for (const PartitionDescription& partition : description.partitions) {
    topic.partitions.push_back({.error_code = partition.error,
                                .partition_index = partition.index.value(),
                                .leader_id = partition.leader.value(),
                                .leader_epoch = partition.leader_epoch.value(),
                                .replica_nodes = Numbers(partition.replicas),
                                .isr_nodes = Numbers(partition.isr),
                                .offline_replicas = Numbers(partition.offline_replicas)});
  }
  if (with_operations) topic.topic_authorized_operations = kAllTopicOperations;
  return topic;
}

// Versions 10 and 11 carry ids in answers only: a request by id, or without a name, is refused as a
// whole.
bool AsksByIdTooEarly(const MetadataRequest& request, int16_t version) {
  if (version < 10 || version > 11 || !request.topics) return false;
  for (const auto& topic : *request.topics) {
    if (!topic.name.has_value() || !topic.topic_id.is_zero()) return true;
  }
  return false;
}

class Answerer {
 public:
  Answerer(Services& services, const MetadataRequest& request, int16_t version)
      : services_(services), request_(request), version_(version) {}

  MetadataResponse Run() {
    if (AsksByIdTooEarly(request_, version_)) {
      for (const auto& topic : *request_.topics) {
        response_.topics.push_back(Refusal(topic.name.value_or(""), ErrorCode::INVALID_REQUEST));
      }
      return std::move(response_);
    }
    AddTopics();
    // Last, so that they are as new as anything in the answer.
    for (const BrokerAddress& broker : services_.controller.Brokers()) {
      response_.brokers.push_back({.node_id = broker.id.value(),
                                   .host = broker.endpoint.host,
                                   .port = broker.endpoint.port});
      if (!broker.rack.empty()) response_.brokers.back().rack = broker.rack;
    }
    response_.cluster_id = services_.controller.cluster_id();
    response_.controller_id = services_.controller.controller_id().value();
    if (request_.include_cluster_authorized_operations) {
      response_.cluster_authorized_operations = kAllClusterOperations;
    }
    return std::move(response_);
  }

 private:
  void AddTopics() {
    const bool all = !request_.topics || (version_ == 0 && request_.topics->empty());
    if (all) {
      for (const std::string& name : services_.controller.TopicNames()) AddKnown(name);
      return;
    }
    std::set<std::string> names;
    std::set<protocol::Uuid> ids;
    std::vector<std::string> wanted;
    for (const auto& topic : *request_.topics) {
      // Where there is an id the name does not count: Java sends it empty.
      if (version_ >= 12 && !topic.topic_id.is_zero()) {
        if (ids.insert(topic.topic_id).second) AddById(topic.topic_id);
      } else if (!topic.name.has_value()) {
        response_.topics.push_back(Refusal("", ErrorCode::INVALID_REQUEST));
      } else if (names.insert(*topic.name).second) {
        AddByName(*topic.name, wanted);
      }
    }
    if (!wanted.empty()) CreateAndAdd(wanted);
  }

  void AddById(const protocol::Uuid& id) {
    const std::string name = services_.controller.NameOf(id);
    if (!name.empty() && AddKnown(name)) return;
    Topic topic = Refusal("", ErrorCode::UNKNOWN_TOPIC_ID);
    topic.name = std::nullopt;
    topic.topic_id = id;
    response_.topics.push_back(std::move(topic));
  }

  // A topic that is unknown and may be made joins `wanted`.
  void AddByName(const std::string& name, std::vector<std::string>& wanted) {
    if (AddKnown(name)) return;
    if (!WhyIllegalTopicName(name).empty()) {
      response_.topics.push_back(Refusal(name, ErrorCode::INVALID_TOPIC_EXCEPTION));
      return;
    }
    const bool allowed = services_.config.auto_create_topics_enable &&
                         (version_ < 4 || request_.allow_auto_topic_creation);
    if (!allowed) {
      response_.topics.push_back(Refusal(name, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
      return;
    }
    wanted.push_back(name);
  }

  void CreateAndAdd(const std::vector<std::string>& names) {
    const auto results = services_.controller.AutoCreateTopics(
        names, DeadlineAfter(services_.env, kCreationTimeoutMs));
    for (const TopicResult& result : results) {
      const ErrorCode error = result.error;
      if (error == ErrorCode::NONE || error == ErrorCode::TOPIC_ALREADY_EXISTS) {
        if (AddKnown(result.name)) continue;
      }
      const bool illegal = error == ErrorCode::INVALID_TOPIC_EXCEPTION ||
                           error == ErrorCode::INVALID_REPLICATION_FACTOR;
      response_.topics.push_back(
          Refusal(result.name, illegal ? error : ErrorCode::LEADER_NOT_AVAILABLE));
    }
  }

  bool AddKnown(const std::string& name) {
    if (++described_ % kTopicsBetweenYields == 0) services_.env.fibers.Yield();
    const auto description = services_.controller.Describe(name);
    if (!description) return false;
    response_.topics.push_back(ToTopic(*description, request_.include_topic_authorized_operations));
    return true;
  }

  Services& services_;
  const MetadataRequest& request_;
  int16_t version_;
  size_t described_ = 0;
  MetadataResponse response_;
};

}  // namespace

absl::StatusOr<Answer> HandleMetadata(Services& services, const Call& call) {
  return Serve<MetadataRequest>(call, [&](const MetadataRequest& request) {
    return Answerer(services, request, call.header.api_version).Run();
  });
}

}  // namespace highwater::broker
