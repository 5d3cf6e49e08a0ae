#include "core/os/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "core/os/errors.h"
#include "core/status_macros.h"

namespace highwater::core::os {
namespace {

constexpr mode_t kFileMode = 0644;
constexpr mode_t kDirectoryMode = 0755;

class OsFileLock final : public FileLock {
 public:
  explicit OsFileLock(Fd fd) : fd_(std::move(fd)) {}

 private:
  Fd fd_;  // the lock ends with the open file
};

int OpenFlags(OpenMode mode) {
  // Not blocking, so that opening a FIFO by mistake holds no worker; without meaning for files.
  constexpr int kAlways = O_CLOEXEC | O_NONBLOCK;
  switch (mode) {
    case OpenMode::kRead:
      return kAlways | O_RDONLY;
    case OpenMode::kReadWrite:
      return kAlways | O_RDWR;
    case OpenMode::kCreate:
      return kAlways | O_RDWR | O_CREAT;
    case OpenMode::kCreateExclusive:
      return kAlways | O_RDWR | O_CREAT | O_EXCL;
  }
  HW_UNREACHABLE();
}

int OpenRegular(const std::string& path, OpenMode mode, Fd& fd) {
  fd = Fd(open(path.c_str(), OpenFlags(mode), kFileMode));
  if (!fd.valid()) return errno;
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  return S_ISREG(info.st_mode) ? 0 : EINVAL;
}

FileInfo::Kind KindOf(const struct stat& info) {
  return S_ISDIR(info.st_mode) ? FileInfo::Kind::kDirectory : FileInfo::Kind::kFile;
}

int ListInto(const std::string& path, std::vector<DirectoryEntry>& entries) {
  DIR* const directory = opendir(path.c_str());
  if (directory == nullptr) return errno;
  int error = 0;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory);
    if (entry == nullptr) {
      error = errno;
      break;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    FileInfo::Kind kind =
        entry->d_type == DT_DIR ? FileInfo::Kind::kDirectory : FileInfo::Kind::kFile;
    if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
      struct stat info;
      if (fstatat(dirfd(directory), entry->d_name, &info, 0) == 0) kind = KindOf(info);
    }
    entries.push_back({.name = std::string(name), .kind = kind});
  }
  closedir(directory);
  std::sort(entries.begin(), entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  return error;
}

// Unlike rename(2), which lets a directory take the place of an empty one.
int RenameNoDirectory(const std::string& from, const std::string& to) {
  struct stat info;
  if (lstat(from.c_str(), &info) != 0) return errno;
  if (from == to) return 0;
  if (lstat(to.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return EISDIR;
  if (rename(from.c_str(), to.c_str()) == 0) return 0;
  return errno == EINVAL ? EBUSY : errno;  // a directory into itself
}

int SyncDirectoryAt(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno;
  return fsync(fd.get()) == 0 ? 0 : errno;
}

int LockAt(const std::string& path, Fd& fd) {
  if (const int error = OpenRegular(path, OpenMode::kCreate, fd); error != 0) return error;
  // Belongs to the open file, so two nodes of one process exclude each other too, and conflicts
  // with the lock that a Java process takes.
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) return 0;
  return errno == EAGAIN || errno == EACCES ? EBUSY : errno;
}

}  // namespace

OsFileSystem::OsFileSystem(Workers& workers, std::string root)
    : workers_(workers), root_(std::move(root)) {
  while (!root_.empty() && root_.back() == '/') root_.pop_back();
}

absl::StatusOr<std::string> OsFileSystem::Resolve(std::string_view path) const {
  if (path.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("a path holds a zero byte");
  }
  if (path.empty()) return absl::InvalidArgumentError("an empty path");
  std::vector<std::string_view> names;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    if (name != "..") {
      names.push_back(name);
    } else if (names.empty()) {
      return absl::InvalidArgumentError(fmt::format("path {} leaves the root directory", path));
    } else {
      names.pop_back();
    }
  }
  return fmt::format("{}/{}", root_, fmt::join(names, "/"));
}

