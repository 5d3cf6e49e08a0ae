#pragma once

// ClientRequest: a request on its way through a server, in the form in which it may also go to
// another one.
//
// Follows ZooKeeper facts 3.4 (what a REQUEST carries), 2.3 (the owner).

#include <vector>

#include "broker/zookeeper/types.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

struct ClientRequest {
  SessionId session;
  Xid xid;
  OpCode op = OpCode::kNotification;
  core::Bytes body;     // the request's record
  std::vector<Id> ids;  // who the client is, when it asked
  ServerId owner;       // the server that the client is attached to
};

// [1.4] What an operation is to a server.
enum class OpKind : uint8_t {
  kRead,     // answered from the tree
  kWrite,    // becomes a transaction
  kSync,     // waits for what is proposed
  kUnknown,  // refused: also `check` on its own, which is legal inside a multi only [1.6]
};
[[nodiscard]] OpKind KindOf(OpCode op);

}  // namespace highwater::broker::zookeeper
