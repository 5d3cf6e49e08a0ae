#include "broker/client/broker_connection.h"

#include <algorithm>

#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::client {
namespace {

using core::MonotonicTime;
using core::Wake;
using protocol::ErrorCode;

// What one Read asks for: a burst of small responses, or a good part of a large one.
constexpr size_t kReadBytes = 256 << 10;
// No response is longer: fetches ask for at most fetch.max.bytes, and the first batch may exceed
// that.
constexpr size_t kMaxResponseBytes = size_t{1} << 30;
constexpr int16_t kApiVersionsVersion = 3;

}  // namespace

// What a waiting caller and its handler share, so that either may go first.
struct BrokerConnection::PendingCall {
  Reply reply;
  bool done = false;
  core::WaitQueue waiter;
};

BrokerConnection::BrokerConnection(core::Environment& env, const ClientConfig& config,
                                   core::Endpoint endpoint, int64_t max_in_flight)
    : env_(env),
      request_timeout_(config.request_timeout),
      reconnect_backoff_(config.reconnect_backoff),
      reconnect_backoff_max_(std::max(config.reconnect_backoff, config.reconnect_backoff_max)),
      setup_timeout_(config.connection_setup_timeout),
      setup_timeout_max_(
          std::max(config.connection_setup_timeout, config.connection_setup_timeout_max)),
      client_id_(config.client_id),
      endpoint_(std::move(endpoint)),
      max_in_flight_(max_in_flight),
      next_attempt_(env.clock.Now()),
      writing_(env.fibers) {}

BrokerConnection::~BrokerConnection() = default;

absl::Status BrokerConnection::Connect(MonotonicTime deadline) {
  while (true) {
    if (closed_) return absl::FailedPreconditionError("the client is closed");
    if (state_ == State::kReady) return absl::OkStatus();
    if (state_ == State::kConnecting) {
      const Wake wake = state_changed_.Wait(env_.fibers, "a connection to a broker", deadline);
      HW_RETURN_IF_ERROR(core::ToStatus(wake, "a connection to a broker"));
      if (state_ == State::kDisconnected && !closed_) return last_error_;
      continue;
    }
    if (env_.clock.Now() < next_attempt_) {
      const Wake wake = state_changed_.Wait(env_.fibers, "the reconnect back-off",
                                            std::min(deadline, next_attempt_));
      if (wake == Wake::kCancelled) return core::ToStatus(wake, "the reconnect back-off");
      if (env_.clock.Now() >= deadline) {
        return core::ToStatus(Wake::kDeadline, "the reconnect back-off");
      }
      continue;
    }
    StartDial();
  }
}

void BrokerConnection::StartDial() {
  state_ = State::kConnecting;
  env_.fibers.Spawn("client-dial", [self = shared_from_this()] { self->Dial(); });
}

void BrokerConnection::Dial() {
  ApiVersions versions{};
  auto connection = DialAndGreet(versions);
  if (closed_) return;
  if (!connection.ok()) {
    last_error_ = connection.status();
    BackOff();
    return EndState(State::kDisconnected);
  }
  connection_ = *std::move(connection);
  versions_ = versions;
  failures_ = 0;
  EndState(State::kReady);
  if (state_ == State::kReady && in_flight_.empty()) WatchIdle();
}

// The instant of the next attempt: doubles with each failure up to a bound, a fifth more or less.
void BrokerConnection::BackOff() {
  absl::Duration wait = reconnect_backoff_;
  for (int32_t i = 0; i < failures_ && wait < reconnect_backoff_max_; ++i) wait *= 2;
  wait = std::min(wait, reconnect_backoff_max_);
  failures_ = std::min(failures_ + 1, 30);
  const int64_t percent = env_.random.Between(80, 120);
  next_attempt_ = env_.clock.Now() + wait * percent / 100;
}

void BrokerConnection::EndState(State state) {
  state_ = state;
  state_changed_.WakeAll();
  room_.WakeAll();
  if (on_state_change_) on_state_change_();
}

