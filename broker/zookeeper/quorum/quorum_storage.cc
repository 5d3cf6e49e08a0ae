#include "broker/zookeeper/quorum/quorum_storage.h"

#include <algorithm>
#include <utility>

#include "broker/zookeeper/log/epoch_files.h"
#include "broker/zookeeper/log/log_history.h"
#include "broker/zookeeper/log/snapshot_install.h"
#include "broker/zookeeper/log/truncation.h"
#include "core/check.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

namespace {

// [3.6] A history that is longer than a third of the tree is not worth reading; one of this size
// always is.
constexpr int64_t kHistoryShare = 3;
constexpr int64_t kHistoryAlways = 1 << 20;

}  // namespace

QuorumStorage::QuorumStorage(core::Environment& env, DataDirectories directories,
                             TransactionLogOptions options, core::WaitGroup& fibers,
                             QuorumStorageListener& listener)
    : env_(env),
      directories_(std::move(directories)),
      options_(options),
      fibers_(fibers),
      listener_(listener) {}

QuorumStorage::~QuorumStorage() = default;

absl::Status QuorumStorage::Recover() {
  HW_RETURN_IF_ERROR(CreateDataDirectories(env_.files, directories_));
  HW_RETURN_IF_ERROR(Reopen());
  HW_ASSIGN_OR_RETURN(const Epochs epochs,
                      LoadEpochs(env_.files, directories_, log_->last_durable()));
  accepted_ = ZabEpoch(epochs.accepted);
  current_ = ZabEpoch(epochs.current);
  return absl::OkStatus();
}

absl::Status QuorumStorage::Reopen() {
  HW_ASSIGN_OR_RETURN(RecoveredDatabase database, RecoverDatabase(env_, directories_));
  notes_.insert(notes_.end(), database.notes.begin(), database.notes.end());
  log_ = std::make_unique<TransactionLog>(env_, directories_, options_, database);
  log_->SetListener(*this);
  tree_ = std::move(database.tree);
  logged_.clear();
  committed_log_.Clear();
  // The end of it, for servers that were away for a moment.
  const auto recent = Read(database.snapshot, database.last_logged, SIZE_MAX);
  if (!recent.ok()) return absl::OkStatus();  // the snapshot is all there is
  for (const LoggedTxn& txn : *recent) committed_log_.Add(txn);
  return absl::OkStatus();
}

ServerHistory QuorumStorage::History() const {
  HW_CHECK(logged_.empty() && queue_.empty(), "a history that is not at rest");
  return {.accepted_epoch = accepted_,
          .current_epoch = current_,
          .last_zxid = tree_.last_processed_zxid()};
}

// ---- The queue.

void QuorumStorage::Queue(Operation operation, Done done) {
  if (failed_) return;
  queue_.push_back({std::move(operation), std::move(done)});
  if (running_) return;
  running_ = true;
  fibers_.Add();
  env_.fibers.Spawn("zk quorum disk", [this] {
    RunQueue();
    fibers_.Done();
  });
}

void QuorumStorage::RunQueue() {
  while (!queue_.empty() && !failed_) {
    if (const absl::Status status = queue_.front().operation(); !status.ok()) {
      Fail(status);
      break;
    }
    const Done done = std::move(queue_.front().done);
    queue_.pop_front();
    done();
  }
  running_ = false;
  progress_.WakeAll();
}

void QuorumStorage::Fail(const absl::Status& status) {
  if (failed_) return;
  failed_ = true;
  progress_.WakeAll();
  listener_.OnStorageFailed(status);
}

void QuorumStorage::StoreAcceptedEpoch(ZabEpoch epoch, Done done) {
  Queue(
      [this, epoch] {
        HW_RETURN_IF_ERROR(zookeeper::StoreAcceptedEpoch(env_.files, directories_,
                                                         static_cast<int32_t>(epoch.value())));
        accepted_ = epoch;
        return absl::OkStatus();
      },
      std::move(done));
}

void QuorumStorage::StoreCurrentEpoch(ZabEpoch epoch, Done done) {
  Queue(
      [this, epoch] {
        HW_RETURN_IF_ERROR(zookeeper::StoreCurrentEpoch(env_.files, directories_,
                                                        static_cast<int32_t>(epoch.value())));
        current_ = epoch;
        return absl::OkStatus();
      },
      std::move(done));
}

