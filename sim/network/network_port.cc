#include "sim/network/network_port.h"

#include "core/status_macros.h"
#include "sim/host.h"
#include "sim/network/connection_port.h"
#include "sim/network/host_network.h"
#include "sim/network/listener_port.h"
#include "sim/network/simulated_network.h"
#include "sim/network/tcp_connection.h"
#include "sim/simulated_process.h"
#include "sim/world.h"

namespace highwater::sim {

absl::StatusOr<std::unique_ptr<core::Connection>> NetworkPort::Dial(const core::Endpoint& to,
                                                                    core::MonotonicTime deadline) {
  if (to.host.empty() || to.port == 0) {
    return absl::InvalidArgumentError(fmt::format("no address to dial: {}", to));
  }
  if (!process_.BeginEffect(EventKind::kConnect)) return absl::CancelledError("the process ended");
  Host& host = process_.host();
  SimulatedNetwork& network = host.world().network();
  const SimulatedNetwork::Route route = network.RouteTo(to, host);
  if (route.host == nullptr) {
    return absl::UnavailableError(fmt::format("unknown host \"{}\"", to.host));
  }
  TcpConnection& connection = network.NewConnection(host, route);
  TcpSide& side = connection.dialer();
  side.HoldBy(process_);
  connection.Connect();
  while (side.error().ok() && side.state() == TcpSide::State::kConnecting) {
    const core::Wake wake = side.writers().Wait(process_.fibers(), "an answer to a dial", deadline);
    if (wake == core::Wake::kSignaled) continue;
    side.ObserveDial();
    side.Reset();
    return core::ToStatus(wake, fmt::format("an answer from {}", to));
  }
  if (!side.error().ok()) {
    const absl::Status error = side.error();
    side.ObserveWrite();
    side.Reset();
    return error;
  }
  if (route.vip != nullptr) return std::make_unique<ConnectionPort>(process_, side, to);
  return std::make_unique<ConnectionPort>(process_, side);
}

absl::StatusOr<std::unique_ptr<core::Listener>> NetworkPort::Listen(const core::Endpoint& at) {
  if (!process_.BeginEffect(EventKind::kConnect)) return absl::CancelledError("the process ended");
  Host& host = process_.host();
  if (!at.host.empty() && host.world().network().Resolve(at.host, host) != &host) {
    return absl::UnavailableError(fmt::format("\"{}\" is not an address of this host", at.host));
  }
  HW_ASSIGN_OR_RETURN(TcpListener * listener, host.kernel().Listen(process_, at.port));
  return std::make_unique<ListenerPort>(process_, *listener);
}

}  // namespace highwater::sim
