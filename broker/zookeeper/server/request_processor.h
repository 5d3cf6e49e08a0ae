#pragma once

// RequestProcessor: the connections of one server. Attaches them to sessions, puts their requests
// in order, answers reads, hands writes on, applies what is committed and tells who is to be told.
//
//   RequestProcessor processor(tree, ids, gate, options, rules);
//   processor.OnConnected(id, "10.0.0.7", 40312, at);
//   processor.Receive(id, frame, at, effects);       // effects: sends, closes, requests to submit
//   processor.OnCommitted(txn, at, effects);         // whoever committed it: a log alone, or Zab
//
// Follows ZooKeeper facts 1.2 (handshake), 1.3 and 1.4 (headers, operations), 2.2 (closing, silent
// connections), 2.3 (moving), 2.5 (order). Pure. Not responsible for: deciding writes (prep),
// frames and sockets (zookeeper_server.cc), deadlines of sessions (session_tracker.h).
//
// Invariants:
//   1. A session's requests take effect and are answered in the order in which they came: a read
//      waits for the session's writes in front of it, a write is handed on at once [2.5].
//   2. What a transaction tells watchers is sent before any answer that reflects it.
//   3. Nothing is sent to a connection behind its Close.
//   4. A session is attached to one connection at most.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/zookeeper/server/client_request.h"
#include "broker/zookeeper/server/read_request_processor.h"
#include "broker/zookeeper/server/reply.h"
#include "broker/zookeeper/server/rules.h"
#include "broker/zookeeper/server/server_config.h"
#include "broker/zookeeper/server/server_stats.h"
#include "broker/zookeeper/server/session_id.h"
#include "broker/zookeeper/server/session_tracker.h"
#include "broker/zookeeper/tree/data_tree.h"
#include "broker/zookeeper/tree/watch_manager.h"

namespace highwater::broker::zookeeper {

// What is to be done, in this order.
struct Send {
  ConnectionId to;
  core::Bytes frame;
};
// After everything that was sent to it before.
struct CloseConnection {
  ConnectionId connection;
};
// A write of a client, or a sync: to be prepared, here or by the leader.
struct Submit {
  ClientRequest request;
};
// Whether the session lives: to be answered by OnRevalidated.
struct Revalidate {
  ConnectionId connection;
  SessionId session;
  int32_t timeout_ms;
};
using Effect = std::variant<Send, CloseConnection, Submit, Revalidate>;
using Effects = std::vector<Effect>;

class RequestProcessor {
 public:
  struct Instant {
    int64_t now_ms = 0;  // monotonic
    int64_t wall_ms = 0;
  };

  // All outlive it.
  RequestProcessor(DataTree& tree, SessionIds& ids, SessionGate& gate, const ServerConfig& config,
                   const ZooKeeperRules& rules);
  ~RequestProcessor();

  // Ids in growing order. `host` is the client's id of scheme `ip`.
  void OnConnected(ConnectionId connection, const std::string& host, uint16_t port,
                   const Instant& at);
  // A frame without its length.
  void Receive(ConnectionId connection, core::Bytes frame, const Instant& at, Effects& out);
  // The connection is gone, whoever closed it. A session does not end with it.
  void OnDisconnected(ConnectionId connection);

  void OnRevalidated(ConnectionId connection, bool valid, const Instant& at, Effects& out);
  // Applies it. Watchers are told first, then the client that asked is answered, if it is ours.
  void OnCommitted(const Txn& txn, const Instant& at, Effects& out);
  // What was proposed when this session's sync was handed on has been committed and applied.
  void OnSynced(SessionId session, Xid xid, const Instant& at, Effects& out);
  // [2.2] Closes connections that were silent for longer than their session's time-out, or that
  // never said who they are. In steps of ten seconds, so late.
  void Tick(const Instant& at, Effects& out);

  // Requests that came and are not answered.
  [[nodiscard]] int64_t outstanding() const { return outstanding_; }
  [[nodiscard]] int64_t OutstandingOf(ConnectionId connection) const;

  [[nodiscard]] ServerStats Stats() const;
  void ResetStats();
  [[nodiscard]] const WatchManager& watches() const { return watches_; }

 private:
  enum class State : uint8_t { kFresh, kAttaching, kServing, kClosing };
  struct Connection;
  struct Waiting;
  using Queue = std::deque<Waiting>;

  void Connect(Connection& connection, core::Bytes frame, const Instant& at, Effects& out);
  void CreateSession(Connection& connection, const Instant& at, Effects& out);
  void Reattach(Connection& connection, const ConnectRequest& request, Effects& out);
  void FinishConnect(Connection& connection, bool valid, const Instant& at, Effects& out);
  void ReceiveRequest(Connection& connection, core::Bytes frame, const Instant& at, Effects& out);
  void Authenticate(Connection& connection, Xid xid, JuteReader reader, Effects& out);

  // Answers what stands at the head of a session's queue and needs no commit.
  void Drain(SessionId session, const Instant& at, Effects& out);
  void AnswerRead(const Waiting& waiting, const Instant& at, Effects& out);
  void Answer(const Waiting& waiting, const Reply& reply, const Instant& at, Effects& out);
  // Takes the head of the session's queue if it is what this transaction answers.
  [[nodiscard]] std::optional<Waiting> TakeHead(const TxnHeader& header);
  void NotifyWatchers(const std::vector<TreeEvent>& events, Effects& out);
  void EndSession(SessionId session, Effects& out);

  void SendTo(Connection& connection, core::Bytes frame, Effects& out);
  void Close(Connection& connection, Effects& out);
  [[nodiscard]] Connection* Find(ConnectionId id);
  [[nodiscard]] Connection* AttachedTo(SessionId session);
  void Heard(Connection& connection, const Instant& at);

  DataTree& tree_;
  SessionIds& ids_;
  SessionGate& gate_;
  const ServerConfig& config_;
  const ZooKeeperRules& rules_;
  WatchManager watches_;
  ReadRequestProcessor reads_;
  std::map<ConnectionId, std::unique_ptr<Connection>> connections_;
  std::map<SessionId, ConnectionId> attached_;
  std::map<SessionId, Queue> queues_;
  int64_t outstanding_ = 0;
  int64_t received_ = 0;
  int64_t sent_ = 0;
  LatencyStats latency_;
};

}  // namespace highwater::broker::zookeeper
