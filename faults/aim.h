#pragma once

// Aim: whom a fault hits, as operators say it: a role, resolved when the fault fires.
//
//   ParseAim("leader(orders-0)")        FormatAim(aim) == "leader(orders-0)"

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace highwater::faults {

struct Aim {
  enum class Role : uint8_t {
    kAny,              // `any`: the seed chooses among all that the fault can hit
    kAnyBroker,        // `any(broker)`
    kBroker,           // `broker(0)`
    kController,       // `controller`
    kLeader,           // `leader(orders-0)`
    kFollower,         // `follower(orders-0)`: one of them
    kAnyZooKeeper,     // `any(zookeeper)`
    kZooKeeper,        // `zookeeper(0)`
    kZooKeeperLeader,  // `zookeeper-leader`
    kClient,           // `client(producer-0)`
    kAllClients,       // `all(client)`: each of them
    kAnyZone,          // `any(az)`
    kZone,             // `az(az-a)`
    kControllerZone,   // `controller-az`: the controller's
    kAnyTopic,         // `any(topic)`
    kTopic,            // `topic(orders)`
    kAnyPartition,     // `any(partition)`
    kPartition,        // `partition(orders-0)`
    kAllBrokers,       // `all(broker)`: each of them
    kHere,             // `here`: where the event happened that the fault waited for
  };
  Role role = Role::kAny;
  int32_t number =
      0;             // kBroker, kZooKeeper; the partition's index of kLeader, kFollower, kPartition
  std::string name;  // kClient, kZone, kTopic; the topic of kLeader, kFollower, kPartition

  friend bool operator==(const Aim&, const Aim&) = default;
};

// How an aim of this role is written, for people: `broker(N)`.
[[nodiscard]] std::string_view AimForm(Aim::Role role);
// REQUIRES: the aim's parts are those of its role.
[[nodiscard]] std::string FormatAim(const Aim& aim);
// InvalidArgument says which forms exist. Whether such a broker or client exists is not asked.
[[nodiscard]] absl::StatusOr<Aim> ParseAim(std::string_view text);

}  // namespace highwater::faults
