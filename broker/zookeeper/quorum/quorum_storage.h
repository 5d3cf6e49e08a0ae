#pragma once

// QuorumStorage: what a server of an ensemble has on its disk and, as a tree, in memory: log,
// snapshots, epochs. Carries out the disk's effects of Zab's machines, in order.
//
//   QuorumStorage storage(env, directories, options, fibers, listener);
//   HW_RETURN_IF_ERROR(storage.Recover());
//   storage.Append(txn);                          // … listener.OnLogDurable(zxid)
//   storage.StoreCurrentEpoch(epoch, [] {...});   // called when it is durable
//   const Txn txn = storage.TakeLogged(zxid);     // it is committed: to be applied to tree()
//   storage.WaitUntilDry();  storage.RollForward();      // a term is over
//
// Follows ZooKeeper facts 3.1, 3.6, 3.10. Invariants:
//   1. What is queued beside the log (epochs, cuts, installations) is done one after the other; a
//      cut or an installation closes the log first, and recovers anew behind it.
//   2. The tree holds the history up to what was last taken by TakeLogged; after RollForward, and
//      after a cut or an installation, all of it.
//   3. After OnStorageFailed nothing more is said to be done.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/zookeeper/ensemble/committed_log.h"
#include "broker/zookeeper/log/transaction_log.h"
#include "core/wait_group.h"

namespace highwater::broker::zookeeper {

// None of these waits.
class QuorumStorageListener {
 public:
  virtual ~QuorumStorageListener() = default;
  virtual void OnLogDurable(Zxid through) = 0;
  // The device refused, or the files are damaged: the server has to end.
  virtual void OnStorageFailed(const absl::Status& status) = 0;
};

class QuorumStorage final : private TxnLogListener {
 public:
  // None of these callbacks waits.
  using Done = std::function<void()>;
  using Cut = std::function<void(bool done)>;
  using HistoryRead = std::function<void(std::optional<std::vector<LoggedTxn>> behind)>;

  // All outlive it; `fibers` counts its fibers.
  QuorumStorage(core::Environment& env, DataDirectories directories, TransactionLogOptions options,
                core::WaitGroup& fibers, QuorumStorageListener& listener);
  ~QuorumStorage() override;

  // REQUIRES: on a fiber, once and first.
  [[nodiscard]] absl::Status Recover();
  // What was cut or passed over, for the operator.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  void StoreAcceptedEpoch(ZabEpoch epoch, Done done);
  void StoreCurrentEpoch(ZabEpoch epoch, Done done);
  // Done with false, and nothing changed: the log cannot be cut there.
  void Truncate(Zxid zxid, Cut done);
  void Install(Zxid zxid, core::Bytes image, Done done);
  // `txn` is what `logged` says. It is durable once OnLogDurable said so.
  void Append(Txn txn);
  // The history behind `from`, up to `last` if that is durable; nullopt if the log does not hold
  // `from` or a snapshot is smaller [3.6].
  void ReadHistory(Zxid from, Zxid last, HistoryRead read);
  void MaybeTakeSnapshot();

  // The oldest transaction that was appended and not taken yet. REQUIRES: it is `zxid`.
  [[nodiscard]] Txn TakeLogged(Zxid zxid);

  // Until nothing is queued and everything appended is durable, or it failed. REQUIRES: on a fiber.
  void WaitUntilDry();
  // Applies what is in the log and was not taken. REQUIRES: dry.
  void RollForward();
  // Makes durable what was appended. REQUIRES: on a fiber; nothing is called afterwards.
  void Close();

  [[nodiscard]] DataTree& tree() { return tree_; }
  [[nodiscard]] CommittedLog& committed_log() { return committed_log_; }
  // What this server brings into a term. REQUIRES: dry and rolled forward.
  [[nodiscard]] ServerHistory History() const;
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  using Operation = std::function<absl::Status()>;
  void OnDurable(Zxid up_to) override;
  void OnFailed(const absl::Status& status) override { Fail(status); }
  // On the queue's fiber; `done` follows if it succeeds.
  void Queue(Operation operation, Done done);
  void RunQueue();
  // Loads what the files hold, and opens a log behind it.
  [[nodiscard]] absl::Status Reopen();
  [[nodiscard]] absl::Status ReplaceBy(const std::function<absl::Status()>& change);
  [[nodiscard]] absl::StatusOr<std::vector<LoggedTxn>> Read(Zxid from, Zxid last, size_t most);
  void Fail(const absl::Status& status);

  core::Environment& env_;
  const DataDirectories directories_;
  const TransactionLogOptions options_;
  core::WaitGroup& fibers_;
  QuorumStorageListener& listener_;
  std::vector<std::string> notes_;

  DataTree tree_;
  CommittedLog committed_log_;
  std::unique_ptr<TransactionLog> log_;
  std::deque<Txn> logged_;  // appended and not taken
  ZabEpoch accepted_;
  ZabEpoch current_;

  struct Queued {
    Operation operation;
    Done done;
  };
  std::deque<Queued> queue_;
  bool running_ = false;
  bool failed_ = false;
  core::WaitQueue progress_;
};

}  // namespace highwater::broker::zookeeper
