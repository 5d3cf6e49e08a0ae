#pragma once

// MemoryTxnLog: a TxnLog without files, for tests and for worlds that never restart a server.
//
//   MemoryTxnLog log(env.fibers);
//
// Says that transactions are durable in a step of its own, several at once where several were
// appended. Follows txn_log.h's invariants.

#include <vector>

#include "broker/zookeeper/log/txn_log.h"
#include "core/wait_group.h"

namespace highwater::broker::zookeeper {

class MemoryTxnLog final : public TxnLog {
 public:
  explicit MemoryTxnLog(core::Fibers& fibers) : fibers_(fibers), pending_(fibers) {}

  void SetListener(TxnLogListener& listener) override { listener_ = &listener; }
  void Append(const Txn& txn) override {
    txns_.push_back(txn);
    if (pending_.pending() > 0) return;
    pending_.Add();
    fibers_.Spawn("memory log", [this] {
      // Done first: the listener may append, and that is another step's.
      pending_.Done();
      listener_->OnDurable(txns_.back().header.zxid);
    });
  }
  [[nodiscard]] bool SnapshotDue() const override { return false; }
  void TakeSnapshot(const DataTree&) override {}
  void Close() override {
    pending_.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
  }

  [[nodiscard]] const std::vector<Txn>& txns() const { return txns_; }

 private:
  core::Fibers& fibers_;
  core::WaitGroup pending_;
  TxnLogListener* listener_ = nullptr;
  std::vector<Txn> txns_;
};

}  // namespace highwater::broker::zookeeper
