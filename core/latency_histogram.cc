#include "core/latency_histogram.h"

#include <algorithm>
#include <bit>

#include "core/check.h"

namespace highwater::core {
namespace {

// Below 2^7 ns a bucket a nanosecond; from there on 2^6 buckets for each power of two.
constexpr int kBits = 6;
constexpr uint32_t kBuckets = (63 - kBits + 1) << kBits;

uint32_t BucketOf(int64_t nanos) {
  const auto value = static_cast<uint64_t>(nanos);
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - (kBits + 1));
  return (static_cast<uint32_t>(shift) << kBits) + static_cast<uint32_t>(value >> shift);
}

// The greatest value of a bucket.
int64_t LimitOf(uint32_t index) {
  if (index < 2u << kBits) return static_cast<int64_t>(index);
  const uint32_t shift = (index >> kBits) - 1;
  const uint64_t mantissa = index - (shift << kBits);
  return static_cast<int64_t>(((mantissa + 1) << shift) - 1);
}

}  // namespace

void LatencyHistogram::Add(uint32_t index, uint64_t count) {
  if (index >= counts_.size()) counts_.resize(index + 1);
  counts_[index] += count;
  count_ += count;
}

void LatencyHistogram::Record(absl::Duration sample) {
  const int64_t nanos = std::max(int64_t{0}, absl::ToInt64Nanoseconds(sample));
  Add(BucketOf(nanos), 1);
  max_ = std::max(max_, nanos);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

absl::Duration LatencyHistogram::Quantile(uint64_t part, uint64_t whole) const {
  HW_CHECK(0 < part && part <= whole, "quantile {}/{}", part, whole);
  if (empty()) return absl::ZeroDuration();
  __extension__ using Wide = unsigned __int128;
  const auto rank = static_cast<uint64_t>((static_cast<Wide>(count_) * part + whole - 1) / whole);
  uint64_t seen = 0;
  for (uint32_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return absl::Nanoseconds(std::min(LimitOf(i), max_));
  }
  HW_UNREACHABLE();
}

std::vector<LatencyHistogram::Bucket> LatencyHistogram::Buckets() const {
  std::vector<Bucket> buckets;
  for (uint32_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) buckets.push_back({i, counts_[i]});
  }
  return buckets;
}

std::optional<LatencyHistogram> LatencyHistogram::FromBuckets(absl::Span<const Bucket> buckets,
                                                              absl::Duration max) {
  LatencyHistogram histogram;
  for (const Bucket& bucket : buckets) {
    const bool ascending = bucket.index >= histogram.counts_.size();
    if (!ascending || bucket.index >= kBuckets || bucket.count == 0) return std::nullopt;
    histogram.Add(bucket.index, bucket.count);
  }
  histogram.max_ = absl::ToInt64Nanoseconds(max);
  const uint32_t last = histogram.empty() ? 0 : static_cast<uint32_t>(histogram.counts_.size()) - 1;
  if (histogram.max_ < 0 || BucketOf(histogram.max_) != last) return std::nullopt;
  if (histogram.empty() && histogram.max_ != 0) return std::nullopt;
  return histogram;
}

}  // namespace highwater::core
