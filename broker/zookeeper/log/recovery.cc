#include "broker/zookeeper/log/recovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/zookeeper/log/log_file_reader.h"
#include "broker/zookeeper/log/log_tail.h"
#include "broker/zookeeper/log/snapshot_files.h"
#include "broker/zookeeper/log/snapshot_install.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

class Recovery {
 public:
  Recovery(core::Environment& env, const DataDirectories& directories)
      : env_(env), directories_(directories) {}

  absl::StatusOr<RecoveredDatabase> Run() {
    HW_RETURN_IF_ERROR(CreateDataDirectories(env_.files, directories_));
    HW_ASSIGN_OR_RETURN(found_, ListDataFiles(env_.files, directories_));
    for (const std::string& name : found_.unfinished) {
      HW_RETURN_IF_ERROR(env_.files.Remove(directories_.snapshots + "/" + name));
    }
    if (found_.installing.has_value()) {  // rule 5
      HW_RETURN_IF_ERROR(FinishInstall(env_, directories_, found_));
      found_ = DataFiles{.snapshots = {*found_.installing}};
    }
    HW_RETURN_IF_ERROR(RemoveEmptyEnd());
    if (found_.snapshots.empty()) {
      HW_RETURN_IF_ERROR(BeginAnew());
    } else {
      HW_RETURN_IF_ERROR(LoadNewestSnapshot());
    }
    HW_RETURN_IF_ERROR(ReplayLogs());
    result_.last_logged = last_;
    return std::move(result_);
  }

 private:
  // Rule 4: of a file whose first group a power loss took nothing was acknowledged.
  absl::Status RemoveEmptyEnd() {
    while (!found_.logs.empty()) {
      const Zxid first = found_.logs.back();
      const std::string path = directories_.LogPath(first);
      HW_ASSIGN_OR_RETURN(const auto reader, LogFileReader::Open(env_, path));
      HW_ASSIGN_OR_RETURN(const std::optional<LogRecord> record, reader->Next());
      if (record.has_value()) return absl::OkStatus();
      HW_ASSIGN_OR_RETURN(const core::Bytes rest, reader->Rest());
      const TailVerdict verdict = JudgeTail(rest, reader->position(), first - 1);
      if (verdict.kind == TailVerdict::Kind::kDamaged) {
        return Damaged(*reader, verdict.reason);
      }
      HW_MARK("zookeeper_empty_log_removed");
      result_.notes.push_back(fmt::format("{}: removed, it holds no transaction", path));
      HW_RETURN_IF_ERROR(env_.files.Remove(path));
      HW_RETURN_IF_ERROR(env_.files.SyncDirectory(directories_.logs));
      found_.logs.pop_back();
    }
    return absl::OkStatus();
  }

  // Rules 1 and 2.
  absl::Status BeginAnew() {
    if (!found_.logs.empty()) {
      return absl::DataLossError(fmt::format(
          "{} holds no snapshot, but {} holds transactions: what was before them is missing",
          directories_.snapshots, directories_.LogPath(found_.logs.front())));
    }
    result_.fresh = true;
    return WriteSnapshot(env_, directories_, result_.tree);
  }

  absl::Status LoadNewestSnapshot() {
    for (auto zxid = found_.snapshots.rbegin(); zxid != found_.snapshots.rend(); ++zxid) {
      absl::StatusOr<LoadedSnapshot> loaded = LoadSnapshot(env_, directories_, *zxid);
      if (loaded.ok()) {
        result_.snapshot = *zxid;
        result_.tree = std::move(loaded->tree);
        snapshot_end_ = loaded->end.value_or(*zxid);
        last_ = *zxid;
        return absl::OkStatus();
      }
      // An error of the device is no verdict on the file.
      if (!absl::IsDataLoss(loaded.status())) return loaded.status();
      HW_MARK("zookeeper_bad_snapshot");
      result_.notes.push_back(fmt::format("{}: passed over, {}", directories_.SnapshotPath(*zxid),
                                          std::string(loaded.status().message())));
    }
    return absl::DataLossError(fmt::format("none of the snapshots in {} is whole: {}",
                                           directories_.snapshots, result_.notes.back()));
  }

