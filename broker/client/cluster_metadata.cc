#include "broker/client/cluster_metadata.h"

#include <algorithm>

#include "core/mark.h"

namespace highwater::broker::client {

using protocol::ErrorCode;

namespace {
// Below this version brokers could answer with epochs of an older state.
constexpr int16_t kReliableEpochVersion = 9;
}  // namespace

ClusterMetadata::UpdateResult ClusterMetadata::Update(const protocol::MetadataResponse& response,
                                                      int16_t version) {
  if (response.brokers.empty()) {
    // A broker that has just started has not heard of the others. Nobody would be left to ask.
    HW_MARK("client_metadata_without_brokers");
    return {.taken = false};
  }
  ++version_;
  brokers_.clear();
  for (const auto& broker : response.brokers) {
    brokers_.push_back({BrokerId(broker.node_id),
                        {broker.host, static_cast<uint16_t>(static_cast<uint32_t>(broker.port))}});
  }
  std::sort(brokers_.begin(), brokers_.end(),
            [](const BrokerMetadata& a, const BrokerMetadata& b) { return a.id < b.id; });
  controller_ = BrokerId(response.controller_id);
  if (response.cluster_id.has_value()) cluster_id_ = *response.cluster_id;
  UpdateResult result;
  for (const auto& topic : response.topics) {
    if (!UpdateTopic(topic, version >= kReliableEpochVersion)) result.any_error = true;
  }
  return result;
}

TopicMetadata& ClusterMetadata::TopicOf(std::string_view name) {
  auto found = topics_.find(name);
  if (found == topics_.end()) {
    found = topics_.emplace(std::string(name), TopicMetadata{.name = std::string(name)}).first;
  }
  return found->second;
}

bool ClusterMetadata::UpdateTopic(const protocol::MetadataResponse::MetadataResponseTopic& from,
                                  bool epochs_reliable) {
  if (!from.name.has_value()) return true;
  TopicMetadata& topic = TopicOf(*from.name);
  topic.error = from.error_code;
  if (from.error_code != ErrorCode::NONE) {
    for (PartitionMetadata& partition : topic.partitions) {
      partition.error = from.error_code;
      partition.leader = kNoBroker;
    }
    return !protocol::IsRetriable(from.error_code);
  }
  // An id that was not known before may be that of another topic of this name: what is known of
  // epochs is then worth nothing [N21]. Without an id only epochs can tell.
  if (!from.topic_id.is_zero() && from.topic_id != topic.topic_id) {
    if (!topic.topic_id.is_zero()) HW_MARK("client_topic_recreated");
    topic.partitions.clear();
    topic.topic_id = from.topic_id;
  }
  bool all_well = true;
  for (const auto& p : from.partitions) {
    if (p.partition_index < 0 || p.partition_index >= 1 << 20) continue;
    const size_t index = static_cast<size_t>(p.partition_index);
    if (index >= topic.partitions.size()) topic.partitions.resize(index + 1);
    if (p.error_code != ErrorCode::NONE) all_well = false;
    UpdatePartition(topic.partitions[index], p, epochs_reliable);
  }
  return all_well;
}

void ClusterMetadata::UpdatePartition(
    PartitionMetadata& partition, const protocol::MetadataResponse::MetadataResponsePartition& from,
    bool epochs_reliable) {
  const LeaderEpoch epoch = epochs_reliable ? LeaderEpoch(from.leader_epoch) : kNoLeaderEpoch;
  if (!rules_.MayTakeMetadata(partition.leader_epoch, epoch)) {
    HW_MARK("client_stale_metadata");
    return;
  }
  partition.error = from.error_code;
  partition.leader = BrokerId(from.leader_id);
  partition.leader_epoch = epoch;
  if (FindBroker(partition.leader) == nullptr) partition.leader = kNoBroker;
  partition.offline_replicas.clear();
  for (const int32_t id : from.offline_replicas) partition.offline_replicas.emplace_back(id);
}

const TopicMetadata* ClusterMetadata::FindTopic(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : &found->second;
}

const PartitionMetadata* ClusterMetadata::FindPartition(std::string_view topic,
                                                        PartitionIndex partition) const {
  const TopicMetadata* found = FindTopic(topic);
  if (found == nullptr || partition.value() < 0 || partition.value() >= found->partition_count()) {
    return nullptr;
  }
  return &found->partitions[static_cast<size_t>(partition.value())];
}

bool ClusterMetadata::SeenLeaderEpoch(std::string_view topic, PartitionIndex partition,
                                      LeaderEpoch epoch) {
  const PartitionMetadata* known = FindPartition(topic, partition);
  if (known == nullptr || epoch <= known->leader_epoch) return false;
  // Only the epoch is news: who leads in it must be asked, and older answers are refused from now
  // on.
  PartitionMetadata& entry =
      topics_.find(topic)->second.partitions[static_cast<size_t>(partition.value())];
  entry.leader_epoch = epoch;
  entry.leader = kNoBroker;
  return true;
}

const core::Endpoint* ClusterMetadata::FindBroker(BrokerId id) const {
  const auto found = std::lower_bound(
      brokers_.begin(), brokers_.end(), id,
      [](const BrokerMetadata& broker, BrokerId wanted) { return broker.id < wanted; });
  return found == brokers_.end() || found->id != id ? nullptr : &found->endpoint;
}

bool ClusterMetadata::IsOnline(const PartitionMetadata& partition, BrokerId replica) const {
  const auto& offline = partition.offline_replicas;
  return FindBroker(replica) != nullptr &&
         std::find(offline.begin(), offline.end(), replica) == offline.end();
}

}  // namespace highwater::broker::client
