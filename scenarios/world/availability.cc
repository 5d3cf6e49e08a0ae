#include "scenarios/world/availability.h"

#include <algorithm>

namespace highwater::scenarios {

using broker::BrokerId;
using broker::TopicPartition;

// Whatever has changed: opens or closes the time without a leader.
void Availability::Consider(Partition& partition, absl::Duration at) {
  const bool available =
      partition.leader != broker::kNoBroker && !unreachable_.contains(partition.leader);
  if (!available && !partition.lost_at.has_value()) partition.lost_at = at;
  if (!available || !partition.lost_at.has_value()) return;
  const absl::Duration length = at - *partition.lost_at;
  if (partition.renews != partition.leader) time_to_leader_.Record(length);
  unavailable_ += length;
  partition.lost_at.reset();
  partition.renews = broker::kNoBroker;
}

void Availability::Leads(const TopicPartition& partition, BrokerId broker,
                         broker::LeaderEpoch epoch, absl::Duration at) {
  const auto [found, is_new] = partitions_.try_emplace(partition, Partition{epoch, broker, {}});
  // A broker that was away may begin a role that somebody else has by now.
  if (epoch < found->second.epoch) return;
  found->second.epoch = epoch;
  found->second.leader = broker;
  Consider(found->second, at);
}

void Availability::LeadsNoMore(const TopicPartition& partition, BrokerId broker,
                               absl::Duration at) {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end() || found->second.leader != broker) return;
  Partition& lost = found->second;
  lost.leader = broker::kNoBroker;
  if (!lost.lost_at.has_value()) lost.renews = broker;
  Consider(lost, at);
}

void Availability::ProcessEnded(BrokerId broker, absl::Duration at) {
  for (auto& [id, partition] : partitions_) {
    if (partition.renews == broker) partition.renews = broker::kNoBroker;
    if (partition.leader != broker) continue;
    partition.leader = broker::kNoBroker;
    Consider(partition, at);
  }
}

void Availability::SetReachable(BrokerId broker, bool reachable, absl::Duration at) {
  const bool changes =
      reachable ? unreachable_.erase(broker) > 0 : unreachable_.insert(broker).second;
  if (!changes) return;
  for (auto& [id, partition] : partitions_) {
    if (!reachable && partition.renews == broker) partition.renews = broker::kNoBroker;
    if (partition.leader == broker) Consider(partition, at);
  }
}

void Availability::TopicDeleted(std::string_view topic, absl::Duration at) {
  for (auto it = partitions_.begin(); it != partitions_.end();) {
    if (it->first.topic != topic) {
      ++it;
      continue;
    }
    if (it->second.lost_at.has_value()) unavailable_ += at - *it->second.lost_at;
    it = partitions_.erase(it);
  }
}

absl::Duration Availability::Unavailable(absl::Duration at) const {
  absl::Duration sum = unavailable_;
  for (const auto& [id, partition] : partitions_) {
    if (partition.lost_at.has_value()) sum += at - *partition.lost_at;
  }
  return sum;
}

size_t Availability::partitions_without_leader() const {
  return static_cast<size_t>(
      std::count_if(partitions_.begin(), partitions_.end(),
                    [](const auto& entry) { return entry.second.lost_at.has_value(); }));
}

}  // namespace highwater::scenarios
