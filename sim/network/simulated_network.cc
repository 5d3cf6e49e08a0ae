#include "sim/network/simulated_network.h"

#include <algorithm>

#include "core/random.h"
#include "sim/host.h"
#include "sim/network/host_network.h"
#include "sim/network/tcp_connection.h"
#include "sim/network/vip.h"
#include "sim/world.h"

namespace highwater::sim {

SimulatedNetwork::SimulatedNetwork(World& world)
    : world_(world), tcp_(world.options().network), key_(world.KeyFor("network")) {}

SimulatedNetwork::~SimulatedNetwork() = default;

ZoneId SimulatedNetwork::AddZone(std::string_view name) {
  for (size_t i = 0; i < zones_.size(); ++i) {
    if (zones_[i] == name) return ZoneId(static_cast<uint32_t>(i));
  }
  const size_t before = zones_.size();
  zones_.emplace_back(name);
  // Both tables grow by a row and a column; links point into zone_queues_, so it is sized once.
  if (zone_queues_.empty()) {
    zone_queues_.resize(kMaxZones * kMaxZones, Queue(world_.options().network.zone_pair_bandwidth));
    zone_bytes_.resize(kMaxZones * kMaxZones);
  }
  HW_CHECK(before < kMaxZones, "at most {} zones", kMaxZones);
  return ZoneId(static_cast<uint32_t>(before));
}

void SimulatedNetwork::OnHostAdded(Host& host) {
  if (zones_.empty()) AddZone("zone-0");
  HW_CHECK(host.zone().value() < zones_.size(), "host {} is in an unknown zone", host.name());
  names_[host.name()] = host.id();
  links_.emplace_back();
  egress_.emplace_back(world_.options().network.host_bandwidth);
  ingress_.emplace_back(world_.options().network.host_bandwidth);
}

Host* SimulatedNetwork::Find(std::string_view name) {
  const auto found = names_.find(absl::string_view(name.data(), name.size()));
  return found == names_.end() ? nullptr : &world_.host(found->second);
}

Host* SimulatedNetwork::Resolve(std::string_view name, Host& asker) {
  if (name.empty() || name == "localhost") return &asker;
  return Find(name);
}

std::vector<HostId> SimulatedNetwork::HostsIn(ZoneId zone) const {
  std::vector<HostId> result;
  for (uint32_t i = 0; i < world_.host_count(); ++i) {
    if (world_.host(HostId(i)).zone() == zone) result.push_back(HostId(i));
  }
  return result;
}

std::vector<HostId> SimulatedNetwork::HostsOutside(ZoneId zone) const {
  std::vector<HostId> result;
  for (uint32_t i = 0; i < world_.host_count(); ++i) {
    if (world_.host(HostId(i)).zone() != zone) result.push_back(HostId(i));
  }
  return result;
}

Link& SimulatedNetwork::LinkBetween(HostId from, HostId to) {
  std::unique_ptr<Link>& link = links_[from.value()][to];
  if (link == nullptr) {
    link = std::make_unique<Link>();
    link->from = from;
    link->to = to;
    MakeLink(*link);
    Reconsider(*link);
  }
  return *link;
}

void SimulatedNetwork::MakeLink(Link& link) {
  const NetworkOptions& options = world_.options().network;
  const Host& from = world_.host(link.from);
  const Host& to = world_.host(link.to);
  const bool same_zone = from.zone() == to.zone();
  const LatencyRange& range = link.from == link.to ? options.same_host
                              : same_zone          ? options.within_zone
                                                   : options.between_zones;
  // Both directions of a pair have the same base.
  const uint64_t low = std::min(from.key(), to.key());
  const uint64_t high = std::max(from.key(), to.key());
  core::KeyedRandom random(core::Mix(key_, core::Mix(low, high)));
  link.base =
      random.Between(absl::ToInt64Nanoseconds(range.low), absl::ToInt64Nanoseconds(range.high));
  link.jitter = link.base * options.jitter_percent / 100;
  link.tail = options.tail;
  link.key = core::Mix(key_, core::Mix(core::Mix(from.key(), 1), to.key()));
  link.zone_pair = static_cast<uint32_t>(PairIndex(from.zone(), to.zone()));
  if (link.from == link.to) return;
  if (options.host_bandwidth != 0) {
    link.egress = &egress_[link.from.value()];
    link.ingress = &ingress_[link.to.value()];
  }
  if (!same_zone && options.zone_pair_bandwidth != 0) {
    link.between = &zone_queues_[link.zone_pair];
  }
}

bool SimulatedNetwork::ConcernsWay(const LinkFault& fault, HostId from, HostId to) {
  const auto has = [](const std::vector<HostId>& hosts, HostId host) {
    return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
  };
  if (from == to) return false;
  if (has(fault.from, from) && has(fault.to, to)) return true;
  return fault.ways == Ways::kBoth && has(fault.to, from) && has(fault.from, to);
}

bool SimulatedNetwork::CutsOff(HostId from, HostId to) const {
  return std::any_of(faults_.begin(), faults_.end(), [&](const LinkFault& fault) {
    const bool cuts = fault.effect == LinkEffect::kSilence || fault.effect == LinkEffect::kReset;
    return cuts && ConcernsWay(fault, from, to);
  });
}

bool SimulatedNetwork::Concerns(const LinkFault& fault, const Link& link) {
  if (!link.forwarded) return ConcernsWay(fault, link.from, link.to);
  return ConcernsWay(fault, link.from, link.through) || ConcernsWay(fault, link.through, link.to);
}

void SimulatedNetwork::Reconsider(Link& link) {
  link.ClearFaults();
  for (const LinkFault& fault : faults_) {
    if (Concerns(fault, link)) link.Add(fault);
  }
}

void SimulatedNetwork::Apply(LinkFault fault) {
  for (const LinkFault& applied : faults_) HW_CHECK(applied.id != fault.id || fault.id == kNoFault);
  HW_CHECK(fault.id != kNoFault, "a link fault needs an id");
  world_.Fold(kNoHost, EventKind::kFault, core::Mix(fault.id.value(), 1));
  const bool concerns_any = !fault.from.empty() && !fault.to.empty() &&
                            !(fault.from.size() == 1 && fault.from == fault.to);
  if (concerns_any) world_.ledger().Applied(fault.id);
  faults_.push_back(std::move(fault));
  ReconsiderAll();
}

void SimulatedNetwork::Withdraw(FaultId id) {
  const auto removed = std::erase_if(faults_, [id](const LinkFault& f) { return f.id == id; });
  if (removed == 0) return;
  world_.Fold(kNoHost, EventKind::kFault, core::Mix(id.value(), 2));
  ReconsiderAll();
}

void SimulatedNetwork::ReconsiderAll() {
  for (auto& from : links_) {
    for (auto& [to, link] : from) Reconsider(*link);
  }
  ReconsiderVips();
}

size_t SimulatedNetwork::ResetConnections(FaultId id, const std::vector<HostId>& a,
                                          const std::vector<HostId>& b) {
  const LinkFault between{.id = id, .from = a, .to = b};
  size_t count = 0;
  for (auto& connection : connections_) {
    if (connection == nullptr || !Concerns(between, connection->dialer().link())) continue;
    if (connection->acceptor().state() != TcpSide::State::kOpen) continue;
    connection->dialer().Fail(absl::AbortedError("connection reset"), id);
    connection->acceptor().Fail(absl::AbortedError("connection reset"), id);
    ++count;
  }
  if (count > 0) world_.ledger().Applied(id);
  world_.Fold(kNoHost, EventKind::kFault, core::Mix(id.value(), count));
  return count;
}

uint64_t SimulatedNetwork::bytes_between(ZoneId from, ZoneId to) const {
  return zone_bytes_[PairIndex(from, to)];
}

size_t SimulatedNetwork::link_count() const {
  size_t count = 0;
  for (const auto& from : links_) count += from.size();
  return count;
}

TcpConnection& SimulatedNetwork::NewConnection(Host& from, const Route& route) {
  Host& to = *route.host;
  const uint64_t nth = from.kernel().NextDialTo(to.id());
  Link& there = route.vip == nullptr ? LinkBetween(from.id(), to.id())
                                     : LinkThrough(*route.vip, from.id(), to.id());
  Link& back = route.vip == nullptr ? LinkBetween(to.id(), from.id())
                                    : LinkThrough(*route.vip, to.id(), from.id());
  const uint64_t key = core::Mix(there.key, nth);
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(connections_.size()));
    connections_.emplace_back();
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  connections_[slot] =
      std::make_unique<TcpConnection>(*this, from, from.kernel().NextPort(), to, route.port, slot);
  connections_[slot]->SetPath(there, back, key, route.vip);
  ++open_connections_;
  from.kernel().Add(connections_[slot]->dialer());
  to.kernel().Add(connections_[slot]->acceptor());
  return *connections_[slot];
}

void SimulatedNetwork::Free(TcpConnection& connection) {
  connection.dialer().host().kernel().Remove(connection.dialer());
  connection.acceptor().host().kernel().Remove(connection.acceptor());
  --open_connections_;
  free_slots_.push_back(connection.slot());
  connections_[connection.slot()].reset();
}

}  // namespace highwater::sim
