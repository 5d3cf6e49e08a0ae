#include "broker/storage/leader_epoch_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

EpochEntry At(int epoch, int start) { return {LeaderEpoch(epoch), Offset(start)}; }
EpochEndOffset End(int epoch, int end) { return {LeaderEpoch(epoch), Offset(end)}; }

LeaderEpochCache Cache(std::vector<EpochEntry> entries) { return LeaderEpochCache(entries); }

TEST(LeaderEpochCacheTest, AssignIsANoOpForTheLatestEpochAtOrAboveItsStart) {  // [K2]
  LeaderEpochCache cache = Cache({At(1, 0), At(2, 10)});
  EXPECT_FALSE(cache.Assign(LeaderEpoch(2), Offset(10)));
  EXPECT_FALSE(cache.Assign(LeaderEpoch(2), Offset(99)));
  EXPECT_THAT(cache.entries(), ElementsAre(At(1, 0), At(2, 10)));
}

TEST(LeaderEpochCacheTest, AssignRemovesWhatContradictsIt) {  // [K2]
  LeaderEpochCache cache = Cache({At(1, 0), At(3, 10), At(5, 20)});
  EXPECT_TRUE(cache.Assign(LeaderEpoch(3), Offset(15)));
  EXPECT_THAT(cache.entries(), ElementsAre(At(1, 0), At(3, 15)));
  EXPECT_TRUE(cache.Assign(LeaderEpoch(4), Offset(0)));
  EXPECT_THAT(cache.entries(), ElementsAre(At(4, 0)));
}

TEST(LeaderEpochCacheTest, AssignRejectsNegativeValues) {  // [K2]
  LeaderEpochCache cache;
  EXPECT_FALSE(cache.Assign(kNoLeaderEpoch, Offset(0)));
  EXPECT_FALSE(cache.Assign(LeaderEpoch(0), Offset(-1)));
  EXPECT_THAT(cache.entries(), IsEmpty());
}

TEST(LeaderEpochCacheTest, TruncateFromEndDropsEntriesThatStartAtOrAboveTheCut) {  // [K3]
  LeaderEpochCache cache = Cache({At(1, 0), At(2, 10), At(3, 20)});
  EXPECT_FALSE(cache.TruncateFromEnd(Offset(21)));
  EXPECT_TRUE(cache.TruncateFromEnd(Offset(20)));
  EXPECT_THAT(cache.entries(), ElementsAre(At(1, 0), At(2, 10)));
  EXPECT_TRUE(cache.TruncateFromEnd(Offset(0)));
  EXPECT_THAT(cache.entries(), IsEmpty());
}

TEST(LeaderEpochCacheTest, TruncateFromStartKeepsTheEpochOfTheFirstRecord) {  // [K3]
  LeaderEpochCache cache = Cache({At(1, 0), At(2, 10), At(3, 20)});
  EXPECT_FALSE(cache.TruncateFromStart(Offset(0)));
  EXPECT_TRUE(cache.TruncateFromStart(Offset(15)));
  EXPECT_THAT(cache.entries(), ElementsAre(At(2, 15), At(3, 20)));
  EXPECT_TRUE(cache.TruncateFromStart(Offset(100)));
  EXPECT_THAT(cache.entries(), ElementsAre(At(3, 100)));
}

TEST(LeaderEpochCacheTest, EndOffsetForFollowsTheSixCases) {  // [K5]
  const LeaderEpochCache cache = Cache({At(2, 10), At(4, 20), At(7, 30)});
  const Offset end(42);
  EXPECT_EQ(cache.EndOffsetFor(kNoLeaderEpoch, end), std::nullopt);
  EXPECT_EQ(LeaderEpochCache().EndOffsetFor(LeaderEpoch(1), end), std::nullopt);
  EXPECT_EQ(cache.EndOffsetFor(LeaderEpoch(7), end), End(7, 42));
  EXPECT_EQ(cache.EndOffsetFor(LeaderEpoch(8), end), std::nullopt);
  EXPECT_EQ(cache.EndOffsetFor(LeaderEpoch(1), end), End(1, 10));
  EXPECT_EQ(cache.EndOffsetFor(LeaderEpoch(2), end), End(2, 20));
  EXPECT_EQ(cache.EndOffsetFor(LeaderEpoch(6), end), End(4, 30));
}

RC_GTEST_PROP(LeaderEpochCacheTest, EntriesStayStrictlyIncreasingWhateverIsDone, ()) {  // [K1]
  LeaderEpochCache cache;
  for (int i = 0; i < 40; ++i) {
    const int what = *rc::gen::inRange(0, 4);
    const Offset offset(*rc::gen::inRange(-1, 50));
    if (what <= 1) cache.Assign(LeaderEpoch(*rc::gen::inRange(-1, 20)), offset);
    if (what == 2) cache.TruncateFromEnd(offset);
    if (what == 3) cache.TruncateFromStart(offset);
    const auto entries = cache.entries();
    for (size_t e = 1; e < entries.size(); ++e) {
      RC_ASSERT(entries[e - 1].epoch < entries[e].epoch);
      RC_ASSERT(entries[e - 1].start_offset < entries[e].start_offset);
    }
  }
}

}  // namespace
}  // namespace highwater::broker::storage
