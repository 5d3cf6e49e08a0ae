#include "broker/zookeeper/log/snapshot_files.h"

#include <fmt/format.h>

#include <set>

#include "broker/zookeeper/log/snapshot_format.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

// Small: between two waits nobody else runs.
constexpr size_t kNodesPerSlice = 64;
constexpr size_t kWriteSize = 256 << 10;
constexpr size_t kReadSize = 1 << 20;

std::vector<std::vector<Acl>> CollectAcls(core::Environment& env, const DataTree& tree) {
  std::set<std::vector<Acl>> acls;
  std::string at;
  while (true) {
    const std::vector<ZnodeRecord> slice = tree.NodesAfter(at, kNodesPerSlice);
    if (slice.empty()) return {acls.begin(), acls.end()};
    for (const ZnodeRecord& node : slice) acls.insert(node.acl);
    at = slice.back().path;
    env.fibers.Yield();
  }
}

// The file of a snapshot that is being written.
class SnapshotFile {
 public:
  SnapshotFile(std::shared_ptr<core::File> file) : file_(std::move(file)) {}
  absl::Status Append(core::Bytes bytes) {
    const size_t size = bytes.size();
    HW_RETURN_IF_ERROR(file_->WriteAt(end_, core::ByteChain(std::move(bytes))));
    end_ += size;
    return absl::OkStatus();
  }
  absl::Status Sync() { return file_->Sync(); }

 private:
  std::shared_ptr<core::File> file_;
  uint64_t end_ = 0;
};

// Gives the zxid up to which the nodes may hold changes.
absl::StatusOr<Zxid> WriteNodes(core::Environment& env, const DataTree& tree, SnapshotFile& file) {
  const std::vector<std::vector<Acl>> acls = CollectAcls(env, tree);
  SnapshotEncoder encoder(tree.sessions(), acls);
  std::string at;
  while (true) {
    const std::vector<ZnodeRecord> slice = tree.NodesAfter(at, kNodesPerSlice);
    if (slice.empty()) break;
    for (const ZnodeRecord& node : slice) {
      encoder.Add(node);
      if (encoder.pending() < kWriteSize) continue;
      // The rest of the slice is as it was before this wait: older than the end, which is allowed.
      HW_RETURN_IF_ERROR(file.Append(encoder.Take()));
    }
    at = slice.back().path;
    env.fibers.Yield();
  }
  const Zxid end = tree.last_processed_zxid();
  HW_RETURN_IF_ERROR(file.Append(encoder.Finish(end)));
  HW_RETURN_IF_ERROR(file.Sync());
  return end;
}

absl::StatusOr<core::Bytes> ReadAll(core::Environment& env, const std::string& path) {
  HW_ASSIGN_OR_RETURN(const std::shared_ptr<core::File> file,
                      env.files.Open(path, core::OpenMode::kRead));
  HW_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size >= uint64_t{1} << 32) {
    return absl::ResourceExhaustedError(fmt::format("{}: it is greater than 4 GiB", path));
  }
  core::BytesBuilder bytes(static_cast<size_t>(size));
  while (bytes.size() < size) {
    const size_t part = std::min<size_t>(kReadSize, size - bytes.size());
    HW_ASSIGN_OR_RETURN(const core::ByteChain read, core::ReadExactly(*file, bytes.size(), part));
    read.CopyTo(0, part, bytes.Grow(part));
    env.fibers.Yield();
  }
  return std::move(bytes).Freeze();
}

}  // namespace

absl::Status WriteSnapshot(core::Environment& env, const DataDirectories& directories,
                           const DataTree& tree,
                           absl::AnyInvocable<absl::Status(Zxid)> before_naming) {
  const std::string path = directories.SnapshotPath(tree.last_processed_zxid());
  const std::string temporary = path + ".tmp";
  HW_ASSIGN_OR_RETURN(std::shared_ptr<core::File> opened,
                      env.files.Open(temporary, core::OpenMode::kCreate));
  HW_RETURN_IF_ERROR(opened->Truncate(0));
  SnapshotFile file(std::move(opened));
  HW_ASSIGN_OR_RETURN(const Zxid end, WriteNodes(env, tree, file));
  if (before_naming != nullptr) HW_RETURN_IF_ERROR(before_naming(end));
  HW_RETURN_IF_ERROR(env.files.Rename(temporary, path));
  return env.files.SyncDirectory(directories.snapshots);
}

absl::StatusOr<LoadedSnapshot> LoadSnapshot(core::Environment& env,
                                            const DataDirectories& directories, Zxid zxid) {
  HW_ASSIGN_OR_RETURN(core::Bytes bytes, ReadAll(env, directories.SnapshotPath(zxid)));
  SnapshotDecoder decoder(std::move(bytes));
  DataTreeLoader loader;
  HW_ASSIGN_OR_RETURN(const DataTree::Sessions sessions, decoder.ReadSessions());
  for (const auto& [id, timeout_ms] : sessions) loader.AddSession(id, timeout_ms);
  for (size_t nodes = 1;; ++nodes) {
    HW_ASSIGN_OR_RETURN(std::optional<ZnodeRecord> node, decoder.Next());
    if (!node.has_value()) break;
    HW_RETURN_IF_ERROR(loader.AddNode(*std::move(node)));
    if (nodes % kNodesPerSlice == 0) env.fibers.Yield();
  }
  HW_ASSIGN_OR_RETURN(const std::optional<Zxid> end, decoder.Finish());
  HW_ASSIGN_OR_RETURN(DataTree tree, std::move(loader).Finish(zxid));
  return LoadedSnapshot{.tree = std::move(tree), .end = end};
}

}  // namespace highwater::broker::zookeeper