absl::Status OsFileSystem::OnWorker(const std::string& path, WorkKind kind, const char* what,
                                    absl::FunctionRef<int()> work) {
  int error = 0;
  HW_RETURN_IF_ERROR(workers_.Run(workers_.LaneOf(path), kind, what, [&] { error = work(); }));
  return error == 0 ? absl::OkStatus() : FileError(error, what, path);
}

absl::StatusOr<std::shared_ptr<File>> OsFileSystem::Open(std::string_view path, OpenMode mode) {
  HW_ASSIGN_OR_RETURN(const std::string at, Resolve(path));
  Fd fd;
  HW_RETURN_IF_ERROR(
      OnWorker(at, WorkKind::kOrdinary, "open", [&] { return OpenRegular(at, mode, fd); }));
  return std::make_shared<OsFile>(workers_, workers_.LaneOf(at), std::move(fd), at);
}

absl::Status OsFileSystem::CreateDirectory(std::string_view path) {
  HW_ASSIGN_OR_RETURN(const std::string at, Resolve(path));
  return OnWorker(at, WorkKind::kOrdinary, "create directory",
                  [&] { return mkdir(at.c_str(), kDirectoryMode) == 0 ? 0 : errno; });
}

absl::Status OsFileSystem::Rename(std::string_view from, std::string_view to) {
  HW_ASSIGN_OR_RETURN(const std::string old_name, Resolve(from));
  HW_ASSIGN_OR_RETURN(const std::string new_name, Resolve(to));
  return OnWorker(old_name, WorkKind::kOrdinary, "rename",
                  [&] { return RenameNoDirectory(old_name, new_name); });
}

absl::Status OsFileSystem::Remove(std::string_view path) {
  HW_ASSIGN_OR_RETURN(const std::string at, Resolve(path));
  if (at.size() == root_.size() + 1) return FileError(EBUSY, "remove", at);
  return OnWorker(at, WorkKind::kOrdinary, "remove",
                  [&] { return remove(at.c_str()) == 0 ? 0 : errno; });
}

absl::StatusOr<std::vector<DirectoryEntry>> OsFileSystem::List(std::string_view directory) {
  HW_ASSIGN_OR_RETURN(const std::string at, Resolve(directory));
  std::vector<DirectoryEntry> entries;
  HW_RETURN_IF_ERROR(
      OnWorker(at, WorkKind::kOrdinary, "list", [&] { return ListInto(at, entries); }));
  return entries;
}

absl::StatusOr<FileInfo> OsFileSystem::Stat(std::string_view path) {
  HW_ASSIGN_OR_RETURN(const std::string at, Resolve(path));
  struct stat info;
  HW_RETURN_IF_ERROR(OnWorker(at, WorkKind::kOrdinary, "stat",
                              [&] { return stat(at.c_str(), &info) == 0 ? 0 : errno; }));
  const FileInfo::Kind kind = KindOf(info);
  return FileInfo{.kind = kind,
                  .size = kind == FileInfo::Kind::kFile ? static_cast<uint64_t>(info.st_size) : 0,
                  .modified = absl::TimeFromTimespec(info.st_mtim)};
}

absl::Status OsFileSystem::SyncDirectory(std::string_view directory) {
  HW_ASSIGN_OR_RETURN(const std::string at, Resolve(directory));
  return OnWorker(at, WorkKind::kSync, "sync directory", [&] { return SyncDirectoryAt(at); });
}

absl::StatusOr<std::unique_ptr<FileLock>> OsFileSystem::Lock(std::string_view path) {
  HW_ASSIGN_OR_RETURN(const std::string at, Resolve(path));
  Fd fd;
  HW_RETURN_IF_ERROR(OnWorker(at, WorkKind::kOrdinary, "lock", [&] { return LockAt(at, fd); }));
  return std::make_unique<OsFileLock>(std::move(fd));
}

absl::StatusOr<uint64_t> OsFileSystem::FreeSpace(std::string_view path) {
  HW_ASSIGN_OR_RETURN(const std::string at, Resolve(path));
  struct statvfs info;
  HW_RETURN_IF_ERROR(OnWorker(at, WorkKind::kOrdinary, "ask the free space of",
                              [&] { return statvfs(at.c_str(), &info) == 0 ? 0 : errno; }));
  return uint64_t{info.f_bavail} * info.f_frsize;
}

}  // namespace highwater::core::os
