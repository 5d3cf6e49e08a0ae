#pragma once

// ZooKeeperSession: one session with an ensemble, over as many connections as it takes: what to
// connect to and when, what to send, what each answer means. A state machine without I/O;
// SessionDriver carries out its effects.
//
//   session.Start(now, effects);                       // DialServer
//   session.OnConnected(attempt, now, effects);        // SendBytes: the handshake
//   session.OnFrame(attempt, frame, now, effects);     // ChangeState, AnswerRequest, DeliverEvent
//   session.Submit(id, request, now, effects);         // SendBytes, or kept until connected
//   session.OnTick(now, effects);                      // at next_tick()
//
// Follows ZooKeeper facts 1.2, 1.3, 2.3, 2.4. Not responsible for: sockets and frames
// (session_driver.h), retries, handlers and new sessions (session_client.h), chroot.
//
// Invariants:
//   1. Every submitted request is answered exactly once, in the order of submission; what is
//   submitted after Close, or once the session is over, at once.
//   2. A request is sent at most once. One whose connection went is answered kConnectionLoss,
//   whether it was sent or not; once the session is over, kSessionExpired.
//   3. On each connection: the handshake, what authenticates, the watches, then requests.
//   4. An event is delivered before the answer to any request that the server answered after it,
//   and only to a watch that a successful read left.
//   5. The zxid that was last seen never goes back.
//   6. Only a server's word, Close or a failed authentication ends the session; silence never does.

#include <absl/functional/function_ref.h>
#include <absl/time/time.h>

#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "broker/zookeeper/client/local_watches.h"
#include "broker/zookeeper/client/request_codec.h"
#include "broker/zookeeper/client/session_rules.h"
#include "core/monotonic_time.h"
#include "core/random.h"

namespace highwater::broker::zookeeper {

// Names a request among all of one session; given by who submits.
using RequestId = core::StrongInt<struct RequestIdTag, uint64_t>;
// Names a connection, or the attempt to make one, among all of one session.
using Attempt = core::StrongInt<struct AttemptTag, uint64_t>;

// What a client proves to be on each connection [1.9].
struct AuthInfo {
  std::string scheme;
  core::Bytes auth;
};

struct SessionOptions {
  size_t servers = 1;
  absl::Duration session_timeout = absl::Seconds(18);
  std::vector<AuthInfo> auths;
  // What the client has seen in an earlier session: it must not go back in time.
  Zxid last_zxid;
  // [2.4] Before every connection after the first: a uniform draw up to this. So that clients of a
  // dead server do not arrive all at once.
  absl::Duration reconnect_jitter = absl::Seconds(1);
  // More than that, once every server was tried in vain.
  absl::Duration round_delay = absl::Seconds(1);
  // The key of the session's draws: the order of servers and the jitter.
  uint64_t key = 0;
};

// ---- Effects, to be carried out in order.

struct DialServer {
  Attempt attempt;
  size_t server = 0;
};
// Closes what was connected, or gives up the dial.
struct HangUp {
  Attempt attempt;
};
struct SendBytes {
  core::Bytes frame;
};
struct AnswerRequest {
  RequestId id;
  Response response;
};
struct DeliverEvent {
  WatcherEvent event;
};
// The state that every watcher is told [1.8].
struct ChangeState {
  KeeperState state = KeeperState::kDisconnected;
};
using SessionEffect =
    std::variant<DialServer, HangUp, SendBytes, AnswerRequest, DeliverEvent, ChangeState>;
using SessionEffects = std::vector<SessionEffect>;

class ZooKeeperSession {
 public:
  enum class State : uint8_t {
    kNew,
    kBackingOff,
    kDialing,
    kGreeting,  // the handshake is not answered yet
    kConnected,
    // The end, in three forms:
    kExpired,
    kAuthFailed,
    kClosed,
  };

  ZooKeeperSession(const SessionOptions& options, const SessionRules& rules);

