#pragma once

// Truncation: takes everything behind a zxid off a server's files, because its leader has another
// history from there on (TRUNC, [3.6]).
//
// Works on files that no TransactionLog has open; afterwards the server recovers anew. Follows
// hazards 7 (the exact record boundary) and 9 (snapshots newer than the zxid, and fuzzy ones that
// may hold changes behind it, go first: a start after the cut would otherwise bring them back).
//
// A crash at any step leaves files that RecoverDatabase takes, with a history that ends at `zxid`
// or later.

#include <absl/status/status.h>

#include "broker/zookeeper/log/data_directories.h"
#include "core/environment.h"

namespace highwater::broker::zookeeper {

// OutOfRange, and nothing is changed: the log does not hold `zxid`, or no snapshot is left to build
// it upon; the server needs its leader's snapshot.
[[nodiscard]] absl::Status TruncateTo(core::Environment& env, const DataDirectories& directories,
                                      Zxid zxid);

}  // namespace highwater::broker::zookeeper
