#pragma once

// TxnLog: where transactions become durable. The interface; the files are behind it.
//
//   log.SetListener(*this);
//   log.Append(txn);                 // … OnDurable(txn.header.zxid) later, perhaps for several
//   if (log.SnapshotDue()) log.TakeSnapshot(tree);
//
// Follows ZooKeeper facts 3.10 (what is synced before what is said), 3.11 (when snapshots are due).
// Not responsible for: reading logs and snapshots back (recovery is another object's work, done
// before a server starts), deciding and applying transactions (server/, tree/).
//
// Invariants:
//   1. OnDurable(z) is said after every transaction up to z is on the device, in the order of the
//      appends; a batch of them may have one call, for its last.
//   2. The listener is called outside of Append: never before it returns. It may Append itself.
//   3. After OnFailed nothing more is said: what was appended and not said to be durable may or may
//      not be found by a recovery.

#include <absl/status/status.h>

#include "broker/zookeeper/tree/data_tree.h"
#include "broker/zookeeper/txn/records.h"

namespace highwater::broker::zookeeper {

class TxnLogListener {
 public:
  virtual ~TxnLogListener() = default;
  // Called on a fiber of the log; must not wait.
  virtual void OnDurable(Zxid up_to) = 0;
  // The device refused. The server has to end: it can promise nothing any more.
  virtual void OnFailed(const absl::Status& status) = 0;
};

class TxnLog {
 public:
  virtual ~TxnLog() = default;
  // Before the first Append; it outlives the log or Close was called.
  virtual void SetListener(TxnLogListener& listener) = 0;
  // Queues `txn` behind those before it. Never waits. REQUIRES: its zxid is the greatest so far.
  virtual void Append(const Txn& txn) = 0;
  // [3.11] Whether so much was appended since the last snapshot that another is due, and none is
  // being written.
  [[nodiscard]] virtual bool SnapshotDue() const = 0;
  // Begins a fuzzy snapshot and a new log file; goes on by itself on a fiber of the log, reading
  // `tree` in slices between waits. The snapshot is named by tree.last_processed_zxid() when that
  // fiber begins. No effect while another is being written. `tree` outlives the log or Close was
  // called.
  virtual void TakeSnapshot(const DataTree& tree) = 0;
  // Makes durable what was appended (the listener is told) and ends the log's fibers. REQUIRES: on
  // a fiber.
  virtual void Close() = 0;
};

}  // namespace highwater::broker::zookeeper
