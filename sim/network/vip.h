#pragma once

// Vip: one address with a port for each broker, behind which a forwarding node in one zone stands;
// the address drifts to another zone's node.
//
//   Vip& vip = world.network().AddVip({.name = "kafka", .zones = {a, b, c}});
//   vip.Forward(9001, broker_1, 9092);          // clients dial "kafka:9001"
//   vip.DriftTo(b, fault);                      // the fault hook
//
// Connections are forwarded, not ended: a client's connection is one with its broker, over a link
// that goes through the node's zone and back, at the sum of both ways' latency. What silences,
// delays or resets either way does so for it; a node without power forwards nothing. So a lost zone
// with the node in it cuts every client from every broker, whichever zone they are in.
//
// A drift decides what becomes of open connections (VipConnections). Dials that are under way
// always go on over the new node. With `drift_time` set the address drifts by itself, so long after
// its node lost power or was cut off from all other nodes, to the first node in the order of zones
// that has power and is not cut off from the others; without such a node it stays until there is
// one.
//
// Each node is a host of its own, `name@zone`: zone-wide faults find it. It runs no program that
// matters: its kernel forwards. Not responsible for: which port a broker advertises.
//
// Invariants: 1. At each instant one node has the address. 2. Segments of one direction keep their
// order over a drift.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/timer_wheel.h"
#include "sim/event_kind.h"
#include "sim/fault_ledger.h"
#include "sim/network/network_options.h"

namespace highwater::sim {

class Host;
class SimulatedNetwork;

// What a drift does to open connections.
enum class VipConnections : uint8_t {
  kMove,    // the new node knows them: they go on, over its zone
  kReset,   // both ends are told at once that they are over
  kForget,  // the new node does not know them: an end learns it when it next sends something, so
            // one that only waits for an answer waits for its own time-out
};

struct VipOptions {
  std::string name;           // resolves in the network
  std::vector<ZoneId> zones;  // where it may stand; it begins in the first
  VipConnections connections = VipConnections::kForget;
  std::optional<absl::Duration> drift_time;  // none: it drifts only when told to
};

class Vip {
 public:
  // Use SimulatedNetwork::AddVip.
  Vip(SimulatedNetwork& network, VipOptions options);
  ~Vip();
  Vip(const Vip&) = delete;
  Vip& operator=(const Vip&) = delete;

  // From now on `port` of the address leads to `target_port` of `target`.
  void Forward(uint16_t port, Host& target, uint16_t target_port);

  // From now on `host` reaches what stands behind the address directly: it stands behind it too,
  // and its resolver knows the others.
  void StandsBehind(const Host& host);
  [[nodiscard]] bool IsBehind(HostId host) const { return behind_.contains(host); }

  [[nodiscard]] const std::string& name() const { return options_.name; }
  [[nodiscard]] ZoneId zone() const;
  // The node that has the address.
  [[nodiscard]] Host& node() { return *nodes_[active_]; }
  [[nodiscard]] const std::vector<Host*>& nodes() const { return nodes_; }
  [[nodiscard]] uint64_t drifts() const { return drifts_; }

  // Moves the address to the node of `zone`, which is one of its zones. Counts as applied if it was
  // elsewhere. Open connections fare as `connections` says, by default as the options say.
  void DriftTo(ZoneId zone, FaultId fault,
               std::optional<VipConnections> connections = std::nullopt);
  // The next zone in their order, for a fault that does not care.
  void Drift(FaultId fault);

  // For the parts of sim/.
  struct Target {
    Host* host = nullptr;
    uint16_t port = 0;
  };
  // No host: nobody listens there.
  [[nodiscard]] Target TargetOf(uint16_t port) const;
  // Power or links have changed: the node may be lost, or found again.
  void Reconsider();
  // In whose name a node without power is silent, and the address drifts by itself.
  [[nodiscard]] FaultId OwnFault();

 private:
  struct DriftTimer final : core::TimerNode {
    explicit DriftTimer(Vip& v) : vip(v) {}
    void OnTimer() override { vip.OnDriftDue(); }
    Vip& vip;
  };

  void OnDriftDue();
  [[nodiscard]] bool IsLost(size_t node);

  SimulatedNetwork& network_;
  const VipOptions options_;
  std::vector<Host*> nodes_;  // by the order of options_.zones
  size_t active_ = 0;
  absl::btree_map<uint16_t, Target> ports_;
  absl::btree_set<HostId> behind_;
  DriftTimer timer_{*this};
  FaultId own_fault_;
  uint64_t drifts_ = 0;
};

}  // namespace highwater::sim
