#include "faults/zone_faults.h"

#include <algorithm>

#include "sim/network/simulated_network.h"

namespace highwater::faults {
namespace {

using Hosts = std::vector<sim::Host*>;

class LoseZone final : public Fault {
 public:
  explicit LoseZone(bool power_off) : power_off_(power_off) {}

  void Apply(sim::World& world, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    id_ = id;
    std::vector<sim::HostId> inside;
    for (const sim::Host* host : victims) inside.push_back(host->id());
    std::vector<sim::HostId> outside;
    for (uint32_t i = 0; i < world.host_count(); ++i) {
      const sim::HostId host(i);
      if (std::find(inside.begin(), inside.end(), host) == inside.end()) outside.push_back(host);
    }
    world.network().Apply({.id = id,
                           .from = inside,
                           .to = outside,
                           .ways = sim::Ways::kBoth,
                           .effect = sim::LinkEffect::kSilence});
    if (!power_off_) return;
    for (sim::Host* host : victims) {
      // Only servers have disks. A client that loses power is of no interest to anybody else.
      if (host->disk() == nullptr || !host->running()) continue;
      host->LosePower(id);
      down_.push_back(host);
    }
  }
  void Withdraw(sim::World& world) override {
    world.network().Withdraw(id_);
    for (sim::Host* host : down_) {
      if (!host->running()) host->Start();
    }
  }
  std::string Describe(const Hosts& victims) const override {
    return power_off_ ? fmt::format("the zone of {} is lost: {} off", Names(victims), Names(down_))
                      : fmt::format("the zone of {} is cut off", Names(victims));
  }

 private:
  bool power_off_;
  sim::FaultId id_;
  Hosts down_;
};

}  // namespace

std::unique_ptr<Fault> MakeLoseZone(const FaultOrder& order) {
  return std::make_unique<LoseZone>(order.Choice("power") == "off");
}

}  // namespace highwater::faults
