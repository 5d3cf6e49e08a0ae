#pragma once

// SocketServer: accepts clients' connections, cuts requests out of them, has them answered and
// sends the answers in order.
//
//   SocketServer server(env, limits, dispatcher);
//   HW_RETURN_IF_ERROR(server.Listen(config.listener));   // clients may connect
//   server.Start();                                       // and are served
//   server.BeginStop(); server.WaitForRequests(deadline); server.CloseAll();
//
// Follows wire-protocol facts 2.1 (order), 2.2 (what closes a connection) and 1.1 (lengths).
//
// Invariants:
//   1. A connection without a request holds no fiber, and one with part of a request neither.
//   2. The next request of a connection is looked at after the answer to the one before has left;
//   so answers keep the order and
//      a client that does not read holds up nobody but itself.
//   3. Memory held for requests that have not all come is bounded over all connections: past the
//   limit, the connection whose
//      request began first is closed.
//   4. A connection is closed when nothing was asked of it for `idle`, when a request is not
//   complete or an answer not taken within
//      that time.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "broker/server/frame_assembler.h"
#include "broker/server/handlers/answer_errors.h"
#include "broker/server/request_gate.h"
#include "core/environment.h"
#include "core/wait_group.h"

namespace highwater::broker {

// Who asks, and what its request may take.
struct ClientCall {
  const core::Endpoint& peer;
  RequestGate::Ticket& ticket;
};

// Answers requests. Called on a fiber of the connection; may wait.
class RequestDispatcher {
 public:
  virtual ~RequestDispatcher() = default;
  struct Answer {
    std::optional<core::Payload> frame;  // nullopt: no answer is owed (acks=0)
    absl::AnyInvocable<void()>
        before_sending;  // called in the step in which the answer leaves; may be empty
    // Of what was asked, and what went wrong with it: for OnServed.
    int16_t api_key = -1;
    int16_t api_version = -1;
    bool from_follower = false;
    AnswerErrors errors;
  };
  // An error closes the connection without an answer.
  [[nodiscard]] virtual absl::StatusOr<Answer> Dispatch(const core::ByteChain& request,
                                                        const ClientCall& call) = 0;
  struct Served {
    absl::Duration time;  // since the whole request had come
    uint64_t request_bytes;
    uint64_t response_bytes;
  };
  // The answer has left, or could not be taken. Must not wait.
  virtual void OnServed(const Answer& /*answer*/, const Served& /*served*/) {}
};

struct SocketLimits {
  uint64_t max_request_bytes = 104857600;
  uint64_t max_requests = 500;
  uint64_t max_held_bytes = 256 << 20;  // of requests at work, and again of incomplete ones
  uint64_t max_connections = 2147483647;
  uint64_t max_connections_per_ip = 2147483647;
  std::map<std::string, int64_t> per_ip_overrides;
  absl::Duration idle = absl::Minutes(10);  // infinite: never closed
};

class SocketServer {
 public:
  // `env` and `dispatcher` outlive it.
  SocketServer(core::Environment& env, SocketLimits limits, RequestDispatcher& dispatcher);
  // REQUIRES: CloseAll was called, or its fibers are unwound.
  ~SocketServer();
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

  [[nodiscard]] absl::Status Listen(const core::Endpoint& at);
  // REQUIRES: Listen said OK.
  void Start();
  // Refuses new connections and closes those without a request at work; the others after their next
  // answer.
  void BeginStop();
  // Waits for the requests at work; false if some are left at `deadline`. REQUIRES: on a fiber,
  // after BeginStop.
  [[nodiscard]] bool WaitForRequests(core::MonotonicTime deadline);
  // Closes every connection and waits for their fibers. REQUIRES: on a fiber, after BeginStop;
  // nobody waits for records.
  void CloseAll();
  // Whether a stop has begun: long polls end early.
  [[nodiscard]] bool stopping() const { return stopping_; }

  // REQUIRES: Listen said OK.
  [[nodiscard]] const core::Endpoint& local() const { return listener_->local(); }
  [[nodiscard]] size_t connections() const { return clients_.size(); }

 private:
  class Client;

  void AcceptLoop();
  [[nodiscard]] bool MayAdmit(const core::Endpoint& peer) const;
  void Admit(std::unique_ptr<core::Connection> connection);
  void Remove(uint64_t id);
  void CloseOldestIncomplete();

  core::Environment& env_;
  SocketLimits limits_;
  RequestDispatcher& dispatcher_;
  RequestGate gate_;
  std::unique_ptr<core::Listener> listener_;
  bool stopping_ = false;
  uint64_t next_id_ = 0;
  uint64_t incomplete_bytes_ = 0;
  std::map<uint64_t, std::shared_ptr<Client>> clients_;
  std::map<std::string, int64_t, std::less<>> by_ip_;
  std::map<uint64_t, Client*> incomplete_;  // by when their request began
  uint64_t next_incomplete_ = 0;
  core::WaitGroup fibers_;  // the accept loop and connections that are served
};

}  // namespace highwater::broker
