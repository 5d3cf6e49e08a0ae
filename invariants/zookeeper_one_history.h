#pragma once

// zookeeper-one-history: the servers of a ZooKeeper ensemble apply the same transactions in the
// same order, without a gap: at every moment the shorter history is a prefix of the longer one.
//
// In the client's words: "whichever server I ask, it tells the same story, perhaps less of it".
// Judged at each transaction that a server applies as committed. Follows ZooKeeper facts ZK 2.5,
// ZK 3.7.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeZooKeeperOneHistory(const RunFacts& facts,
                                                                 ViolationSink& sink);

}  // namespace highwater::invariants
