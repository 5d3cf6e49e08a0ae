#include "scenarios/world/cluster_roles.h"

#include <algorithm>

namespace highwater::scenarios {

void ClusterRoles::BecameLeader(const broker::TopicPartition& partition, int32_t broker,
                                std::vector<int32_t> replicas) {
  std::sort(replicas.begin(), replicas.end());
  partitions_.insert_or_assign(partition, Led{broker, std::move(replicas)});
}

const ClusterRoles::Led* ClusterRoles::Find(std::string_view topic, int32_t partition) const {
  const auto found = partitions_.find({std::string(topic), broker::PartitionIndex(partition)});
  return found == partitions_.end() ? nullptr : &found->second;
}

std::optional<int32_t> ClusterRoles::LeaderOf(std::string_view topic, int32_t partition) const {
  const Led* led = Find(topic, partition);
  if (led == nullptr) return std::nullopt;
  return led->leader;
}

std::vector<int32_t> ClusterRoles::ReplicasOf(std::string_view topic, int32_t partition) const {
  const Led* led = Find(topic, partition);
  return led == nullptr ? std::vector<int32_t>() : led->replicas;
}

}  // namespace highwater::scenarios
