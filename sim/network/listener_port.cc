#include "sim/network/listener_port.h"

#include "sim/host.h"
#include "sim/network/connection_port.h"
#include "sim/network/host_network.h"
#include "sim/simulated_process.h"

namespace highwater::sim {

ListenerPort::ListenerPort(SimulatedProcess& process, TcpListener& listener)
    : process_(process),
      listener_(&listener),
      local_{.host = process.host().name(), .port = listener.port} {}

absl::StatusOr<std::unique_ptr<core::Connection>> ListenerPort::Accept(
    core::MonotonicTime deadline) {
  if (process_.EndsHere()) return absl::CancelledError("the process ended");
  while (listener_ != nullptr && listener_->backlog.empty()) {
    const core::Wake wake =
        listener_->acceptors.Wait(process_.fibers(), "a connection to accept", deadline);
    if (wake != core::Wake::kSignaled) return core::ToStatus(wake, "a connection to accept");
  }
  if (listener_ == nullptr) return absl::FailedPreconditionError("the listener is closed");
  TcpSide& side = *listener_->backlog.front();
  listener_->backlog.pop_front();
  if (!listener_->backlog.empty()) listener_->acceptors.WakeOne();
  side.HoldBy(process_);
  return std::make_unique<ConnectionPort>(process_, side);
}

void ListenerPort::Close() {
  if (listener_ == nullptr || !process_.BeginEffectWithoutWaiting(EventKind::kConnect)) return;
  process_.host().kernel().CloseListener(*std::exchange(listener_, nullptr));
}

}  // namespace highwater::sim
