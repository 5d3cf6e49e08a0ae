#pragma once

// Upstream: where a server turns for what it cannot decide on its own tree: writes, syncs, whether
// a session lives. On its own it decides itself (standalone_upstream.h); in an ensemble the leader
// does, and a follower asks it (quorum/).
//
//   upstream.Submit(request);                        // … listener.OnCommitted(txn) later
//   upstream.Revalidate(connection, session, 4000);  // … listener.OnRevalidated(connection, alive)
//
// Follows ZooKeeper facts 2.1–2.3, 2.5, 3.7.

#include <absl/status/status.h>

#include "broker/zookeeper/server/client_request.h"
#include "broker/zookeeper/server/server_stats.h"
#include "broker/zookeeper/server/session_tracker.h"
#include "broker/zookeeper/tree/watch_manager.h"
#include "broker/zookeeper/txn/records.h"

namespace highwater::broker::zookeeper {

// The server that asked. None of these waits.
class UpstreamListener {
 public:
  virtual ~UpstreamListener() = default;
  // Each transaction once, in order of zxids.
  virtual void OnCommitted(const Txn& txn) = 0;
  // What was proposed when this session's sync was submitted has been committed and applied.
  virtual void OnSynced(SessionId session, Xid xid) = 0;
  virtual void OnRevalidated(ConnectionId connection, bool valid) = 0;
  // Nothing will be committed any more.
  virtual void OnUpstreamFailed(const absl::Status& status) = 0;
};

// Touches come by SessionGate. Nothing here waits, and OnCommitted is never called from within.
class Upstream : public SessionGate {
 public:
  // A write, createSession, closeSession or sync of one of this server's clients.
  virtual void Submit(const ClientRequest& request) = 0;
  virtual void Revalidate(ConnectionId connection, SessionId session, int32_t timeout_ms) = 0;
  // Once a tick.
  virtual void Tick() = 0;
  [[nodiscard]] virtual ServerMode mode() const = 0;
};

}  // namespace highwater::broker::zookeeper
