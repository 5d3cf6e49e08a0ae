#pragma once

// SessionRules: what a session decides, each decision a function of its own, so that it is tested
// and can be replaced alone.
//
// Follows ZooKeeper facts 1.2, 1.3, 2.4, 4.4. The default-made table holds the rules.

#include <absl/time/time.h>

#include <cstddef>

#include "broker/zookeeper/types.h"
#include "broker/zookeeper/wire/records.h"

namespace highwater::broker::zookeeper {

// Where a watch stands at the server, and so what fires it [4.4].
enum class WatchKind : uint8_t { kNone, kData, kExist, kChild };

struct SessionRules {
  SessionRules();

  // [1.2] Whether this answer says that the session is over: the only thing that ever says so. A
  // client that goes on gets a new session and never learns that its ephemerals are gone.
  bool (*IsOver)(const ConnectResponse& answer);
  // [2.3] What a request is told whose connection went before its answer came. It may have been
  // applied: no other code is true.
  ErrorCode (*AnswerOfLost)(OpCode op);
  // [2.4] The watch that a read leaves behind: none if it failed, except that exists of a missing
  // node waits for it to be created.
  WatchKind (*WatchOf)(OpCode op, ErrorCode error);
  // [2.4] Whether watches of this kind are set again on a new connection.
  bool (*MustSetAgain)(WatchKind kind);
  // [2.4] Whether this answer is the oldest request's. A server answers in order; anything else
  // ends the connection.
  bool (*IsAnswerTo)(Xid oldest, Xid answer);
  // [1.3] The last zxid seen, after an answer with this one. It keeps reads from going back in
  // time on another server, and tells setWatches since when a change counts.
  Zxid (*LastSeen)(Zxid before, Zxid of_answer);
};

// [2.4] How long a server may take to be connected, and to answer the handshake.
[[nodiscard]] absl::Duration ConnectTimeout(absl::Duration session_timeout, size_t servers);
// [2.4] How long a server may be silent. A third of the session's time is left to find another.
[[nodiscard]] absl::Duration ReadTimeout(absl::Duration session_timeout);
// [2.4] After what time without sending anything a ping goes out.
[[nodiscard]] absl::Duration PingAfter(absl::Duration read_timeout);

}  // namespace highwater::broker::zookeeper
