#include "faults/network_faults.h"

#include <algorithm>

#include "sim/network/simulated_network.h"

namespace highwater::faults {
namespace {

using Hosts = std::vector<sim::Host*>;

std::vector<sim::HostId> IdsOf(const Hosts& hosts) {
  std::vector<sim::HostId> ids;
  for (const sim::Host* host : hosts) ids.push_back(host->id());
  return ids;
}

std::vector<sim::HostId> EverybodyElse(sim::World& world, const std::vector<sim::HostId>& but) {
  std::vector<sim::HostId> ids;
  for (uint32_t i = 0; i < world.host_count(); ++i) {
    const sim::HostId id(i);
    if (std::find(but.begin(), but.end(), id) == but.end()) ids.push_back(id);
  }
  return ids;
}

// The hosts named on the other side, without those on this one; everybody else where none is named.
std::vector<sim::HostId> OtherSide(sim::World& world, const FaultOrder& order, const Hosts& others,
                                   const std::vector<sim::HostId>& side) {
  if (order.other.role == Aim::Role::kAny) return EverybodyElse(world, side);
  std::vector<sim::HostId> ids = IdsOf(others);
  std::erase_if(
      ids, [&](sim::HostId id) { return std::find(side.begin(), side.end(), id) != side.end(); });
  return ids;
}

class Partition final : public Fault {
 public:
  explicit Partition(FaultOrder order) : order_(std::move(order)) {}

  void Apply(sim::World& world, const Hosts& victims, const Hosts& others,
             sim::FaultId id) override {
    id_ = id;
    const auto side = IdsOf(victims);
    const auto other = OtherSide(world, order_, others, side);
    const std::string& cut = order_.Choice("cut");
    // "reset" answers whatever arrives with a reset; the others drop it, and "silence" resets
    // nothing either at the end.
    if (cut == "reset") world.network().ResetConnections(id, side, other);
    world.network().Apply(
        {.id = id,
         .from = side,
         .to = other,
         .ways = cut == "one-way" ? sim::Ways::kOneWay : sim::Ways::kBoth,
         .effect = cut == "reset" ? sim::LinkEffect::kReset : sim::LinkEffect::kSilence});
  }
  void Withdraw(sim::World& world) override { world.network().Withdraw(id_); }
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("{} {} cut off ({})", Names(victims), victims.size() == 1 ? "is" : "are",
                       order_.Choice("cut"));
  }

 private:
  FaultOrder order_;
  sim::FaultId id_;
};

class SlowNetwork final : public Fault {
 public:
  explicit SlowNetwork(FaultOrder order) : order_(std::move(order)) {}

  void Apply(sim::World& world, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    id_ = id;
    const auto side = IdsOf(victims);
    world.network().Apply({.id = id,
                           .from = side,
                           .to = EverybodyElse(world, side),
                           .effect = sim::LinkEffect::kDelay,
                           .delay = absl::Nanoseconds(order_.Number("delay")),
                           .loss_ppm = order_.Number("loss")});
  }
  void Withdraw(sim::World& world) override { world.network().Withdraw(id_); }
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("the network of {} is slow", Names(victims));
  }

 private:
  FaultOrder order_;
  sim::FaultId id_;
};

}  // namespace

std::unique_ptr<Fault> MakePartition(const FaultOrder& order) {
  return std::make_unique<Partition>(order);
}
std::unique_ptr<Fault> MakeSlowNetwork(const FaultOrder& order) {
  return std::make_unique<SlowNetwork>(order);
}

}  // namespace highwater::faults
