#include "core/latency_histogram.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace highwater::core {
namespace {

// Nanoseconds of every size: what is drawn evenly would hardly ever be small.
rc::Gen<std::vector<int64_t>> Samples() {
  return rc::gen::container<std::vector<int64_t>>(rc::gen::map(
      rc::gen::pair(rc::gen::inRange(0, 63), rc::gen::arbitrary<uint64_t>()),
      [](const auto& drawn) { return static_cast<int64_t>(drawn.second >> 1 >> drawn.first); }));
}

LatencyHistogram Of(const std::vector<int64_t>& samples) {
  LatencyHistogram histogram;
  for (const int64_t sample : samples) histogram.Record(absl::Nanoseconds(sample));
  return histogram;
}

RC_GTEST_PROP(LatencyHistogramTest, AQuantileIsAtMostASixtyFourthAboveTheSampleOfItsRank, ()) {
  auto samples = *rc::gen::nonEmpty(Samples());
  const auto whole = *rc::gen::inRange<uint64_t>(1, 10'000);
  const auto part = *rc::gen::inRange<uint64_t>(1, whole + 1);
  const int64_t got = absl::ToInt64Nanoseconds(Of(samples).Quantile(part, whole));
  std::sort(samples.begin(), samples.end());
  const size_t rank = (samples.size() * part + whole - 1) / whole;
  const int64_t exact = samples[rank - 1];
  RC_ASSERT(got >= exact);
  RC_ASSERT(got - exact <= exact / 64);
  RC_ASSERT(got <= samples.back());
}

RC_GTEST_PROP(LatencyHistogramTest, MergingIsAsIfOneHadRecordedEverything, ()) {
  const auto a = *Samples();
  const auto b = *Samples();
  const auto c = *Samples();
  std::vector<int64_t> all = c;
  all.insert(all.end(), a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());

  LatencyHistogram left = Of(a);  // (a + b) + c
  left.Merge(Of(b));
  left.Merge(Of(c));
  LatencyHistogram tail = Of(b);  // a + (b + c)
  tail.Merge(Of(c));
  LatencyHistogram right = Of(a);
  right.Merge(tail);
  RC_ASSERT(left == right);
  RC_ASSERT(left == Of(all));
}

RC_GTEST_PROP(LatencyHistogramTest, ItsBucketsAreAllThatThereIsToIt, ()) {
  const LatencyHistogram histogram = Of(*Samples());
  RC_ASSERT(LatencyHistogram::FromBuckets(histogram.Buckets(), histogram.max()) == histogram);
}

TEST(LatencyHistogramTest, NothingRecordedIsZeroEverywhere) {
  const LatencyHistogram none;
  EXPECT_EQ(none.count(), 0u);
  EXPECT_EQ(none.Quantile(99, 100), absl::ZeroDuration());
  EXPECT_EQ(none.max(), absl::ZeroDuration());
}

TEST(LatencyHistogramTest, QuantilesAreOfRanksAndNotInterpolated) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Record(absl::Nanoseconds(i));
  EXPECT_EQ(histogram.Quantile(1, 2), absl::Nanoseconds(50));
  EXPECT_EQ(histogram.Quantile(99, 100), absl::Nanoseconds(99));
  EXPECT_EQ(histogram.Quantile(999, 1000), absl::Nanoseconds(100));
}

TEST(LatencyHistogramTest, TakesTheGreatestAndTheLeastDuration) {
  LatencyHistogram histogram;
  histogram.Record(absl::InfiniteDuration());
  histogram.Record(-absl::Seconds(1));
  EXPECT_EQ(histogram.max(), absl::Nanoseconds(std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(histogram.Quantile(1, 2), absl::ZeroDuration());
}

TEST(LatencyHistogramTest, RefusesBucketsThatNoSamplesMake) {
  using Bucket = LatencyHistogram::Bucket;
  const absl::Duration three = absl::Nanoseconds(3);
  EXPECT_TRUE(LatencyHistogram::FromBuckets({Bucket{1, 5}, Bucket{3, 1}}, three).has_value());
  EXPECT_FALSE(LatencyHistogram::FromBuckets({Bucket{3, 1}, Bucket{1, 5}}, three).has_value());
  EXPECT_FALSE(LatencyHistogram::FromBuckets({Bucket{3, 0}}, three).has_value());
  EXPECT_FALSE(LatencyHistogram::FromBuckets({Bucket{1u << 30, 1}}, three).has_value());
  EXPECT_FALSE(LatencyHistogram::FromBuckets({Bucket{2, 1}}, three).has_value());
  EXPECT_FALSE(LatencyHistogram::FromBuckets({}, three).has_value());
}

}  // namespace
}  // namespace highwater::core
