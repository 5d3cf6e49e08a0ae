#pragma once

// SessionTranscript: a session whose inputs are calls and whose effects are read as text, for
// tests.
//
//   SessionTranscript session({.servers = 3});
//   EXPECT_EQ(session.Start(), "dial #1 server 2");
//   EXPECT_EQ(session.Connected(), "send connect session 0 zxid 0 time-out 18000");

#include <fmt/format.h>

#include <string>
#include <vector>

#include "broker/zookeeper/client/zookeeper_session.h"
#include "broker/zookeeper/wire/frame.h"

namespace highwater::broker::zookeeper::testing {

// A frame as a server reads it, without its length.
inline std::string DescribeFrame(const core::Bytes& frame, bool handshake) {
  core::Bytes body = frame;
  body.RemovePrefix(4);
  if (handshake) {
    const auto greeting = DecodeHandshake<ConnectRequest>(body);
    HW_CHECK(greeting.ok(), "{}", greeting.status().ToString());
    return fmt::format("connect session {} zxid {} time-out {}", greeting->record.session_id,
                       greeting->record.last_zxid_seen, greeting->record.timeout_ms);
  }
  JuteReader reader(body);
  RequestHeader header;
  reader(header);
  if (header.type == OpCode::kSetWatches) {
    SetWatchesRequest request;
    reader(request);
    return fmt::format("setWatches zxid {} data [{}] exist [{}] child [{}]", request.relative_zxid,
                       fmt::join(request.data_watches, " "), fmt::join(request.exist_watches, " "),
                       fmt::join(request.child_watches, " "));
  }
  if (header.type == OpCode::kAuth) {
    AuthPacket packet;
    reader(packet);
    return fmt::format("auth {} {}", packet.scheme, packet.auth->view());
  }
  return fmt::format("{} xid {}", OpCodeName(header.type), header.xid);
}

class SessionTranscript {
 public:
  explicit SessionTranscript(SessionOptions options = {}, SessionRules rules = {})
      : session(options, rules) {}

  std::string Start() {
    return Step([&] { session.Start(now, effects_); });
  }
  std::string Connected() { return Connected(attempt); }
  std::string Connected(Attempt of) {
    handshake_ = true;
    return Step([&] { session.OnConnected(of, now, effects_); });
  }
  // The answer to the handshake; a time-out of 0 says that the session is over.
  std::string Greeted(int64_t id = 7, int32_t timeout_ms = 18000) {
    const core::Bytes frame = EncodeHandshake(
        Handshake<ConnectResponse>{.record = {.timeout_ms = timeout_ms,
                                              .session_id = SessionId(id),
                                              .password = core::Bytes::Zeros(kPasswordSize)},
                                   .read_only = false});
    return Frame(frame);
  }
  template <typename Body = Empty>
  std::string Answered(int32_t xid, int64_t zxid, ErrorCode error = ErrorCode::kOk,
                       const Body& body = {}) {
    const ReplyHeader header{Xid(xid), Zxid(zxid), error};
    if (error != ErrorCode::kOk) return Frame(EncodeFrame(header));
    return Frame(EncodeFrame(header, body));
  }
  std::string Notified(WatchEventType type, std::string path) {
    return Frame(EncodeFrame(ReplyHeader{kNotificationXid, Zxid(-1), ErrorCode::kOk},
                             WatcherEvent{.type = type, .path = std::move(path)}));
  }
  std::string Frame(core::Bytes frame) {
    frame.RemovePrefix(4);
    return Raw(std::move(frame));
  }
  std::string Raw(core::Bytes body) {
    return Step([&] { session.OnFrame(attempt, std::move(body), now, effects_); });
  }
  std::string Lost() { return Lost(attempt); }
  std::string Lost(Attempt of) {
    return Step([&] { session.OnConnectionLost(of, now, effects_); });
  }
  std::string Submit(uint64_t id, const Request& request) {
    return Step([&] { session.Submit(RequestId(id), request, now, effects_); });
  }
  std::string Close() {
    return Step([&] { session.Close(now, effects_); });
  }
  std::string Abandon() {
    return Step([&] { session.Abandon(effects_); });
  }
  // Time passes; the session's ticks come when they are due.
  std::string Pass(absl::Duration time) {
    const core::MonotonicTime until = now + time;
    std::string all;
    while (session.next_tick() <= until) {
      now = std::max(now, session.next_tick());
      const std::string step = Step([&] { session.OnTick(now, effects_); });
      if (!step.empty()) all += (all.empty() ? "" : "; ") + step;
    }
    now = until;
    return all;
  }
  // Connects and answers the handshake.
  void Open(int64_t id = 7, int32_t timeout_ms = 18000) {
    if (session.state() == ZooKeeperSession::State::kNew) Start();
    Connected();
    Greeted(id, timeout_ms);
  }

  core::MonotonicTime now = core::MonotonicTime::FromNanos(1'000'000'000);
  Attempt attempt;  // the last one that was dialled
  ZooKeeperSession session;
  std::vector<Response> responses;  // in the order in which they came

 private:
  template <typename Act>
  std::string Step(Act act) {
    effects_.clear();
    act();
    std::vector<std::string> lines;
    for (const SessionEffect& effect : effects_) {
      lines.push_back(std::visit([this](const auto& e) { return this->Describe(e); }, effect));
    }
    return fmt::format("{}", fmt::join(lines, "; "));
  }
  std::string Describe(const DialServer& effect) {
    attempt = effect.attempt;
    return fmt::format("dial #{} server {}", effect.attempt, effect.server);
  }
  std::string Describe(const HangUp& effect) { return fmt::format("hang up #{}", effect.attempt); }
  std::string Describe(const SendBytes& effect) {
    const bool handshake = std::exchange(handshake_, false);
    return "send " + DescribeFrame(effect.frame, handshake);
  }
  std::string Describe(const AnswerRequest& effect) {
    responses.push_back(effect.response);
    return fmt::format("answer {} {}", effect.id, ErrorCodeName(effect.response.error));
  }
  std::string Describe(const DeliverEvent& effect) {
    return fmt::format("event {} {}", WatchEventTypeName(effect.event.type), effect.event.path);
  }
  std::string Describe(const ChangeState& effect) {
    return fmt::format("state {}", KeeperStateName(effect.state));
  }

  bool handshake_ = false;
  SessionEffects effects_;
};

}  // namespace highwater::broker::zookeeper::testing