absl::StatusOr<std::shared_ptr<core::Connection>> BrokerConnection::DialAndGreet(
    ApiVersions& versions) {
  absl::Duration timeout = setup_timeout_;
  for (int32_t i = 0; i < failures_ && timeout < setup_timeout_max_; ++i) timeout *= 2;
  timeout = std::min(timeout, setup_timeout_max_);
  HW_ASSIGN_OR_RETURN(std::shared_ptr<core::Connection> connection,
                      env_.network.Dial(endpoint_, env_.clock.Now() + timeout));
  const MonotonicTime deadline = env_.clock.Now() + request_timeout_;
  HW_ASSIGN_OR_RETURN(protocol::ApiVersionsResponse answer,
                      AskVersions(*connection, kApiVersionsVersion, deadline));
  if (answer.error_code == ErrorCode::UNSUPPORTED_VERSION) {
    HW_ASSIGN_OR_RETURN(answer, AskVersions(*connection, 0, deadline));
  }
  if (answer.error_code != ErrorCode::NONE) {
    return absl::UnavailableError("the broker refused ApiVersions");
  }
  for (const auto& api : answer.api_keys) {
    if (api.api_key < 0 || static_cast<size_t>(api.api_key) >= versions.size()) continue;
    versions[static_cast<size_t>(api.api_key)] = {api.min_version, api.max_version};
  }
  return connection;
}

absl::StatusOr<protocol::ApiVersionsResponse> BrokerConnection::AskVersions(
    core::Connection& connection, int16_t version, MonotonicTime deadline) {
  protocol::ApiVersionsRequest request;
  if (version >= 3) {
    request.client_software_name = "highwater";
    request.client_software_version = "1";
  }
  const CorrelationId id = NextCorrelationId();
  HW_ASSIGN_OR_RETURN(const core::Payload frame,
                      protocol::EncodeRequest(id, client_id_, request, version));
  HW_RETURN_IF_ERROR(connection.Write(frame, deadline));
  core::ByteChain buffered;
  while (true) {
    HW_ASSIGN_OR_RETURN(const core::ByteChain some, connection.Read(kReadBytes, deadline));
    if (some.empty()) return absl::AbortedError("the broker closed the connection");
    buffered.Append(some);
    HW_ASSIGN_OR_RETURN(const std::optional<core::ByteChain> response,
                        protocol::TakeFrame(buffered, kMaxResponseBytes));
    if (!response.has_value()) continue;
    HW_ASSIGN_OR_RETURN(const CorrelationId answered, protocol::PeekCorrelationId(*response));
    if (answered != id || !buffered.empty()) {
      return absl::InternalError("the broker answered what was not asked");
    }
    // An answer that refuses the version has the form of version 0, in which the error stands
    // first.
    protocol::Decoder decoder(*response);
    static_cast<void>(decoder.ReadInt32());
    if (static_cast<ErrorCode>(decoder.ReadInt16()) == ErrorCode::UNSUPPORTED_VERSION) {
      return protocol::DecodeResponse<protocol::ApiVersionsResponse>(*response, 0);
    }
    return protocol::DecodeResponse<protocol::ApiVersionsResponse>(*response, version);
  }
}

CorrelationId BrokerConnection::NextCorrelationId() {
  const CorrelationId id = next_correlation_id_;
  next_correlation_id_ = id.value() == 2147483639 ? CorrelationId(0) : id + 1;
  return id;
}

void BrokerConnection::SendFrame(CorrelationId id, absl::StatusOr<core::Payload> frame,
                                 ReplyHandler handler) {
  HW_CHECK(CanSend(), "a request without room in flight");
  if (!frame.ok()) return handler({.status = frame.status()});
  const std::shared_ptr<core::Connection> connection = connection_;
  ++pending_;
  core::MutexLock lock(writing_);
  if (connection != connection_) {  // lost while we waited for our turn
    --pending_;
    return handler({.status = absl::UnavailableError("the connection was lost")});
  }
  const MonotonicTime deadline = env_.clock.Now() + request_timeout_;
  if (!reading_ && in_flight_.empty()) connection->OnReadable(nullptr);
  in_flight_.push_back({id, deadline, std::move(handler)});
  const absl::Status written = connection->Write(*frame, deadline);
  if (connection != connection_) return;  // Disconnect has seen to the handler
  if (!written.ok()) return Disconnect(written);
  StartReader();
}

absl::Status BrokerConnection::WriteOnly(absl::StatusOr<core::Payload> frame, bool& written) {
  HW_CHECK(CanSend(), "a request without room in flight");
  written = false;
  HW_RETURN_IF_ERROR(frame.status());
  const std::shared_ptr<core::Connection> connection = connection_;
  ++pending_;
  core::MutexLock lock(writing_);
  --pending_;
  if (connection != connection_) return absl::UnavailableError("the connection was lost");
  written = true;
  const absl::Status status = connection->Write(*frame, env_.clock.Now() + request_timeout_);
  if (!status.ok() && connection == connection_) Disconnect(status);
  room_.WakeOne();
  return status;
}

