#pragma once

// MonotonicTime: a node's own clock reading, in nanoseconds since an origin that means nothing
// outside the node.
//
// Durations are absl::Duration at the seam; wall-clock instants are absl::Time. Ticks are integers,
// so equal inputs give equal times under every compiler.

#include <absl/time/time.h>

#include <compare>
#include <cstdint>
#include <limits>

namespace highwater::core {

class MonotonicTime {
 public:
  constexpr MonotonicTime() = default;
  static constexpr MonotonicTime FromNanos(int64_t nanos) { return MonotonicTime(nanos); }
  // Later than every real instant: a wait with this deadline never times out.
  static constexpr MonotonicTime Never() {
    return MonotonicTime(std::numeric_limits<int64_t>::max());
  }

  [[nodiscard]] constexpr int64_t nanos() const { return nanos_; }

  // Saturates at Never().
  friend MonotonicTime operator+(MonotonicTime t, absl::Duration d) {
    const int64_t n = absl::ToInt64Nanoseconds(d);
    int64_t sum;
    if (t == Never() || __builtin_add_overflow(t.nanos_, n, &sum)) return Never();
    return MonotonicTime(sum);
  }
  friend MonotonicTime operator-(MonotonicTime t, absl::Duration d) {
    return MonotonicTime(t.nanos_ - absl::ToInt64Nanoseconds(d));
  }
  friend absl::Duration operator-(MonotonicTime a, MonotonicTime b) {
    return absl::Nanoseconds(a.nanos_ - b.nanos_);
  }
  friend constexpr auto operator<=>(MonotonicTime, MonotonicTime) = default;

 private:
  constexpr explicit MonotonicTime(int64_t nanos) : nanos_(nanos) {}
  int64_t nanos_ = 0;
};

}  // namespace highwater::core
