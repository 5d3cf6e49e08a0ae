#pragma once

// NetworkOptions: what a simulated region's network is like, as a scenario states it. All durations
// are in integer nanoseconds inside the simulation; ranges are inclusive.

#include <absl/time/time.h>

#include <cstdint>

#include "core/strong_int.h"

namespace highwater::sim {

// An availability zone's number, from 0 in the order of AddZone.
using ZoneId = core::StrongInt<struct ZoneIdTag, uint32_t>;

struct LatencyRange {
  absl::Duration low;
  absl::Duration high;
};

struct NetworkOptions {
  // One way. Each link draws its base in the range of its class.
  LatencyRange same_host{absl::Microseconds(5), absl::Microseconds(20)};
  LatencyRange within_zone{absl::Microseconds(200), absl::Microseconds(800)};
  LatencyRange between_zones{absl::Milliseconds(10), absl::Milliseconds(40)};
  // Each message adds a uniform part of its base up to this, and rarely a multiple of it (a fixed
  // table).
  int64_t jitter_percent = 10;
  bool tail = true;

  // Bytes a second; 0: without limit.
  int64_t host_bandwidth = 1'250'000'000;  // each direction of each host
  int64_t zone_pair_bandwidth = 0;         // each direction between two zones

  // What one direction of a connection holds: sent and not yet read.
  int64_t window_bytes = 256 << 10;
  int backlog = 128;  // connections that wait for Accept

  // Silence, with Linux's figures: a lost segment is sent again after rto_low, then twice as long
  // each time up to rto_high; the sender gives up after give_up. A connection is asked for again
  // after 1, 2, 4, ... s, syn_retries times.
  absl::Duration rto_low = absl::Milliseconds(200);
  absl::Duration rto_high = absl::Seconds(120);
  absl::Duration give_up = absl::Seconds(924);
  absl::Duration syn_timeout = absl::Seconds(1);
  int syn_retries = 6;
};

}  // namespace highwater::sim
