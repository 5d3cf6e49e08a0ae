#include "broker/zookeeper/server/request_processor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/zookeeper/server/request_processor_state.h"
#include "broker/zookeeper/tree/acl.h"
#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::zookeeper {

namespace {

// [2.2] The step in which silent connections are found.
constexpr int64_t kSilenceStepMs = 10'000;

int64_t SilentUntil(int64_t now_ms, int64_t timeout_ms) {
  return ((now_ms + timeout_ms) / kSilenceStepMs + 1) * kSilenceStepMs;
}

// Answers outside of the order of transactions carry these [1.4, 1.9].
constexpr Zxid kUnorderedZxid{-1};
constexpr Zxid kAuthZxid{0};

}  // namespace

RequestProcessor::RequestProcessor(DataTree& tree, SessionIds& ids, SessionGate& gate,
                                   const ServerConfig& config, const ZooKeeperRules& rules)
    : tree_(tree), ids_(ids), gate_(gate), config_(config), rules_(rules), reads_(tree, watches_) {}

RequestProcessor::~RequestProcessor() = default;

RequestProcessor::Connection* RequestProcessor::Find(ConnectionId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

RequestProcessor::Connection* RequestProcessor::AttachedTo(SessionId session) {
  const auto found = attached_.find(session);
  return found == attached_.end() ? nullptr : Find(found->second);
}

void RequestProcessor::Heard(Connection& connection, const Instant& at) {
  const int64_t timeout_ms =
      connection.state == State::kServing ? connection.timeout_ms : kSilenceStepMs;
  connection.silent_until_ms = SilentUntil(at.now_ms, timeout_ms);
}

void RequestProcessor::OnConnected(ConnectionId id, const std::string& host, uint16_t port,
                                   const Instant& at) {
  auto connection = std::make_unique<Connection>();
  connection->id = id;
  connection->host = host;
  connection->port = port;
  connection->ids = {{"ip", host}};
  connection->stats.since_ms = at.wall_ms;
  Heard(*connection, at);
  HW_CHECK(connections_.empty() || connections_.rbegin()->first < id, "connection ids must grow");
  connections_.emplace(id, std::move(connection));
}

void RequestProcessor::OnDisconnected(ConnectionId id) {
  Connection* connection = Find(id);
  if (connection == nullptr) return;
  watches_.RemoveAll(id);
  const SessionId session = connection->session;
  if (AttachedTo(session) == connection) attached_.erase(session);
  outstanding_ -= connection->outstanding;
  connections_.erase(id);
  // Its reads are nobody's any more. Its writes are under way: they stay at their place, so that
  // the session's next requests are behind them on the next connection too.
  const auto queue = queues_.find(session);
  if (queue == queues_.end()) return;
  std::erase_if(queue->second, [&](const Waiting& waiting) {
    return waiting.connection == id &&
           (waiting.kind == OpKind::kRead || waiting.kind == OpKind::kUnknown);
  });
  if (queue->second.empty()) queues_.erase(queue);
}

void RequestProcessor::SendTo(Connection& connection, core::Bytes frame, Effects& out) {
  if (connection.state == State::kClosing) return;
  ++sent_;
  ++connection.stats.sent;
  out.push_back(Send{.to = connection.id, .frame = std::move(frame)});
}

void RequestProcessor::Close(Connection& connection, Effects& out) {
  if (connection.state == State::kClosing) return;
  connection.state = State::kClosing;
  connection.early.clear();
  if (AttachedTo(connection.session) == &connection) attached_.erase(connection.session);
  watches_.RemoveAll(connection.id);
  out.push_back(CloseConnection{.connection = connection.id});
}

void RequestProcessor::Receive(ConnectionId id, core::Bytes frame, const Instant& at,
                               Effects& out) {
  Connection* connection = Find(id);
  if (connection == nullptr) return;
  switch (connection->state) {
    case State::kFresh:
      Heard(*connection, at);
      return Connect(*connection, std::move(frame), at, out);
    case State::kAttaching:
      connection->early.push_back(std::move(frame));
      return;
    case State::kServing:
      return ReceiveRequest(*connection, std::move(frame), at, out);
    case State::kClosing:
      return;
  }
}

void RequestProcessor::ReceiveRequest(Connection& connection, core::Bytes frame, const Instant& at,
                                      Effects& out) {
  Heard(connection, at);
  ++received_;
  ++connection.stats.received;
  JuteReader reader(std::move(frame));
  RequestHeader header;
  reader(header);
  if (!reader.status().ok()) return Close(connection, out);
  connection.stats.last_op = header.type;
  connection.stats.last_xid = header.xid;
  // [1.1] Outside of the order.
  if (header.type == OpCode::kAuth) return Authenticate(connection, header.xid, reader, out);
  if (header.type == OpCode::kSasl) {
    // A server without a login configuration has nothing to say, and says that [1.9].
    return SendTo(connection, EncodeReply(header.xid, kAuthZxid, {.body = SaslResponse{}}), out);
  }
  // [2.2] Of a session that is being closed: its connection is closed soon after.
  if (!gate_.Touch(connection.session, connection.timeout_ms, at.now_ms)) return;
  Waiting waiting{.connection = connection.id,
                  .request = {.session = connection.session,
                              .xid = header.xid,
                              .op = header.type,
                              .body = reader.Rest(),
                              .ids = connection.ids,
                              .owner = config_.server_id},
                  .kind = KindOf(header.type),
                  .arrived_ms = at.now_ms};
  ++outstanding_;
  ++connection.outstanding;
  if (waiting.kind == OpKind::kWrite || waiting.kind == OpKind::kSync) {
    out.push_back(Submit{.request = waiting.request});
  }
  const SessionId session = connection.session;
  queues_[session].push_back(std::move(waiting));
  Drain(session, at, out);
}

// [1.9] Any scheme that we know only adds an id; any other ends the connection.
void RequestProcessor::Authenticate(Connection& connection, Xid xid, JuteReader reader,
                                    Effects& out) {
  AuthPacket packet;
  reader(packet);
  if (!reader.status().ok()) return Close(connection, out);
  if (packet.scheme == "digest") {
    const std::string_view proof =
        packet.auth.has_value() ? packet.auth->view() : std::string_view();
    const Id id{"digest", DigestId(proof)};
    if (std::ranges::find(connection.ids, id) == connection.ids.end()) connection.ids.push_back(id);
  } else if (packet.scheme != "ip") {
    SendTo(connection, EncodeReply(xid, kAuthZxid, {.error = ErrorCode::kAuthFailed}), out);
    return Close(connection, out);
  }
  SendTo(connection, EncodeReply(xid, kAuthZxid, {}), out);
}

void RequestProcessor::Drain(SessionId session, const Instant& at, Effects& out) {
  while (true) {
    const auto queue = queues_.find(session);
    if (queue == queues_.end()) return;
    const OpKind kind = queue->second.front().kind;
    if (kind == OpKind::kWrite || kind == OpKind::kSync) return;
    const Waiting waiting = std::move(queue->second.front());
    queue->second.pop_front();
    if (queue->second.empty()) queues_.erase(queue);
    AnswerRead(waiting, at, out);
  }
}

void RequestProcessor::AnswerRead(const Waiting& waiting, const Instant& at, Effects& out) {
  Connection* connection = Find(waiting.connection);
  // A connection that was closed in between sets no watches.
  if (connection == nullptr || connection->state == State::kClosing) return;
  if (waiting.kind == OpKind::kUnknown) {
    HW_MARK("zk_unknown_operation");
    const Reply refused{.error = ErrorCode::kUnimplemented};
    SendTo(*connection, EncodeReply(waiting.request.xid, kUnorderedZxid, refused), out);
    return Close(*connection, out);
  }
  const auto answered = reads_.Answer(waiting.request, waiting.connection);
  for (const WatcherEvent& event : answered.missed) {
    SendTo(*connection, EncodeNotification(event.type, event.path), out);
  }
  Answer(waiting, answered.reply, at, out);
}

void RequestProcessor::Answer(const Waiting& waiting, const Reply& reply, const Instant& at,
                              Effects& out) {
  Connection* connection = Find(waiting.connection);
  if (connection == nullptr || connection->state == State::kClosing) return;
  --outstanding_;
  --connection->outstanding;
  // [2.3] Never said to a client: its session is served elsewhere by now.
  if (reply.error == ErrorCode::kSessionMoved) return Close(*connection, out);
  latency_.Add(at.now_ms - waiting.arrived_ms);
  connection->stats.latency.Add(at.now_ms - waiting.arrived_ms);
  connection->stats.last_zxid = tree_.last_processed_zxid();
  // [1.3] A ping is answered with the xid of pings, whatever it came with.
  const Xid xid = waiting.request.op == OpCode::kPing ? kPingXid : waiting.request.xid;
  SendTo(*connection, EncodeReply(xid, tree_.last_processed_zxid(), reply), out);
}

std::optional<RequestProcessor::Waiting> RequestProcessor::TakeHead(const TxnHeader& header) {
  const auto queue = queues_.find(header.client_id);
  if (queue == queues_.end()) return std::nullopt;
  const Waiting& head = queue->second.front();
  // A close that the server decided has no request; an error says nothing of its operation.
  const bool same_op = header.type == head.request.op || header.type == OpCode::kError;
  if (head.kind != OpKind::kWrite || head.request.xid != header.cxid || !same_op) {
    return std::nullopt;
  }
  std::optional<Waiting> taken = std::move(queue->second.front());
  queue->second.pop_front();
  if (queue->second.empty()) queues_.erase(queue);
  return taken;
}

void RequestProcessor::OnCommitted(const Txn& txn, const Instant& at, Effects& out) {
  const ApplyResult applied = tree_.Apply(txn);
  const SessionId session = txn.header.client_id;
  NotifyWatchers(applied.events, out);
  if (const auto asked = TakeHead(txn.header)) {
    Connection* connection = Find(asked->connection);
    if (asked->request.op == OpCode::kCreateSession) {
      if (connection != nullptr)
        FinishConnect(*connection, applied.error == ErrorCode::kOk, at, out);
    } else {
      Answer(*asked, ReplyTo(asked->request.op, applied), at, out);
    }
  }
  if (txn.header.type == OpCode::kCloseSession) return EndSession(session, out);
  Drain(session, at, out);
}

void RequestProcessor::OnSynced(SessionId session, Xid xid, const Instant& at, Effects& out) {
  const auto queue = queues_.find(session);
  if (queue == queues_.end()) return;
  Waiting& head = queue->second.front();
  if (head.kind != OpKind::kSync || head.request.xid != xid) return;
  const Waiting synced = std::move(head);
  queue->second.pop_front();
  if (queue->second.empty()) queues_.erase(queue);
  JuteReader reader(synced.request.body);
  SyncRequest request;
  reader(request);
  const Reply reply = reader.status().ok() ? Reply{.body = PathResponse{request.path}}
                                           : Reply{.error = ErrorCode::kMarshallingError};
  Answer(synced, reply, at, out);
  Drain(session, at, out);
}

// [2.5] The event is queued before anything that could show the change.
void RequestProcessor::NotifyWatchers(const std::vector<TreeEvent>& events, Effects& out) {
  for (const TreeEvent& event : events) {
    for (const ConnectionId watcher : watches_.Trigger(event)) {
      Connection* connection = Find(watcher);
      // [1.9] Only to those who may read the node.
      if (connection == nullptr || !IsAllowed(*event.acl, kPermRead, connection->ids)) continue;
      SendTo(*connection, EncodeNotification(event.type, event.path), out);
    }
  }
}

// [2.2] The client learns of it by the end of its connection, and when it comes again.
void RequestProcessor::EndSession(SessionId session, Effects& out) {
  if (Connection* connection = AttachedTo(session)) Close(*connection, out);
  queues_.erase(session);
}

void RequestProcessor::Tick(const Instant& at, Effects& out) {
  for (const auto& [id, connection] : connections_) {
    if (connection->state == State::kClosing || at.now_ms < connection->silent_until_ms) continue;
    HW_MARK("zk_silent_connection_closed");
    Close(*connection, out);
  }
}

int64_t RequestProcessor::OutstandingOf(ConnectionId id) const {
  const auto found = connections_.find(id);
  return found == connections_.end() ? 0 : found->second->outstanding;
}

ServerStats RequestProcessor::Stats() const {
  ServerStats stats;
  stats.latency = latency_;
  stats.packets_received = received_;
  stats.packets_sent = sent_;
  stats.connections = static_cast<int64_t>(connections_.size());
  stats.outstanding = outstanding_;
  stats.zxid = tree_.last_processed_zxid();
  stats.tree = &tree_;
  stats.watches = &watches_;
  for (const auto& [id, connection] : connections_) {
    ConnectionStats& client = stats.clients.emplace_back(connection->stats);
    client.peer = fmt::format("{}:{}", connection->host, connection->port);
    client.session = connection->session;
    client.timeout_ms = connection->timeout_ms;
    client.outstanding = connection->outstanding;
  }
  return stats;
}

void RequestProcessor::ResetStats() {
  latency_ = {};
  received_ = 0;
  sent_ = 0;
}

}  // namespace highwater::broker::zookeeper
