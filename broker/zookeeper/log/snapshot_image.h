#pragma once

// A tree as the bytes of a snapshot, at one instant: what a leader sends behind SNAP, and what its
// learner makes of it.
//
//   connection.Send(EncodeTree(tree));
//   HW_ASSIGN_OR_RETURN(DataTree tree, DecodeTree(bytes, zxid));
//
// Follows ZooKeeper facts 3.11 (the bytes), 3.6. Pure, and never fuzzy: a learner that crashed
// behind a fuzzy one would lack the transactions that repair it. The price: whoever encodes does
// nothing else meanwhile.

#include <absl/status/statusor.h>

#include "broker/zookeeper/tree/data_tree.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

[[nodiscard]] core::ByteChain EncodeTree(const DataTree& tree);
// `zxid`: the tree's last one, as SNAP said. DataLoss: these are not the bytes of a whole snapshot.
[[nodiscard]] absl::StatusOr<DataTree> DecodeTree(core::Bytes bytes, Zxid zxid);

}  // namespace highwater::broker::zookeeper
