#pragma once

// Which files nobody needs any more, and their removal.
//
// Follows ZooKeeper facts 3.11 (the newest snapshots stay, and every log from the file that holds
// the oldest of them's zxid), 6.2 (autopurge.snapRetainCount).

#include "broker/zookeeper/log/data_directories.h"

namespace highwater::broker::zookeeper {

// What of `files` may go if `retain` snapshots stay (at least one does).
[[nodiscard]] DataFiles FilesToPurge(const DataFiles& files, int32_t retain);

// Snapshots go before logs: a snapshot without its log is one that recovery could pick in vain.
[[nodiscard]] absl::Status PurgeDataFiles(core::FileSystem& files,
                                          const DataDirectories& directories, int32_t retain);

}  // namespace highwater::broker::zookeeper
