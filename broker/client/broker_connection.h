#pragma once

// BrokerConnection: one client's connection to one broker: dials with back-off, learns the broker's
// versions, pipelines requests and gives each its response.
//
//   HW_RETURN_IF_ERROR(connection.Connect(deadline));
//   HW_ASSIGN_OR_RETURN(auto response, connection.Call(MetadataRequest{...}, deadline));
//
// Invariants:
//   1. Responses come in the order of requests, matched by correlation id; a response out of order
//   ends the connection.
//   2. Every handler of a request runs exactly once, on or off a fiber, unless the connection
//   object goes first; it must not wait.
//   3. At most max_in_flight requests are under way [N1].
//   4. Requests of one connection all have request.timeout.ms; when the oldest one's time is over
//   the connection ends, and
//      everything in flight with it.
//   5. A reply tells whether any byte of its request may have left: `written` false means that no
//   broker can ever see it.
//   6. Fibers exist only while dialling and while requests are in flight. An idle connection that
//   the broker closes is noticed.
//   7. Nothing here waits in a destructor. Fibers share the object's ownership.
//
// Not responsible for: choosing a broker (network_client.h), retrying.

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "broker/client/client_config.h"
#include "broker/protocol/api_versions.h"
#include "broker/protocol/frame.h"
#include "broker/types.h"
#include "core/environment.h"
#include "core/mutex.h"
#include "core/wait_queue.h"

namespace highwater::broker::client {

struct Reply {
  absl::Status status;    // OK, or why there is no response
  bool written = false;   // some of the request may have left; true if status is OK
  core::ByteChain frame;  // the response without its length
};
using ReplyHandler = absl::AnyInvocable<void(Reply)>;

class BrokerConnection : public std::enable_shared_from_this<BrokerConnection> {
 public:
  enum class State : uint8_t { kDisconnected, kConnecting, kReady };

  // REQUIRES: `env` outlives the connection and its fibers; held by a shared_ptr.
  BrokerConnection(core::Environment& env, const ClientConfig& config, core::Endpoint endpoint,
                   int64_t max_in_flight);
  ~BrokerConnection();
  BrokerConnection(const BrokerConnection&) = delete;
  BrokerConnection& operator=(const BrokerConnection&) = delete;

  // Waits until requests can be sent, through the back-off and one attempt to connect. Returns that
  // attempt's error.
  [[nodiscard]] absl::Status Connect(core::MonotonicTime deadline);
  [[nodiscard]] State state() const { return state_; }
  // As Connect, then waits for room in flight: CanSend() holds if OK.
  [[nodiscard]] absl::Status AwaitRoom(core::MonotonicTime deadline);
  // The last attempt to connect failed and none has begun since.
  [[nodiscard]] bool unreachable() const { return state_ == State::kDisconnected && failures_ > 0; }
  // The instant before which no attempt to connect is made.
  [[nodiscard]] core::MonotonicTime next_attempt() const { return next_attempt_; }

  [[nodiscard]] int64_t in_flight() const { return pending_; }
  [[nodiscard]] bool CanSend() const {
    return state_ == State::kReady && pending_ < max_in_flight_;
  }

  // The highest version of this request, up to `limit`, that both sides have. REQUIRES: the
  // connection was ready once.
  template <typename Request>
  [[nodiscard]] std::optional<int16_t> VersionOf(int16_t limit = Request::kHighestVersion) const {
    const VersionRange range = versions_[static_cast<size_t>(Request::kApiKey)];
    const int16_t highest = std::min(limit, range.highest);
    if (highest < std::max(Request::kLowestVersion, range.lowest)) return std::nullopt;
    return highest;
  }

  // Writes the request; may wait for room in the connection. `handler` runs once. REQUIRES:
  // CanSend(); on a fiber.
  template <typename Request>
  void Send(const Request& request, int16_t version, ReplyHandler handler) {
    const CorrelationId id = NextCorrelationId();
    SendFrame(id, protocol::EncodeRequest(id, client_id_, request, version), std::move(handler));
  }
  // Writes a request that has no response (Produce with acks=0). OK: everything was handed over.
  // `written` as in Reply.
  template <typename Request>
  [[nodiscard]] absl::Status SendWithoutResponse(const Request& request, int16_t version,
                                                 bool& written) {
    const CorrelationId id = NextCorrelationId();
    return WriteOnly(protocol::EncodeRequest(id, client_id_, request, version), written);
  }

