#include "broker/controller/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "broker/zk/leader_and_isr.h"
#include "core/check.h"

namespace highwater::broker::controller {

namespace {

// Brokers one of each rack in turn, so that neighbours differ: a1 b1 c1 a2 b2 c2.
std::vector<PlacedBroker> AlternateRacks(const std::vector<PlacedBroker>& brokers) {
  std::map<std::string, std::vector<PlacedBroker>> racks;
  for (const PlacedBroker& broker : brokers) racks[broker.rack].push_back(broker);
  std::vector<PlacedBroker> result;
  for (size_t round = 0; result.size() < brokers.size(); ++round) {
    for (const auto& [rack, members] : racks) {
      if (round < members.size()) result.push_back(members[round]);
    }
  }
  return result;
}

std::vector<BrokerId> PlaceOne(const std::vector<PlacedBroker>& ring, size_t start,
                               size_t replication_factor) {
  std::vector<BrokerId> replicas;
  std::map<std::string, size_t> used;  // replicas by rack
  while (replicas.size() < replication_factor) {
    const PlacedBroker* best = nullptr;
    for (size_t step = 0; step < ring.size(); ++step) {
      const PlacedBroker& broker = ring[(start + replicas.size() + step) % ring.size()];
      if (zk::Contains(replicas, broker.id)) continue;
      // Brokers without racks are all alike.
      if (best == nullptr || used[broker.rack] < used[best->rack]) best = &broker;
    }
    replicas.push_back(best->id);
    ++used[best->rack];
  }
  return replicas;
}

}  // namespace

std::map<PartitionIndex, std::vector<BrokerId>> PlaceReplicas(
    const std::vector<PlacedBroker>& brokers, int32_t first, int32_t count,
    int32_t replication_factor) {
  HW_CHECK(replication_factor > 0 && replication_factor <= static_cast<int64_t>(brokers.size()),
           "{} replicas on {} brokers", replication_factor, brokers.size());
  // A cluster in which some broker names no rack knows nothing of zones.
  const bool racks = std::all_of(brokers.begin(), brokers.end(),
                                 [](const PlacedBroker& broker) { return !broker.rack.empty(); });
  std::vector<PlacedBroker> ring = brokers;
  if (racks) {
    ring = AlternateRacks(brokers);
  } else {
    for (PlacedBroker& broker : ring) broker.rack.clear();
  }
  std::map<PartitionIndex, std::vector<BrokerId>> placed;
  for (int32_t i = first; i < first + count; ++i) {
    placed[PartitionIndex(i)] =
        PlaceOne(ring, static_cast<size_t>(i), static_cast<size_t>(replication_factor));
  }
  return placed;
}

std::string WhyFragile(const std::vector<PlacedBroker>& brokers, int32_t replication_factor,
                       int64_t min_insync_replicas) {
  std::set<std::string> zones;
  for (const PlacedBroker& broker : brokers) zones.insert(broker.rack);
  if (min_insync_replicas < replication_factor &&
      replication_factor <= static_cast<int64_t>(zones.size())) {
    return "";
  }
  return fmt::format(
      "min.insync.replicas ({}) < replicas ({}) <= zones ({}) does not hold: the loss of one zone "
      "may stop writes",
      min_insync_replicas, replication_factor, zones.size());
}

}  // namespace highwater::broker::controller
