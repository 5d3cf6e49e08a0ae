#include "faults/injector.h"

#include <algorithm>

#include "core/random.h"

namespace highwater::faults {

std::vector<sim::Host*> Cast::OneOf(Kind kind, uint64_t key) const {
  std::vector<sim::Host*> candidates;
  for (const Member& member : members) {
    if (member.kind == kind) candidates.push_back(member.host);
  }
  if (candidates.empty()) return {};
  return {candidates[core::KeyedRandom(key).Below(candidates.size())]};
}

std::vector<sim::Host*> Cast::Exactly(Kind kind, std::optional<int32_t> number) const {
  for (const Member& member : members) {
    if (member.kind == kind && member.number == number) return {member.host};
  }
  return {};
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
    world_.At(active->order.at, [this, a = active.get()] { Fire(*a); });
    active_.push_back(std::move(active));
  }
}

void Injector::Fire(Active& active) {
  if (healed_) return;
  const FaultOrder& order = active.order;
  const auto victims = cast_.Resolve(order.hit.value_or(order.aim), roles_, order.key);
  const auto others =
      cast_.Resolve(order.other_hit.value_or(order.other), roles_, core::Mix(order.key, 1));
  std::unique_ptr<Fault> fault = MakeFault(order);
  HW_CHECK(fault != nullptr, "no fault of kind {}", order.kind);
  if (victims.empty()) return;
  if (fires_) fires_(order, victims, others);
  fault->Apply(world_, victims, others, active.id);
  if (world_.ledger()[active.id].applied == 0) return;
  told_(order, victims, fault->Describe(victims));
  if (changed_) changed_();
  active.fault = std::move(fault);
  world_.At(world_.Elapsed() + order.length, [this, a = &active] { End(*a); });
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
