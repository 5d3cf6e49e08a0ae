#pragma once

// Recovery: the tree that a server's files hold, before it serves.
//
//   HW_ASSIGN_OR_RETURN(RecoveredDatabase database, RecoverDatabase(env, directories));
//   TransactionLog log(env, directories, {}, database);
//
// The newest whole snapshot, then every transaction behind its zxid. What a power loss tore off the
// end is cut off, durably; whatever else is missing or bad is refused with an error that names it:
// a server that passed over a record would forget what it promised.
//
// Follows ZooKeeper facts 3.10 ("Ours should"), 3.11; hazards 3, 5, 11 of known-defects.md. Rules:
//   1. Files of logs without a whole snapshot are not an empty database: refused.
//   2. No file at all is a new server: it gets an empty snapshot at zxid 0 before anything else.
//   3. From the snapshot's zxid on each record may follow the one before (MayFollow), across files.
//   4. The end of the last file may be torn (JudgeTail): cut. The last file is synced, torn or not:
//      what was read may not be on the device. A last file without a record is removed. Elsewhere
//      nothing may be torn.
//   5. An installation that was begun (snapshot_install.h) is finished first.
//   6. The log reaches the zxid up to which the snapshot's nodes may hold changes.

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "broker/zookeeper/log/data_directories.h"
#include "broker/zookeeper/tree/data_tree.h"
#include "core/environment.h"

namespace highwater::broker::zookeeper {

struct RecoveredDatabase {
  DataTree tree;
  Zxid snapshot;       // the one that it was built upon
  Zxid last_logged;    // the tree's last_processed_zxid is the same
  bool fresh = false;  // there was nothing
  int64_t replayed = 0;
  uint64_t replayed_bytes = 0;
  std::vector<std::string> notes;  // what was cut or passed over, for the operator
};

// Waits, and yields as it goes. DataLoss: the files do not hold everything that was promised.
[[nodiscard]] absl::StatusOr<RecoveredDatabase> RecoverDatabase(core::Environment& env,
                                                                const DataDirectories& directories);

}  // namespace highwater::broker::zookeeper
