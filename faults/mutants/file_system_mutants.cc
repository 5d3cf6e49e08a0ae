#include "faults/mutants/file_system_mutants.h"

#include "core/crc32c.h"
#include "core/status_macros.h"
#include "faults/mutants/forwarding_file_system.h"

namespace highwater::faults {
namespace {

class LyingFile final : public ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;
  absl::Status Sync() override { return absl::OkStatus(); }
};

class LyingSync final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  absl::StatusOr<std::shared_ptr<core::File>> Open(std::string_view path,
                                                   core::OpenMode mode) override {
    auto file = inner().Open(path, mode);
    if (!file.ok()) return file;
    return std::make_shared<LyingFile>(*std::move(file));
  }
  absl::Status SyncDirectory(std::string_view) override { return absl::OkStatus(); }
};

// The sync is made, what it said is not heard.
class DeafFile final : public ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;
  absl::Status Sync() override {
    static_cast<void>(inner().Sync());
    return absl::OkStatus();
  }
};

// Files whose path ends with `suffix` are wrapped.
template <typename WrappedFile>
class WrappingFileSystem final : public ForwardingFileSystem {
 public:
  WrappingFileSystem(core::FileSystem& inner, std::string_view suffix)
      : ForwardingFileSystem(inner), suffix_(suffix) {}
  absl::StatusOr<std::shared_ptr<core::File>> Open(std::string_view path,
                                                   core::OpenMode mode) override {
    auto file = inner().Open(path, mode);
    if (!file.ok() || !path.ends_with(suffix_)) return file;
    return std::make_shared<WrappedFile>(*std::move(file));
  }

 private:
  std::string_view suffix_;
};

class UnsyncedDirectories final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  absl::Status SyncDirectory(std::string_view) override { return absl::OkStatus(); }
};

// The new content is written over the old one, where a rename would have put it in its place.
class RewrittenCheckpoints final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  absl::Status Rename(std::string_view from, std::string_view to) override {
    if (!from.ends_with(".tmp")) return inner().Rename(from, to);
    HW_ASSIGN_OR_RETURN(const auto source, inner().Open(from, core::OpenMode::kRead));
    HW_ASSIGN_OR_RETURN(const uint64_t size, source->Size());
    HW_ASSIGN_OR_RETURN(const core::ByteChain content, source->ReadAt(0, size));
    HW_ASSIGN_OR_RETURN(const auto target, inner().Open(to, core::OpenMode::kCreate));
    HW_RETURN_IF_ERROR(target->Truncate(0));
    HW_RETURN_IF_ERROR(target->WriteAt(0, content));
    return inner().Remove(from);
  }
};

class LastingSnapshots final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  absl::Status Remove(std::string_view path) override {
    if (!path.ends_with(".snapshot")) return inner().Remove(path);
    return inner().Stat(path).status();
  }
};

// Where a record batch of format v2 keeps its length and its checksum, and what the checksum
// covers.
constexpr size_t kLengthAt = 8;
constexpr size_t kLengthCountsFrom = 12;
constexpr size_t kCrcAt = 17;
constexpr size_t kCrcCoversFrom = 21;
constexpr size_t kHeaderBytes = 61;

uint32_t Load32(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

void AlterBatches(std::string& content) {
  for (size_t begin = 0; begin + kHeaderBytes + 2 < content.size();) {
    const size_t end = begin + kLengthCountsFrom + Load32(content, begin + kLengthAt);
    if (end > content.size()) return;
    // The last byte counts the record's headers; the one before ends its value.
    content[end - 2] = static_cast<char>(content[end - 2] ^ 1);
    const auto* data = reinterpret_cast<const uint8_t*>(content.data());
    const uint32_t crc =
        core::Crc32c({data + begin + kCrcCoversFrom, end - begin - kCrcCoversFrom});
    for (size_t i = 0; i < 4; ++i)
      content[begin + kCrcAt + i] = static_cast<char>(crc >> (24 - 8 * i));
    begin = end;
  }
}

class AlteringFile final : public ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;
  absl::Status WriteAt(uint64_t offset, const core::ByteChain& data) override {
    std::string content = data.ToString();
    AlterBatches(content);
    return inner().WriteAt(offset, core::Bytes::Copy(content));
  }
};

class AlteredRecords final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  absl::StatusOr<std::shared_ptr<core::File>> Open(std::string_view path,
                                                   core::OpenMode mode) override {
    auto file = inner().Open(path, mode);
    if (!file.ok() || !path.ends_with(".log")) return file;
    return std::make_shared<AlteringFile>(*std::move(file));
  }
};

// As after a stop whose marker stays: the directory looks as if nothing had happened since.
class LastingCleanMarker final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  absl::Status Remove(std::string_view path) override {
    if (!path.ends_with("/.kafka_cleanshutdown")) return inner().Remove(path);
    return inner().Stat(path).status();
  }
};

class StaleLock final : public ForwardingFileSystem {
 public:
  StaleLock(core::FileSystem& inner, uint64_t run_id)
      : ForwardingFileSystem(inner), run_id_(run_id) {}
  absl::StatusOr<std::unique_ptr<core::FileLock>> Lock(std::string_view path) override {
    if (run_id_ > 1) return absl::FailedPreconditionError("the lock is held");
    return inner().Lock(path);
  }

 private:
  uint64_t run_id_;
};

}  // namespace

std::unique_ptr<core::FileSystem> MakeLyingSync(core::FileSystem& inner) {
  return std::make_unique<LyingSync>(inner);
}
std::unique_ptr<core::FileSystem> MakeSwallowedSyncErrors(core::FileSystem& inner) {
  return std::make_unique<WrappingFileSystem<DeafFile>>(inner, "");
}
std::unique_ptr<core::FileSystem> MakeUnsyncedSegments(core::FileSystem& inner) {
  return std::make_unique<WrappingFileSystem<LyingFile>>(inner, ".log");
}
std::unique_ptr<core::FileSystem> MakeUnsyncedDirectories(core::FileSystem& inner) {
  return std::make_unique<UnsyncedDirectories>(inner);
}
std::unique_ptr<core::FileSystem> MakeRewrittenCheckpoints(core::FileSystem& inner) {
  return std::make_unique<RewrittenCheckpoints>(inner);
}
std::unique_ptr<core::FileSystem> MakeLastingSnapshots(core::FileSystem& inner) {
  return std::make_unique<LastingSnapshots>(inner);
}
std::unique_ptr<core::FileSystem> MakeAlteredRecords(core::FileSystem& inner) {
  return std::make_unique<AlteredRecords>(inner);
}
std::unique_ptr<core::FileSystem> MakeLastingCleanMarker(core::FileSystem& inner) {
  return std::make_unique<LastingCleanMarker>(inner);
}
std::unique_ptr<core::FileSystem> MakeStaleLock(core::FileSystem& inner, uint64_t run_id) {
  return std::make_unique<StaleLock>(inner, run_id);
}

}  // namespace highwater::faults