  // Rules 3, 4 and 6.
  absl::Status ReplayLogs() {
    // The last file that may hold the transaction behind the snapshot, and those behind it.
    auto file = std::upper_bound(found_.logs.begin(), found_.logs.end(), result_.snapshot + 1);
    if (file != found_.logs.begin()) --file;
    for (; file != found_.logs.end(); ++file) HW_RETURN_IF_ERROR(ReplayFile(*file));
    if (last_ < snapshot_end_) {
      return absl::DataLossError(fmt::format(
          "{} may hold changes up to 0x{:x}, but the log ends at 0x{:x}: transactions are missing",
          directories_.SnapshotPath(result_.snapshot), snapshot_end_.value(), last_.value()));
    }
    return absl::OkStatus();
  }

  absl::Status ReplayFile(Zxid name) {
    HW_ASSIGN_OR_RETURN(const auto reader, LogFileReader::Open(env_, directories_.LogPath(name)));
    std::optional<Zxid> before;  // in this file
    while (true) {
      const uint64_t at = reader->position();
      HW_ASSIGN_OR_RETURN(const std::optional<LogRecord> record, reader->Next());
      if (!record.has_value()) break;
      const Txn& txn = record->txn;
      const Zxid zxid = txn.header.zxid;
      const bool fits = before.has_value() ? MayFollow(*before, zxid) : zxid == name;
      if (!fits) {
        return absl::DataLossError(
            fmt::format("{}: the record behind byte {} has zxid 0x{:x}, which can not stand there",
                        reader->path(), at, zxid.value()));
      }
      before = zxid;
      if (zxid <= result_.snapshot) continue;
      HW_RETURN_IF_ERROR(Replay(*reader, txn));
      result_.replayed_bytes += reader->position() - at;
    }
    return CheckTail(*reader, name, before);
  }

  absl::Status Replay(const LogFileReader& reader, const Txn& txn) {
    if (!MayFollow(last_, txn.header.zxid)) {
      return absl::DataLossError(
          fmt::format("{}: 0x{:x} comes behind 0x{:x}: the transactions between them are missing",
                      reader.path(), txn.header.zxid.value(), last_.value()));
    }
    result_.tree.Apply(txn);
    last_ = txn.header.zxid;
    ++result_.replayed;
    return absl::OkStatus();
  }

  absl::Status CheckTail(LogFileReader& reader, Zxid name, std::optional<Zxid> before) {
    const bool is_last = name == found_.logs.back();
    if (reader.AtEnd()) return is_last ? KeepTail(reader) : absl::OkStatus();
    HW_ASSIGN_OR_RETURN(const core::Bytes rest, reader.Rest());
    const TailVerdict verdict = JudgeTail(rest, reader.position(), before.value_or(name - 1));
    if (verdict.kind == TailVerdict::Kind::kEnd && !is_last) return absl::OkStatus();
    if (verdict.kind == TailVerdict::Kind::kDamaged) return Damaged(reader, verdict.reason);
    if (!is_last) return Damaged(reader, "it is torn, and a later file exists");
    if (verdict.kind == TailVerdict::Kind::kTorn) {
      HW_MARK("zookeeper_torn_log_cut");
      result_.notes.push_back(fmt::format("{}: {} bytes behind 0x{:x} cut off, a stop tore them",
                                          reader.path(), reader.size() - reader.position(),
                                          last_.value()));
    }
    return KeepTail(reader);
  }

  // Rule 4. What was read may be in the page cache only: a process that ended without its last sync
  // leaves it there. The next file is synced by itself, so a power loss would make a hole in front
  // of it; and clients are shown these transactions from now on.
  absl::Status KeepTail(const LogFileReader& reader) {
    HW_ASSIGN_OR_RETURN(const std::shared_ptr<core::File> file,
                        env_.files.Open(reader.path(), core::OpenMode::kReadWrite));
    HW_RETURN_IF_ERROR(file->Truncate(reader.position()));
    HW_RETURN_IF_ERROR(file->Sync());
    return env_.files.SyncDirectory(directories_.logs);
  }

  absl::Status Damaged(const LogFileReader& reader, std::string_view reason) {
    return absl::DataLossError(fmt::format(
        "{}: a record at byte {} is damaged ({}); what it held was promised to somebody. Restore "
        "the file, or remove this server's data and let it copy another server's",
        reader.path(), reader.position(), reason));
  }

  core::Environment& env_;
  const DataDirectories& directories_;
  DataFiles found_;
  Zxid snapshot_end_;
  Zxid last_;
  RecoveredDatabase result_;
};

}  // namespace

absl::StatusOr<RecoveredDatabase> RecoverDatabase(core::Environment& env,
                                                  const DataDirectories& directories) {
  return Recovery(env, directories).Run();
}

}  // namespace highwater::broker::zookeeper
