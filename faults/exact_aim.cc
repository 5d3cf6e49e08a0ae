#include "faults/exact_aim.h"

#include <algorithm>

namespace highwater::faults {
namespace {

const Cast::Member* FindMember(const sim::Host& host, const Cast& cast) {
  for (const Cast::Member& member : cast.members) {
    if (member.host == &host) return &member;
  }
  return nullptr;
}

bool NamesAZone(Aim::Role role) {
  return role == Aim::Role::kAnyZone || role == Aim::Role::kZone ||
         role == Aim::Role::kControllerZone;
}

}  // namespace

std::optional<Aim> ExactAim(const Aim& aim, const std::vector<sim::Host*>& hosts,
                            const Cast& cast) {
  if (hosts.empty()) return std::nullopt;
  const Cast::Member* member = FindMember(*hosts.front(), cast);
  if (member == nullptr) return std::nullopt;
  if (NamesAZone(aim.role)) return Aim{.role = Aim::Role::kZone, .name = member->zone};
  const bool each = aim.role == Aim::Role::kAllBrokers || aim.role == Aim::Role::kAllClients;
  if (hosts.size() > 1 || each) return std::nullopt;
  switch (member->kind) {
    case Cast::Kind::kBroker:
      return Aim{.role = Aim::Role::kBroker, .number = member->number};
    case Cast::Kind::kZooKeeper:
      return Aim{.role = Aim::Role::kZooKeeper, .number = member->number};
    case Cast::Kind::kClient:
      return Aim{.role = Aim::Role::kClient, .name = member->host->name()};
    case Cast::Kind::kVipNode:
      return std::nullopt;
  }
  HW_UNREACHABLE();
}

std::vector<Aim> RolesOf(const sim::Host& host, const Cast& cast, const Roles& roles,
                         const std::vector<std::pair<std::string, int32_t>>& topics) {
  std::vector<Aim> played;
  const Cast::Member* member = FindMember(host, cast);
  if (member == nullptr) return played;
  if (member->kind == Cast::Kind::kZooKeeper) {
    if (roles.ZooKeeperLeader() == member->number) {
      played.push_back({.role = Aim::Role::kZooKeeperLeader});
    }
    return played;
  }
  if (member->kind != Cast::Kind::kBroker) return played;
  if (roles.Controller() == member->number) played.push_back({.role = Aim::Role::kController});
  for (const auto& [topic, partitions] : topics) {
    for (int32_t i = 0; i < partitions; ++i) {
      const std::vector<int32_t> replicas = roles.ReplicasOf(topic, i);
      if (std::find(replicas.begin(), replicas.end(), member->number) == replicas.end()) continue;
      const bool leads = roles.LeaderOf(topic, i) == member->number;
      played.push_back(
          {.role = leads ? Aim::Role::kLeader : Aim::Role::kFollower, .number = i, .name = topic});
    }
  }
  return played;
}

}  // namespace highwater::faults
