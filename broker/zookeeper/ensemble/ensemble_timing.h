#pragma once

// EnsembleTiming: how patient servers are with each other. zoo.cfg's keys; the limits count ticks.
//
// Follows ZooKeeper facts 3.8, 6.2.

#include <absl/time/time.h>

#include <cstdint>

namespace highwater::broker::zookeeper {

struct EnsembleTiming {
  absl::Duration tick = absl::Seconds(2);
  int32_t init_limit = 10;  // for discovery, synchronisation
  int32_t sync_limit = 5;   // for answers afterwards
};

}  // namespace highwater::broker::zookeeper
