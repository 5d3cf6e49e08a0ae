#include "broker/server/metadata_controller.h"

#include "broker/controller/topic_rules.h"

namespace highwater::broker {

using protocol::ErrorCode;

namespace {

TopicResult NotController(std::string name) {
  return {.error = ErrorCode::NOT_CONTROLLER,
          .message = "this broker is not the controller",
          .name = std::move(name)};
}

}  // namespace

std::vector<BrokerAddress> MetadataController::Brokers() const {
  std::vector<BrokerAddress> brokers;
  for (const auto& [id, broker] : metadata_.brokers()) {
    const core::Endpoint* endpoint = broker.Find("PLAINTEXT");
    if (endpoint != nullptr) brokers.push_back({id, *endpoint, broker.rack});
  }
  return brokers;
}

std::vector<std::string> MetadataController::TopicNames() const {
  std::vector<std::string> names;
  for (const auto& [name, topic] : metadata_.topics()) names.push_back(name);
  return names;
}

// [C114]
std::optional<TopicDescription> MetadataController::Describe(std::string_view topic) const {
  const MetadataCache::Topic* known = metadata_.Find(topic);
  if (known == nullptr) return std::nullopt;
  TopicDescription description{
      .name = std::string(topic), .id = known->id, .internal = IsInternalTopic(topic)};
  description.partitions.reserve(known->partitions.size());
  for (const auto& [index, from] : known->partitions) {
    PartitionDescription& partition = description.partitions.emplace_back();
    partition = {.index = index,
                 .leader = from.leader,
                 .leader_epoch = from.leader_epoch,
                 .replicas = from.replicas,
                 .isr = from.isr,
                 .offline_replicas = from.offline_replicas};
    if (!metadata_.IsAlive(from.leader)) {
      partition.error = ErrorCode::LEADER_NOT_AVAILABLE;
      partition.leader = kNoBroker;
    } else if (metadata_.EndpointOf(from.leader, "PLAINTEXT") == nullptr) {
      partition.error = ErrorCode::LISTENER_NOT_FOUND;
      partition.leader = kNoBroker;
    }
  }
  return description;
}

const TopicSettings* MetadataController::FindTopic(std::string_view topic) const {
  const MetadataCache::Topic* known = metadata_.Find(topic);
  if (known == nullptr) return nullptr;
  found_ = {.id = known->id,
            .partitions = static_cast<int32_t>(known->partitions.size()),
            .config = defaults_};
  if (!known->partitions.empty()) {
    found_.replication_factor =
        static_cast<int32_t>(known->partitions.begin()->second.replicas.size());
  }
  return &found_;
}

std::vector<TopicResult> MetadataController::CreateTopics(std::vector<NewTopic> topics, CreateMode,
                                                          core::MonotonicTime) {
  std::vector<TopicResult> results;
  for (NewTopic& topic : topics) results.push_back(NotController(std::move(topic.name)));
  return results;
}

std::vector<TopicResult> MetadataController::DeleteTopics(std::vector<std::string> names,
                                                          core::MonotonicTime) {
  std::vector<TopicResult> results;
  for (std::string& name : names) results.push_back(NotController(std::move(name)));
  return results;
}

}  // namespace highwater::broker
