#include "sim/network/vip.h"

#include <algorithm>

#include "core/check.h"
#include "core/random.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"

namespace highwater::sim {

Vip::Vip(SimulatedNetwork& network, VipOptions options)
    : network_(network), options_(std::move(options)) {
  HW_CHECK(!options_.zones.empty(), "a VIP stands in some zone");
  for (const ZoneId zone : options_.zones) {
    Host& node = network_.world().AddHost(
        {.name = options_.name + "@" + network_.zone_name(zone), .zone = zone});
    // Somebody has to be at home when a fault crashes, freezes or restarts the host.
    node.SetMain([](core::Environment& env) {
      static_cast<void>(env.fibers.SleepUntil(core::MonotonicTime::Never()));
    });
    nodes_.push_back(&node);
  }
}

Vip::~Vip() { network_.world().wheel().Cancel(timer_); }

void Vip::Forward(uint16_t port, Host& target, uint16_t target_port) {
  ports_[port] = {&target, target_port};
}

void Vip::StandsBehind(const Host& host) { behind_.insert(host.id()); }

ZoneId Vip::zone() const { return nodes_[active_]->zone(); }

Vip::Target Vip::TargetOf(uint16_t port) const {
  const auto found = ports_.find(port);
  return found == ports_.end() ? Target{} : found->second;
}

void Vip::DriftTo(ZoneId zone, FaultId fault, std::optional<VipConnections> connections) {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(),
                                  [zone](const Host* node) { return node->zone() == zone; });
  HW_CHECK(found != nodes_.end(), "{} has no node in {}", name(), network_.zone_name(zone));
  const size_t to = static_cast<size_t>(found - nodes_.begin());
  if (to == active_) return;
  World& world = network_.world();
  world.Fold(nodes_[to]->id(), EventKind::kFault, core::Mix(fault.value(), 3));
  world.ledger().Applied(fault);
  active_ = to;
  ++drifts_;
  network_.RerouteVip(*this, connections.value_or(options_.connections),
                      fault == kNoFault ? OwnFault() : fault);
  Reconsider();
}

void Vip::Drift(FaultId fault) { DriftTo(nodes_[(active_ + 1) % nodes_.size()]->zone(), fault); }

// Cut off: no other node hears it, or it hears none of them.
bool Vip::IsLost(size_t node) {
  if (!nodes_[node]->powered()) return true;
  if (nodes_.size() == 1) return false;
  const auto cut_off = [&](size_t other) {
    const HostId a = nodes_[node]->id();
    const HostId b = nodes_[other]->id();
    return network_.LinkBetween(a, b).silenced != kNoFault ||
           network_.LinkBetween(b, a).silenced != kNoFault;
  };
  for (size_t other = 0; other < nodes_.size(); ++other) {
    // A node without power says nothing of the others.
    if (other != node && nodes_[other]->powered() && !cut_off(other)) return false;
  }
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [&](Host* other) { return other != nodes_[node] && other->powered(); });
}

void Vip::Reconsider() {
  if (!options_.drift_time.has_value()) return;
  core::TimerWheel& wheel = network_.world().wheel();
  if (!IsLost(active_)) {
    wheel.Cancel(timer_);
  } else if (!timer_.pending()) {
    wheel.Set(timer_, network_.world().now() + absl::ToInt64Nanoseconds(*options_.drift_time));
  }
}

void Vip::OnDriftDue() {
  if (!IsLost(active_)) return;
  for (size_t node = 0; node < nodes_.size(); ++node) {
    if (!IsLost(node)) return DriftTo(nodes_[node]->zone(), OwnFault());
  }
}

FaultId Vip::OwnFault() {
  if (own_fault_ == kNoFault) own_fault_ = network_.world().ledger().Request("vip_drift");
  return own_fault_;
}

}  // namespace highwater::sim
