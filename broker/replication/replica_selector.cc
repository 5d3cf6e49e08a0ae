#include "broker/replication/replica_selector.h"

#include <tuple>

namespace highwater::broker {

std::vector<ReplicaView> HoldersOf(const PartitionLeader& leader, Offset from,
                                   core::MonotonicTime now) {
  std::vector<ReplicaView> holders;
  for (const PartitionLeader::RemoteReplica& replica : leader.remote_replicas()) {
    const bool holds = replica.fetched && replica.log_start_offset <= from &&
                       from <= replica.progress.log_end_offset;
    if (!holds) continue;
    holders.push_back({.broker = replica.broker,
                       .log_end_offset = replica.progress.log_end_offset,
                       .since_caught_up = replica.progress.last_caught_up.has_value()
                                              ? now - *replica.progress.last_caught_up
                                              : absl::InfiniteDuration()});
  }
  return holders;
}

BrokerId SelectRackAware(std::string_view client_rack, const ReplicaView& leader,
                         absl::Span<const ReplicaView> others) {
  if (client_rack.empty() || leader.rack == client_rack) return leader.broker;
  const ReplicaView* best = nullptr;
  const auto rank = [](const ReplicaView& view) {
    return std::tuple(view.log_end_offset, -view.since_caught_up, view.broker);
  };
  for (const ReplicaView& view : others) {
    if (view.rack != client_rack) continue;
    if (best == nullptr || rank(view) > rank(*best)) best = &view;
  }
  return best == nullptr ? leader.broker : best->broker;
}

}  // namespace highwater::broker
