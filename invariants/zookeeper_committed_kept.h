#pragma once

// zookeeper-committed-kept: what a ZooKeeper ensemble has committed is in the history of every
// later leader.
//
// In the client's words: "a write that was answered is never lost". Judged whenever a server begins
// to lead, against its log. Follows ZooKeeper facts ZK 3.6.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeZooKeeperCommittedKept(const RunFacts& facts,
                                                                    ViolationSink& sink);

}  // namespace highwater::invariants
