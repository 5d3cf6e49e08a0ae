#pragma once

// NoFileSystem: what a process of a host without a disk gets. Nothing exists and nothing can be
// made.

#include "core/file_system.h"

namespace highwater::sim {

class NoFileSystem final : public core::FileSystem {
 public:
  absl::StatusOr<std::shared_ptr<core::File>> Open(std::string_view, core::OpenMode) override {
    return NoDisk();
  }
  absl::Status CreateDirectory(std::string_view) override { return NoDisk(); }
  absl::Status Rename(std::string_view, std::string_view) override { return NoDisk(); }
  absl::Status Remove(std::string_view) override { return NoDisk(); }
  absl::StatusOr<std::vector<core::DirectoryEntry>> List(std::string_view) override {
    return NoDisk();
  }
  absl::StatusOr<core::FileInfo> Stat(std::string_view) override { return NoDisk(); }
  absl::Status SyncDirectory(std::string_view) override { return NoDisk(); }
  absl::StatusOr<std::unique_ptr<core::FileLock>> Lock(std::string_view) override {
    return NoDisk();
  }
  absl::StatusOr<uint64_t> FreeSpace(std::string_view) override { return NoDisk(); }

 private:
  static absl::Status NoDisk() { return absl::NotFoundError("this host has no disk"); }
};

}  // namespace highwater::sim
