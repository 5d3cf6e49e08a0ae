#pragma once

// TransactionLog: the TxnLog on files.
//
//   HW_ASSIGN_OR_RETURN(RecoveredDatabase database, RecoverDatabase(env, directories));
//   TransactionLog log(env, directories, {.limits = {.transactions = config.snap_count}},
//   database); log.SetListener(server);
//   ... log.Append(txn) ... log.Close();
//
// A fiber writes what is queued in groups: one write, one sync, one word to the listener; it ends
// when the queue is dry. Another one writes a snapshot. Follows ZooKeeper facts 3.10 (batches, a
// new file at start and with each snapshot, directories synced), 3.11; hazards 1 and 67.
//
// Invariants, beside those of TxnLog:
//   1. A group is written when the one before it is durable: a power loss can tear one at most.
//   2. A new file's name is durable before its first group is said to be.
//   3. After a failed write or sync nothing is written and nothing said any more.
//   4. A snapshot gets its name when the log is durable up to what the snapshot's nodes may hold.
//
// On the fiber of its owner: construction, TakeSnapshot, Close. Destroyed after Close, or while its
// process unwinds.

#include <absl/status/status.h>

#include <deque>
#include <memory>
#include <string>

#include "broker/zookeeper/log/recovery.h"
#include "broker/zookeeper/log/snapshot_schedule.h"
#include "broker/zookeeper/log/txn_log.h"
#include "core/environment.h"
#include "core/wait_queue.h"

namespace highwater::broker::zookeeper {

struct TransactionLogOptions {
  SnapshotLimits limits;
  // Snapshots kept when a new one was written, with the logs that they need; 0 keeps everything
  // [autopurge.snapRetainCount].
  int32_t retain_snapshots = 0;
  // What one sync may cover [3.10].
  size_t max_group_records = 1000;
  size_t max_group_bytes = 4 << 20;
};

class TransactionLog final : public TxnLog {
 public:
  TransactionLog(core::Environment& env, DataDirectories directories, TransactionLogOptions options,
                 const RecoveredDatabase& recovered);
  ~TransactionLog() override;

  // TxnLog.
  void SetListener(TxnLogListener& listener) override { listener_ = &listener; }
  void Append(const Txn& txn) override;
  [[nodiscard]] bool SnapshotDue() const override {
    return schedule_.Due() && !snapshot_running_ && failure_.ok();
  }
  void TakeSnapshot(const DataTree& tree) override;
  void Close() override;

  // The last zxid appended, and the last one on the device.
  [[nodiscard]] Zxid last_appended() const { return last_appended_; }
  [[nodiscard]] Zxid last_durable() const { return last_durable_; }
  // Why it said OnFailed.
  [[nodiscard]] const absl::Status& failure() const { return failure_; }
  // How the last snapshot ended. One that failed is tried again when the next one is due: without
  // it nothing is lost, the log is only longer.
  [[nodiscard]] const absl::Status& last_snapshot() const { return last_snapshot_; }

  // For statistics.
  [[nodiscard]] int64_t syncs() const { return syncs_; }

 private:
  struct Entry {
    Zxid zxid;
    core::Bytes txn;
  };
  void RunWriter();
  [[nodiscard]] absl::Status WriteGroup();
  [[nodiscard]] absl::Status OpenNewFile(Zxid first);
  void Fail(absl::Status status);
  [[nodiscard]] absl::Status RunSnapshot(const DataTree& tree);
  [[nodiscard]] absl::Status WaitUntilDurable(Zxid zxid);

  core::Environment& env_;
  const DataDirectories directories_;
  const TransactionLogOptions options_;
  TxnLogListener* listener_ = nullptr;

  std::deque<Entry> queue_;
  std::shared_ptr<core::File> file_;  // none: the next group begins a new one
  uint64_t file_end_ = 0;
  Zxid last_appended_;
  Zxid last_durable_;
  int64_t syncs_ = 0;
  SnapshotSchedule schedule_;
  absl::Status last_snapshot_;
  absl::Status failure_;
  bool writer_running_ = false;
  bool snapshot_running_ = false;
  bool closing_ = false;
  core::WaitQueue progress_;  // something became durable, failed, or a fiber ended
};

}  // namespace highwater::broker::zookeeper
