#include "broker/controller/partition_states.h"

#include <gtest/gtest.h>

#include <vector>

namespace highwater::broker::controller {
namespace {

// [C20]
TEST(PartitionStatesTest, FollowEachOtherAsC20Says) {
  using enum PartitionState;
  const std::vector<PartitionState> all{kNonExistent, kNew, kOnline, kOffline};
  for (const auto from : all) {
    EXPECT_EQ(MayBecome(from, kNew), from == kNonExistent);
    EXPECT_EQ(MayBecome(from, kOnline), from != kNonExistent);
    EXPECT_EQ(MayBecome(from, kOffline), from != kNonExistent);
    EXPECT_EQ(MayBecome(from, kNonExistent), from == kOffline);
  }
}

// [C21]
TEST(ReplicaStatesTest, FollowEachOtherAsC21Says) {
  using enum ReplicaState;
  const std::vector<ReplicaState> all{
      kNonExistent,       kNew, kOnline, kOffline, kDeletionStarted, kDeletionSuccessful,
      kDeletionIneligible};
  for (const auto from : all) {
    const bool serves =
        from == kNew || from == kOnline || from == kOffline || from == kDeletionIneligible;
    EXPECT_EQ(MayBecome(from, kNew), from == kNonExistent);
    EXPECT_EQ(MayBecome(from, kOnline), serves);
    EXPECT_EQ(MayBecome(from, kOffline), serves);
    EXPECT_EQ(MayBecome(from, kDeletionStarted), from == kOffline);
    EXPECT_EQ(MayBecome(from, kDeletionSuccessful), from == kDeletionStarted);
    EXPECT_EQ(MayBecome(from, kDeletionIneligible), from == kOffline || from == kDeletionStarted);
    EXPECT_EQ(MayBecome(from, kNonExistent), from == kDeletionSuccessful);
  }
}

}  // namespace
}  // namespace highwater::broker::controller
