#pragma once

// InstallSnapshot: a leader's snapshot becomes all that a server has (SNAP, [3.6]).
//
// Works on files that no TransactionLog has open; afterwards the server recovers anew. A crash at
// any step leaves either everything that was there before or the snapshot and nothing else: what
// was acknowledged before may be what a quorum rests upon, so it must not go before the snapshot is
// durable, and no record of the former log, above or below, may come back behind the snapshot
// [#31, #33]. The step that decides is the rename to `install.<zxid>`; from then on recovery
// finishes what is left to do.

#include <absl/status/status.h>

#include "broker/zookeeper/log/data_directories.h"
#include "core/environment.h"

namespace highwater::broker::zookeeper {

// `image` is what EncodeTree gave.
[[nodiscard]] absl::Status InstallSnapshot(core::Environment& env,
                                           const DataDirectories& directories, Zxid zxid,
                                           const core::ByteChain& image);
// For recovery: takes away all logs and other snapshots of `found`, and gives the snapshot its
// name. REQUIRES: found.installing.
[[nodiscard]] absl::Status FinishInstall(core::Environment& env, const DataDirectories& directories,
                                         const DataFiles& found);

}  // namespace highwater::broker::zookeeper
