#include "faults/load_faults.h"

namespace highwater::faults {
namespace {

using Hosts = std::vector<sim::Host*>;

class SurgeLoad final : public Fault {
 public:
  explicit SurgeLoad(int64_t factor) : factor_(factor) {}

  void Enter(const Stage& stage) override { load_ = stage.load; }
  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    if (load_ == nullptr) return;
    id_ = id;
    victims_ = victims;
    for (const sim::Host* host : victims) load_->Surge(*host, factor_, id);
  }
  void Withdraw(sim::World&) override {
    for (const sim::Host* host : victims_) load_->Surge(*host, 1, id_);
  }
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("{} {} {} times as much", Names(victims),
                       victims.size() == 1 ? "sends" : "send", factor_);
  }

 private:
  int64_t factor_;
  Load* load_ = nullptr;
  sim::FaultId id_;
  Hosts victims_;
};

}  // namespace

std::unique_ptr<Fault> MakeSurgeLoad(const FaultOrder& order) {
  return std::make_unique<SurgeLoad>(order.Number("factor"));
}

}  // namespace highwater::faults
