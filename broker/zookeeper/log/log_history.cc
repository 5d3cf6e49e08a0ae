#include "broker/zookeeper/log/log_history.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

absl::StatusOr<std::unique_ptr<LogHistory>> LogHistory::OpenAfter(
    core::Environment& env, const DataDirectories& directories, Zxid after, Zxid last) {
  HW_ASSIGN_OR_RETURN(const DataFiles found, ListDataFiles(env.files, directories));
  std::unique_ptr<LogHistory> history(new LogHistory(env, directories, after, last));
  // From the last file that begins at `after` or before it; of what begins with the first
  // transaction, from there.
  auto first = std::upper_bound(found.logs.begin(), found.logs.end(), after);
  if (first != found.logs.begin()) --first;
  history->files_.assign(first, found.logs.end());
  HW_RETURN_IF_ERROR(history->FindStart());
  return history;
}

absl::Status LogHistory::FindStart() {
  const Zxid wanted = at_;
  // Zxid 0 has no record.
  if (wanted == Zxid(0)) {
    if (last_ == Zxid(0) || (!files_.empty() && MayFollow(wanted, files_.front()))) {
      return absl::OkStatus();
    }
    return absl::OutOfRangeError("the log does not begin with the first transaction");
  }
  while (true) {
    HW_ASSIGN_OR_RETURN(const std::optional<Txn> txn, Read());
    if (txn.has_value() && txn->header.zxid == wanted) return absl::OkStatus();
    if (!txn.has_value() || txn->header.zxid > wanted) {
      return absl::OutOfRangeError(fmt::format("the log does not hold 0x{:x}", wanted.value()));
    }
  }
}

absl::StatusOr<std::optional<Txn>> LogHistory::Read() {
  while (true) {
    if (reader_ == nullptr) {
      if (files_.empty()) return std::nullopt;
      const std::string path = directories_.LogPath(files_.front());
      files_.pop_front();
      HW_ASSIGN_OR_RETURN(reader_, LogFileReader::Open(env_, path));
    }
    HW_ASSIGN_OR_RETURN(std::optional<LogRecord> record, reader_->Next());
    if (record.has_value()) return std::move(record->txn);
    reader_.reset();
  }
}

absl::StatusOr<std::optional<Txn>> LogHistory::Next() {
  if (at_ >= last_) return std::nullopt;
  HW_ASSIGN_OR_RETURN(std::optional<Txn> txn, Read());
  if (!txn.has_value() || !MayFollow(at_, txn->header.zxid)) {
    return absl::DataLossError(
        fmt::format("the log does not hold what comes behind 0x{:x}", at_.value()));
  }
  at_ = txn->header.zxid;
  return txn;
}

}  // namespace highwater::broker::zookeeper
