#pragma once

// OsFileSystem and OsFile: the node's files on Linux.
//
// Which call runs where:
//   - ReadAt first tries preadv2(RWF_NOWAIT) on the fiber thread; what is not in the page cache is
//     read by a worker.
//   - WriteAt first tries pwritev2(RWF_NOWAIT), which XFS and others take if neither dirty
//     throttling nor an allocation would block; where the file system does not know it (ext4), and
//     for what is left over, a worker writes. A plain write() on the fiber thread could stop all
//     partitions while the kernel throttles one device.
//   - Sync is fdatasync on a worker: bytes and size, not the modification time.
//   - Everything that walks names runs on a worker; Size is fstat and never waits.
//   - The last close of a removed file frees its blocks, so files are closed by workers too.
//
// A path is cut into its components, "." dropped and ".." resolved by name; one that climbs above
// the root is InvalidArgument. Symbolic links are followed: the root is a prefix, not a jail.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_system.h"
#include "core/os/loop.h"
#include "core/os/workers.h"

namespace highwater::core::os {

class OsFile final : public File {
 public:
  OsFile(Workers& workers, Lane& lane, Fd fd, std::string path)
      : workers_(workers), lane_(lane), fd_(std::move(fd)), path_(std::move(path)) {}
  ~OsFile() override;

  absl::StatusOr<ByteChain> ReadAt(uint64_t offset, size_t length) override;
  absl::Status WriteAt(uint64_t offset, const ByteChain& data) override;
  absl::Status Truncate(uint64_t size) override;
  absl::Status Sync() override;
  absl::StatusOr<uint64_t> Size() override;

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] Lane& lane() { return lane_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // Whether every page of [offset, offset + length) is in memory, so that sendfile would not wait.
  [[nodiscard]] bool IsResident(uint64_t offset, size_t length);

 private:
  // Reads up to `length` bytes, at most one block's worth, to the end of `builder`.
  absl::Status ReadBlock(uint64_t offset, size_t length, BytesBuilder& builder);

  Workers& workers_;
  Lane& lane_;
  Fd fd_;
  const std::string path_;
  bool reads_nowait_ = true;  // the file system knows RWF_NOWAIT for reads
  bool writes_nowait_ = true;
};

class OsFileSystem final : public FileSystem {
 public:
  // `root` is an absolute path.
  OsFileSystem(Workers& workers, std::string root);

  absl::StatusOr<std::shared_ptr<File>> Open(std::string_view path, OpenMode mode) override;
  absl::Status CreateDirectory(std::string_view path) override;
  absl::Status Rename(std::string_view from, std::string_view to) override;
  absl::Status Remove(std::string_view path) override;
  absl::StatusOr<std::vector<DirectoryEntry>> List(std::string_view directory) override;
  absl::StatusOr<FileInfo> Stat(std::string_view path) override;
  absl::Status SyncDirectory(std::string_view directory) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path) override;
  absl::StatusOr<uint64_t> FreeSpace(std::string_view path) override;

 private:
  // The path on this machine.
  [[nodiscard]] absl::StatusOr<std::string> Resolve(std::string_view path) const;
  // Runs `work`, which returns an errno or 0, on the lane of `path`.
  absl::Status OnWorker(const std::string& path, WorkKind kind, const char* what,
                        absl::FunctionRef<int()> work);

  Workers& workers_;
  std::string root_;  // without a slash at its end: "" for /
};

}  // namespace highwater::core::os
