#pragma once

// CommittedLog: the last transactions that were committed, in memory, so that a server that was
// away for a moment need not be sent a snapshot. Outlives terms: the machines add what they apply,
// the driver what it rolls forward through at start-up and after a term.
//
//   committed_log.Add(txn);
//   committed_log.Clear();                        // the tree was replaced or cut back
//
// Follows ZooKeeper facts 3.6. Invariant: ascending zxids without a gap. The bounds are those of
// what it holds, never numbers of their own (ZOOKEEPER-3526).

#include <deque>
#include <vector>

#include "broker/zookeeper/ensemble/ids.h"
#include "core/check.h"

namespace highwater::broker::zookeeper {

class CommittedLog {
 public:
  static constexpr size_t kDefaultCapacity = 500;

  explicit CommittedLog(size_t capacity = kDefaultCapacity) : capacity_(capacity) {}

  void Add(LoggedTxn txn) {
    HW_CHECK(txns_.empty() || Follows(txn.zxid, txns_.back().zxid), "{:#x} committed behind {:#x}",
             txn.zxid.value(), txns_.back().zxid.value());
    txns_.push_back(std::move(txn));
    if (txns_.size() > capacity_) txns_.pop_front();
  }
  void Clear() { txns_.clear(); }

  [[nodiscard]] bool empty() const { return txns_.empty(); }
  // Whether it ends where a server's history does: at an epoch's counter 0 no transaction stands.
  [[nodiscard]] bool EndsAt(Zxid last_zxid) const {
    return empty() || max() == last_zxid || (CounterOf(last_zxid) == 0 && max() < last_zxid);
  }
  // REQUIRES: not empty.
  [[nodiscard]] Zxid min() const { return txns_.front().zxid; }
  [[nodiscard]] Zxid max() const { return txns_.back().zxid; }
  [[nodiscard]] const std::deque<LoggedTxn>& txns() const { return txns_; }

 private:
  size_t capacity_;
  std::deque<LoggedTxn> txns_;
};

}  // namespace highwater::broker::zookeeper
