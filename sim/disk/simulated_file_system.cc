#include "sim/disk/simulated_file_system.h"

#include "core/check.h"
#include "core/mix.h"
#include "core/status_macros.h"

namespace highwater::sim {
namespace {

using core::ByteChain;
using core::DirectoryEntry;
using core::FileInfo;
using core::Mix;
using core::MixName;
using core::OpenMode;

constexpr uint64_t kLargestFile = uint64_t{1} << 60;

absl::Status Ended() { return absl::CancelledError("the process has ended"); }

absl::Status TooLarge() { return absl::InvalidArgumentError("past the greatest size of a file"); }

}  // namespace

SimulatedFileSystem::Holding::Holding(SimulatedFileSystem& owner, Inode& held, bool lock)
    : files(&owner), inode(held), locked(lock), next(owner.first_) {
  owner.disk_.AddHandle(inode);
  if (locked) inode.locked = true;
  if (next != nullptr) next->previous = this;
  owner.first_ = this;
}

SimulatedFileSystem::Holding::~Holding() {
  if (files == nullptr) return;
  (previous != nullptr ? previous->next : files->first_) = next;
  if (next != nullptr) next->previous = previous;
  if (files->process_.dead()) {
    files->disk_.Orphan(inode, locked);
    return;
  }
  if (locked) inode.locked = false;
  files->disk_.CloseHandle(inode);
}

class SimulatedFileSystem::OpenFile final : public core::File {
 public:
  OpenFile(SimulatedFileSystem& files, Inode& inode, bool writable)
      : holding_(files, inode, false), writable_(writable) {}

  [[nodiscard]] absl::StatusOr<ByteChain> ReadAt(uint64_t offset, size_t length) override {
    if (holding_.files == nullptr) return Ended();
    return disk().Read(process(), holding_.inode, offset, length);
  }
  [[nodiscard]] absl::Status WriteAt(uint64_t offset, const ByteChain& data) override {
    if (holding_.files == nullptr) return Ended();
    if (!writable_) return ReadOnly();
    if (data.empty()) return absl::OkStatus();
    if (offset > kLargestFile || data.size() > kLargestFile - offset) return TooLarge();
    return disk().Write(process(), holding_.inode, offset, data);
  }
  [[nodiscard]] absl::Status Truncate(uint64_t size) override {
    if (holding_.files == nullptr) return Ended();
    if (!writable_) return ReadOnly();
    if (size > kLargestFile) return TooLarge();
    return disk().Truncate(process(), holding_.inode, size);
  }
  [[nodiscard]] absl::Status Sync() override {
    if (holding_.files == nullptr) return Ended();
    return disk().Sync(process(), holding_.inode);
  }
  [[nodiscard]] absl::StatusOr<uint64_t> Size() override {
    if (holding_.files == nullptr || process().dead()) return Ended();
    return holding_.inode.content.size();
  }

 private:
  [[nodiscard]] Disk& disk() { return holding_.files->disk_; }
  [[nodiscard]] ProcessContext& process() { return holding_.files->process_; }
  static absl::Status ReadOnly() {
    return absl::FailedPreconditionError("the file is open for reading only");
  }

  Holding holding_;
  const bool writable_;
};

class SimulatedFileSystem::HeldLock final : public core::FileLock {
 public:
  HeldLock(SimulatedFileSystem& files, Inode& inode) : holding_(files, inode, true) {}

