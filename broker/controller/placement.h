#pragma once

// Placement: on which brokers a new partition's replicas go. Pure.
//
// Follows the product's rule: brokers sorted by id, partition i's replica j on broker (i + j) mod
// n; where brokers name their racks (zones), no two replicas of a partition share one as long as
// there are others.

#include <map>
#include <string>
#include <vector>

#include "broker/types.h"

namespace highwater::broker::controller {

struct PlacedBroker {
  BrokerId id;
  std::string rack;  // "" is none
};

// The replicas of partitions [first, first + count). REQUIRES: 0 < replication_factor <= number of
// brokers, sorted by id.
[[nodiscard]] std::map<PartitionIndex, std::vector<BrokerId>> PlaceReplicas(
    const std::vector<PlacedBroker>& brokers, int32_t first, int32_t count,
    int32_t replication_factor);

// "" or a warning that names the product's rule min.insync.replicas < replicas <= zones: outside of
// it the loss of one zone stops writes, or puts two replicas at stake at once.
[[nodiscard]] std::string WhyFragile(const std::vector<PlacedBroker>& brokers,
                                     int32_t replication_factor, int64_t min_insync_replicas);

}  // namespace highwater::broker::controller
