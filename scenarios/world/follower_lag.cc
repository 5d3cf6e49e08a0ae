#include "scenarios/world/follower_lag.h"

#include <algorithm>

namespace highwater::scenarios {

using broker::BrokerId;
using broker::Offset;
using broker::TopicPartition;

FollowerLag::Replica& FollowerLag::ReplicaOf(Partition& partition, BrokerId broker) {
  for (Replica& replica : partition.replicas) {
    if (replica.broker == broker) return replica;
  }
  return partition.replicas.emplace_back(Replica{broker, Offset(0)});
}

void FollowerLag::Measure(const Partition& partition) {
  for (const Replica& leader : partition.replicas) {
    if (leader.broker != partition.leader) continue;
    for (const Replica& replica : partition.replicas) {
      const int64_t behind = leader.end.value() - replica.end.value();
      greatest_ = std::max(greatest_, static_cast<uint64_t>(std::max<int64_t>(0, behind)));
    }
  }
}

void FollowerLag::LogEnds(const TopicPartition& id, BrokerId broker, Offset end) {
  Partition& partition = partitions_[id];
  ReplicaOf(partition, broker).end = end;
  Measure(partition);
}

void FollowerLag::Leads(const TopicPartition& id, BrokerId broker, Offset end) {
  Partition& partition = partitions_[id];
  ReplicaOf(partition, broker).end = end;
  partition.leader = broker;
  Measure(partition);
}

void FollowerLag::ReplicaRemoved(const TopicPartition& id, BrokerId broker) {
  const auto found = partitions_.find(id);
  if (found == partitions_.end()) return;
  auto& replicas = found->second.replicas;
  replicas.erase(std::remove_if(replicas.begin(), replicas.end(),
                                [&](const Replica& replica) { return replica.broker == broker; }),
                 replicas.end());
}

void FollowerLag::TopicDeleted(std::string_view topic) {
  std::erase_if(partitions_, [&](const auto& entry) { return entry.first.topic == topic; });
}

}  // namespace highwater::scenarios
