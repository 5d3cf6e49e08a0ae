#include "broker/server/socket_server.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker {

namespace {

constexpr size_t kReadAhead = 64 << 10;  // what is read before it is known how much comes
constexpr size_t kMostAtOnce = 1 << 20;  // so that a large request does not hold the others up
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);

}  // namespace

class SocketServer::Client final : public std::enable_shared_from_this<Client> {
 public:
  Client(SocketServer& server, uint64_t id, std::unique_ptr<core::Connection> connection)
      : server_(server),
        id_(id),
        connection_(std::move(connection)),
        assembler_(server.limits_.max_request_bytes) {}

  void AwaitRequest() {
    // The time of a request that has begun goes on.
    if (!idle_.pending()) server_.env_.fibers.SetTimer(idle_, Deadline());
    connection_->OnReadable([this] { OnReadable(); });
  }

  void Close() {
    if (closed_) return;
    closed_ = true;
    connection_->OnReadable(nullptr);
    connection_->Close();
    server_.env_.fibers.CancelTimer(idle_);
    TrackIncomplete(false);
    server_.Remove(id_);
  }

  [[nodiscard]] bool serving() const { return serving_; }
  [[nodiscard]] const core::Endpoint& peer() const { return connection_->peer(); }

 private:
  struct IdleTimer final : core::TimerNode {
    explicit IdleTimer(Client& c) : client(c) {}
    // On a fiber, since the client may go, and this timer with it.
    void OnTimer() override {
      HW_MARK("idle_connection_closed");
      client.server_.env_.fibers.Spawn("close idle",
                                       [self = client.shared_from_this()] { self->Close(); });
    }
    Client& client;
  };

  core::MonotonicTime Deadline() const { return server_.env_.fibers.Now() + server_.limits_.idle; }

  void OnReadable() {
    if (closed_ || serving_) return;
    serving_ = true;
    server_.fibers_.Add();
    server_.env_.fibers.Spawn("client", [self = shared_from_this()] {
      self->ServeWhileReadable();
      self->serving_ = false;
      if (!self->closed_) self->AwaitRequest();
      self->server_.fibers_.Done();
    });
  }

  size_t ReadSize() const {
    return assembler_.missing() == 0 ? kReadAhead : std::min(assembler_.missing(), kMostAtOnce);
  }

  void ServeWhileReadable() {
    // Readable: data, the end or an error. The deadline is for a wake that came without reason.
    auto bytes = connection_->Read(ReadSize(), server_.env_.fibers.Now() + absl::Seconds(1));
    if (absl::IsDeadlineExceeded(bytes.status())) return;
    if (bytes.ok() && bytes->empty()) return Close();
    while (!closed_) {
      if (!bytes.ok()) return Close();
      if (bytes->empty()) return;
      assembler_.Add(*bytes);
      if (!ServeBuffered()) return Close();
      bytes = connection_->TryRead(ReadSize());
      if (bytes.ok() && !bytes->empty()) server_.env_.fibers.Yield();
    }
  }

  // Answers the whole requests that are buffered. False: the connection must be closed.
  bool ServeBuffered() {
    while (!closed_) {
      auto request = assembler_.Take();
      if (!request.ok()) {
        HW_MARK("request_of_illegal_size");
        return false;
      }
      TrackIncomplete(!request->has_value() && assembler_.buffered() > 0);
      if (!request->has_value()) return true;
      server_.env_.fibers.CancelTimer(idle_);
      if (!ServeOne(**request) || server_.stopping_) return false;
      if (assembler_.buffered() > 0) server_.env_.fibers.Yield();
    }
    return false;
  }

  bool ServeOne(const core::ByteChain& request) {
    const core::MonotonicTime begin = server_.env_.fibers.Now();
    RequestGate::Ticket ticket = server_.gate_.Enter(request.size());
    auto answer = server_.dispatcher_.Dispatch(request, {connection_->peer(), ticket});
    ticket.ReleaseAll();
    if (!answer.ok()) return false;
    uint64_t response_bytes = 0;
    bool sent = true;
    if (answer->frame.has_value()) {
      response_bytes = answer->frame->size();
      if (answer->before_sending) answer->before_sending();
      sent = connection_->Write(*answer->frame, Deadline()).ok();
    }
    server_.dispatcher_.OnServed(*answer, {.time = server_.env_.fibers.Now() - begin,
                                           .request_bytes = request.size(),
                                           .response_bytes = response_bytes});
    return sent;
  }

