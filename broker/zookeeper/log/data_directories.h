#pragma once

// Where a server keeps its files: the `version-2` folders of zoo.cfg's dataDir and dataLogDir. They
// may be one.

#include <absl/status/statusor.h>

#include <string>

#include "broker/zookeeper/log/file_names.h"
#include "core/file_system.h"

namespace highwater::broker::zookeeper {

struct DataDirectories {
  std::string snapshots;  // also the epoch files
  std::string logs;

  // For zoo.cfg's dataDir and dataLogDir; empty: the same.
  [[nodiscard]] static DataDirectories For(const std::string& data_dir,
                                           const std::string& data_log_dir = "");
  [[nodiscard]] std::string LogPath(Zxid first) const { return logs + "/" + LogFileName(first); }
  [[nodiscard]] std::string SnapshotPath(Zxid zxid) const {
    return snapshots + "/" + SnapshotFileName(zxid);
  }
};

// Makes them, durably, if they are missing.
[[nodiscard]] absl::Status CreateDataDirectories(core::FileSystem& files,
                                                 const DataDirectories& directories);
// What is in them.
[[nodiscard]] absl::StatusOr<DataFiles> ListDataFiles(core::FileSystem& files,
                                                      const DataDirectories& directories);

}  // namespace highwater::broker::zookeeper
