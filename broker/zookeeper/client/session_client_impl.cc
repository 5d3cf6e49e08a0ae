#include "broker/zookeeper/client/session_client_impl.h"

#include <fmt/format.h>

#include <numeric>

#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

using core::MonotonicTime;
using core::Wake;

SessionClient::SessionClient(core::Environment& env, ZooKeeperClientOptions options)
    : env_(env),
      options_(std::move(options)),
      chroot_(options_.chroot),
      in_flight_(options_.max_in_flight) {
  HW_CHECK(!options_.servers.empty(), "a ZooKeeper client without servers");
}

SessionClient::~SessionClient() {
  if (driver_ != nullptr) driver_->Detach();
}

// ---- Sessions.

void SessionClient::StartSession() {
  SessionOptions session{.servers = options_.servers.size(),
                         .session_timeout = options_.session_timeout,
                         .auths = options_.auths,
                         .reconnect_jitter = options_.reconnect_jitter,
                         .round_delay = options_.round_delay,
                         .key = env_.random.Next()};
  // [2.4] What was seen in the last session was seen: the next must not go back behind it.
  if (driver_ != nullptr) {
    session.last_zxid = driver_->session().last_zxid();
    driver_->Detach();
  }
  ++sessions_;
  driver_ = std::make_shared<SessionDriver>(env_, options_.servers, session, options_.rules,
                                            options_.max_buffer, *this);
  driver_->Start();
}

absl::Status SessionClient::Connect() {
  HW_CHECK(driver_ == nullptr, "a ZooKeeper client connects twice");
  const MonotonicTime deadline = env_.clock.Now() + options_.connection_timeout;
  StartSession();
  absl::Status status = AwaitConnected(deadline);
  if (status.ok() && !chroot_.path().empty()) status = CreateChroot();
  if (!status.ok()) Abandon();
  return status;
}

absl::Status SessionClient::AwaitConnected(MonotonicTime deadline) {
  const uint64_t session = sessions_;
  while (true) {
    if (closed_) return absl::FailedPreconditionError("the ZooKeeper client is closed");
    if (driver_->session().state() == ZooKeeperSession::State::kAuthFailed) {
      return absl::PermissionDeniedError("ZooKeeper refused the authentication");
    }
    if (session != sessions_ || driver_->session().over()) {
      return absl::AbortedError("the ZooKeeper session is over");
    }
    if (connected_) return absl::OkStatus();
    const Wake wake = state_changed_.Wait(env_.fibers, "a connection to ZooKeeper", deadline);
    if (wake == Wake::kDeadline) {
      return absl::DeadlineExceededError(
          fmt::format("no ZooKeeper server of {} answered within {} ms: check zookeeper.connect, "
                      "or raise zookeeper.connection.timeout.ms",
                      fmt::join(options_.servers, ","),
                      absl::ToInt64Milliseconds(options_.connection_timeout)));
    }
    HW_RETURN_IF_ERROR(core::ToStatus(wake, "a connection to ZooKeeper"));
  }
}

absl::Status SessionClient::CreateChroot() {
  for (size_t end = 0; end != std::string::npos;) {
    end = chroot_.path().find('/', end + 1);
    std::vector<Request> requests{
        CreateRequest{.path = chroot_.path().substr(0, end), .acl = OpenAcl()}};
    ErrorCode error = ErrorCode::kConnectionLoss;
    while (error == ErrorCode::kConnectionLoss) {
      HW_RETURN_IF_ERROR(AwaitConnected(MonotonicTime::Never()));
      std::vector<Response> responses(1);
      if (!Send(requests, {0}, responses)) return absl::CancelledError("creating the chroot");
      error = responses[0].error;
    }
    if (error == ErrorCode::kOk || error == ErrorCode::kNodeExists) continue;
    return absl::FailedPreconditionError(fmt::format("cannot create the chroot {} in ZooKeeper: {}",
                                                     chroot_.path(), ErrorCodeName(error)));
  }
  return absl::OkStatus();
}

void SessionClient::Close(absl::Duration patience) {
  if (std::exchange(closed_, true)) return;
  const MonotonicTime deadline = env_.clock.Now() + patience;
  if (driver_ != nullptr) driver_->Close();
  state_changed_.WakeAll();
  while (driver_ != nullptr && !driver_->session().over()) {
    if (state_changed_.Wait(env_.fibers, "the end of a ZooKeeper session", deadline) !=
        Wake::kSignaled) {
      break;
    }
  }
  Abandon();
  while (handling_ && event_fiber_ != env_.fibers.current()) {
    if (events_handled_.Wait(env_.fibers, "a handler of a ZooKeeper event",
                             MonotonicTime::Never()) != Wake::kSignaled) {
      return;
    }
  }
}

void SessionClient::Abandon() {
  closed_ = true;
  events_.clear();
  if (driver_ != nullptr) driver_->Abandon();
  state_changed_.WakeAll();
}

SessionId SessionClient::session_id() const {
  return driver_ == nullptr ? kNoSession : driver_->session().session_id();
}

void SessionClient::OnState(KeeperState state) {
  connected_ = state == KeeperState::kSyncConnected;
  if (state == KeeperState::kExpired || state == KeeperState::kAuthFailed) {
    Queue(SessionOver{state});
  }
  state_changed_.WakeAll();
}

// ---- Requests.

void SessionClient::SetWatch(Request& request) const {
  if (auto* exists = std::get_if<ExistsRequest>(&request)) {
    exists->watch = change_handlers.contains(exists->path);
  } else if (auto* data = std::get_if<GetDataRequest>(&request)) {
    data->watch = change_handlers.contains(data->path);
  } else if (auto* children = std::get_if<GetChildren2Request>(&request)) {
    children->watch = child_handlers.contains(children->path);
  }
}

