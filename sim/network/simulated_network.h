#pragma once

// SimulatedNetwork: the region's network: zones, links between hosts, bandwidth, faults, and the
// TCP connections over them.
//
// A link exists once two hosts have talked; its base latency is drawn by its two hosts' names, so
// it does not depend on who talked first. A dial to a VIP's name (vip.h) leads to a broker's host
// over a link through the VIP's node. Not responsible for: what a program sees of a connection
// (network_port.h), what a kernel does for it (tcp.h).

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "core/network.h"
#include "sim/network/link.h"
#include "sim/network/link_fault.h"
#include "sim/network/network_options.h"

namespace highwater::sim {

class Host;
class MessageSink;
class TcpConnection;
class Vip;
class World;
enum class VipConnections : uint8_t;
struct VipOptions;

class SimulatedNetwork {
 public:
  explicit SimulatedNetwork(World& world);
  ~SimulatedNetwork();
  SimulatedNetwork(const SimulatedNetwork&) = delete;
  SimulatedNetwork& operator=(const SimulatedNetwork&) = delete;

  // The zone of that name, made if there is none.
  ZoneId AddZone(std::string_view name);
  [[nodiscard]] const std::string& zone_name(ZoneId zone) const { return zones_[zone.value()]; }
  [[nodiscard]] size_t zone_count() const { return zones_.size(); }
  [[nodiscard]] std::vector<HostId> HostsIn(ZoneId zone) const;
  [[nodiscard]] std::vector<HostId> HostsOutside(ZoneId zone) const;

  // An address in front of brokers; adds a host for each of its zones.
  Vip& AddVip(VipOptions options);

  // Counts as applied in the ledger if any pair of hosts is concerned. REQUIRES: its id is not
  // applied already.
  void Apply(LinkFault fault);
  // No effect if it is not applied.
  void Withdraw(FaultId id);
  // Resets every open connection between the two groups, at both ends, now. Returns how many.
  size_t ResetConnections(FaultId id, const std::vector<HostId>& a, const std::vector<HostId>& b);

  // Whoever wants to see each message; null: nobody. It outlives the world.
  void SetMessageSink(MessageSink* sink) { message_sink_ = sink; }
  [[nodiscard]] MessageSink* message_sink() const { return message_sink_; }

  [[nodiscard]] uint64_t bytes_delivered() const { return bytes_delivered_; }
  // From zone to zone, in the order of zones.
  [[nodiscard]] uint64_t bytes_between(ZoneId from, ZoneId to) const;
  [[nodiscard]] size_t link_count() const;
  [[nodiscard]] size_t connection_count() const { return open_connections_; }

  // For the parts of sim/.
  [[nodiscard]] World& world() { return world_; }
  [[nodiscard]] const TcpParameters& tcp() const { return tcp_; }
  void OnHostAdded(Host& host);
  // nullptr: unknown name.
  [[nodiscard]] Host* Find(std::string_view name);
  [[nodiscard]] Host* Resolve(std::string_view name, Host& asker);
  // Where an endpoint leads: no host if the name is unknown.
  struct Route {
    Host* host = nullptr;
    uint16_t port = 0;
    Vip* vip = nullptr;
  };
  [[nodiscard]] Route RouteTo(const core::Endpoint& endpoint, Host& asker);
  [[nodiscard]] Link& LinkBetween(HostId from, HostId to);
  TcpConnection& NewConnection(Host& from, const Route& to);
  // Whether a fault keeps everything that `from` sends from `to`: it is lost or refused.
  [[nodiscard]] bool CutsOff(HostId from, HostId to) const;
  // The VIP's address is at another node now.
  void RerouteVip(Vip& vip, VipConnections connections, FaultId fault);
  // The host has got or lost power.
  void OnPowerChange(const Host& host);
  void Free(TcpConnection& connection);
  void CountDelivered(const Link& link, uint64_t bytes) {
    bytes_delivered_ += bytes;
    zone_bytes_[link.zone_pair] += bytes;
    if (link.forwarded) zone_bytes_[link.second_zone_pair] += bytes;
  }

 private:
  [[nodiscard]] size_t PairIndex(ZoneId from, ZoneId to) const {
    return from.value() * kMaxZones + to.value();
  }
  // A link through the node that has the VIP's address now.
  [[nodiscard]] Link& LinkThrough(Vip& vip, HostId from, HostId to);
  // The same, for a connection that the node does not know.
  [[nodiscard]] Link& BrokenLink(Vip& vip, HostId from, HostId to, FaultId fault);
  void MakeLink(Link& link);
  void Reconsider(Link& link);
  void ReconsiderAll();
  void ReconsiderVips();
  static bool ConcernsWay(const LinkFault& fault, HostId from, HostId to);
  static bool Concerns(const LinkFault& fault, const Link& link);

  static constexpr size_t kMaxZones = 16;

  World& world_;
  TcpParameters tcp_;
  uint64_t key_;
  std::vector<std::string> zones_;
  absl::flat_hash_map<std::string, HostId> names_;
  // By the sender: links_[from][to].
  std::vector<absl::btree_map<HostId, std::unique_ptr<Link>>> links_;
  std::vector<std::unique_ptr<Vip>> vips_;
  struct ForwardedLink {
    Vip* vip;
    Link link;
  };
  // By sender, node, receiver.
  absl::btree_map<std::tuple<HostId, HostId, HostId>, std::unique_ptr<ForwardedLink>> forwarded_;
  absl::btree_map<std::pair<HostId, HostId>, std::unique_ptr<Link>> broken_;
  std::deque<Queue> egress_;  // a deque: links point into it
  std::deque<Queue> ingress_;
  std::vector<Queue> zone_queues_;
  std::vector<uint64_t> zone_bytes_;
  std::vector<LinkFault> faults_;  // in the order in which they were applied
  std::vector<std::unique_ptr<TcpConnection>> connections_;
  std::vector<uint32_t> free_slots_;
  size_t open_connections_ = 0;
  uint64_t bytes_delivered_ = 0;
  MessageSink* message_sink_ = nullptr;
};

}  // namespace highwater::sim
