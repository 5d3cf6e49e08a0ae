#pragma once

// Ids and passwords of sessions.
//
//   SessionIds ids(ServerId(1), wall_ms, greatest_known);
//   SessionId id = ids.Next();
//   core::Bytes password = PasswordOf(id);
//
// Follows ZooKeeper facts 1.2: the functions are Apache's, so that data directories and sessions
// may move between its servers and ours.

#include "broker/zookeeper/types.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

// 16 bytes, the same on every server.
[[nodiscard]] core::Bytes PasswordOf(SessionId session);

class SessionIds {
 public:
  // `clock_ms` is any clock that does not stand still over restarts. Ids are greater than
  // `greatest_known` of this server, should the clock have gone back.
  SessionIds(ServerId server, int64_t clock_ms, SessionId greatest_known);
  [[nodiscard]] SessionId Next();

 private:
  int64_t next_;
};

}  // namespace highwater::broker::zookeeper
