#include "sim/host_clock.h"

#include "core/check.h"

namespace highwater::sim {
namespace {
__extension__ using Wide = __int128;
constexpr int64_t kMillion = 1'000'000;
constexpr int64_t kFarthest = core::MonotonicTime::Never().nanos() - 1;
}  // namespace

int64_t HostClock::Drifted(int64_t elapsed) const {
  return static_cast<int64_t>(Wide{elapsed} * drift_ppm_ / kMillion);
}

int64_t HostClock::WorldTimeWithDrift(core::MonotonicTime when) const {
  const Wide distance = Wide{when.nanos()} - base_clock_;
  const Wide rate = kMillion + drift_ppm_;
  Wide elapsed = distance * kMillion / rate;
  if (elapsed + base_world_ > kFarthest) return core::MonotonicTime::Never().nanos();
  // The division rounded: step to the first instant at which the clock has come.
  auto world = static_cast<int64_t>(elapsed + base_world_);
  while (world > base_world_ && At(world - 1) >= when) --world;
  while (At(world) < when) ++world;
  return world;
}

absl::Time HostClock::WallAt(int64_t world_now) const {
  return absl::FromUnixSeconds(kWallEpochSeconds) +
         absl::Nanoseconds(At(world_now).nanos() - origin_ + wall_offset_);
}

void HostClock::SetDrift(int64_t world_now, int64_t ppm) {
  HW_CHECK(ppm > -kMillion, "a clock cannot stand still or run backwards: {} ppm", ppm);
  base_clock_ = At(world_now).nanos();
  base_world_ = world_now;
  drift_ppm_ = ppm;
}

}  // namespace highwater::sim
