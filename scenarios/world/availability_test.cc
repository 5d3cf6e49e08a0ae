#include "scenarios/world/availability.h"

#include <gtest/gtest.h>

#include "scenarios/world/follower_lag.h"

namespace highwater::scenarios {
namespace {

using broker::BrokerId;
using broker::LeaderEpoch;
using broker::Offset;
using broker::TopicPartition;

const TopicPartition kOrders0{"orders", broker::PartitionIndex(0)};
const TopicPartition kOrders1{"orders", broker::PartitionIndex(1)};

absl::Duration At(int64_t seconds) { return absl::Seconds(seconds); }

class AvailabilityTest : public testing::Test {
 protected:
  void Leads(const TopicPartition& partition, int32_t broker, int32_t epoch, int64_t at) {
    availability_.Leads(partition, BrokerId(broker), LeaderEpoch(epoch), At(at));
  }
  void ExpectLosses(uint64_t count, absl::Duration longest) {
    EXPECT_EQ(availability_.time_to_leader().count(), count);
    EXPECT_EQ(availability_.time_to_leader().max(), longest);
  }
  Availability availability_;
};

TEST_F(AvailabilityTest, CountsFromTheDeathOfALeaderToTheNextForEachPartition) {
  Leads(kOrders0, 0, 0, 1);
  Leads(kOrders1, 0, 0, 1);
  availability_.ProcessEnded(BrokerId(0), At(10));
  Leads(kOrders0, 1, 1, 13);
  Leads(kOrders1, 2, 1, 15);
  ExpectLosses(2, At(5));
  EXPECT_EQ(availability_.Unavailable(At(20)), At(3 + 5));
}

TEST_F(AvailabilityTest, APartitionIsNotMissedBeforeItsFirstLeader) {
  availability_.ProcessEnded(BrokerId(0), At(5));
  Leads(kOrders0, 0, 0, 9);
  ExpectLosses(0, At(0));
  EXPECT_EQ(availability_.Unavailable(At(20)), At(0));
}

TEST_F(AvailabilityTest, WhoNeverGetsALeaderIsUnavailableToTheEndAndNoTimeToLeader) {
  Leads(kOrders0, 0, 0, 1);
  availability_.ProcessEnded(BrokerId(0), At(10));
  EXPECT_EQ(availability_.partitions_without_leader(), 1u);
  ExpectLosses(0, At(0));
  EXPECT_EQ(availability_.Unavailable(At(40)), At(30));
}

TEST_F(AvailabilityTest, ALeaderThatIsCutOffIsLostAtThatMomentAndNotWhenItHearsOfIt) {
  Leads(kOrders0, 0, 0, 1);
  availability_.SetReachable(BrokerId(0), false, At(10));
  Leads(kOrders0, 1, 1, 16);
  // What it hears, does and says afterwards is nobody's leader's any more.
  availability_.SetReachable(BrokerId(0), true, At(20));
  availability_.LeadsNoMore(kOrders0, BrokerId(0), At(21));
  ExpectLosses(1, At(6));
  EXPECT_EQ(availability_.Unavailable(At(30)), At(6));
}

TEST_F(AvailabilityTest, ALeaderThatComesBackBeforeAnybodyIsElectedServesAgain) {
  Leads(kOrders0, 0, 0, 1);
  availability_.SetReachable(BrokerId(0), false, At(10));
  availability_.SetReachable(BrokerId(0), true, At(12));
  ExpectLosses(1, At(2));
  EXPECT_EQ(availability_.Unavailable(At(30)), At(2));
}

TEST_F(AvailabilityTest, ALeaderThatIsElectedWhileCutOffServesNobodyYet) {
  Leads(kOrders0, 0, 0, 1);
  availability_.SetReachable(BrokerId(1), false, At(9));
  availability_.ProcessEnded(BrokerId(0), At(10));
  Leads(kOrders0, 1, 1, 12);
  availability_.SetReachable(BrokerId(1), true, At(17));
  ExpectLosses(1, At(7));
}

TEST_F(AvailabilityTest, AnEarlierEpochThatBeginsLateChangesNothing) {
  Leads(kOrders0, 1, 5, 10);
  Leads(kOrders0, 0, 4, 11);
  availability_.ProcessEnded(BrokerId(0), At(12));
  EXPECT_EQ(availability_.Unavailable(At(20)), At(0));
}

TEST_F(AvailabilityTest, AHandOverCountsFromTheOldLeadersEndToTheNewOnesBeginning) {
  Leads(kOrders0, 0, 0, 1);
  availability_.LeadsNoMore(kOrders0, BrokerId(0), At(10));
  Leads(kOrders0, 1, 1, 11);
  ExpectLosses(1, At(1));
  // The other way round nobody was missed.
  Leads(kOrders0, 2, 2, 20);
  availability_.LeadsNoMore(kOrders0, BrokerId(1), At(21));
  ExpectLosses(1, At(1));
  EXPECT_EQ(availability_.Unavailable(At(30)), At(1));
}

TEST_F(AvailabilityTest, ANewEpochOfTheSameLeaderIsUnavailabilityButNoLoss) {
  Leads(kOrders0, 0, 0, 1);
  availability_.LeadsNoMore(kOrders0, BrokerId(0), At(10));
  Leads(kOrders0, 0, 1, 11);
  ExpectLosses(0, At(0));
  EXPECT_EQ(availability_.Unavailable(At(30)), At(1));
  // Unless it died in between.
  availability_.LeadsNoMore(kOrders0, BrokerId(0), At(30));
  availability_.ProcessEnded(BrokerId(0), At(31));
  Leads(kOrders0, 0, 2, 34);
  ExpectLosses(1, At(4));
}

TEST_F(AvailabilityTest, NobodyMissesADeletedTopic) {
  Leads(kOrders0, 0, 0, 1);
  availability_.ProcessEnded(BrokerId(0), At(10));
  availability_.TopicDeleted("orders", At(12));
  EXPECT_EQ(availability_.Unavailable(At(30)), At(2));
  EXPECT_EQ(availability_.partitions_without_leader(), 0u);
}

TEST(FollowerLagTest, IsTheFurthestThatAnyFollowerWasBehindItsLeader) {
  FollowerLag lag;
  lag.Leads(kOrders0, BrokerId(0), Offset(0));
  lag.LogEnds(kOrders0, BrokerId(1), Offset(0));
  lag.LogEnds(kOrders0, BrokerId(0), Offset(10));
  lag.LogEnds(kOrders0, BrokerId(1), Offset(10));
  lag.LogEnds(kOrders0, BrokerId(0), Offset(13));
  EXPECT_EQ(lag.greatest(), 10u);
  // Ahead of a new leader is not behind it; what it is ahead by goes when it is cut.
  lag.Leads(kOrders0, BrokerId(1), Offset(10));
  EXPECT_EQ(lag.greatest(), 10u);
  lag.LogEnds(kOrders0, BrokerId(0), Offset(10));
  lag.LogEnds(kOrders0, BrokerId(1), Offset(31));
  EXPECT_EQ(lag.greatest(), 21u);
}

TEST(FollowerLagTest, AReplicaThatIsGoneIsNotBehind) {
  FollowerLag lag;
  lag.Leads(kOrders0, BrokerId(0), Offset(0));
  lag.LogEnds(kOrders0, BrokerId(1), Offset(0));
  lag.ReplicaRemoved(kOrders0, BrokerId(1));
  lag.LogEnds(kOrders0, BrokerId(0), Offset(100));
  EXPECT_EQ(lag.greatest(), 0u);
}

}  // namespace
}  // namespace highwater::scenarios
