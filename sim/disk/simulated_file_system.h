#pragma once

// SimulatedFileSystem: core::FileSystem for one incarnation of a process on a simulated host.
//
// Resolves paths, gives out handles and locks, and passes the work to the host's Disk. Once its
// process is dead every call returns Cancelled at once and does nothing; handles and locks are then
// let go by Disk::ProcessEnded, not by their destructors, so that the order of destructors has no
// effect. Errors: core/seam_errors.md. Not responsible for: time, durability, faults.

#include <memory>
#include <string_view>
#include <vector>

#include "core/file_system.h"
#include "sim/disk/disk.h"
#include "sim/disk_port.h"

namespace highwater::sim {

class SimulatedFileSystem final : public core::FileSystem {
 public:
  SimulatedFileSystem(Disk& disk, ProcessContext& process);
  ~SimulatedFileSystem() override;

  [[nodiscard]] absl::StatusOr<std::shared_ptr<core::File>> Open(std::string_view path,
                                                                 core::OpenMode mode) override;
  [[nodiscard]] absl::Status CreateDirectory(std::string_view path) override;
  [[nodiscard]] absl::Status Rename(std::string_view from, std::string_view to) override;
  [[nodiscard]] absl::Status Remove(std::string_view path) override;
  [[nodiscard]] absl::StatusOr<std::vector<core::DirectoryEntry>> List(
      std::string_view directory) override;
  [[nodiscard]] absl::StatusOr<core::FileInfo> Stat(std::string_view path) override;
  [[nodiscard]] absl::Status SyncDirectory(std::string_view directory) override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<core::FileLock>> Lock(
      std::string_view path) override;
  [[nodiscard]] absl::StatusOr<uint64_t> FreeSpace(std::string_view path) override;

 private:
  class OpenFile;
  class HeldLock;
  // What a handle and a lock share: they keep an inode and know when their file system is gone.
  struct Holding {
    Holding(SimulatedFileSystem& owner, Inode& held, bool lock);
    ~Holding();
    Holding(const Holding&) = delete;
    Holding& operator=(const Holding&) = delete;

    SimulatedFileSystem* files;  // null once it is gone
    Inode& inode;
    const bool locked;
    Holding* previous = nullptr;
    Holding* next = nullptr;
  };

  // The inode at `path`; tells a replaced disk that it was missed.
  absl::StatusOr<Inode*> Find(std::string_view path);
  // The file at `path`, made if there is none and `mode` allows it.
  absl::StatusOr<Inode*> FindOrCreate(std::string_view path, core::OpenMode mode);
  absl::Status Make(std::string_view path, Inode::Kind kind);
  static size_t DeviceOf(const NameTree::Place& place);
  NameTree& names() { return disk_.model().names(); }

  Disk& disk_;
  ProcessContext& process_;
  Holding* first_ = nullptr;
};

}  // namespace highwater::sim