  // Connects, waits for room in flight, sends, and waits for the response until `deadline`. A call
  // that is abandoned at its deadline or because its fiber was cancelled leaves the request in
  // flight. Unimplemented if the broker lacks the API.
  template <typename Request>
  [[nodiscard]] absl::StatusOr<typename Request::Response> Call(
      const Request& request, core::MonotonicTime deadline,
      int16_t limit = Request::kHighestVersion) {
    HW_RETURN_IF_ERROR(AwaitRoom(deadline));
    const std::optional<int16_t> version = VersionOf<Request>(limit);
    if (!version.has_value()) return absl::UnimplementedError("the broker lacks the API's version");
    const CorrelationId id = NextCorrelationId();
    auto frame = protocol::EncodeRequest(id, client_id_, request, *version);
    HW_ASSIGN_OR_RETURN(const core::ByteChain response, Exchange(id, std::move(frame), deadline));
    return protocol::DecodeResponse<typename Request::Response>(response, *version);
  }

  // Ends the connection; what is in flight fails. A later Connect dials again, after the back-off.
  void Disconnect(const absl::Status& why);
  // As Disconnect, for good.
  void Close();

  // Runs when the connection becomes ready, is lost, or an attempt fails; not on a fiber of the
  // caller, must not wait.
  void OnStateChange(absl::AnyInvocable<void()> callback) {
    on_state_change_ = std::move(callback);
  }

  [[nodiscard]] const core::Endpoint& endpoint() const { return endpoint_; }

 private:
  struct VersionRange {
    int16_t lowest = 0;
    int16_t highest = -1;
  };
  struct InFlight {
    CorrelationId id;
    core::MonotonicTime deadline;
    ReplyHandler handler;
  };
  struct PendingCall;
  using ApiVersions = std::array<VersionRange, 72>;

  CorrelationId NextCorrelationId();
  void SendFrame(CorrelationId id, absl::StatusOr<core::Payload> frame, ReplyHandler handler);
  absl::Status WriteOnly(absl::StatusOr<core::Payload> frame, bool& written);
  absl::StatusOr<core::ByteChain> Exchange(CorrelationId id, absl::StatusOr<core::Payload> frame,
                                           core::MonotonicTime deadline);

  void StartDial();
  void Dial();
  absl::StatusOr<std::shared_ptr<core::Connection>> DialAndGreet(ApiVersions& versions);
  absl::StatusOr<protocol::ApiVersionsResponse> AskVersions(core::Connection& connection,
                                                            int16_t version,
                                                            core::MonotonicTime deadline);
  void BackOff();
  void EndState(State state);

  void StartReader();
  void ReadResponses(const std::shared_ptr<core::Connection>& connection);
  // False: the connection has ended.
  bool TakeResponses(core::ByteChain& buffered);
  void WatchIdle();

  core::Environment& env_;
  const absl::Duration request_timeout_;
  const absl::Duration reconnect_backoff_;
  const absl::Duration reconnect_backoff_max_;
  const absl::Duration setup_timeout_;
  const absl::Duration setup_timeout_max_;
  const std::optional<std::string> client_id_;
  const core::Endpoint endpoint_;
  const int64_t max_in_flight_;

  State state_ = State::kDisconnected;
  bool closed_ = false;
  bool reading_ = false;
  absl::Status last_error_;
  int32_t failures_ = 0;
  core::MonotonicTime next_attempt_;
  std::shared_ptr<core::Connection>
      connection_;  // null unless ready; fibers that wait on it hold it too
  ApiVersions versions_{};
  CorrelationId next_correlation_id_{0};
  int64_t pending_ = 0;  // in flight, and waiting for their turn to be written
  std::deque<InFlight> in_flight_;
  core::Mutex writing_;
  core::WaitQueue state_changed_;
  core::WaitQueue room_;
  absl::AnyInvocable<void()> on_state_change_;
};

}  // namespace highwater::broker::client
