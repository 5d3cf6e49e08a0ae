#include "core/file_system.h"

#include "core/status_macros.h"

namespace highwater::core {
namespace {

std::string_view ParentOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

absl::StatusOr<ByteChain> ReadExactly(File& file, uint64_t offset, size_t length) {
  ByteChain result;
  while (result.size() < length) {
    HW_ASSIGN_OR_RETURN(ByteChain part,
                        file.ReadAt(offset + result.size(), length - result.size()));
    if (part.empty()) {
      return absl::OutOfRangeError(
          fmt::format("file ends {} bytes short of {}", length - result.size(), offset + length));
    }
    result.Append(part);
  }
  return result;
}

absl::StatusOr<std::string> ReadWholeFile(FileSystem& files, std::string_view path) {
  HW_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, files.Open(path, OpenMode::kRead));
  std::string content;
  while (true) {
    HW_ASSIGN_OR_RETURN(const ByteChain part, file->ReadAt(content.size(), 1 << 20));
    if (part.empty()) return content;
    content += part.ToString();
  }
}

absl::Status CreateDirectories(FileSystem& files, std::string_view path) {
  absl::Status status = files.CreateDirectory(path);
  if (absl::IsNotFound(status) && path != ParentOf(path)) {
    HW_RETURN_IF_ERROR(CreateDirectories(files, ParentOf(path)));
    status = files.CreateDirectory(path);
  }
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

absl::Status RemoveAll(FileSystem& files, std::string_view path) {
  const absl::StatusOr<FileInfo> info = files.Stat(path);
  if (absl::IsNotFound(info.status())) return absl::OkStatus();
  HW_RETURN_IF_ERROR(info.status());
  if (info->kind == FileInfo::Kind::kDirectory) {
    HW_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, files.List(path));
    for (const DirectoryEntry& entry : entries) {
      HW_RETURN_IF_ERROR(RemoveAll(files, fmt::format("{}/{}", path, entry.name)));
    }
  }
  return files.Remove(path);
}

absl::Status WriteFileAtomically(FileSystem& files, std::string_view path,
                                 std::string_view content) {
  const std::string temporary = fmt::format("{}.tmp", path);
  {
    HW_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, files.Open(temporary, OpenMode::kCreate));
    HW_RETURN_IF_ERROR(file->Truncate(0));
    HW_RETURN_IF_ERROR(file->WriteAt(0, Bytes::Copy(content)));
    HW_RETURN_IF_ERROR(file->Sync());
  }
  HW_RETURN_IF_ERROR(files.Rename(temporary, path));
  return files.SyncDirectory(ParentOf(path));
}

}  // namespace highwater::core
