#include "broker/zookeeper/client/zookeeper_session.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "broker/zookeeper/client/chroot.h"
#include "core/mark.h"

namespace highwater::broker::zookeeper {

using core::MonotonicTime;

namespace {

bool WatchOf(const Request& request) {
  return std::visit(
      [](const auto& record) {
        if constexpr (requires { record.watch; }) {
          return record.watch;
        } else {
          return false;
        }
      },
      request);
}

}  // namespace

std::string_view SessionStateName(ZooKeeperSession::State state) {
  constexpr std::string_view kNames[] = {"new",       "backing off", "dialing",     "greeting",
                                         "connected", "expired",     "auth failed", "closed"};
  return kNames[static_cast<size_t>(state)];
}

ZooKeeperSession::ZooKeeperSession(const SessionOptions& options, const SessionRules& rules)
    : options_(options),
      rules_(rules),
      random_(options.key),
      order_(options.servers),
      session_timeout_(options.session_timeout),
      password_(core::Bytes::Zeros(kPasswordSize)),
      last_zxid_(options.last_zxid) {
  HW_CHECK(options.servers > 0, "a session without servers");
  std::iota(order_.begin(), order_.end(), size_t{0});
  for (size_t left = order_.size(); left > 1; --left) {
    const size_t chosen = random_.Below(left);
    std::swap(order_[left - 1], order_[chosen]);
  }
}

bool ZooKeeperSession::IsPresent(Attempt attempt) const {
  return attempt == attempt_ &&
         (state_ == State::kDialing || state_ == State::kGreeting || state_ == State::kConnected);
}

// ---- Connecting.

void ZooKeeperSession::Start(MonotonicTime now, SessionEffects& effects) {
  HW_CHECK(state_ == State::kNew, "a session is started twice");
  Dial(now, effects);
}

void ZooKeeperSession::BackOff(MonotonicTime now, SessionEffects& effects) {
  absl::Duration wait;
  if (was_connected_ && options_.reconnect_jitter > absl::ZeroDuration()) {
    wait =
        absl::Nanoseconds(random_.Between(0, absl::ToInt64Nanoseconds(options_.reconnect_jitter)));
  }
  if (failures_ > 0 && failures_ % order_.size() == 0) wait += options_.round_delay;
  if (wait <= absl::ZeroDuration()) return Dial(now, effects);
  state_ = State::kBackingOff;
  wake_at_ = now + wait;
}

void ZooKeeperSession::Dial(MonotonicTime now, SessionEffects& effects) {
  state_ = State::kDialing;
  ++attempt_;
  last_heard_ = now;
  const size_t server = order_[next_server_];
  next_server_ = (next_server_ + 1) % order_.size();
  effects.emplace_back(DialServer{attempt_, server});
}

void ZooKeeperSession::OnConnected(Attempt attempt, MonotonicTime now, SessionEffects& effects) {
  if (!IsDialing(attempt)) return;
  state_ = State::kGreeting;
  last_heard_ = now;
  const Handshake<ConnectRequest> greeting{
      .record = {.last_zxid_seen = last_zxid_,
                 .timeout_ms =
                     static_cast<int32_t>(absl::ToInt64Milliseconds(options_.session_timeout)),
                 .session_id = session_id_,
                 .password = password_},
      .read_only = false};
  Send(EncodeHandshake(greeting), now, effects);
}

void ZooKeeperSession::OnGreeted(core::Bytes frame, MonotonicTime now, SessionEffects& effects) {
  const auto answer = DecodeHandshake<ConnectResponse>(std::move(frame));
  if (!answer.ok()) return LoseConnection(now, effects);
  // [1.2] A time-out of 0 is the only authoritative word that the session is over.
  if (rules_.IsOver(answer->record)) {
    return closing_
               ? End(State::kClosed, KeeperState::kClosed, ErrorCode::kSessionExpired, effects)
               : End(State::kExpired, KeeperState::kExpired, ErrorCode::kSessionExpired, effects);
  }
  if (was_connected_) HW_MARK("zookeeper_session_reattached");
  state_ = State::kConnected;
  failures_ = 0;
  was_connected_ = true;
  session_id_ = answer->record.session_id;
  password_ = answer->record.password;
  if (answer->record.timeout_ms > 0) {
    session_timeout_ = absl::Milliseconds(answer->record.timeout_ms);
  }
  effects.emplace_back(ChangeState{KeeperState::kSyncConnected});
  SendAfterHandshake(now, effects);
}

// [2.4] Who we are, before anything that needs it; the watches, before any request that could show
// a change that they are for; then what was queued.
void ZooKeeperSession::SendAfterHandshake(MonotonicTime now, SessionEffects& effects) {
  for (const AuthInfo& info : options_.auths) {
    const AuthPacket packet{.scheme = info.scheme, .auth = info.auth};
    Send(EncodeFrame(RequestHeader{kAuthXid, AuthPacket::kOp}, packet), now, effects);
  }
  for (const SetWatchesRequest& request : watches_.ToSetAgain(last_zxid_, rules_)) {
    Send(EncodeFrame(RequestHeader{kSetWatchesXid, SetWatchesRequest::kOp}, request), now, effects);
  }
  for (Outstanding& request : queued_) {
    Send(std::exchange(request.frame, {}), now, effects);
    sent_.push_back(std::move(request));
  }
  queued_.clear();
  if (closing_) SendCloseSession(now, effects);
}

void ZooKeeperSession::Send(core::Bytes frame, MonotonicTime now, SessionEffects& effects) {
  last_sent_ = now;
  effects.emplace_back(SendBytes{std::move(frame)});
}

// ---- What the server says.

void ZooKeeperSession::OnFrame(Attempt attempt, core::Bytes frame, MonotonicTime now,
                               SessionEffects& effects) {
  if (!IsPresent(attempt) || state_ == State::kDialing) return;
  last_heard_ = now;
  if (state_ == State::kGreeting) return OnGreeted(std::move(frame), now, effects);
  JuteReader reader(std::move(frame));
  ReplyHeader header;
  reader(header);
  if (!reader.status().ok()) return LoseConnection(now, effects);
  if (header.xid == kPingXid) return;
  if (header.xid == kNotificationXid) return OnNotification(reader, now, effects);
  if (header.xid == kAuthXid) return OnAuthAnswer(header, effects);
  if (header.xid == kSetWatchesXid) {
    // Watches that are not armed would be waited for in vain: better to try another connection.
    if (header.error != ErrorCode::kOk) LoseConnection(now, effects);
    return;
  }
  OnAnswer(header, reader, now, effects);
}

void ZooKeeperSession::OnNotification(JuteReader& reader, MonotonicTime now,
                                      SessionEffects& effects) {
  WatcherEvent event;
  reader(event);
  if (!reader.status().ok()) return LoseConnection(now, effects);
  if (watches_.Take(event)) effects.emplace_back(DeliverEvent{std::move(event)});
}

void ZooKeeperSession::OnAuthAnswer(const ReplyHeader& header, SessionEffects& effects) {
  if (header.error == ErrorCode::kOk) return;
  End(State::kAuthFailed, KeeperState::kAuthFailed, ErrorCode::kAuthFailed, effects);
}

void ZooKeeperSession::OnAnswer(const ReplyHeader& header, JuteReader& reader, MonotonicTime now,
                                SessionEffects& effects) {
  if (sent_.empty() && close_xid_ != Xid(0) && header.xid == close_xid_) {
    return End(State::kClosed, KeeperState::kClosed, ErrorCode::kSessionExpired, effects);
  }
  // [2.4] An answer out of order belongs to nobody that we know of, and so do those behind it.
  if (sent_.empty() || !rules_.IsAnswerTo(sent_.front().xid, header.xid)) {
    HW_MARK("zookeeper_answer_out_of_order");
    return LoseConnection(now, effects);
  }
  const Outstanding& request = sent_.front();
  auto response = DecodeResponse(request.op, header, reader);
  if (!response.ok()) return LoseConnection(now, effects);
  last_zxid_ = rules_.LastSeen(last_zxid_, header.zxid);
  if (request.watch) {
    watches_.Register(rules_.WatchOf(request.op, header.error), request.path);
  }
  effects.emplace_back(AnswerRequest{request.id, *std::move(response)});
  sent_.pop_front();
}

// ---- Losing and ending.

void ZooKeeperSession::OnConnectionLost(Attempt attempt, MonotonicTime now,
                                        SessionEffects& effects) {
  if (IsPresent(attempt)) LoseConnection(now, effects);
}

void ZooKeeperSession::LoseConnection(MonotonicTime now, SessionEffects& effects) {
  const bool was_connected = state_ == State::kConnected;
  effects.emplace_back(HangUp{attempt_});
  state_ = State::kBackingOff;
  close_xid_ = Xid(0);
  ++failures_;
  AnswerAll(rules_.AnswerOfLost, effects);
  if (was_connected) effects.emplace_back(ChangeState{KeeperState::kDisconnected});
  if (closing_ && session_id_ == kNoSession) {  // nothing is left to end
    return End(State::kClosed, KeeperState::kClosed, ErrorCode::kSessionExpired, effects);
  }
  BackOff(now, effects);
}

void ZooKeeperSession::End(State state, KeeperState told, ErrorCode answer,
                           SessionEffects& effects) {
  const bool open =
      state_ == State::kDialing || state_ == State::kGreeting || state_ == State::kConnected;
  if (open) effects.emplace_back(HangUp{attempt_});
  state_ = state;
  AnswerAll([answer](OpCode) { return answer; }, effects);
  effects.emplace_back(ChangeState{told});
}

void ZooKeeperSession::AnswerAll(absl::FunctionRef<ErrorCode(OpCode)> answer,
                                 SessionEffects& effects) {
  for (std::deque<Outstanding>* requests : {&sent_, &queued_}) {
    for (const Outstanding& request : *requests) {
      effects.emplace_back(AnswerRequest{request.id, Response{.error = answer(request.op)}});
    }
    requests->clear();
  }
}

// ---- What its user wants.

Xid ZooKeeperSession::NextXid() {
  const Xid xid = next_xid_;
  next_xid_ = xid.value() == std::numeric_limits<int32_t>::max() ? Xid(1) : xid + 1;
  return xid;
}

void ZooKeeperSession::Submit(RequestId id, const Request& request, MonotonicTime now,
                              SessionEffects& effects) {
  if (over() || closing_) {
    const ErrorCode error =
        state_ == State::kAuthFailed ? ErrorCode::kAuthFailed : ErrorCode::kSessionExpired;
    effects.emplace_back(AnswerRequest{id, Response{.error = error}});
    return;
  }
  Outstanding entry{.id = id, .xid = NextXid(), .op = OpCodeOf(request), .watch = WatchOf(request)};
  if (entry.watch) entry.path = PathOf(request);
  core::Bytes frame = EncodeRequest(entry.xid, request);
  if (state_ == State::kConnected) {
    Send(std::move(frame), now, effects);
    sent_.push_back(std::move(entry));
    return;
  }
  entry.frame = std::move(frame);
  queued_.push_back(std::move(entry));
}

void ZooKeeperSession::Close(MonotonicTime now, SessionEffects& effects) {
  if (over() || std::exchange(closing_, true)) return;
  if (state_ == State::kConnected) return SendCloseSession(now, effects);
  // Without a session there is nothing to end. During a first handshake the server may be making
  // one: it is waited for, so that it does not linger.
  if (session_id_ == kNoSession && state_ != State::kGreeting) {
    End(State::kClosed, KeeperState::kClosed, ErrorCode::kSessionExpired, effects);
  }
}

void ZooKeeperSession::SendCloseSession(MonotonicTime now, SessionEffects& effects) {
  close_xid_ = NextXid();
  Send(EncodeFrame(RequestHeader{close_xid_, CloseSessionRequest::kOp}), now, effects);
}

void ZooKeeperSession::Abandon(SessionEffects& effects) {
  if (!over()) End(State::kClosed, KeeperState::kClosed, ErrorCode::kSessionExpired, effects);
}

// ---- Time.

MonotonicTime ZooKeeperSession::next_tick() const {
  switch (state_) {
    case State::kBackingOff:
      return wake_at_;
    case State::kDialing:
    case State::kGreeting:
      return last_heard_ + ConnectTimeout(session_timeout_, order_.size());
    case State::kConnected: {
      const absl::Duration silence = ReadTimeout(session_timeout_);
      return std::min(last_heard_ + silence, last_sent_ + PingAfter(silence));
    }
    default:
      return MonotonicTime::Never();
  }
}

void ZooKeeperSession::OnTick(MonotonicTime now, SessionEffects& effects) {
  if (now < next_tick()) return;
  switch (state_) {
    case State::kBackingOff:
      return Dial(now, effects);
    case State::kDialing:
    case State::kGreeting:
      return LoseConnection(now, effects);
    case State::kConnected:
      if (now >= last_heard_ + ReadTimeout(session_timeout_)) {
        HW_MARK("zookeeper_server_silent");
        return LoseConnection(now, effects);
      }
      return Send(EncodeFrame(RequestHeader{kPingXid, OpCode::kPing}), now, effects);
    default:
      return;
  }
}

}  // namespace highwater::broker::zookeeper
