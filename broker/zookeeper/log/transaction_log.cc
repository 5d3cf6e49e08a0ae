#include "broker/zookeeper/log/transaction_log.h"

#include <fmt/format.h>

#include "broker/zookeeper/log/log_format.h"
#include "broker/zookeeper/log/purge.h"
#include "broker/zookeeper/log/snapshot_files.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

TransactionLog::TransactionLog(core::Environment& env, DataDirectories directories,
                               TransactionLogOptions options, const RecoveredDatabase& recovered)
    : env_(env),
      directories_(std::move(directories)),
      options_(options),
      last_appended_(recovered.last_logged),
      last_durable_(recovered.last_logged),
      schedule_(options.limits, env.random.Next()) {
  // What was replayed counts: a server that often stops takes snapshots too.
  schedule_.Add(recovered.replayed, recovered.replayed_bytes);
}

TransactionLog::~TransactionLog() {
  HW_CHECK(env_.fibers.unwinding() || (!writer_running_ && !snapshot_running_),
           "a transaction log is destroyed before it was closed");
}

void TransactionLog::Append(const Txn& txn) {
  const Zxid zxid = txn.header.zxid;
  HW_CHECK(listener_ != nullptr && !closing_);
  HW_CHECK(zxid > last_appended_, "0x{:x} is appended behind 0x{:x}", zxid.value(),
           last_appended_.value());
  last_appended_ = zxid;
  if (!failure_.ok()) return;
  queue_.push_back({zxid, EncodeTxn(txn)});
  schedule_.Count(queue_.back().txn.size());
  if (writer_running_) return;
  writer_running_ = true;
  env_.fibers.Spawn("zookeeper log", [this] { RunWriter(); });
}

void TransactionLog::RunWriter() {
  while (!queue_.empty()) {
    if (absl::Status status = WriteGroup(); !status.ok()) {
      Fail(std::move(status));
      break;
    }
    progress_.WakeAll();
    listener_->OnDurable(last_durable_);
  }
  writer_running_ = false;
  progress_.WakeAll();
}

absl::Status TransactionLog::WriteGroup() {
  const Zxid first = queue_.front().zxid;
  const bool is_new = file_ == nullptr;
  if (is_new) HW_RETURN_IF_ERROR(OpenNewFile(first));
  // TakeSnapshot may let go of the file while this group is on its way.
  const std::shared_ptr<core::File> file = file_;
  core::ByteChain group;
  if (is_new) group.Append(EncodeLogHeader());
  const uint64_t start = file_end_;
  Zxid last = first;
  size_t records = 0;
  const size_t most =
      env_.buggify.Fires("zookeeper.log.short_group") ? 1 : options_.max_group_records;
  while (!queue_.empty() && records < most && group.size() < options_.max_group_bytes) {
    group.Append(EncodeRecord(queue_.front().txn, start));
    last = queue_.front().zxid;
    queue_.pop_front();
    ++records;
  }
  file_end_ += group.size();
  HW_RETURN_IF_ERROR(file->WriteAt(start, group));
  HW_RETURN_IF_ERROR(file->Sync());
  if (is_new) HW_RETURN_IF_ERROR(env_.files.SyncDirectory(directories_.logs));
  ++syncs_;
  last_durable_ = last;
  return absl::OkStatus();
}

absl::Status TransactionLog::OpenNewFile(Zxid first) {
  HW_ASSIGN_OR_RETURN(
      file_, env_.files.Open(directories_.LogPath(first), core::OpenMode::kCreateExclusive));
  file_end_ = 0;
  return absl::OkStatus();
}

void TransactionLog::Fail(absl::Status status) {
  HW_MARK("zookeeper_log_failed");
  failure_ = std::move(status);
  queue_.clear();
  file_.reset();
  listener_->OnFailed(failure_);
}

void TransactionLog::TakeSnapshot(const DataTree& tree) {
  if (snapshot_running_ || closing_ || !failure_.ok()) return;
  schedule_.Begin(env_.random.Next());
  snapshot_running_ = true;
  // The next group begins a new file, so that the old one can go with an older snapshot.
  file_.reset();
  env_.fibers.Spawn("zookeeper snapshot", [this, &tree] {
    last_snapshot_ = RunSnapshot(tree);
    snapshot_running_ = false;
    progress_.WakeAll();
  });
}

absl::Status TransactionLog::WaitUntilDurable(Zxid zxid) {
  while (last_durable_ < zxid) {
    HW_RETURN_IF_ERROR(failure_);
    if (closing_ && !writer_running_) return absl::CancelledError("the log is closed");
    HW_RETURN_IF_ERROR(core::ToStatus(
        progress_.Wait(env_.fibers, "a durable transaction", core::MonotonicTime::Never()),
        "a durable transaction"));
  }
  return absl::OkStatus();
}

absl::Status TransactionLog::RunSnapshot(const DataTree& tree) {
  HW_RETURN_IF_ERROR(
      WriteSnapshot(env_, directories_, tree, [this](Zxid end) { return WaitUntilDurable(end); }));
  if (options_.retain_snapshots == 0) return absl::OkStatus();
  return PurgeDataFiles(env_.files, directories_, options_.retain_snapshots);
}

void TransactionLog::Close() {
  closing_ = true;
  while (writer_running_ || snapshot_running_) {
    progress_.Wait(env_.fibers, "the log's end", core::MonotonicTime::Never(),
                   core::Cancellation::kIgnored);
  }
  file_.reset();
}

}  // namespace highwater::broker::zookeeper
