// SimulatedNetwork's ways through VIPs.

#include "core/random.h"
#include "sim/host.h"
#include "sim/network/host_network.h"
#include "sim/network/simulated_network.h"
#include "sim/network/tcp_connection.h"
#include "sim/network/vip.h"
#include "sim/world.h"

namespace highwater::sim {

Vip& SimulatedNetwork::AddVip(VipOptions options) {
  HW_CHECK(Find(options.name) == nullptr, "a host is named {}", options.name);
  return *vips_.emplace_back(std::make_unique<Vip>(*this, std::move(options)));
}

SimulatedNetwork::Route SimulatedNetwork::RouteTo(const core::Endpoint& endpoint, Host& asker) {
  for (const auto& vip : vips_) {
    if (vip->name() != endpoint.host) continue;
    const Vip::Target target = vip->TargetOf(endpoint.port);
    // Nothing is forwarded: the node itself refuses.
    if (target.host == nullptr) return {&vip->node(), endpoint.port, nullptr};
    if (vip->IsBehind(asker.id())) return {target.host, target.port, nullptr};
    return {target.host, target.port, vip.get()};
  }
  return {Resolve(endpoint.host, asker), endpoint.port, nullptr};
}

Link& SimulatedNetwork::LinkThrough(Vip& vip, HostId from, HostId to) {
  const HostId node = vip.node().id();
  std::unique_ptr<ForwardedLink>& entry = forwarded_[{from, node, to}];
  if (entry != nullptr) return entry->link;
  const Link& first = LinkBetween(from, node);
  const Link& second = LinkBetween(node, to);
  entry = std::make_unique<ForwardedLink>();
  entry->vip = &vip;
  Link& link = entry->link;
  link.base = first.base + second.base;
  link.jitter = first.jitter + second.jitter;
  link.tail = first.tail;
  link.egress = first.egress;
  link.ingress = second.ingress;
  // A message waits for one zone pair at most: for the first that has a limit.
  link.between = first.between != nullptr ? first.between : second.between;
  link.zone_pair = first.zone_pair;
  link.second_zone_pair = second.zone_pair;
  link.forwarded = true;
  link.from = from;
  link.to = to;
  link.through = node;
  link.key = core::Mix(first.key, second.key);
  Reconsider(link);
  if (!vip.node().powered()) link.silenced = vip.OwnFault();
  return link;
}

Link& SimulatedNetwork::BrokenLink(Vip& vip, HostId from, HostId to, FaultId fault) {
  std::unique_ptr<Link>& link = broken_[{from, to}];
  if (link == nullptr) link = std::make_unique<Link>();
  *link = LinkThrough(vip, from, to);
  link->ClearFaults();
  link->resetting = fault;
  return *link;
}

void SimulatedNetwork::RerouteVip(Vip& vip, VipConnections connections, FaultId fault) {
  for (auto& connection : connections_) {
    if (connection == nullptr || connection->vip() != &vip) continue;
    TcpSide& dialer = connection->dialer();
    TcpSide& acceptor = connection->acceptor();
    const HostId client = dialer.host().id();
    const HostId broker = acceptor.host().id();
    const bool open = dialer.state() == TcpSide::State::kOpen;
    if (open && connections == VipConnections::kForget) {
      dialer.SetLink(BrokenLink(vip, client, broker, fault));
      acceptor.SetLink(BrokenLink(vip, broker, client, fault));
      continue;
    }
    dialer.SetLink(LinkThrough(vip, client, broker));
    acceptor.SetLink(LinkThrough(vip, broker, client));
    if (!open || connections == VipConnections::kMove) continue;
    dialer.Fail(absl::AbortedError("connection reset"), fault);
    acceptor.Fail(absl::AbortedError("connection reset"), fault);
  }
}

void SimulatedNetwork::ReconsiderVips() {
  for (auto& [way, entry] : forwarded_) {
    Reconsider(entry->link);
    if (!world_.host(entry->link.through).powered()) {
      entry->link.faulty = true;
      entry->link.silenced = entry->vip->OwnFault();
    }
  }
  for (const auto& vip : vips_) vip->Reconsider();
}

void SimulatedNetwork::OnPowerChange(const Host& host) {
  for (const auto& vip : vips_) {
    for (const Host* node : vip->nodes()) {
      if (node == &host) return ReconsiderVips();
    }
  }
}

}  // namespace highwater::sim
