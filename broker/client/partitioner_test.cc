#include "broker/client/partitioner.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace highwater::broker::client {
namespace {

// Values that the Java client's own test lists.
TEST(PartitionerTest, Murmur2IsTheJavaClients) {
  const auto hash = [](std::string_view data) { return static_cast<int32_t>(Murmur2(data)); };
  EXPECT_EQ(hash("21"), -973932308);
  EXPECT_EQ(hash("foobar"), -790332482);
  EXPECT_EQ(hash("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(hash("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(hash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
  EXPECT_EQ(hash("abc"), 479470107);
}

RC_GTEST_PROP(PartitionerProperty, AKeyHasOnePartition, (const std::string& key)) {
  const int32_t partitions = *rc::gen::inRange(1, 100);
  const PartitionIndex p = PartitionOfKey(key, partitions);
  RC_ASSERT(p.value() >= 0 && p.value() < partitions);
  RC_ASSERT(p == PartitionOfKey(key, partitions));
}

TEST(PartitionerTest, TheStickyChoiceStaysUntilTheNextBatchAndThenChanges) {
  core::KeyedRandom random(7);
  StickyPartition sticky;
  const std::vector<PartitionIndex> available = {PartitionIndex(0), PartitionIndex(2),
                                                 PartitionIndex(3)};
  PartitionIndex last = sticky.Current(available, 4, random);
  EXPECT_EQ(sticky.Current(available, 4, random), last);
  std::vector<int> seen(4);
  for (int i = 0; i < 300; ++i) {
    sticky.Next(available, 4, random);
    const PartitionIndex now = sticky.Current(available, 4, random);
    EXPECT_NE(now, last);
    ++seen[static_cast<size_t>(now.value())];
    last = now;
  }
  EXPECT_EQ(seen[1], 0) << "it has no leader";
  for (const size_t p : {0u, 2u, 3u}) EXPECT_GT(seen[p], 50);
}

TEST(PartitionerTest, WithoutAnyLeaderAllPartitionsAreTaken) {
  core::KeyedRandom random(7);
  StickyPartition sticky;
  const PartitionIndex p = sticky.Current({}, 4, random);
  EXPECT_TRUE(p.value() >= 0 && p.value() < 4);
}

}  // namespace
}  // namespace highwater::broker::client