  // Begins to connect. REQUIRES: not started yet.
  void Start(core::MonotonicTime now, SessionEffects& effects);
  // The dial has succeeded. This and the next two change nothing for an attempt that is not the
  // present one.
  void OnConnected(Attempt attempt, core::MonotonicTime now, SessionEffects& effects);
  // `frame` without its length.
  void OnFrame(Attempt attempt, core::Bytes frame, core::MonotonicTime now,
               SessionEffects& effects);
  // The dial has failed, or the connection ended, or it sent what is no frame.
  void OnConnectionLost(Attempt attempt, core::MonotonicTime now, SessionEffects& effects);
  // Time has come to next_tick().
  void OnTick(core::MonotonicTime now, SessionEffects& effects);
  // A read whose `watch` is set leaves a watch.
  void Submit(RequestId id, const Request& request, core::MonotonicTime now,
              SessionEffects& effects);
  // Asks the server to end the session, again after each reconnect; the state is kClosed once it
  // has. What is submitted from now on is answered kSessionExpired.
  void Close(core::MonotonicTime now, SessionEffects& effects);
  // The state is kClosed at once, whatever the server thinks: the session ends by its time-out.
  void Abandon(SessionEffects& effects);

  // When OnTick has something to do; Never() if nothing.
  [[nodiscard]] core::MonotonicTime next_tick() const;
  [[nodiscard]] State state() const { return state_; }
  // Whether this dial is still waited for.
  [[nodiscard]] bool IsDialing(Attempt attempt) const {
    return state_ == State::kDialing && attempt == attempt_;
  }
  [[nodiscard]] bool over() const { return state_ >= State::kExpired; }
  // kNoSession until the first handshake was answered.
  [[nodiscard]] SessionId session_id() const { return session_id_; }
  [[nodiscard]] Zxid last_zxid() const { return last_zxid_; }
  // As the server granted it; as it was asked for, before.
  [[nodiscard]] absl::Duration session_timeout() const { return session_timeout_; }
  [[nodiscard]] size_t watches() const { return watches_.size(); }
  [[nodiscard]] size_t outstanding() const { return sent_.size() + queued_.size(); }

 private:
  struct Outstanding {
    RequestId id;
    Xid xid;
    OpCode op = OpCode::kNotification;
    bool watch = false;
    std::string path;   // of a read with a watch
    core::Bytes frame;  // until it is sent
  };

  void BackOff(core::MonotonicTime now, SessionEffects& effects);
  void Dial(core::MonotonicTime now, SessionEffects& effects);
  void Send(core::Bytes frame, core::MonotonicTime now, SessionEffects& effects);
  void OnGreeted(core::Bytes frame, core::MonotonicTime now, SessionEffects& effects);
  void SendAfterHandshake(core::MonotonicTime now, SessionEffects& effects);
  void SendCloseSession(core::MonotonicTime now, SessionEffects& effects);
  void OnNotification(JuteReader& reader, core::MonotonicTime now, SessionEffects& effects);
  void OnAuthAnswer(const ReplyHeader& header, SessionEffects& effects);
  void OnAnswer(const ReplyHeader& header, JuteReader& reader, core::MonotonicTime now,
                SessionEffects& effects);
  // Gives up the connection, or the attempt, and answers what waited for it.
  void LoseConnection(core::MonotonicTime now, SessionEffects& effects);
  void End(State state, KeeperState told, ErrorCode answer, SessionEffects& effects);
  void AnswerAll(absl::FunctionRef<ErrorCode(OpCode)> answer, SessionEffects& effects);
  [[nodiscard]] Xid NextXid();
  [[nodiscard]] bool IsPresent(Attempt attempt) const;

  const SessionOptions options_;
  const SessionRules rules_;
  core::KeyedRandom random_;
  std::vector<size_t> order_;  // of servers, shuffled once [2.4]
  size_t next_server_ = 0;     // in order_
  size_t failures_ = 0;        // in a row
  bool was_connected_ = false;

  State state_ = State::kNew;
  bool closing_ = false;
  Attempt attempt_;
  core::MonotonicTime wake_at_;  // while kBackingOff
  core::MonotonicTime last_heard_;
  core::MonotonicTime last_sent_;
  absl::Duration session_timeout_;

  SessionId session_id_;
  core::Bytes password_;
  Zxid last_zxid_;
  Xid next_xid_{1};
  Xid close_xid_;  // of the closeSession on this connection; 0 if there is none
  LocalWatches watches_;
  std::deque<Outstanding> sent_;    // on the present connection, oldest first
  std::deque<Outstanding> queued_;  // until it is connected
};

[[nodiscard]] std::string_view SessionStateName(ZooKeeperSession::State state);

}  // namespace highwater::broker::zookeeper
