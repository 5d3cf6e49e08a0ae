#pragma once

// Broadcast: how a decided transaction becomes a committed one.
//
//   broadcast.Propose(txn);          // … OnCommitted(txn) later, in the order of the proposals
//
// What follows from a proposal is all that a server knows of how many servers there are: on its own
// a transaction is committed once the log holds it (LogBroadcast); in an ensemble once a quorum's
// logs do. Follows ZooKeeper facts 3.7.

#include <absl/status/status.h>

#include <deque>

#include "broker/zookeeper/log/txn_log.h"
#include "broker/zookeeper/txn/records.h"

namespace highwater::broker::zookeeper {

class BroadcastListener {
 public:
  virtual ~BroadcastListener() = default;
  // Must not wait. Each transaction once, in order of zxids.
  virtual void OnCommitted(const Txn& txn) = 0;
  // Nothing will be committed any more.
  virtual void OnBroadcastFailed(const absl::Status& status) = 0;
};

class Broadcast {
 public:
  virtual ~Broadcast() = default;
  // Never waits and never calls the listener from within. REQUIRES: zxids grow.
  virtual void Propose(Txn txn) = 0;
  // Proposed and not committed.
  [[nodiscard]] virtual size_t outstanding() const = 0;
};

// Of a server on its own.
class LogBroadcast final : public Broadcast, private TxnLogListener {
 public:
  // Both outlive it.
  LogBroadcast(TxnLog& log, BroadcastListener& listener) : log_(log), listener_(listener) {
    log.SetListener(*this);
  }

  void Propose(Txn txn) override {
    log_.Append(txn);
    outstanding_.push_back(std::move(txn));
  }
  [[nodiscard]] size_t outstanding() const override { return outstanding_.size(); }

 private:
  void OnDurable(Zxid up_to) override {
    while (!outstanding_.empty() && outstanding_.front().header.zxid <= up_to) {
      const Txn txn = std::move(outstanding_.front());
      outstanding_.pop_front();
      listener_.OnCommitted(txn);
    }
  }
  void OnFailed(const absl::Status& status) override { listener_.OnBroadcastFailed(status); }

  TxnLog& log_;
  BroadcastListener& listener_;
  std::deque<Txn> outstanding_;
};

}  // namespace highwater::broker::zookeeper