void SessionClient::Prepare(std::vector<Request>& requests) const {
  for (Request& request : requests) {
    SetWatch(request);
    chroot_.ToServer(request);
  }
}

std::vector<Response> SessionClient::HandleRequests(std::vector<Request> requests) {
  Prepare(requests);
  std::vector<size_t> all(requests.size());
  std::iota(all.begin(), all.end(), size_t{0});
  std::vector<Response> responses(requests.size());
  static_cast<void>(Send(requests, all, responses));
  for (Response& response : responses) chroot_.ToClient(response);
  return responses;
}

std::vector<Response> SessionClient::RetryUntilConnected(std::vector<Request> requests) {
  Prepare(requests);
  std::vector<size_t> lost(requests.size());
  std::iota(lost.begin(), lost.end(), size_t{0});
  std::vector<Response> responses(requests.size());
  const uint64_t session = sessions_;
  while (true) {
    const bool all = Send(requests, lost, responses);
    std::erase_if(lost, [&](size_t i) { return responses[i].error != ErrorCode::kConnectionLoss; });
    if (lost.empty() || !all) break;
    HW_MARK("zookeeper_request_retried");
    const absl::Status connected = AwaitConnected(MonotonicTime::Never());
    if (absl::IsCancelled(connected)) break;
    if (!connected.ok() || session != sessions_) {
      for (const size_t i : lost) responses[i].error = ErrorCode::kSessionExpired;
      break;
    }
  }
  for (Response& response : responses) chroot_.ToClient(response);
  return responses;
}

bool SessionClient::Send(const std::vector<Request>& requests, const std::vector<size_t>& chosen,
                         std::vector<Response>& responses) {
  const uint64_t session = sessions_;
  auto call = std::make_shared<Call>();
  call->responses.resize(requests.size());
  for (const size_t i : chosen) call->responses[i].error = ErrorCode::kConnectionLoss;
  bool cancelled = false;
  for (const size_t i : chosen) {
    cancelled = !in_flight_.Acquire(env_.fibers);
    if (cancelled) break;
    // A new session knows nothing of what this call has asked so far.
    if (closed_ || driver_ == nullptr || session != sessions_) {
      call->responses[i].error = ErrorCode::kSessionExpired;
      in_flight_.Release();
      continue;
    }
    ++last_request_;
    ++call->unanswered;
    waiting_.push_back({last_request_, call, i});
    driver_->Submit(last_request_, requests[i]);
  }
  while (call->unanswered > 0 && !cancelled) {
    cancelled = call->waiter.Wait(env_.fibers, "an answer of ZooKeeper", MonotonicTime::Never()) !=
                Wake::kSignaled;
  }
  for (const size_t i : chosen) responses[i] = std::move(call->responses[i]);
  return !cancelled;
}

void SessionClient::OnAnswer(RequestId id, Response response) {
  HW_CHECK(!waiting_.empty() && waiting_.front().id == id,
           "a ZooKeeper session answers request {} out of turn", id);
  const Waiting waiting = std::move(waiting_.front());
  waiting_.pop_front();
  in_flight_.Release();
  waiting.call->responses[waiting.index] = std::move(response);
  if (--waiting.call->unanswered == 0) waiting.call->waiter.WakeAll();
}

// ---- Events.

void SessionClient::OnEvent(WatcherEvent event) { Queue(std::move(event)); }

void SessionClient::Queue(Event event) {
  if (closed_) return;
  events_.push_back(std::move(event));
  if (std::exchange(handling_, true)) return;
  env_.fibers.Spawn("zookeeper-events", [self = shared_from_this()] { self->HandleEvents(); });
}

void SessionClient::HandleEvents() {
  event_fiber_ = env_.fibers.current();
  while (!events_.empty()) {
    const Event event = std::move(events_.front());
    events_.pop_front();
    std::visit([this](const auto& e) { Handle(e); }, event);
  }
  handling_ = false;
  event_fiber_ = nullptr;
  events_handled_.WakeAll();
}

void SessionClient::Handle(const WatcherEvent& event) {
  const std::string path = chroot_.ToClient(event.path);
  if (event.type == WatchEventType::kNodeChildrenChanged) {
    const auto handler = child_handlers.find(path);
    if (handler != child_handlers.end()) handler->second->OnChildrenChanged();
    return;
  }
  const auto found = change_handlers.find(path);
  if (found == change_handlers.end()) return;
  ZNodeChangeHandler& handler = *found->second;
  switch (event.type) {
    case WatchEventType::kNodeCreated:
      return handler.OnCreated();
    case WatchEventType::kNodeDeleted:
      return handler.OnDeleted();
    case WatchEventType::kNodeDataChanged:
      return handler.OnDataChanged();
    default:
      return;
  }
}

void SessionClient::Handle(SessionOver event) {
  HW_MARK("zookeeper_session_over");
  // [Z44] KAFKA-13461: a failed authentication may mend; it is tried again.
  if (event.why == KeeperState::kAuthFailed &&
      env_.fibers.SleepFor(options_.retry_backoff) == Wake::kCancelled) {
    return;
  }
  const std::vector<SessionStateHandler*> handlers = session_handlers;
  for (SessionStateHandler* handler : handlers) {
    if (closed_) return;
    handler->BeforeInitializingSession();
  }
  if (closed_) return;
  StartSession();
  for (SessionStateHandler* handler : handlers) {
    if (closed_) return;
    handler->AfterInitializingSession();
  }
}

}  // namespace highwater::broker::zookeeper
