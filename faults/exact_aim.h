#pragma once

// How a host that was hit is named: exactly, and by the roles that it plays.
//
//   ExactAim(order.aim, victims, cast)           broker(1) for leader(orders-0), az(az-b) for
//   any(az) RolesOf(*victims[0], cast, roles, layout)    controller, leader(orders-0),
//   follower(orders-1)
//
// The first makes a fault keep its victim when other faults are left out; the second gives it back
// a name that means something in a run of another seed.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "faults/injector.h"

namespace highwater::faults {

// The aim that names just `hosts`, to which `aim` was resolved. Nothing if there are none, or if
// they are not what such an aim names.
[[nodiscard]] std::optional<Aim> ExactAim(const Aim& aim, const std::vector<sim::Host*>& hosts,
                                          const Cast& cast);

// What `host` is now, the most particular first: the leader of a ZooKeeper ensemble, the
// controller, then leader or follower of the partitions of `topics` (names and how many partitions
// each has).
[[nodiscard]] std::vector<Aim> RolesOf(const sim::Host& host, const Cast& cast, const Roles& roles,
                                       const std::vector<std::pair<std::string, int32_t>>& topics);

}  // namespace highwater::faults
