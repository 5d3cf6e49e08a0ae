#pragma once

// zookeeper-one-leader-per-epoch: an epoch of a ZooKeeper ensemble belongs to one server.
//
// In the client's words: "a zxid names one transaction". Judged whenever a server begins to lead.
// Follows ZooKeeper facts ZK 3.5.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeZooKeeperOneLeaderPerEpoch(const RunFacts& facts,
                                                                        ViolationSink& sink);

}  // namespace highwater::invariants
