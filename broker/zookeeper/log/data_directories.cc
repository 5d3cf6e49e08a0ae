#include "broker/zookeeper/log/data_directories.h"

#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

std::string_view ParentDirectory(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Each directory that is made is made durable in its parent.
absl::Status CreateDurably(core::FileSystem& files, std::string_view path) {
  if (files.Stat(path).ok()) return absl::OkStatus();
  const std::string_view parent = ParentDirectory(path);
  if (parent != path && parent != ".") HW_RETURN_IF_ERROR(CreateDurably(files, parent));
  const absl::Status status = files.CreateDirectory(path);
  if (!status.ok() && !absl::IsAlreadyExists(status)) return status;
  return files.SyncDirectory(parent);
}

}  // namespace

DataDirectories DataDirectories::For(const std::string& data_dir, const std::string& data_log_dir) {
  const std::string& logs = data_log_dir.empty() ? data_dir : data_log_dir;
  return {.snapshots = data_dir + "/version-2", .logs = logs + "/version-2"};
}

absl::Status CreateDataDirectories(core::FileSystem& files, const DataDirectories& directories) {
  HW_RETURN_IF_ERROR(CreateDurably(files, directories.snapshots));
  return CreateDurably(files, directories.logs);
}

absl::StatusOr<DataFiles> ListDataFiles(core::FileSystem& files,
                                        const DataDirectories& directories) {
  HW_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> in_snapshots,
                      files.List(directories.snapshots));
  DataFiles found = ClassifyFiles(in_snapshots);
  if (directories.logs == directories.snapshots) return found;
  HW_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> in_logs,
                      files.List(directories.logs));
  found.logs = ClassifyFiles(in_logs).logs;
  return found;
}

}  // namespace highwater::broker::zookeeper
