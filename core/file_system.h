#pragma once

// FileSystem and File: what a node may ask of its disk.
//
// Paths are absolute or relative to the node's root, '/'-separated. Every call may wait (on a
// fiber); none blocks the thread.
//
// What is durable when (POSIX as Linux's journalling file systems keep it; the conformance suite
// holds both worlds to it):
//   1. Written bytes are visible to every reader at once and survive a crash of the process.
//   2. They survive a power loss once File::Sync has returned OK after the write: the file's bytes
//   and its size.
//   3. A created, renamed or removed name survives a power loss once SyncDirectory of its directory
//   has returned OK.
//   4. After a failed Sync nothing is known of what was written since the last successful one: do
//   not retry and go on.
//
// Errors (see core/seam_errors.md): NotFound, AlreadyExists, FailedPrecondition (not a directory,
// directory not empty, lock held), ResourceExhausted (disk full), DataLoss (EIO), Cancelled (the
// fiber was cancelled), InvalidArgument.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"

namespace highwater::core {

enum class OpenMode {
  kRead,             // must exist
  kReadWrite,        // must exist
  kCreate,           // read and write; made empty if it does not exist
  kCreateExclusive,  // read and write; AlreadyExists if it exists
};

struct FileInfo {
  enum class Kind { kFile, kDirectory };
  Kind kind = Kind::kFile;
  uint64_t size = 0;    // bytes; 0 for a directory
  absl::Time modified;  // wall clock of the last write, truncate or creation
};

struct DirectoryEntry {
  std::string name;  // without the directory's path
  FileInfo::Kind kind = FileInfo::Kind::kFile;
};

// An open file. Closed by the destructor, which never waits. Positions are absolute: there is no
// cursor.
class File {
 public:
  virtual ~File() = default;

  // Up to `length` bytes from `offset`: fewer only where the file ends (or, in simulation, where
  // Buggify says so: callers loop, see ReadExactly), none at or past the end.
  [[nodiscard]] virtual absl::StatusOr<ByteChain> ReadAt(uint64_t offset, size_t length) = 0;
  // Writes all of `data` at `offset`, extending the file; a gap before `offset` reads as zeros. On
  // an error an unknown prefix was written.
  [[nodiscard]] virtual absl::Status WriteAt(uint64_t offset, const ByteChain& data) = 0;
  // Cuts or extends with zeros to `size`.
  [[nodiscard]] virtual absl::Status Truncate(uint64_t size) = 0;
  // Makes all completed writes and the size durable (fsync).
  [[nodiscard]] virtual absl::Status Sync() = 0;
  [[nodiscard]] virtual absl::StatusOr<uint64_t> Size() = 0;
};

// Holds an exclusive lock until destroyed. A crash of the process releases it.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  [[nodiscard]] virtual absl::StatusOr<std::shared_ptr<File>> Open(std::string_view path,
                                                                   OpenMode mode) = 0;
  // Makes the directory `path`; its parent must exist. AlreadyExists if there is one.
  [[nodiscard]] virtual absl::Status CreateDirectory(std::string_view path) = 0;
  // Atomically gives `from` (a file or a directory) the name `to`, replacing a file (never a
  // directory) of that name.
  [[nodiscard]] virtual absl::Status Rename(std::string_view from, std::string_view to) = 0;
  // Removes a file or an empty directory. Open handles keep a removed file readable.
  [[nodiscard]] virtual absl::Status Remove(std::string_view path) = 0;
  // Entries of a directory, sorted by name, without "." and "..".
  [[nodiscard]] virtual absl::StatusOr<std::vector<DirectoryEntry>> List(
      std::string_view directory) = 0;
  [[nodiscard]] virtual absl::StatusOr<FileInfo> Stat(std::string_view path) = 0;
  // Makes the names in `directory` durable.
  [[nodiscard]] virtual absl::Status SyncDirectory(std::string_view directory) = 0;
  // Creates `path` if needed and locks it against other processes. FailedPrecondition if it is
  // held.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(std::string_view path) = 0;
  // Bytes that may still be written below `path`.
  [[nodiscard]] virtual absl::StatusOr<uint64_t> FreeSpace(std::string_view path) = 0;
};

// Reads exactly `length` bytes or fails: OutOfRange if the file ends before.
[[nodiscard]] absl::StatusOr<ByteChain> ReadExactly(File& file, uint64_t offset, size_t length);
// The whole file.
[[nodiscard]] absl::StatusOr<std::string> ReadWholeFile(FileSystem& files, std::string_view path);
// CreateDirectory for `path` and each missing parent; OK if it exists. Does not sync.
[[nodiscard]] absl::Status CreateDirectories(FileSystem& files, std::string_view path);
// Removes `path` and all below it. OK if there is nothing.
[[nodiscard]] absl::Status RemoveAll(FileSystem& files, std::string_view path);
// Replaces `path` by a file of `content` such that a power loss leaves the old or the new content
// whole: writes `path`.tmp, syncs it, renames it, syncs the directory.
[[nodiscard]] absl::Status WriteFileAtomically(FileSystem& files, std::string_view path,
                                               std::string_view content);

}  // namespace highwater::core
