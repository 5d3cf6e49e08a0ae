#include "faults/injector.h"

#include <algorithm>

#include "core/random.h"

namespace highwater::faults {

std::vector<sim::Host*> Cast::OneOf(Kind kind, uint64_t key) const {
  const std::vector<sim::Host*> candidates = All(kind);
  if (candidates.empty()) return {};
  return {candidates[core::KeyedRandom(key).Below(candidates.size())]};
}

std::vector<sim::Host*> Cast::Exactly(Kind kind, std::optional<int32_t> number) const {
  for (const Member& member : members) {
    if (member.kind == kind && member.number == number) return {member.host};
  }
  return {};
}

std::vector<sim::Host*> Cast::All(Kind kind) const {
  std::vector<sim::Host*> hosts;
  for (const Member& member : members) {
    if (member.kind == kind) hosts.push_back(member.host);
  }
  return hosts;
}

std::vector<sim::Host*> Cast::InZone(std::string_view zone) const {
  std::vector<sim::Host*> hosts;
  for (const Member& member : members) {
    if (member.zone == zone) hosts.push_back(member.host);
  }
  return hosts;
}

std::vector<sim::Host*> Cast::Resolve(const Aim& aim, const Roles& roles, uint64_t key) const {
  using Role = Aim::Role;
  switch (aim.role) {
    case Role::kAny:
    case Role::kAnyBroker:
      return OneOf(Kind::kBroker, key);
    case Role::kBroker:
      return Exactly(Kind::kBroker, aim.number);
    case Role::kController:
      return Exactly(Kind::kBroker, roles.Controller());
    case Role::kLeader:
      return Exactly(Kind::kBroker, roles.LeaderOf(aim.name, aim.number));
    case Role::kFollower: {
      std::vector<int32_t> followers = roles.ReplicasOf(aim.name, aim.number);
      const std::optional<int32_t> leader = roles.LeaderOf(aim.name, aim.number);
      std::erase_if(followers, [&](int32_t broker) { return broker == leader; });
      if (followers.empty()) return {};
      return Exactly(Kind::kBroker, followers[core::KeyedRandom(key).Below(followers.size())]);
    }
    case Role::kAnyZooKeeper:
      return OneOf(Kind::kZooKeeper, key);
    case Role::kZooKeeper:
      return Exactly(Kind::kZooKeeper, aim.number);
    case Role::kZooKeeperLeader:
      return Exactly(Kind::kZooKeeper, roles.ZooKeeperLeader());
    case Role::kClient:
      for (const Member& member : members) {
        if (member.kind == Kind::kClient && member.host->name() == aim.name) return {member.host};
      }
      return {};
    case Role::kAllClients:
      return All(Kind::kClient);
    case Role::kAnyZone: {
      std::vector<std::string> zones;
      for (const Member& member : members) zones.push_back(member.zone);
      std::sort(zones.begin(), zones.end());
      zones.erase(std::unique(zones.begin(), zones.end()), zones.end());
      if (zones.empty()) return {};
      return InZone(zones[core::KeyedRandom(key).Below(zones.size())]);
    }
    case Role::kZone:
      return InZone(aim.name);
    case Role::kControllerZone:
      for (const Member& member : members) {
        if (member.kind == Kind::kBroker && member.number == roles.Controller()) {
          return InZone(member.zone);
        }
      }
      return {};
    case Role::kAllBrokers:
      return All(Kind::kBroker);
    case Role::kHere:
      return {};  // the injector knows
    case Role::kAnyTopic:
    case Role::kTopic:
    case Role::kAnyPartition:
    case Role::kPartition:
      return {};  // what operators work on is no host
  }
  HW_UNREACHABLE();
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
    world_.At(active->order.at, [this, a = active.get()] { Begin(*a); });
    active_.push_back(std::move(active));
  }
}

void Injector::Begin(Active& active) {
  if (healed_) return;
  if (active.order.when.has_value()) return Wait(active);
  if (Prepare(active, nullptr)) Strike(active);
}

void Injector::Wait(Active& active) {
  active.waits = true;
  waiting_.push_back(&active);
  awaited_ |= 1U << static_cast<unsigned>(active.order.when->event);
}

void Injector::FireWaiting(const Happening& happening) {
  if (healed_) return;
  const auto of_here = cast_.Exactly(Cast::Kind::kBroker, happening.broker);
  sim::Host* const here = of_here.empty() ? nullptr : of_here.front();
  for (Active* active : waiting_) {
    if (!happening.Is(*active->order.when)) continue;
    const absl::Duration after = active->order.after;
    if (after > absl::ZeroDuration()) {
      active->waits = false;
      world_.At(world_.Elapsed() + after, [this, active, here] {
        if (!healed_ && Prepare(*active, here)) Strike(*active);
      });
      continue;
    }
    if (!Prepare(*active, here)) continue;  // nobody has that role now: the next such event, then
    active->waits = false;
    const bool at_once = active->fault->MayBeginOnVictim() && active->victims.size() == 1 &&
                         active->victims.front() == world_.running();
    if (at_once && active->order.kind != sham_) {
      // What its process does from here on has no effect any more.
      active->fault->Apply(world_, active->victims, {}, active->id);
      world_.AfterEvent([this, active] { Settle(*active); });
    } else {
      world_.AfterEvent([this, active] { Strike(*active); });
    }
  }
  std::erase_if(waiting_, [](const Active* active) { return !active->waits; });
  awaited_ = 0;
  for (const Active* active : waiting_) {
    awaited_ |= 1U << static_cast<unsigned>(active->order.when->event);
  }
}

bool Injector::Prepare(Active& active, sim::Host* here) {
  const FaultOrder& order = active.order;
  if (order.aim.role == Aim::Role::kHere) {
    active.victims.clear();
    if (here != nullptr) active.victims.push_back(here);
  } else {
    active.victims = cast_.Resolve(order.hit.value_or(order.aim), roles_, order.key);
  }
  if (active.victims.empty()) return false;
  if (fires_) fires_(order, active.victims, OthersOf(order));
  active.fault = MakeFault(order);
  HW_CHECK(active.fault != nullptr, "no fault of kind {}", order.kind);
  active.fault->Enter({.cast = cast_, .vip = vip_, .load = load_, .took_effect = [this, &active] {
                         TookEffect(active);
                       }});
  return true;
}

std::vector<sim::Host*> Injector::OthersOf(const FaultOrder& order) const {
  return cast_.Resolve(order.other_hit.value_or(order.other), roles_, core::Mix(order.key, 1));
}

void Injector::Strike(Active& active) {
  const FaultOrder& order = active.order;
  if (order.kind == sham_) {
    active.fault.reset();
    return world_.ledger().Applied(active.id);
  }
  active.fault->Apply(world_, active.victims, OthersOf(order), active.id);
  Settle(active);
}

void Injector::Settle(Active& active) {
  const bool applied = world_.ledger()[active.id].applied > 0;
  if (!applied && !active.fault->Lurks()) {
    active.fault.reset();
    return;
  }
  if (applied) TookEffect(active);
  world_.At(world_.Elapsed() + active.order.length, [this, a = &active] { End(*a); });
}

void Injector::TookEffect(Active& active) {
  told_(active.order, active.victims, active.fault->Describe(active.victims));
  if (changed_) changed_();
}

void Injector::End(Active& active) {
  if (active.fault == nullptr) return;
  active.fault->Withdraw(world_);
  active.fault.reset();
  if (changed_) changed_();
}

void Injector::Heal() {
  healed_ = true;
  for (const auto& active : active_) End(*active);
}

}  // namespace highwater::faults
