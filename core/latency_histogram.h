#pragma once

// LatencyHistogram: how long many things took, in buckets that are never wider than a 64th of what
// they hold. Integers only: equal samples give an equal histogram, in whatever order they came and
// however they were shared out before they were merged.
//
//   LatencyHistogram latencies;
//   latencies.Record(absl::Milliseconds(12));
//   latencies.Merge(of_another_seed);
//   absl::Duration p99 = latencies.Quantile(99, 100);
//
// Not responsible for: windows of time, rates.
//
// Invariants:
//   1. Merge is associative and commutative; a histogram that is merged equals one that recorded
//      everything itself.
//   2. exact <= Quantile <= exact + exact / 64, where exact is the sample of that rank; never above
//      max().

#include <absl/time/time.h>
#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace highwater::core {

class LatencyHistogram {
 public:
  // Less than nothing counts as nothing, more than 292 years as that.
  void Record(absl::Duration sample);
  void Merge(const LatencyHistogram& other);

  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  // The greatest sample; zero without any.
  [[nodiscard]] absl::Duration max() const { return absl::Nanoseconds(max_); }
  // A bound that at least `part` of `whole` samples do not exceed; zero without samples.
  // REQUIRES: 0 < part <= whole.
  [[nodiscard]] absl::Duration Quantile(uint64_t part, uint64_t whole) const;

  // The buckets that hold anything, ascending: for those who carry a histogram elsewhere.
  struct Bucket {
    uint32_t index;
    uint64_t count;
    friend bool operator==(const Bucket&, const Bucket&) = default;
  };
  [[nodiscard]] std::vector<Bucket> Buckets() const;
  // nullopt: no histogram has these buckets with this maximum.
  [[nodiscard]] static std::optional<LatencyHistogram> FromBuckets(absl::Span<const Bucket> buckets,
                                                                   absl::Duration max);

  friend bool operator==(const LatencyHistogram&, const LatencyHistogram&) = default;

 private:
  void Add(uint32_t index, uint64_t count);

  std::vector<uint64_t> counts_;  // by bucket; the last one is not zero
  uint64_t count_ = 0;
  int64_t max_ = 0;  // ns
};

}  // namespace highwater::core
