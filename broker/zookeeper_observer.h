#pragma once

// ZooKeeperObserver: what a server of a ZooKeeper ensemble reports of itself as it happens, for
// checks and for those who want to know who leads. As Observer: no effect on behaviour, never
// waits, never calls back; an event is reported in the step of the change that it names.
//
// Servers are named by their ids (myid), transactions by zxid and a digest of their bytes.

#include <cstdint>

namespace highwater::broker {

class ZooKeeperObserver {
 public:
  virtual ~ZooKeeperObserver() = default;

  // Its files are recovered: they hold its history up to `last_zxid` and nothing behind it.
  virtual void OnZooKeeperRecovered(int64_t /*server*/, int64_t /*last_zxid*/) {}
  // It looks for a leader: clients are not served.
  virtual void OnZooKeeperLooking(int64_t /*server*/) {}
  // A quorum follows it in this epoch: everything in its log is committed from now on.
  virtual void OnZooKeeperLeading(int64_t /*server*/, int64_t /*epoch*/) {}
  virtual void OnZooKeeperFollowing(int64_t /*server*/, int64_t /*epoch*/) {}
  // The transaction goes to the log, not durably yet.
  virtual void OnZooKeeperLogged(int64_t /*server*/, int64_t /*zxid*/, uint64_t /*digest*/) {}
  // The log was cut: it ends at `zxid`.
  virtual void OnZooKeeperTruncated(int64_t /*server*/, int64_t /*zxid*/) {}
  // A leader's snapshot is about to take the place of everything it has. If it ends meanwhile, it
  // recovers with the one or the other.
  virtual void OnZooKeeperInstalling(int64_t /*server*/, int64_t /*zxid*/) {}
  // Its history is the leader's up to `zxid` now, and nothing else.
  virtual void OnZooKeeperInstalled(int64_t /*server*/, int64_t /*zxid*/) {}
  // The transaction is committed, and applied to its tree.
  virtual void OnZooKeeperCommitted(int64_t /*server*/, int64_t /*zxid*/, uint64_t /*digest*/) {}
};

}  // namespace highwater::broker
