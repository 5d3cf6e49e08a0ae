#include "broker/zookeeper/log/snapshot_install.h"

#include <fmt/format.h>

#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

absl::Status InstallSnapshot(core::Environment& env, const DataDirectories& directories, Zxid zxid,
                             const core::ByteChain& image) {
  const std::string path = fmt::format("{}/{}", directories.snapshots, InstallFileName(zxid));
  const std::string temporary = directories.SnapshotPath(zxid) + ".tmp";
  HW_ASSIGN_OR_RETURN(const std::shared_ptr<core::File> file,
                      env.files.Open(temporary, core::OpenMode::kCreate));
  HW_RETURN_IF_ERROR(file->Truncate(0));
  HW_RETURN_IF_ERROR(file->WriteAt(0, image));
  HW_RETURN_IF_ERROR(file->Sync());
  HW_RETURN_IF_ERROR(env.files.Rename(temporary, path));
  HW_RETURN_IF_ERROR(env.files.SyncDirectory(directories.snapshots));
  HW_ASSIGN_OR_RETURN(const DataFiles found, ListDataFiles(env.files, directories));
  return FinishInstall(env, directories, found);
}

absl::Status FinishInstall(core::Environment& env, const DataDirectories& directories,
                           const DataFiles& found) {
  HW_MARK("zookeeper_snapshot_installed");
  for (const Zxid first : found.logs) {
    HW_RETURN_IF_ERROR(env.files.Remove(directories.LogPath(first)));
  }
  for (const Zxid snapshot : found.snapshots) {
    HW_RETURN_IF_ERROR(env.files.Remove(directories.SnapshotPath(snapshot)));
  }
  // Durably gone before the name that recovery would take for an ordinary snapshot's.
  HW_RETURN_IF_ERROR(env.files.SyncDirectory(directories.logs));
  HW_RETURN_IF_ERROR(env.files.SyncDirectory(directories.snapshots));
  const Zxid zxid = *found.installing;
  HW_RETURN_IF_ERROR(
      env.files.Rename(fmt::format("{}/{}", directories.snapshots, InstallFileName(zxid)),
                       directories.SnapshotPath(zxid)));
  return env.files.SyncDirectory(directories.snapshots);
}

}  // namespace highwater::broker::zookeeper
