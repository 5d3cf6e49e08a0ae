#include "broker/metadata/metadata_cache.h"

#include <utility>

#include "core/mark.h"

namespace highwater::broker {
namespace {

constexpr BrokerId kDuringDelete{-2};  // [C63]

std::vector<BrokerId> Ids(const std::vector<int32_t>& numbers) {
  std::vector<BrokerId> ids;
  ids.reserve(numbers.size());
  for (const int32_t number : numbers) ids.emplace_back(number);
  return ids;
}

MetadataCache::LiveBroker ToBroker(
    const protocol::UpdateMetadataRequest::UpdateMetadataBroker& from) {
  MetadataCache::LiveBroker broker{.id = BrokerId(from.id), .rack = from.rack.value_or("")};
  for (const auto& endpoint : from.endpoints) {
    // Before version 3 a listener had no name but its protocol's; we have PLAINTEXT only.
    broker.listeners.push_back({.name = endpoint.listener.empty() ? "PLAINTEXT" : endpoint.listener,
                                .security_protocol = endpoint.security_protocol,
                                .endpoint = {endpoint.host, static_cast<uint16_t>(endpoint.port)}});
  }
  if (from.endpoints.empty() && !from.v0_host.empty()) {
    broker.listeners.push_back(
        {.name = "PLAINTEXT", .endpoint = {from.v0_host, static_cast<uint16_t>(from.v0_port)}});
  }
  return broker;
}

}  // namespace

const core::Endpoint* MetadataCache::LiveBroker::Find(std::string_view listener) const {
  for (const Listener& candidate : listeners) {
    if (candidate.name == listener) return &candidate.endpoint;
  }
  return nullptr;
}

void MetadataCache::Update(const protocol::UpdateMetadataRequest& request) {
  controller_ = BrokerId(request.controller_id);
  brokers_.clear();
  for (const auto& broker : request.live_brokers) {
    brokers_.insert_or_assign(BrokerId(broker.id), ToBroker(broker));
  }
  for (const auto& topic : request.topic_states) {
    for (const auto& state : topic.partition_states) {
      UpdatePartition(topic.topic_name, topic.topic_id, state);
    }
  }
  for (const auto& state : request.ungrouped_partition_states) {
    UpdatePartition(state.topic_name, protocol::Uuid(), state);
  }
}

// A name that comes with another id is another topic: nothing of the old one stays [C104].
void MetadataCache::UpdateTopic(std::string_view name, const protocol::Uuid& id) {
  Topic& topic = topics_.try_emplace(std::string(name)).first->second;
  if (id.is_zero() || topic.id == id) return;
  if (!topic.id.is_zero()) {
    HW_MARK("metadata_topic_recreated");
    names_.erase(topic.id);
    topic.partitions.clear();
  }
  topic.id = id;
  names_.insert_or_assign(id, std::string(name));
}

void MetadataCache::UpdatePartition(
    std::string_view name, const protocol::Uuid& id,
    const protocol::UpdateMetadataRequest::UpdateMetadataPartitionState& state) {
  const PartitionIndex index(state.partition_index);
  if (BrokerId(state.leader) == kDuringDelete) {  // [R7]
    const auto found = topics_.find(name);
    // A deletion that comes late must not take away the topic that has the name by now.
    if (found == topics_.end() ||
        (!id.is_zero() && !found->second.id.is_zero() && found->second.id != id)) {
      return;
    }
    found->second.partitions.erase(index);
    if (!found->second.partitions.empty()) return;
    names_.erase(found->second.id);
    topics_.erase(found);
    return;
  }
  UpdateTopic(name, id);
  topics_.find(name)->second.partitions.insert_or_assign(
      index, Partition{.leader = BrokerId(state.leader),
                       .leader_epoch = LeaderEpoch(state.leader_epoch),
                       .partition_epoch = PartitionEpoch(state.zk_version),
                       .replicas = Ids(state.replicas),
                       .isr = Ids(state.isr),
                       .offline_replicas = Ids(state.offline_replicas)});
}

const core::Endpoint* MetadataCache::EndpointOf(BrokerId broker, std::string_view listener) const {
  const auto found = brokers_.find(broker);
  return found == brokers_.end() ? nullptr : found->second.Find(listener);
}

const MetadataCache::Topic* MetadataCache::Find(std::string_view topic) const {
  const auto found = topics_.find(topic);
  return found == topics_.end() ? nullptr : &found->second;
}

const MetadataCache::Partition* MetadataCache::Find(std::string_view topic,
                                                    PartitionIndex index) const {
  const Topic* found = Find(topic);
  if (found == nullptr) return nullptr;
  const auto partition = found->partitions.find(index);
  return partition == found->partitions.end() ? nullptr : &partition->second;
}

std::string_view MetadataCache::NameOf(const protocol::Uuid& id) const {
  const auto found = names_.find(id);
  return found == names_.end() ? std::string_view() : found->second;
}

}  // namespace highwater::broker
