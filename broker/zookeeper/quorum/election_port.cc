#include "broker/zookeeper/quorum/election_port.h"

#include <utility>

#include "broker/zookeeper/wire/frame.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);
// For dialling, for saying who one is, for a message to leave [cnxTimeout].
constexpr absl::Duration kPatience = absl::Seconds(5);
constexpr size_t kReadAhead = 16 << 10;

}  // namespace

ElectionPort::ElectionPort(core::Environment& env, const QuorumConfig& config, ServerId self,
                           core::WaitGroup& fibers, Handler handler)
    : env_(env),
      config_(config),
      self_(self),
      fibers_(fibers),
      handler_(std::move(handler)),
      connections_(self) {}

absl::Status ElectionPort::Start() {
  HW_ASSIGN_OR_RETURN(listener_, env_.network.Listen(config_.servers.at(self_).election));
  Spawn("zk election accept", [this] { AcceptLoop(); });
  return absl::OkStatus();
}

void ElectionPort::Send(ServerId to, const Notification& notification) {
  if (stopping_) return;
  ElectionConnections::Effects effects;
  connections_.Send(to, EncodeNotificationFrame(notification), effects);
  Carry(effects);
}

void ElectionPort::Stop() {
  if (stopping_) return;
  stopping_ = true;
  if (listener_ != nullptr) listener_->Close();
  for (auto& [peer, dial] : dials_) dial.Cancel();
  while (!links_.empty()) CloseLink(LinkPtr(links_.begin()->second));
}

void ElectionPort::Spawn(std::string_view name, absl::AnyInvocable<void()> body) {
  fibers_.Add();
  env_.fibers.Spawn(name, [this, body = std::move(body)]() mutable {
    body();
    fibers_.Done();
  });
}

void ElectionPort::AcceptLoop() {
  while (!stopping_) {
    auto connection = listener_->Accept(core::MonotonicTime::Never());
    if (connection.ok()) {
      Spawn("zk election peer",
            [this, accepted = *std::move(connection)]() mutable { Admit(std::move(accepted)); });
    } else if (absl::IsFailedPrecondition(connection.status()) ||
               absl::IsCancelled(connection.status())) {
      return;
    } else if (env_.fibers.SleepFor(kAcceptPause) == core::Wake::kCancelled) {
      return;
    }
  }
}

absl::StatusOr<ServerId> ElectionPort::Greet(core::Connection& connection, core::ByteChain& rest) {
  const core::MonotonicTime deadline = env_.fibers.Now() + kPatience;
  while (true) {
    HW_ASSIGN_OR_RETURN(const std::optional<InitialMessage> message, TakeInitialMessage(rest));
    if (message.has_value()) return message->server;
    HW_ASSIGN_OR_RETURN(const core::ByteChain bytes, connection.Read(kReadAhead, deadline));
    if (bytes.empty()) return absl::AbortedError("the peer ended the connection");
    rest.Append(bytes);
  }
}

void ElectionPort::Admit(std::unique_ptr<core::Connection> connection) {
  core::ByteChain rest;
  const absl::StatusOr<ServerId> peer = Greet(*connection, rest);
  if (stopping_ || !peer.ok() || !config_.servers.contains(*peer)) return connection->Close();
  const LinkPtr link = AddLink(*peer, std::move(connection));
  ElectionConnections::Effects effects;
  connections_.OnAccepted(*peer, link->id, effects);
  Carry(effects);
  ReadFrom(link, std::move(rest));
}

void ElectionPort::Dial(ServerId peer) {
  const core::MonotonicTime deadline = env_.fibers.Now() + kPatience;
  auto connection = env_.network.Dial(config_.servers.at(peer).election, deadline);
  absl::Status status = connection.status();
  if (status.ok()) {
    const core::Endpoint& own = config_.servers.at(self_).election;
    const InitialMessage hello{.server = self_,
                               .addresses = {fmt::format("{}:{}", own.host, own.port)}};
    status = (*connection)->Write(core::Payload(EncodeInitialMessage(hello)), deadline);
  }
  if (stopping_) return;
  if (!status.ok()) return connections_.OnDialFailed(peer);
  const LinkPtr link = AddLink(peer, *std::move(connection));
  ElectionConnections::Effects effects;
  connections_.OnDialed(peer, link->id, effects);
  Carry(effects);
  ReadFrom(link, {});
}

ElectionPort::LinkPtr ElectionPort::AddLink(ServerId peer,
                                            std::unique_ptr<core::Connection> connection) {
  auto link = std::make_shared<Link>();
  link->id = ++last_id_;
  link->peer = peer;
  link->connection = std::move(connection);
  links_.emplace(link->id, link);
  return link;
}

void ElectionPort::ReadFrom(const LinkPtr& link, core::ByteChain first) {
  FrameAssembler assembler(kMaxElectionMessage);
  assembler.Add(first);
  while (!link->closed) {
    while (const auto frame = assembler.Next()) {
      const absl::StatusOr<Notification> notification = DecodeNotification(*frame);
      if (!notification.ok()) {
        HW_MARK("zk_election_bad_message");
        return CloseLink(link);
      }
      handler_(link->peer, *notification);
      if (link->closed) return;
    }
    if (!assembler.status().ok()) break;
    const auto bytes = link->connection->Read(kReadAhead, core::MonotonicTime::Never());
    if (!bytes.ok() || bytes->empty()) break;
    assembler.Add(*bytes);
  }
  CloseLink(link);
}

void ElectionPort::WriteTo(const LinkPtr& link, const core::Bytes& frame) {
  const absl::Status status =
      link->connection->Write(core::Payload(frame), env_.fibers.Now() + kPatience);
  if (link->closed) return;
  if (!status.ok()) return CloseLink(link);
  ElectionConnections::Effects effects;
  connections_.OnWritten(link->id, effects);
  Carry(effects);
}

void ElectionPort::CloseLink(const LinkPtr& link) {
  if (link->closed) return;
  link->closed = true;
  link->connection->Close();
  links_.erase(link->id);
  connections_.OnClosed(link->id);
}

void ElectionPort::Carry(const ElectionConnections::Effects& effects) {
  for (const auto& effect : effects) std::visit([this](const auto& e) { Do(e); }, effect);
}

void ElectionPort::Do(const ElectionConnections::Dial& dial) {
  fibers_.Add();
  dials_[dial.peer] = env_.fibers.Spawn("zk election dial", [this, peer = dial.peer] {
    Dial(peer);
    fibers_.Done();
  });
}

void ElectionPort::Do(const ElectionConnections::Write& write) {
  const auto link = links_.find(write.connection);
  if (link == links_.end()) return;
  Spawn("zk election write",
        [this, to = link->second, frame = write.frame] { WriteTo(to, frame); });
}

void ElectionPort::Do(const ElectionConnections::Close& close) {
  const auto link = links_.find(close.connection);
  if (link != links_.end()) CloseLink(LinkPtr(link->second));
}

}  // namespace highwater::broker::zookeeper
