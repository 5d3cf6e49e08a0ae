#pragma once

// The machine's own time, for the harness's outer half only: budgets, time-outs of cases, progress.
// Nothing that a simulated world does may depend on it.

#include <absl/time/time.h>
#include <time.h>

namespace highwater::scenarios {

// Since an origin that means nothing; never goes back.
[[nodiscard]] inline absl::Duration HostNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::Seconds(now.tv_sec) + absl::Nanoseconds(now.tv_nsec);
}

}  // namespace highwater::scenarios
