#include "broker/replication/replica_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr BrokerId kOne{1};
constexpr BrokerId kTwo{2};
constexpr BrokerId kThree{3};
const core::MonotonicTime kNow = core::MonotonicTime() + absl::Seconds(100);

ReplicaView View(BrokerId broker, std::string_view rack, int64_t log_end = 10,
                 absl::Duration since = absl::ZeroDuration()) {
  return {
      .broker = broker, .rack = rack, .log_end_offset = Offset(log_end), .since_caught_up = since};
}

// [P19]
TEST(ReplicaSelectorTest, AConsumerIsSentToTheReplicaOfItsRack) {
  EXPECT_EQ(SelectRackAware("b", View(kOne, "a"), {View(kTwo, "b"), View(kThree, "c")}), kTwo);
  EXPECT_EQ(SelectRackAware("c", View(kOne, "a"), {View(kTwo, "b"), View(kThree, "c")}), kThree);
}

TEST(ReplicaSelectorTest, TheLeaderServesItsOwnRackAndThoseWithoutAReplica) {
  EXPECT_EQ(SelectRackAware("a", View(kOne, "a"), {View(kTwo, "a", 100)}), kOne);
  EXPECT_EQ(SelectRackAware("d", View(kOne, "a"), {View(kTwo, "b")}), kOne);
  EXPECT_EQ(SelectRackAware("", View(kOne, "a"), {View(kTwo, "")}), kOne);
}

TEST(ReplicaSelectorTest, WithinARackTheFullestThenTheFreshestIsTaken) {
  const ReplicaView leader = View(kOne, "a");
  EXPECT_EQ(SelectRackAware("b", leader, {View(kTwo, "b", 10), View(kThree, "b", 9)}), kTwo);
  EXPECT_EQ(SelectRackAware("b", leader,
                            {View(kTwo, "b", 10, absl::Seconds(1)),
                             View(kThree, "b", 10, absl::InfiniteDuration())}),
            kTwo);
  EXPECT_EQ(SelectRackAware("b", leader, {View(kTwo, "b"), View(kThree, "b")}), kThree);
}

RC_GTEST_PROP(ReplicaSelectorTest, TheOrderOfTheReplicasDoesNotMatter, ()) {
  auto views = *rc::gen::container<std::vector<ReplicaView>>(rc::gen::map(
      rc::gen::tuple(rc::gen::inRange(2, 9), rc::gen::inRange(0, 3), rc::gen::inRange(0, 3)),
      [](const std::tuple<int, int, int>& t) {
        return View(BrokerId(std::get<0>(t)), std::get<1>(t) == 0 ? "b" : "c", std::get<1>(t),
                    absl::Seconds(std::get<2>(t)));
      }));
  const BrokerId chosen = SelectRackAware("b", View(kOne, "a"), views);
  std::reverse(views.begin(), views.end());
  RC_ASSERT(SelectRackAware("b", View(kOne, "a"), views) == chosen);
}

// [P19] A follower that has not fetched in this epoch, or does not hold the offset, is none to go
// to.
TEST(ReplicaSelectorTest, OnlyAReplicaThatHoldsTheOffsetIsACandidate) {
  PartitionLeader leader(kOne);
  PartitionLeader::Effects effects;
  leader.BecomeLeader({.epoch = LeaderEpoch(1),
                       .partition_epoch = PartitionEpoch(1),
                       .isr = {kOne, kTwo, kThree},
                       .replicas = {kOne, kTwo, kThree}},
                      Offset(0), Offset(20), kNow, effects);
  const auto holders = [&](int64_t from) {
    std::vector<BrokerId> ids;
    for (const ReplicaView& view : HoldersOf(leader, Offset(from), kNow))
      ids.push_back(view.broker);
    return ids;
  };
  EXPECT_THAT(holders(0), IsEmpty());
  leader.OnFollowerFetch(
      {.follower = kTwo, .fetch_offset = Offset(8), .log_start_offset = Offset(5)}, kNow, effects);
  EXPECT_THAT(holders(4), IsEmpty());
  EXPECT_THAT(holders(5), ElementsAre(kTwo));
  EXPECT_THAT(holders(8), ElementsAre(kTwo));
  EXPECT_THAT(holders(9), IsEmpty());
}

}  // namespace
}  // namespace highwater::broker
