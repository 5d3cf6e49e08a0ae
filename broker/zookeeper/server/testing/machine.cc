#include "broker/zookeeper/server/testing/machine.h"

#include <fmt/format.h>

namespace highwater::broker::zookeeper::testing {

Machine::Machine(ServerConfig c)
    : config(std::move(c)),
      sessions(config.tick_time_ms, rules),
      ids(config.server_id, 1'000'000, kNoSession),
      prep(tree, sessions, {.extended_types_enabled = config.extended_types_enabled}, rules),
      processor(tree, ids, sessions, config, rules) {
  prep.Start(Zxid(0), at.now_ms);
}

void Machine::Open(uint64_t connection) {
  processor.OnConnected(ConnectionId(connection), "10.0.0.1", 4000, at);
}

void Machine::Handshake(uint64_t connection, const ConnectRequest& request, bool with_read_only) {
  zookeeper::Handshake<ConnectRequest> message{.record = request};
  if (with_read_only) message.read_only = false;
  core::Bytes frame = EncodeHandshake(message);
  frame.RemovePrefix(4);
  Receive(connection, std::move(frame));
}

void Machine::Connect(uint64_t connection, int32_t timeout_ms) {
  Open(connection);
  Handshake(connection, {.timeout_ms = timeout_ms, .password = core::Bytes::Zeros(16)});
  CommitAll();
  lines_.clear();
}

void Machine::Reattach(uint64_t connection, uint64_t other, int32_t timeout_ms) {
  Open(connection);
  const SessionId session = SessionOf(other);
  Handshake(connection,
            {.timeout_ms = timeout_ms, .session_id = session, .password = PasswordOf(session)});
}

void Machine::Frame(uint64_t connection, Xid xid, OpCode op, core::Bytes body) {
  JuteWriter writer;
  writer(RequestHeader{.xid = xid, .type = op});
  core::BytesBuilder frame;
  frame.Append(std::move(writer).Finish().view());
  frame.Append(body.view());
  Receive(connection, std::move(frame).Freeze());
}

void Machine::Receive(uint64_t connection, core::Bytes frame) {
  Effects effects;
  processor.Receive(ConnectionId(connection), std::move(frame), at, effects);
  Perform(std::move(effects));
}

void Machine::Commit(size_t n) {
  for (; n > 0 && !proposed.empty(); --n) {
    const Txn txn = std::move(proposed.front());
    proposed.pop_front();
    Effects effects;
    processor.OnCommitted(txn, at, effects);
    prep.OnApplied(txn.header);
    Perform(std::move(effects));
  }
}

void Machine::Expire() {
  for (const SessionId session : sessions.TakeExpired(at.now_ms)) {
    Propose({.session = session, .op = OpCode::kCloseSession, .owner = config.server_id});
  }
}

void Machine::Tick() {
  Effects effects;
  processor.Tick(at, effects);
  Perform(std::move(effects));
}

void Machine::Propose(const ClientRequest& request) {
  proposed.push_back(prep.Prepare(request, {.wall_ms = at.wall_ms, .now_ms = at.now_ms}));
}

void Machine::Perform(Effects effects) {
  for (size_t i = 0; i < effects.size(); ++i) {
    const Effect effect = std::move(effects[i]);
    std::visit([&](const auto& e) { Do(e, effects); }, effect);
  }
}

void Machine::Do(const Send& send, Effects&) {
  core::Bytes frame = send.frame;
  frame.RemovePrefix(4);
  const uint64_t to = send.to.value();
  lines_.push_back(fmt::format("{}: {}", to, DescribeFrame(to, std::move(frame))));
}

void Machine::Do(const CloseConnection& close, Effects&) {
  lines_.push_back(fmt::format("{}: closed", close.connection));
  processor.OnDisconnected(close.connection);
}

void Machine::Do(const Submit& submit, Effects& more) {
  if (KindOf(submit.request.op) != OpKind::kSync) return Propose(submit.request);
  processor.OnSynced(submit.request.session, submit.request.xid, at, more);
}

void Machine::Do(const Revalidate& revalidate, Effects& more) {
  const bool valid = sessions.Touch(revalidate.session, revalidate.timeout_ms, at.now_ms);
  processor.OnRevalidated(revalidate.connection, valid, at, more);
}

std::string Machine::DescribeFrame(uint64_t connection, core::Bytes frame) {
  if (!sessions_of_.contains(connection)) {
    const auto message = DecodeHandshake<ConnectResponse>(std::move(frame));
    HW_CHECK(message.ok());
    sessions_of_[connection] = message->record.session_id;
    if (message->record.timeout_ms == 0) return "refused";
    return fmt::format("connected for {} ms{}", message->record.timeout_ms,
                       message->read_only.has_value() ? "" : " without the byte");
  }
  JuteReader reader(std::move(frame));
  ReplyHeader header;
  reader(header);
  last_[connection] = reader.Rest();
  if (header.xid == kNotificationXid) {
    const auto event = Last<WatcherEvent>(connection);
    return fmt::format("{} {}", WatchEventTypeName(event.type), event.path);
  }
  return fmt::format("reply {} zxid {}{}", header.xid, header.zxid,
                     header.error == ErrorCode::kOk ? "" : " " + ErrorCodeName(header.error));
}

}  // namespace highwater::broker::zookeeper::testing
