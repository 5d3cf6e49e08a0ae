#pragma once

// HostClock: a host's own monotonic and wall clocks, read off the world's time through an offset, a
// drift and jumps.
//
// The monotonic clock starts at an offset of its own and runs (1 + drift) times as fast as the
// world; it never goes back, also when the drift changes. The wall clock follows it and jumps.
// Integers only: drift is in parts per million.

#include <absl/time/time.h>

#include <cstdint>

#include "core/monotonic_time.h"

namespace highwater::sim {

class HostClock {
 public:
  // The world's instant 0 on a wall clock without error: 2024-01-01T00:00:00Z.
  static constexpr int64_t kWallEpochSeconds = 1704067200;

  // `offset_nanos`: the monotonic reading at the world's instant 0; >= 0.
  explicit HostClock(int64_t offset_nanos) : origin_(offset_nanos), base_clock_(offset_nanos) {}

  [[nodiscard]] core::MonotonicTime At(int64_t world_now) const {
    const int64_t elapsed = world_now - base_world_;
    if (drift_ppm_ == 0) [[likely]] {
      return core::MonotonicTime::FromNanos(base_clock_ + elapsed);
    }
    return core::MonotonicTime::FromNanos(base_clock_ + elapsed + Drifted(elapsed));
  }
  // The first world instant at which At() has reached `when`; before the base: a time in the past.
  [[nodiscard]] int64_t WorldTimeOf(core::MonotonicTime when) const {
    if (drift_ppm_ == 0) [[likely]] {
      int64_t result;
      const bool far = __builtin_add_overflow(when.nanos() - base_clock_, base_world_, &result);
      return far ? core::MonotonicTime::Never().nanos() : result;
    }
    return WorldTimeWithDrift(when);
  }
  [[nodiscard]] absl::Time WallAt(int64_t world_now) const;

  [[nodiscard]] int64_t drift_ppm() const { return drift_ppm_; }
  // From `world_now` on; > -1,000,000.
  void SetDrift(int64_t world_now, int64_t ppm);
  // Moves the wall clock only.
  void JumpWall(absl::Duration by) { wall_offset_ += absl::ToInt64Nanoseconds(by); }

 private:
  [[nodiscard]] int64_t Drifted(int64_t elapsed) const;
  [[nodiscard]] int64_t WorldTimeWithDrift(core::MonotonicTime when) const;

  int64_t origin_;
  int64_t base_world_ = 0;  // where the present drift began
  int64_t base_clock_;
  int64_t drift_ppm_ = 0;
  int64_t wall_offset_ = 0;
};

}  // namespace highwater::sim
