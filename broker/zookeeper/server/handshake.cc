// RequestProcessor's first message of a connection: a session is made or taken up again [1.2].

#include <algorithm>
#include <utility>

#include "broker/zookeeper/server/request_processor.h"
#include "broker/zookeeper/server/request_processor_state.h"
#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::zookeeper {

void RequestProcessor::Connect(Connection& connection, core::Bytes frame, const Instant& at,
                               Effects& out) {
  const auto message = DecodeHandshake<ConnectRequest>(std::move(frame));
  if (!message.ok()) return Close(connection, out);
  ++received_;
  ++connection.stats.received;
  const ConnectRequest& request = message->record;
  // [1.2] The client has to find a server that is as far as it is.
  if (!rules_.may_serve(request.last_zxid_seen, tree_.last_processed_zxid())) {
    HW_MARK("zk_client_ahead_of_server");
    return Close(connection, out);
  }
  connection.says_read_only = message->read_only.has_value();
  connection.timeout_ms = std::min(std::max(request.timeout_ms, config_.MinSessionTimeoutMs()),
                                   config_.MaxSessionTimeoutMs());
  connection.state = State::kAttaching;
  if (request.session_id == kNoSession) return CreateSession(connection, at, out);
  Reattach(connection, request, out);
}

void RequestProcessor::CreateSession(Connection& connection, const Instant& at, Effects& out) {
  connection.session = ids_.Next();
  attached_[connection.session] = connection.id;
  Waiting waiting{.connection = connection.id,
                  .request = {.session = connection.session,
                              .op = OpCode::kCreateSession,
                              .body = ToJute(CreateSessionTxn{.timeout_ms = connection.timeout_ms}),
                              .ids = connection.ids,
                              .owner = config_.server_id},
                  .kind = OpKind::kWrite,
                  .arrived_ms = at.now_ms};
  out.push_back(Submit{.request = waiting.request});
  queues_[connection.session].push_back(std::move(waiting));
}

void RequestProcessor::Reattach(Connection& connection, const ConnectRequest& request,
                                Effects& out) {
  // [1.2] Before the password is looked at.
  if (Connection* other = AttachedTo(request.session_id)) {
    HW_MARK("zk_session_taken_over");
    Close(*other, out);
  }
  connection.session = request.session_id;
  attached_[connection.session] = connection.id;
  const core::Bytes password = request.password.value_or(core::Bytes());
  if (password != PasswordOf(request.session_id)) {
    HW_MARK("zk_wrong_password");
    return FinishConnect(connection, false, {}, out);
  }
  out.push_back(Revalidate{.connection = connection.id,
                           .session = connection.session,
                           .timeout_ms = connection.timeout_ms});
}

void RequestProcessor::OnRevalidated(ConnectionId id, bool valid, const Instant& at, Effects& out) {
  Connection* connection = Find(id);
  if (connection == nullptr || connection->state != State::kAttaching) return;
  FinishConnect(*connection, valid, at, out);
}

void RequestProcessor::FinishConnect(Connection& connection, bool valid, const Instant& at,
                                     Effects& out) {
  if (connection.state == State::kClosing) return;
  Handshake<ConnectResponse> response;
  // [1.2] A time-out of 0: the session is over, or the password is wrong.
  response.record.password = core::Bytes::Zeros(kPasswordSize);
  if (valid) {
    response.record.timeout_ms = connection.timeout_ms;
    response.record.session_id = connection.session;
    response.record.password = PasswordOf(connection.session);
  }
  if (connection.says_read_only) response.read_only = false;
  SendTo(connection, EncodeHandshake(response), out);
  if (!valid) return Close(connection, out);
  connection.state = State::kServing;
  Heard(connection, at);
  const ConnectionId id = connection.id;
  std::deque<core::Bytes> early = std::exchange(connection.early, {});
  for (core::Bytes& frame : early) Receive(id, std::move(frame), at, out);
}

}  // namespace highwater::broker::zookeeper
