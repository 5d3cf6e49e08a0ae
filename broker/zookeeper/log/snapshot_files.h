#pragma once

// Snapshot files: writing one while transactions go on, and reading one back.
//
// A file has its name only when it is whole and durable: it is written as <name>.tmp, synced and
// renamed. It is named by the last zxid applied before it was begun [67: named by its end it would
// hide what was applied meanwhile to nodes already written]. Follows ZooKeeper facts 3.11.

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include <optional>
#include <string>

#include "broker/zookeeper/log/data_directories.h"
#include "broker/zookeeper/tree/data_tree.h"
#include "core/environment.h"

namespace highwater::broker::zookeeper {

// Waits, and yields after each slice of the tree. `before_naming`, if there is one, is called when
// all nodes are written, with the zxid up to which they may hold changes, and may wait; if it fails
// there will be no file.
[[nodiscard]] absl::Status WriteSnapshot(
    core::Environment& env, const DataDirectories& directories, const DataTree& tree,
    absl::AnyInvocable<absl::Status(Zxid end)> before_naming = nullptr);

struct LoadedSnapshot {
  DataTree tree;
  // [3.11] Up to which zxid nodes may hold changes, where the file says it: the log has to reach
  // it.
  std::optional<Zxid> end;
};
// DataLoss: the file is not a whole snapshot.
[[nodiscard]] absl::StatusOr<LoadedSnapshot> LoadSnapshot(core::Environment& env,
                                                          const DataDirectories& directories,
                                                          Zxid zxid);

}  // namespace highwater::broker::zookeeper
