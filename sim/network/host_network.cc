#include "sim/network/host_network.h"

#include <vector>

#include "sim/host.h"
#include "sim/network/tcp_connection.h"
#include "sim/world.h"

namespace highwater::sim {

absl::StatusOr<TcpListener*> HostNetwork::Listen(SimulatedProcess& process, uint16_t port) {
  if (port == 0) {
    do {
      port = NextPort();
    } while (listeners_.contains(port));
  }
  std::unique_ptr<TcpListener>& listener = listeners_[port];
  if (listener != nullptr) {
    return absl::AlreadyExistsError(fmt::format("port {} is in use", port));
  }
  listener = std::make_unique<TcpListener>(process, port);
  return listener.get();
}

void HostNetwork::CloseListener(TcpListener& listener) {
  const auto backlog = std::exchange(listener.backlog, {});
  listener.acceptors.WakeAll();
  listeners_.erase(listener.port);
  for (TcpSide* side : backlog) side->Reset();
}

TcpListener* HostNetwork::FindListener(uint16_t port) {
  const auto found = listeners_.find(port);
  return found == listeners_.end() ? nullptr : found->second.get();
}

uint16_t HostNetwork::NextPort() {
  const uint16_t port = next_port_++;
  if (next_port_ == 0) next_port_ = 32768;
  return port;
}

void HostNetwork::Add(TcpSide& side) {
  side.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &side;
  last_ = &side;
}

void HostNetwork::Remove(TcpSide& side) {
  (side.previous_ != nullptr ? side.previous_->next_ : first_) = side.next_;
  (side.next_ != nullptr ? side.next_->previous_ : last_) = side.previous_;
}

void HostNetwork::ForgetProcess() {
  for (TcpSide* side = first_; side != nullptr; side = side->next_) side->ForgetProcess();
  for (auto& [port, listener] : listeners_) host_.world().wheel().Cancel(listener->input);
}

void HostNetwork::OnProcessGone(ProcessEnd end) {
  // Settling a side may free its connection, and with a connection to oneself two sides of this
  // list.
  std::vector<std::pair<TcpConnection*, TcpSide*>> held;
  for (TcpSide* side = first_; side != nullptr; side = side->next_) {
    if (side->holder() != TcpSide::Holder::kNobody) held.push_back({&side->connection(), side});
  }
  // Both sides are held until they are settled, so none of these is freed early.
  for (const auto& [connection, side] : held) Settle(*side, end);
  listeners_.clear();
}

void HostNetwork::Settle(TcpSide& side, ProcessEnd end) {
  switch (end) {
    case ProcessEnd::kExited:
    case ProcessEnd::kHalted:
      // As Linux: bytes that nobody will read turn the end of stream into a reset.
      if (side.readable_bytes() > 0 || side.holder() == TcpSide::Holder::kBacklog) {
        return side.Reset();
      }
      return side.EndStream();
    case ProcessEnd::kCrashed:
      return side.Reset();
    case ProcessEnd::kPowerLost:
      return side.FallSilent();
  }
}

void HostNetwork::OnPowerLost() {
  // Also what older processes had left to the kernel to send.
  std::vector<TcpSide*> sides;
  for (TcpSide* side = first_; side != nullptr; side = side->next_) sides.push_back(side);
  for (TcpSide* side : sides) side->silent_ = true;
}

}  // namespace highwater::sim
