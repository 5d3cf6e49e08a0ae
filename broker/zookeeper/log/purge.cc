#include "broker/zookeeper/log/purge.h"

#include <algorithm>

#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

DataFiles FilesToPurge(const DataFiles& files, int32_t retain) {
  DataFiles purge;
  const auto stay = static_cast<size_t>(std::max(retain, 1));
  if (files.snapshots.size() <= stay) return purge;
  const auto oldest = files.snapshots.end() - static_cast<std::ptrdiff_t>(stay);
  purge.snapshots.assign(files.snapshots.begin(), oldest);
  // The last file that begins at the oldest snapshot's zxid or before holds it.
  auto holds = std::upper_bound(files.logs.begin(), files.logs.end(), *oldest);
  if (holds != files.logs.begin()) --holds;
  purge.logs.assign(files.logs.begin(), holds);
  return purge;
}

absl::Status PurgeDataFiles(core::FileSystem& files, const DataDirectories& directories,
                            int32_t retain) {
  HW_ASSIGN_OR_RETURN(const DataFiles found, ListDataFiles(files, directories));
  const DataFiles purge = FilesToPurge(found, retain);
  if (purge.snapshots.empty()) return absl::OkStatus();
  for (const Zxid zxid : purge.snapshots) {
    HW_RETURN_IF_ERROR(files.Remove(directories.SnapshotPath(zxid)));
  }
  HW_RETURN_IF_ERROR(files.SyncDirectory(directories.snapshots));
  for (const Zxid first : purge.logs) {
    HW_RETURN_IF_ERROR(files.Remove(directories.LogPath(first)));
    // From the oldest on, so that no hole can be left behind.
    HW_RETURN_IF_ERROR(files.SyncDirectory(directories.logs));
  }
  return absl::OkStatus();
}

}  // namespace highwater::broker::zookeeper