  // Keeps the server's account of incomplete requests.
  void TrackIncomplete(bool incomplete) {
    const size_t bytes = incomplete ? assembler_.buffered() : 0;
    server_.incomplete_bytes_ += bytes;
    server_.incomplete_bytes_ -= incomplete_bytes_;
    incomplete_bytes_ = bytes;
    if (incomplete && incomplete_key_ == 0) {
      incomplete_key_ = ++server_.next_incomplete_;
      server_.incomplete_.emplace(incomplete_key_, this);
    } else if (!incomplete && incomplete_key_ != 0) {
      server_.incomplete_.erase(std::exchange(incomplete_key_, 0));
    }
    if (incomplete) server_.CloseOldestIncomplete();
  }

  SocketServer& server_;
  uint64_t id_;
  std::unique_ptr<core::Connection> connection_;
  FrameAssembler assembler_;
  IdleTimer idle_{*this};
  size_t incomplete_bytes_ = 0;
  uint64_t incomplete_key_ = 0;
  bool serving_ = false;
  bool closed_ = false;
};

SocketServer::SocketServer(core::Environment& env, SocketLimits limits,
                           RequestDispatcher& dispatcher)
    : env_(env),
      limits_(std::move(limits)),
      dispatcher_(dispatcher),
      gate_(env.fibers, limits_.max_requests, limits_.max_held_bytes),
      fibers_(env.fibers) {}

SocketServer::~SocketServer() = default;

absl::Status SocketServer::Listen(const core::Endpoint& at) {
  auto listener = env_.network.Listen(at);
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  return absl::OkStatus();
}

void SocketServer::Start() {
  HW_CHECK(listener_ != nullptr, "serving without listening");
  fibers_.Add();
  env_.fibers.Spawn("accept", [this] {
    AcceptLoop();
    fibers_.Done();
  });
}

void SocketServer::AcceptLoop() {
  while (!stopping_) {
    auto connection = listener_->Accept(core::MonotonicTime::Never());
    if (connection.ok()) {
      Admit(*std::move(connection));
    } else if (absl::IsFailedPrecondition(connection.status()) ||
               absl::IsCancelled(connection.status())) {
      return;
    } else if (env_.fibers.SleepFor(kAcceptPause) == core::Wake::kCancelled) {
      return;  // out of descriptors, say: others may close some meanwhile
    }
  }
}

bool SocketServer::MayAdmit(const core::Endpoint& peer) const {
  if (stopping_ || clients_.size() >= limits_.max_connections) return false;
  const auto override = limits_.per_ip_overrides.find(peer.host);
  const int64_t most = override != limits_.per_ip_overrides.end()
                           ? override->second
                           : static_cast<int64_t>(limits_.max_connections_per_ip);
  const auto present = by_ip_.find(peer.host);
  return (present == by_ip_.end() ? 0 : present->second) < most;
}

void SocketServer::Admit(std::unique_ptr<core::Connection> connection) {
  if (!MayAdmit(connection->peer())) {
    HW_MARK("connection_refused_by_limit");
    return connection->Close();
  }
  const uint64_t id = ++next_id_;
  ++by_ip_[connection->peer().host];
  auto client = std::make_shared<Client>(*this, id, std::move(connection));
  clients_.emplace(id, client);
  client->AwaitRequest();
}

void SocketServer::Remove(uint64_t id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  const auto count = by_ip_.find(found->second->peer().host);
  if (--count->second == 0) by_ip_.erase(count);
  clients_.erase(found);
}

void SocketServer::CloseOldestIncomplete() {
  while (incomplete_bytes_ > limits_.max_held_bytes && !incomplete_.empty()) {
    HW_MARK("incomplete_request_dropped");
    const std::shared_ptr<Client> oldest = incomplete_.begin()->second->shared_from_this();
    oldest->Close();
  }
}

void SocketServer::BeginStop() {
  stopping_ = true;
  if (listener_ != nullptr) listener_->Close();
  std::vector<std::shared_ptr<Client>> idle;
  for (const auto& [id, client] : clients_) {
    if (!client->serving()) idle.push_back(client);
  }
  for (const auto& client : idle) client->Close();
}

bool SocketServer::WaitForRequests(core::MonotonicTime deadline) {
  return fibers_.Wait(deadline, core::Cancellation::kIgnored) == core::Wake::kSignaled;
}

void SocketServer::CloseAll() {
  std::vector<std::shared_ptr<Client>> all;
  for (const auto& [id, client] : clients_) all.push_back(client);
  for (const auto& client : all) client->Close();
  fibers_.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
}

}  // namespace highwater::broker
