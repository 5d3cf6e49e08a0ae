#pragma once

// ForwardingFileSystem and ForwardingFile: port decorators that pass everything on. A mutant
// overrides the one call that it breaks.

#include "core/file_system.h"

namespace highwater::faults {

class ForwardingFile : public core::File {
 public:
  explicit ForwardingFile(std::shared_ptr<core::File> inner) : inner_(std::move(inner)) {}
  absl::StatusOr<core::ByteChain> ReadAt(uint64_t offset, size_t length) override {
    return inner_->ReadAt(offset, length);
  }
  absl::Status WriteAt(uint64_t offset, const core::ByteChain& data) override {
    return inner_->WriteAt(offset, data);
  }
  absl::Status Truncate(uint64_t size) override { return inner_->Truncate(size); }
  absl::Status Sync() override { return inner_->Sync(); }
  absl::StatusOr<uint64_t> Size() override { return inner_->Size(); }

 protected:
  core::File& inner() { return *inner_; }

 private:
  std::shared_ptr<core::File> inner_;
};

class ForwardingFileSystem : public core::FileSystem {
 public:
  explicit ForwardingFileSystem(core::FileSystem& inner) : inner_(inner) {}
  absl::StatusOr<std::shared_ptr<core::File>> Open(std::string_view path,
                                                   core::OpenMode mode) override {
    return inner_.Open(path, mode);
  }
  absl::Status CreateDirectory(std::string_view path) override {
    return inner_.CreateDirectory(path);
  }
  absl::Status Rename(std::string_view from, std::string_view to) override {
    return inner_.Rename(from, to);
  }
  absl::Status Remove(std::string_view path) override { return inner_.Remove(path); }
  absl::StatusOr<std::vector<core::DirectoryEntry>> List(std::string_view directory) override {
    return inner_.List(directory);
  }
  absl::StatusOr<core::FileInfo> Stat(std::string_view path) override { return inner_.Stat(path); }
  absl::Status SyncDirectory(std::string_view directory) override {
    return inner_.SyncDirectory(directory);
  }
  absl::StatusOr<std::unique_ptr<core::FileLock>> Lock(std::string_view path) override {
    return inner_.Lock(path);
  }
  absl::StatusOr<uint64_t> FreeSpace(std::string_view path) override {
    return inner_.FreeSpace(path);
  }

 protected:
  core::FileSystem& inner() { return inner_; }

 private:
  core::FileSystem& inner_;
};

}  // namespace highwater::faults
