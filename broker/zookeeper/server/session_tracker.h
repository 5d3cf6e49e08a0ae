#pragma once

// SessionTracker: until when each session lives. Kept by the leader, or by a server on its own.
//
//   SessionTracker sessions(tick_ms, rules);
//   sessions.Add(id, timeout_ms, now_ms);
//   if (!sessions.Touch(id, timeout_ms, now_ms)) ...          // closing or gone
//   for (SessionId id : sessions.TakeExpired(now_ms)) ...     // to be closed
//
// Follows ZooKeeper facts 2.1 (buckets of a tick), 2.2 (closing), 2.3 (owner). Pure; time is a
// monotonic clock's milliseconds, handed in. Deadlines are not replicated: a new leader, and a
// server that starts again, gives every session a whole time-out.
//
// Invariants:
//   1. A session never expires before `timeout` has passed since it was last touched.
//   2. It is taken as expired once, and is closing from then on.

#include <absl/container/btree_set.h>

#include <map>
#include <vector>

#include "broker/zookeeper/server/rules.h"
#include "broker/zookeeper/types.h"

namespace highwater::broker::zookeeper {

// What a server on the way of a request needs to know of its session. A follower collects touches
// and asks its leader.
class SessionGate {
 public:
  virtual ~SessionGate() = default;
  // False: the session is unknown or closing, and the request is to be dropped [2.2].
  virtual bool Touch(SessionId session, int32_t timeout_ms, int64_t now_ms) = 0;
};

class SessionTracker final : public SessionGate {
 public:
  SessionTracker(int64_t tick_ms, const ZooKeeperRules& rules) : tick_ms_(tick_ms), rules_(rules) {}

  // A session that is known is touched.
  void Add(SessionId session, int32_t timeout_ms, int64_t now_ms);
  bool Touch(SessionId session, int32_t timeout_ms, int64_t now_ms) override;
  // From now on its writes are refused.
  void SetClosing(SessionId session);
  void Remove(SessionId session);

  // kOk, kSessionExpired, or kSessionMoved if another server owns it. The first to ask owns it.
  [[nodiscard]] ErrorCode CheckSession(SessionId session, ServerId owner);
  void SetOwner(SessionId session, ServerId owner);
  [[nodiscard]] bool IsKnown(SessionId session) const { return sessions_.contains(session); }

  // Sessions whose time has come, in order of their deadlines and ids; each is closing now.
  [[nodiscard]] std::vector<SessionId> TakeExpired(int64_t now_ms);
  // When TakeExpired has something to do next; INT64_MAX if never.
  [[nodiscard]] int64_t NextDeadline() const;

 private:
  struct Session {
    int64_t deadline_ms = 0;
    bool closing = false;
    bool has_owner = false;
    ServerId owner;
  };
  void LeaveBucket(SessionId session, int64_t deadline_ms);

  int64_t tick_ms_;
  const ZooKeeperRules& rules_;
  std::map<SessionId, Session> sessions_;
  std::map<int64_t, absl::btree_set<SessionId>> buckets_;  // by deadline
};

}  // namespace highwater::broker::zookeeper
