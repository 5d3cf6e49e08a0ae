#include "broker/controller/controller_context.h"

namespace highwater::broker::controller {

void ControllerContext::Clear() {
  ControllerContext empty;
  empty.epoch = epoch;
  empty.fence = fence;
  *this = std::move(empty);
}

std::vector<BrokerId> ControllerContext::LiveBrokers() const {
  std::vector<BrokerId> ids;
  for (const auto& [id, registration] : brokers) {
    if (IsLive(id)) ids.push_back(id);
  }
  return ids;
}

std::vector<BrokerId> ControllerContext::LiveOrShuttingDownBrokers() const {
  std::vector<BrokerId> ids;
  for (const auto& [id, registration] : brokers) ids.push_back(id);
  return ids;
}

PartitionContext* ControllerContext::Find(const TopicPartition& partition) {
  return const_cast<PartitionContext*>(std::as_const(*this).Find(partition));
}

const PartitionContext* ControllerContext::Find(const TopicPartition& partition) const {
  const auto topic = topics.find(partition.topic);
  if (topic == topics.end()) return nullptr;
  const auto found = topic->second.partitions.find(partition.partition);
  return found == topic->second.partitions.end() ? nullptr : &found->second;
}

std::vector<TopicPartition> ControllerContext::AllPartitions() const {
  std::vector<TopicPartition> result;
  for (const auto& [name, topic] : topics) {
    for (const auto& [index, partition] : topic.partitions) result.push_back({name, index});
  }
  return result;
}

std::vector<TopicPartition> ControllerContext::PartitionsOf(const std::string& topic) const {
  std::vector<TopicPartition> result;
  const auto found = topics.find(topic);
  if (found == topics.end()) return result;
  for (const auto& [index, partition] : found->second.partitions) result.push_back({topic, index});
  return result;
}

std::vector<TopicPartition> ControllerContext::PartitionsIn(
    const std::set<PartitionState>& states) const {
  std::vector<TopicPartition> result;
  for (const auto& [name, topic] : topics) {
    for (const auto& [index, partition] : topic.partitions) {
      if (states.contains(partition.state)) result.push_back({name, index});
    }
  }
  return result;
}

std::vector<PartitionReplica> ControllerContext::ReplicasOf(const std::string& topic) const {
  std::vector<PartitionReplica> result;
  const auto found = topics.find(topic);
  if (found == topics.end()) return result;
  for (const auto& [index, partition] : found->second.partitions) {
    for (const BrokerId id : partition.assignment.replicas) result.push_back({{topic, index}, id});
  }
  return result;
}

std::vector<PartitionReplica> ControllerContext::ReplicasOn(const std::set<BrokerId>& ids) const {
  std::vector<PartitionReplica> result;
  for (const auto& [name, topic] : topics) {
    for (const auto& [index, partition] : topic.partitions) {
      for (const BrokerId id : partition.assignment.replicas) {
        if (ids.contains(id)) result.push_back({{name, index}, id});
      }
    }
  }
  return result;
}

std::vector<PartitionReplica> ControllerContext::ReplicasIn(const std::string& topic,
                                                            ReplicaState state) const {
  std::vector<PartitionReplica> result;
  for (const PartitionReplica& replica : ReplicasOf(topic)) {
    if (StateOf(replica) == state) result.push_back(replica);
  }
  return result;
}

ReplicaState ControllerContext::StateOf(const PartitionReplica& replica) const {
  const PartitionContext* partition = Find(replica.partition);
  if (partition == nullptr) return ReplicaState::kNonExistent;
  const auto found = partition->replicas.find(replica.broker);
  return found == partition->replicas.end() ? ReplicaState::kNonExistent : found->second;
}

}  // namespace highwater::broker::controller
