#pragma once

// ReplicaAssignment: the replicas of a partition in order, and those that a reassignment adds and
// removes (KIP-455) [Z4], [C90].
//
//   ReplicaAssignment a{.replicas = {1, 2, 3}};
//   a = a.ReassignTo({3, 4});      // replicas 3 4 1 2, adding 4, removing 1 2
//   a.Target();                    // 3 4
//
// Invariants: 1. `adding` and `removing` are disjoint subsets of `replicas`.

#include <vector>

#include "broker/types.h"
#include "broker/zk/leader_and_isr.h"

namespace highwater::broker::zk {

struct ReplicaAssignment {
  std::vector<BrokerId> replicas;  // [0] is the preferred leader
  std::vector<BrokerId> adding;
  std::vector<BrokerId> removing;

  [[nodiscard]] bool IsBeingReassigned() const { return !adding.empty() || !removing.empty(); }
  // What a reassignment leads to, and what it came from.
  [[nodiscard]] std::vector<BrokerId> Target() const { return Without(replicas, removing); }
  [[nodiscard]] std::vector<BrokerId> Origin() const { return Without(replicas, adding); }

  // [C90] A reassignment under way is replaced: its origin stays the origin.
  [[nodiscard]] ReplicaAssignment ReassignTo(const std::vector<BrokerId>& target) const {
    const std::vector<BrokerId> origin = Origin();
    ReplicaAssignment result{.replicas = target};
    for (const BrokerId id : origin) {
      if (!Contains(result.replicas, id)) result.replicas.push_back(id);
    }
    result.adding = Without(result.replicas, origin);
    result.removing = Without(result.replicas, target);
    return result;
  }

  friend bool operator==(const ReplicaAssignment&, const ReplicaAssignment&) = default;
};

}  // namespace highwater::broker::zk
