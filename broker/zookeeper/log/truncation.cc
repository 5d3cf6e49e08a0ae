#include "broker/zookeeper/log/truncation.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "broker/zookeeper/log/log_file_reader.h"
#include "broker/zookeeper/log/snapshot_files.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

class Truncation {
 public:
  Truncation(core::Environment& env, const DataDirectories& directories, Zxid zxid)
      : env_(env), directories_(directories), zxid_(zxid) {}

  absl::Status Run() {
    HW_ASSIGN_OR_RETURN(found_, ListDataFiles(env_.files, directories_));
    HW_RETURN_IF_ERROR(ChooseSnapshots());
    HW_RETURN_IF_ERROR(FindCut());
    HW_RETURN_IF_ERROR(RemoveSnapshots());
    HW_RETURN_IF_ERROR(RemoveLaterFiles());
    return Cut();
  }

 private:
  // [9] Those that may hold a change behind the zxid go.
  absl::Status ChooseSnapshots() {
    bool one_stays = false;
    for (const Zxid snapshot : found_.snapshots) {
      if (snapshot > zxid_) {
        snapshots_to_go_.push_back(snapshot);
        continue;
      }
      const absl::StatusOr<LoadedSnapshot> loaded = LoadSnapshot(env_, directories_, snapshot);
      if (!loaded.ok() && !absl::IsDataLoss(loaded.status())) return loaded.status();
      // Of a snapshot that does not say up to where it may reach the worst is to be taken.
      const bool stays = loaded.ok() && loaded->end.has_value() && *loaded->end <= zxid_;
      one_stays |= stays;
      if (!stays) snapshots_to_go_.push_back(snapshot);
    }
    if (one_stays) return absl::OkStatus();
    return absl::OutOfRangeError(
        fmt::format("no snapshot is known to hold nothing behind 0x{:x}", zxid_.value()));
  }

  absl::Status FindCut() {
    auto file = std::upper_bound(found_.logs.begin(), found_.logs.end(), zxid_);
    later_.assign(file, found_.logs.end());
    if (file != found_.logs.begin()) {
      --file;
      HW_ASSIGN_OR_RETURN(const auto reader,
                          LogFileReader::Open(env_, directories_.LogPath(*file)));
      while (true) {
        HW_ASSIGN_OR_RETURN(const std::optional<LogRecord> record, reader->Next());
        if (!record.has_value() || record->txn.header.zxid > zxid_) break;
        if (record->txn.header.zxid != zxid_) continue;
        cut_file_ = reader->path();
        cut_at_ = reader->position();
        return absl::OkStatus();
      }
    }
    // Or the zxid is that of a snapshot, and the log begins behind it.
    const bool is_snapshot =
        std::binary_search(found_.snapshots.begin(), found_.snapshots.end(), zxid_);
    const bool goes = std::find(snapshots_to_go_.begin(), snapshots_to_go_.end(), zxid_) !=
                      snapshots_to_go_.end();
    if (is_snapshot && !goes) return absl::OkStatus();
    return absl::OutOfRangeError(fmt::format("the log does not hold 0x{:x}", zxid_.value()));
  }

  absl::Status RemoveSnapshots() {
    for (const Zxid snapshot : snapshots_to_go_) {
      HW_RETURN_IF_ERROR(env_.files.Remove(directories_.SnapshotPath(snapshot)));
    }
    return env_.files.SyncDirectory(directories_.snapshots);
  }

  // The last one first, each durably: a power loss must not leave a hole.
  absl::Status RemoveLaterFiles() {
    for (auto file = later_.rbegin(); file != later_.rend(); ++file) {
      HW_RETURN_IF_ERROR(env_.files.Remove(directories_.LogPath(*file)));
      HW_RETURN_IF_ERROR(env_.files.SyncDirectory(directories_.logs));
    }
    return absl::OkStatus();
  }

  absl::Status Cut() {
    if (cut_file_.empty()) return absl::OkStatus();
    HW_ASSIGN_OR_RETURN(const std::shared_ptr<core::File> file,
                        env_.files.Open(cut_file_, core::OpenMode::kReadWrite));
    HW_RETURN_IF_ERROR(file->Truncate(cut_at_));
    return file->Sync();
  }

  core::Environment& env_;
  const DataDirectories& directories_;
  const Zxid zxid_;
  DataFiles found_;
  std::vector<Zxid> snapshots_to_go_;
  std::vector<Zxid> later_;  // log files
  std::string cut_file_;
  uint64_t cut_at_ = 0;
};

}  // namespace

absl::Status TruncateTo(core::Environment& env, const DataDirectories& directories, Zxid zxid) {
  return Truncation(env, directories, zxid).Run();
}

}  // namespace highwater::broker::zookeeper
