#include "faults/injector.h"

#include "core/random.h"

namespace highwater::faults {

int64_t FaultOrder::Number(std::string_view name) const {
  const auto found = numbers.find(name);
  HW_CHECK(found != numbers.end(), "fault {} without {}", kind, name);
  return found->second;
}

const std::string& FaultOrder::Choice(std::string_view name) const {
  const auto found = choices.find(name);
  HW_CHECK(found != choices.end(), "fault {} without {}", kind, name);
  return found->second;
}

std::vector<sim::Host*> Cast::Resolve(const Aim& aim, uint64_t key) const {
  std::vector<sim::Host*> candidates;
  for (const Member& member : members) {
    switch (aim.role) {
      case Aim::Role::kAny:
      case Aim::Role::kAnyBroker:
        if (member.broker) candidates.push_back(member.host);
        break;
      case Aim::Role::kBroker:
        if (member.host->name() == fmt::format("broker-{}", aim.broker)) return {member.host};
        break;
      case Aim::Role::kClient:
        if (!member.broker && member.host->name() == aim.name) return {member.host};
        break;
      case Aim::Role::kZone:
        if (member.zone == aim.name) candidates.push_back(member.host);
        break;
    }
  }
  if (candidates.empty() || aim.role == Aim::Role::kZone) return candidates;
  return {candidates[core::KeyedRandom(key).Below(candidates.size())]};
}

std::string Names(const std::vector<sim::Host*>& hosts) {
  std::string names;
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (i > 0) names += i + 1 == hosts.size() ? " and " : ", ";
    names += hosts[i]->name();
  }
  return names;
}

void Injector::Order(std::vector<FaultOrder> orders) {
  for (FaultOrder& order : orders) {
    auto active = std::make_unique<Active>();
    active->id = world_.ledger().Request(order.kind);
    active->order = std::move(order);
    world_.At(active->order.at, [this, a = active.get()] { Fire(*a); });
    active_.push_back(std::move(active));
  }
}

void Injector::Fire(Active& active) {
  if (healed_) return;
  const FaultOrder& order = active.order;
  const auto victims = cast_.Resolve(order.aim, order.key);
  const auto others = cast_.Resolve(order.other, core::Mix(order.key, 1));
  std::unique_ptr<Fault> fault = MakeFault(order);
  HW_CHECK(fault != nullptr, "no fault of kind {}", order.kind);
  if (victims.empty()) return;
  fault->Apply(world_, victims, others, active.id);
  if (world_.ledger()[active.id].applied == 0) return;
  told_(fault->Describe(victims), order.place);
  active.fault = std::move(fault);
  world_.At(world_.Elapsed() + order.length, [this, a = &active] { End(*a); });
}

void Injector::End(Active& active) {
  if (active.fault == nullptr) return;
  active.fault->Withdraw(world_);
  active.fault.reset();
}

void Injector::Heal() {
  healed_ = true;
  for (const auto& active : active_) End(*active);
}

}  // namespace highwater::faults
