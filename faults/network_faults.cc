#include "faults/network_faults.h"

#include <algorithm>

#include "core/random.h"
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
                           .jitter = absl::Nanoseconds(order_.Number("jitter")),
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

// Something that is wrong with the links between the victims and the other side, until Withdraw.
class LinkCondition final : public Fault {
 public:
  LinkCondition(FaultOrder order, sim::LinkFault fault, std::string what)
      : order_(std::move(order)), fault_(std::move(fault)), what_(std::move(what)) {}

  void Apply(sim::World& world, const Hosts& victims, const Hosts& others,
             sim::FaultId id) override {
    fault_.id = id;
    fault_.from = IdsOf(victims);
    fault_.to = OtherSide(world, order_, others, fault_.from);
    world.network().Apply(fault_);
  }
  void Withdraw(sim::World& world) override { world.network().Withdraw(fault_.id); }
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("{} {}", Names(victims), what_);
  }

 private:
  FaultOrder order_;
  sim::LinkFault fault_;
  std::string what_;
};

class ResetConnections final : public Fault {
 public:
  explicit ResetConnections(FaultOrder order) : order_(std::move(order)) {}

  void Apply(sim::World& world, const Hosts& victims, const Hosts& others,
             sim::FaultId id) override {
    const auto side = IdsOf(victims);
    count_ = world.network().ResetConnections(id, side, OtherSide(world, order_, others, side));
  }
  void Withdraw(sim::World&) override {}
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("{} connections of {} are reset", count_, Names(victims));
  }

 private:
  FaultOrder order_;
  size_t count_ = 0;
};

// The brokers cannot speak to ZooKeeper for longer than their sessions last.
class ExpireSession final : public Fault {
 public:
  void Enter(const Stage& stage) override { servers_ = stage.cast.All(Cast::Kind::kZooKeeper); }
  void Apply(sim::World& world, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    id_ = id;
    world.network().Apply({.id = id, .from = IdsOf(victims), .to = IdsOf(servers_)});
  }
  void Withdraw(sim::World& world) override { world.network().Withdraw(id_); }
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("{} {} cut off from ZooKeeper until the session has expired", Names(victims),
                       victims.size() == 1 ? "is" : "are");
  }

 private:
  Hosts servers_;
  sim::FaultId id_;
};

// Two sides with servers and clients on both, which do not hear one another.
class SplitBrain final : public Fault {
 public:
  explicit SplitBrain(FaultOrder order) : order_(std::move(order)) {}

  void Enter(const Stage& stage) override { cast_ = &stage.cast; }
  void Apply(sim::World& world, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    id_ = id;
    side_ = victims;
    const size_t parts = order_.Choice("shape") == "2:1" ? 3 : 2;
    for (const auto kind : {Cast::Kind::kBroker, Cast::Kind::kZooKeeper, Cast::Kind::kClient}) {
      const size_t all = cast_->All(kind).size();
      // Half of the clients are on each side, whoever they need.
      Fill(kind, kind == Cast::Kind::kClient ? all / 2 : std::max<size_t>(all / parts, all > 1));
    }
    const auto side = IdsOf(side_);
    world.network().Apply({.id = id, .from = side, .to = EverybodyElse(world, side)});
  }
  void Withdraw(sim::World& world) override { world.network().Withdraw(id_); }
  std::string Describe(const Hosts&) const override {
    return fmt::format("the network splits {}: {} on the one side", order_.Choice("shape"),
                       Names(side_));
  }

 private:
  // Until `wanted` of that kind are on this side: first those of the victim's zone.
  void Fill(Cast::Kind kind, size_t wanted) {
    const std::vector<sim::Host*> all = cast_->All(kind);
    if (all.empty()) return;
    const auto is_here = [&](const sim::Host* host) {
      return std::find(side_.begin(), side_.end(), host) != side_.end();
    };
    auto here = static_cast<size_t>(std::count_if(all.begin(), all.end(), is_here));
    const size_t first = core::KeyedRandom(core::Mix(order_.key, 2)).Below(all.size());
    for (const bool same_zone : {true, false}) {
      for (size_t i = 0; i < all.size() && here < wanted; ++i) {
        sim::Host* host = all[(first + i) % all.size()];
        const bool near = host->zone() == side_.front()->zone();
        if (near != same_zone || is_here(host)) continue;
        side_.push_back(host);
        ++here;
      }
    }
  }

  FaultOrder order_;
  const Cast* cast_ = nullptr;
  sim::FaultId id_;
  Hosts side_;
};

class DriftVip final : public Fault {
 public:
  explicit DriftVip(FaultOrder order) : order_(std::move(order)) {}

  void Enter(const Stage& stage) override { vip_ = stage.vip; }
  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    if (vip_ == nullptr) return;
    const std::string& fate = order_.Choice("connections");
    vip_->DriftTo(victims.front()->zone(), id,
                  fate == "move"    ? sim::VipConnections::kMove
                  : fate == "reset" ? sim::VipConnections::kReset
                                    : sim::VipConnections::kForget);
  }
  void Withdraw(sim::World&) override {}  // an address that has drifted stays where it is
  std::string Describe(const Hosts&) const override {
    return fmt::format("the VIP drifts to {}", vip_->node().name());
  }

 private:
  FaultOrder order_;
  sim::Vip* vip_ = nullptr;
};

}  // namespace

std::unique_ptr<Fault> MakeDriftVip(const FaultOrder& order) {
  return std::make_unique<DriftVip>(order);
}
std::unique_ptr<Fault> MakeExpireSession(const FaultOrder&) {
  return std::make_unique<ExpireSession>();
}
std::unique_ptr<Fault> MakeLoseReply(const FaultOrder& order) {
  return std::make_unique<LinkCondition>(
      order, sim::LinkFault{.ways = sim::Ways::kOneWay, .effect = sim::LinkEffect::kReset},
      "is heard no more: in the place of its replies come resets");
}
std::unique_ptr<Fault> MakeResetConnections(const FaultOrder& order) {
  return std::make_unique<ResetConnections>(order);
}
std::unique_ptr<Fault> MakeSplitBrain(const FaultOrder& order) {
  return std::make_unique<SplitBrain>(order);
}
std::unique_ptr<Fault> MakeSqueezeNetwork(const FaultOrder& order) {
  const int64_t bandwidth = order.Number("bandwidth");
  return std::make_unique<LinkCondition>(
      order, sim::LinkFault{.effect = sim::LinkEffect::kBandwidth, .bytes_per_second = bandwidth},
      fmt::format("has {} bytes a second to and from each other host", bandwidth));
}
std::unique_ptr<Fault> MakePartition(const FaultOrder& order) {
  return std::make_unique<Partition>(order);
}
std::unique_ptr<Fault> MakeSlowNetwork(const FaultOrder& order) {
  return std::make_unique<SlowNetwork>(order);
}

}  // namespace highwater::faults