absl::Status QuorumStorage::ReplaceBy(const std::function<absl::Status()>& change) {
  log_->Close();
  const absl::Status changed = change();
  if (!changed.ok() && !absl::IsOutOfRange(changed)) return changed;
  HW_RETURN_IF_ERROR(Reopen());
  return changed;
}

void QuorumStorage::Truncate(Zxid zxid, Cut done) {
  const auto cut = std::make_shared<bool>(false);
  Queue(
      [this, zxid, cut] {
        const absl::Status status = ReplaceBy([&] { return TruncateTo(env_, directories_, zxid); });
        if (absl::IsOutOfRange(status)) {
          HW_MARK("zk_quorum_cut_failed");
          return absl::OkStatus();
        }
        HW_RETURN_IF_ERROR(status);
        HW_CHECK(tree_.last_processed_zxid() == zxid, "cut to {:#x}, the log ends at {:#x}",
                 zxid.value(), tree_.last_processed_zxid().value());
        *cut = true;
        return absl::OkStatus();
      },
      [done = std::move(done), cut] { done(*cut); });
}

void QuorumStorage::Install(Zxid zxid, core::Bytes image, Done done) {
  Queue(
      [this, zxid, image = std::move(image)] {
        return ReplaceBy(
            [&] { return InstallSnapshot(env_, directories_, zxid, core::ByteChain(image)); });
      },
      std::move(done));
}

// ---- The log.

void QuorumStorage::Append(Txn txn) {
  log_->Append(txn);
  logged_.push_back(std::move(txn));
}

void QuorumStorage::OnDurable(Zxid up_to) {
  progress_.WakeAll();
  listener_.OnLogDurable(up_to);
}

Txn QuorumStorage::TakeLogged(Zxid zxid) {
  HW_CHECK(!logged_.empty() && logged_.front().header.zxid == zxid,
           "{:#x} is committed, but it is not what comes next in the log", zxid.value());
  Txn txn = std::move(logged_.front());
  logged_.pop_front();
  return txn;
}

void QuorumStorage::MaybeTakeSnapshot() {
  if (log_->SnapshotDue()) log_->TakeSnapshot(tree_);
}

absl::StatusOr<std::vector<LoggedTxn>> QuorumStorage::Read(Zxid from, Zxid last, size_t most) {
  HW_ASSIGN_OR_RETURN(const auto history, LogHistory::OpenAfter(env_, directories_, from, last));
  std::vector<LoggedTxn> txns;
  size_t bytes = 0;
  while (true) {
    HW_ASSIGN_OR_RETURN(const std::optional<Txn> txn, history->Next());
    if (!txn.has_value()) return txns;
    txns.push_back({txn->header.zxid, EncodeTxn(*txn)});
    bytes += txns.back().txn.size();
    if (bytes > most) return absl::OutOfRangeError("a snapshot is smaller");
  }
}

void QuorumStorage::ReadHistory(Zxid from, Zxid last, HistoryRead read) {
  const int64_t most = std::max(tree_.approximate_data_size() / kHistoryShare, kHistoryAlways);
  const Zxid durable = std::min(last, log_->last_durable());
  fibers_.Add();
  env_.fibers.Spawn("zk log history", [this, from, durable, most, read = std::move(read)] {
    auto behind = Read(from, durable, static_cast<size_t>(most));
    // Whatever is in the way, a snapshot will do.
    read(behind.ok() ? std::optional(*std::move(behind)) : std::nullopt);
    fibers_.Done();
  });
}

void QuorumStorage::WaitUntilDry() {
  while (!failed_ && (running_ || log_->last_durable() != log_->last_appended())) {
    progress_.Wait(env_.fibers, "a disk queue to run dry", core::MonotonicTime::Never(),
                   core::Cancellation::kIgnored);
  }
}

void QuorumStorage::RollForward() {
  while (!logged_.empty()) {
    HW_MARK("zk_rolled_forward");
    const Txn txn = std::move(logged_.front());
    logged_.pop_front();
    tree_.Apply(txn);
    committed_log_.Add({txn.header.zxid, EncodeTxn(txn)});
  }
}

void QuorumStorage::Close() {
  if (log_ != nullptr) log_->Close();
}

}  // namespace highwater::broker::zookeeper
