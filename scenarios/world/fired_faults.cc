// The parts of a SimulatedRun that a materialised run needs: whom its faults hit, and the crash
// before an effect.

#include "faults/exact_aim.h"
#include "scenarios/world/simulated_run.h"
#include "sim/host.h"

namespace highwater::scenarios {

void SimulatedRun::ArmEffectCrash() {
  const EffectCrash& crash = *scenario_.materialised->effect_crash;
  const uint64_t key = core::Mix(core::MixName("effect crash"), seed_);
  const auto victims = cast_.Resolve(crash.victim, recorder_.roles(), key);
  if (victims.empty()) return;
  crash_victim_ = victims.front();
  effects_at_warmup_ = crash_victim_->effects();
  if (crash.effect == 0) return;
  const sim::FaultId id = world_.ledger().Request(crash.power_loss ? "power_loss" : "crash_broker");
  crash_victim_->CrashAtPoint(
      effects_at_warmup_ + crash.effect,
      crash.power_loss ? sim::CrashKind::kPowerLoss : sim::CrashKind::kProcess, id);
}

void SimulatedRun::OnEffectCrash(sim::Host& host) {
  const EffectCrash& crash = *scenario_.materialised->effect_crash;
  recorder_.Fault(fmt::format("{} {} before effect {}", host.name(),
                              crash.power_loss ? "loses power" : "crashes", crash.effect),
                  "--crash-at-every-effect");
  world_.At(world_.Elapsed() + crash.down, [this, &host] {
    if (!host.running() && !healing_) host.Start();
  });
}

void SimulatedRun::NoteFired(const faults::FaultOrder& order,
                             const std::vector<sim::Host*>& victims,
                             const std::vector<sim::Host*>& others) {
  FiredFault fired{.key = order.key, .hit = "", .other_hit = "", .roles = {}};
  if (const auto aim = faults::ExactAim(order.aim, victims, cast_)) {
    fired.hit = faults::FormatAim(*aim);
  }
  if (const auto aim = faults::ExactAim(order.other, others, cast_)) {
    fired.other_hit = faults::FormatAim(*aim);
  }
  std::vector<std::pair<std::string, int32_t>> topics;
  for (const TopicSpec& topic : scenario_.topics) topics.emplace_back(topic.name, topic.partitions);
  if (victims.size() == 1) {
    for (const faults::Aim& role :
         faults::RolesOf(*victims.front(), cast_, recorder_.roles(), topics)) {
      fired.roles.push_back(faults::FormatAim(role));
    }
  }
  fired_.push_back(std::move(fired));
}

}  // namespace highwater::scenarios
