#pragma once

// What a RequestProcessor keeps of each connection and each request. For its own sources only.

#include "broker/zookeeper/server/request_processor.h"

namespace highwater::broker::zookeeper {

struct RequestProcessor::Connection {
  ConnectionId id;
  std::string host;
  uint16_t port = 0;
  State state = State::kFresh;
  bool says_read_only = false;  // its handshake had the byte, and so has the answer [1.2]
  SessionId session;
  int32_t timeout_ms = 0;
  std::vector<Id> ids;
  // Frames that came before the handshake was over.
  std::deque<core::Bytes> early;
  int64_t silent_until_ms = 0;
  int64_t outstanding = 0;
  ConnectionStats stats;
};

// A request in its session's queue.
struct RequestProcessor::Waiting {
  ConnectionId connection;
  ClientRequest request;
  OpKind kind = OpKind::kRead;
  int64_t arrived_ms = 0;
};

}  // namespace highwater::broker::zookeeper