absl::Status BrokerConnection::AwaitRoom(MonotonicTime deadline) {
  while (true) {
    HW_RETURN_IF_ERROR(Connect(deadline));
    if (CanSend()) return absl::OkStatus();
    const Wake wake = room_.Wait(env_.fibers, "room in flight", deadline);
    HW_RETURN_IF_ERROR(core::ToStatus(wake, "room in flight"));
  }
}

absl::StatusOr<core::ByteChain> BrokerConnection::Exchange(CorrelationId id,
                                                           absl::StatusOr<core::Payload> frame,
                                                           MonotonicTime deadline) {
  auto call = std::make_shared<PendingCall>();
  SendFrame(id, std::move(frame), [call](Reply reply) {
    call->reply = std::move(reply);
    call->done = true;
    call->waiter.WakeAll();
  });
  while (!call->done) {
    const Wake wake = call->waiter.Wait(env_.fibers, "a response", deadline);
    if (!call->done) HW_RETURN_IF_ERROR(core::ToStatus(wake, "a response"));
  }
  HW_RETURN_IF_ERROR(call->reply.status);
  return std::move(call->reply.frame);
}

void BrokerConnection::StartReader() {
  if (reading_ || in_flight_.empty()) return;
  reading_ = true;
  env_.fibers.Spawn("client-read", [self = shared_from_this(), connection = connection_] {
    self->ReadResponses(connection);
  });
}

void BrokerConnection::ReadResponses(const std::shared_ptr<core::Connection>& connection) {
  core::ByteChain buffered;
  while (connection == connection_ && !in_flight_.empty()) {
    auto some = connection->Read(kReadBytes, in_flight_.front().deadline);
    if (connection != connection_) return;
    if (!some.ok()) {
      // A request may have been answered and another sent meanwhile: only the oldest one's time
      // counts.
      if (absl::IsDeadlineExceeded(some.status()) && !in_flight_.empty() &&
          env_.clock.Now() < in_flight_.front().deadline) {
        continue;
      }
      if (absl::IsDeadlineExceeded(some.status())) HW_MARK("client_request_timed_out");
      return Disconnect(some.status());
    }
    if (some->empty()) return Disconnect(absl::AbortedError("the broker closed the connection"));
    if (buffered.empty()) {
      buffered = *std::move(some);
    } else {
      buffered.Append(*some);
    }
    if (!TakeResponses(buffered)) return;
  }
  if (connection != connection_) return;
  if (!buffered.empty())
    return Disconnect(absl::InternalError("the broker answered what was not asked"));
  reading_ = false;
  WatchIdle();
}

bool BrokerConnection::TakeResponses(core::ByteChain& buffered) {
  const std::shared_ptr<core::Connection> connection = connection_;
  while (!in_flight_.empty()) {
    auto frame = protocol::TakeFrame(buffered, kMaxResponseBytes);
    if (!frame.ok()) return Disconnect(frame.status()), false;
    if (!frame->has_value()) return true;
    const auto id = protocol::PeekCorrelationId(**frame);
    if (!id.ok() || *id != in_flight_.front().id) {
      return Disconnect(absl::InternalError("the broker answered what was not asked")), false;
    }
    ReplyHandler handler = std::move(in_flight_.front().handler);
    in_flight_.pop_front();
    --pending_;
    room_.WakeOne();
    handler({.status = absl::OkStatus(), .written = true, .frame = **std::move(frame)});
    if (connection != connection_) return false;
  }
  return true;
}

void BrokerConnection::WatchIdle() {
  // Nothing was asked, so whatever becomes readable is the end or a fault.
  connection_->OnReadable([weak = weak_from_this(), connection = connection_.get()] {
    const auto self = weak.lock();
    if (self == nullptr || self->connection_.get() != connection || !self->in_flight_.empty())
      return;
    self->Disconnect(absl::AbortedError("the broker closed an idle connection"));
  });
}

void BrokerConnection::Disconnect(const absl::Status& why) {
  if (connection_ == nullptr) return;
  const auto self = shared_from_this();  // a handler may drop the last owner
  std::exchange(connection_, nullptr)->Close();
  last_error_ = why;
  reading_ = false;
  next_attempt_ = env_.clock.Now() + reconnect_backoff_;
  std::deque<InFlight> lost = std::exchange(in_flight_, {});
  pending_ -= static_cast<int64_t>(lost.size());
  EndState(State::kDisconnected);
  for (InFlight& request : lost) request.handler({.status = why, .written = true});
}

void BrokerConnection::Close() {
  if (std::exchange(closed_, true)) return;
  on_state_change_ = nullptr;
  Disconnect(absl::FailedPreconditionError("the client is closed"));
  state_ = State::kDisconnected;
  state_changed_.WakeAll();
  room_.WakeAll();
}

}  // namespace highwater::broker::client