 private:
  Holding holding_;
};

SimulatedFileSystem::SimulatedFileSystem(Disk& disk, ProcessContext& process)
    : disk_(disk), process_(process) {
  disk_.CountFileSystems(+1);
}

SimulatedFileSystem::~SimulatedFileSystem() {
  for (Holding* holding = first_; holding != nullptr; holding = holding->next) {
    disk_.Orphan(holding->inode, holding->locked);
    holding->files = nullptr;
  }
  disk_.CountFileSystems(-1);
}

size_t SimulatedFileSystem::DeviceOf(const NameTree::Place& place) {
  if (place.inode != nullptr) return place.inode->device;
  return place.directory->device;
}

absl::StatusOr<Inode*> SimulatedFileSystem::Find(std::string_view path) {
  if (process_.dead()) return Ended();
  absl::StatusOr<NameTree::Place> place = names().Resolve(path);
  if (!place.ok()) {
    if (absl::IsNotFound(place.status())) {
      for (size_t i = 0; i < disk_.model().device_count(); ++i) disk_.ObserveAbsence(i);
    }
    return place.status();
  }
  if (place->inode == nullptr) {
    disk_.ObserveAbsence(DeviceOf(*place));
    return absl::NotFoundError(fmt::format("no \"{}\"", path));
  }
  return place->inode;
}

absl::StatusOr<Inode*> SimulatedFileSystem::FindOrCreate(std::string_view path, OpenMode mode) {
  absl::StatusOr<Inode*> inode = Find(path);
  if (mode == OpenMode::kRead || mode == OpenMode::kReadWrite) return inode;
  if (absl::IsNotFound(inode.status())) {
    const absl::Status made = Make(path, Inode::Kind::kFile);
    // Somebody else may have made it while we waited.
    if (!made.ok() && !(absl::IsAlreadyExists(made) && mode == OpenMode::kCreate)) return made;
    return Find(path);
  }
  if (inode.ok() && mode == OpenMode::kCreateExclusive) {
    return absl::AlreadyExistsError(fmt::format("\"{}\" exists", path));
  }
  return inode;
}

absl::Status SimulatedFileSystem::Make(std::string_view path, Inode::Kind kind) {
  if (process_.dead()) return Ended();
  HW_ASSIGN_OR_RETURN(const NameTree::Place first, names().Resolve(path));
  if (first.inode != nullptr) return absl::AlreadyExistsError(fmt::format("\"{}\" exists", path));
  if (kind == Inode::Kind::kFile && path.back() == '/') {
    return absl::FailedPreconditionError(fmt::format("\"{}\" names a directory", path));
  }
  HW_RETURN_IF_ERROR(disk_.BeginNameChange(process_, DeviceOf(first)));
  // The names may have changed while we waited.
  HW_ASSIGN_OR_RETURN(const NameTree::Place place, names().Resolve(path));
  if (place.inode != nullptr) return absl::AlreadyExistsError(fmt::format("\"{}\" exists", path));
  if (disk_.model().free(DeviceOf(place)) == 0) {
    disk_.ObserveFull(DeviceOf(place));
    return absl::ResourceExhaustedError("disk full: no room for a name");
  }
  const Inode& inode = names().Create(place, kind, disk_.WallNow());
  disk_.NameChanged(inode.device, Mix(MixName(place.name), inode.id));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<core::File>> SimulatedFileSystem::Open(std::string_view path,
                                                                      OpenMode mode) {
  HW_ASSIGN_OR_RETURN(Inode* const inode, FindOrCreate(path, mode));
  if (inode->is_directory()) {
    return absl::FailedPreconditionError(fmt::format("\"{}\" is a directory", path));
  }
  return std::make_shared<OpenFile>(*this, *inode, mode != OpenMode::kRead);
}

absl::Status SimulatedFileSystem::CreateDirectory(std::string_view path) {
  return Make(path, Inode::Kind::kDirectory);
}

absl::Status SimulatedFileSystem::Rename(std::string_view from, std::string_view to) {
  HW_ASSIGN_OR_RETURN(const Inode* const inode, Find(from));
  HW_RETURN_IF_ERROR(disk_.BeginNameChange(process_, inode->device));
  HW_ASSIGN_OR_RETURN(const NameTree::Place source, names().Resolve(from));
  HW_ASSIGN_OR_RETURN(const NameTree::Place target, names().Resolve(to));
  HW_RETURN_IF_ERROR(names().Rename(source, target));
  const uint64_t name = MixName(target.name, MixName(source.name));
  disk_.NameChanged(source.inode->device, Mix(name, source.inode->id));
  return absl::OkStatus();
}

absl::Status SimulatedFileSystem::Remove(std::string_view path) {
  HW_ASSIGN_OR_RETURN(const Inode* const inode, Find(path));
  const size_t device = inode->device;
  HW_RETURN_IF_ERROR(disk_.BeginNameChange(process_, device));
  HW_ASSIGN_OR_RETURN(const NameTree::Place place, names().Resolve(path));
  HW_RETURN_IF_ERROR(names().Remove(place));
  disk_.NameChanged(device, Mix(MixName(place.name), place.inode->id));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<DirectoryEntry>> SimulatedFileSystem::List(std::string_view directory) {
  HW_ASSIGN_OR_RETURN(const Inode* const inode, Find(directory));
  if (!inode->is_directory()) {
    return absl::FailedPreconditionError(fmt::format("\"{}\" is not a directory", directory));
  }
  if (inode->names->empty()) disk_.ObserveAbsence(inode->device);
  std::vector<DirectoryEntry> entries;
  entries.reserve(inode->names->size());
  for (const auto& [name, child] : *inode->names) entries.push_back({name, child->kind});
  return entries;
}

absl::StatusOr<FileInfo> SimulatedFileSystem::Stat(std::string_view path) {
  HW_ASSIGN_OR_RETURN(const Inode* const inode, Find(path));
  return FileInfo{.kind = inode->kind, .size = inode->content.size(), .modified = inode->modified};
}

absl::Status SimulatedFileSystem::SyncDirectory(std::string_view directory) {
  HW_ASSIGN_OR_RETURN(Inode* const inode, Find(directory));
  if (!inode->is_directory()) {
    return absl::FailedPreconditionError(fmt::format("\"{}\" is not a directory", directory));
  }
  return disk_.SyncDirectory(process_, *inode);
}

absl::StatusOr<std::unique_ptr<core::FileLock>> SimulatedFileSystem::Lock(std::string_view path) {
  HW_ASSIGN_OR_RETURN(Inode* const inode, FindOrCreate(path, OpenMode::kCreate));
  if (inode->is_directory()) {
    return absl::FailedPreconditionError(fmt::format("\"{}\" is a directory", path));
  }
  if (inode->locked) {
    return absl::FailedPreconditionError(fmt::format("the lock \"{}\" is held", path));
  }
  return std::make_unique<HeldLock>(*this, *inode);
}

absl::StatusOr<uint64_t> SimulatedFileSystem::FreeSpace(std::string_view path) {
  HW_ASSIGN_OR_RETURN(const Inode* const inode, Find(path));
  disk_.ObserveFull(inode->device);
  return disk_.model().free(inode->device);
}

}  // namespace highwater::sim
