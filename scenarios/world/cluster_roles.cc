#include "scenarios/world/cluster_roles.h"

namespace highwater::scenarios {

void ClusterRoles::BecameLeader(const broker::TopicPartition& partition, int32_t broker) {
  Replicas& replicas = partitions_[partition];
  replicas.leader = broker;
  replicas.all.insert(broker);
}

void ClusterRoles::BecameFollower(const broker::TopicPartition& partition, int32_t broker) {
  Replicas& replicas = partitions_[partition];
  if (replicas.leader == broker) replicas.leader.reset();
  replicas.all.insert(broker);
}

void ClusterRoles::NoLongerHosted(const broker::TopicPartition& partition, int32_t broker) {
  Replicas& replicas = partitions_[partition];
  if (replicas.leader == broker) replicas.leader.reset();
  replicas.all.erase(broker);
}

const ClusterRoles::Replicas* ClusterRoles::Find(std::string_view topic, int32_t partition) const {
  const auto found = partitions_.find({std::string(topic), broker::PartitionIndex(partition)});
  return found == partitions_.end() ? nullptr : &found->second;
}

std::optional<int32_t> ClusterRoles::LeaderOf(std::string_view topic, int32_t partition) const {
  const Replicas* replicas = Find(topic, partition);
  return replicas == nullptr ? std::nullopt : replicas->leader;
}

std::vector<int32_t> ClusterRoles::ReplicasOf(std::string_view topic, int32_t partition) const {
  const Replicas* replicas = Find(topic, partition);
  if (replicas == nullptr) return {};
  return {replicas->all.begin(), replicas->all.end()};
}

}  // namespace highwater::scenarios
