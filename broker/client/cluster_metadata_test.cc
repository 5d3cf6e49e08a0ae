#include "broker/client/cluster_metadata.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::client {
namespace {

using protocol::ErrorCode;

constexpr int16_t kVersion = 12;
constexpr PartitionIndex kZero{0};

protocol::MetadataResponse Response(int32_t leader, int32_t epoch,
                                    protocol::Uuid topic_id = {.high = 1, .low = 1},
                                    ErrorCode error = ErrorCode::NONE) {
  protocol::MetadataResponse response;
  response.brokers.push_back({.node_id = 1, .host = "b1", .port = 9092});
  response.brokers.push_back({.node_id = 0, .host = "b0", .port = 9092});
  response.controller_id = 1;
  auto& topic = response.topics.emplace_back();
  topic.name = "t";
  topic.topic_id = topic_id;
  auto& partition = topic.partitions.emplace_back();
  partition.leader_id = leader;
  partition.leader_epoch = epoch;
  partition.error_code = error;
  return response;
}

TEST(ClusterMetadataTest, TellsBrokersAndLeaders) {
  ClusterMetadata metadata;
  EXPECT_FALSE(metadata.Update(Response(1, 5), kVersion).any_error);
  EXPECT_EQ(metadata.FindBroker(BrokerId(0))->host, "b0");
  EXPECT_EQ(metadata.FindBroker(BrokerId(2)), nullptr);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, BrokerId(1));
  EXPECT_EQ(metadata.FindPartition("t", PartitionIndex(1)), nullptr);
  EXPECT_EQ(metadata.FindPartition("u", kZero), nullptr);
}

// [N21]
TEST(ClusterMetadataTest, AnOlderLeaderEpochIsIgnored) {
  ClusterMetadata metadata;
  metadata.Update(Response(1, 5), kVersion);
  metadata.Update(Response(0, 4), kVersion);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, BrokerId(1));
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader_epoch, LeaderEpoch(5));
}

// [N21] Topics that were deleted and created again begin at epoch 0.
TEST(ClusterMetadataTest, ANewTopicIdBeginsAnew) {
  ClusterMetadata metadata;
  metadata.Update(Response(1, 5), kVersion);
  metadata.Update(Response(0, 0, {.high = 2, .low = 2}), kVersion);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, BrokerId(0));
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader_epoch, LeaderEpoch(0));
}

// [N21] A broker that does not speak of ids, during an upgrade, is no reason to forget one.
TEST(ClusterMetadataTest, AnAnswerWithoutTopicIdLeavesTheIdAndIsJudgedByItsEpoch) {
  ClusterMetadata metadata;
  metadata.Update(Response(1, 5), kVersion);
  metadata.Update(Response(0, 4, {}), kVersion);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, BrokerId(1));
  metadata.Update(Response(0, 4), kVersion);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, BrokerId(1)) << "the id was not forgotten";
}

// [N21] A topic's deletion is seen as an error; whatever has another id afterwards is another
// topic.
TEST(ClusterMetadataTest, ATopicThatWasGoneBetweenBeginsAnew) {
  ClusterMetadata metadata;
  metadata.Update(Response(1, 5), kVersion);
  protocol::MetadataResponse gone = Response(1, 5);
  gone.topics[0].error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
  gone.topics[0].partitions.clear();
  EXPECT_TRUE(metadata.Update(gone, kVersion).any_error);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, kNoBroker);
  metadata.Update(Response(0, 4), kVersion);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, kNoBroker) << "the same topic, an old tale";
  metadata.Update(Response(0, 0, {.high = 2, .low = 2}), kVersion);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, BrokerId(0));
}

// [N22]
TEST(ClusterMetadataTest, AnErrorOfAnOlderEpochTakesNothingAway) {
  ClusterMetadata metadata;
  metadata.Update(Response(1, 5), kVersion);
  metadata.Update(Response(-1, 4, {.high = 1, .low = 1}, ErrorCode::LEADER_NOT_AVAILABLE),
                  kVersion);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, BrokerId(1));
  EXPECT_EQ(metadata.FindPartition("t", kZero)->error, ErrorCode::NONE);
}

TEST(ClusterMetadataTest, AnAnswerWithoutBrokersIsNotTaken) {
  ClusterMetadata metadata;
  metadata.Update(Response(1, 5), kVersion);
  protocol::MetadataResponse empty = Response(0, 6);
  empty.brokers.clear();
  EXPECT_FALSE(metadata.Update(empty, kVersion).taken);
  EXPECT_EQ(metadata.brokers().size(), 2u);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader_epoch, LeaderEpoch(5));
}

TEST(ClusterMetadataTest, AReplicaIsOnlineIfItsBrokerIsKnownAndItIsNotReportedOffline) {
  ClusterMetadata metadata;
  protocol::MetadataResponse response = Response(1, 5);
  response.topics[0].partitions[0].offline_replicas = {0};
  metadata.Update(response, kVersion);
  const PartitionMetadata& partition = *metadata.FindPartition("t", kZero);
  EXPECT_TRUE(metadata.IsOnline(partition, BrokerId(1)));
  EXPECT_FALSE(metadata.IsOnline(partition, BrokerId(0)));
  EXPECT_FALSE(metadata.IsOnline(partition, BrokerId(7)));
}

// [N21] A model: among all answers about one topic the epoch that is believed is the greatest.
RC_GTEST_PROP(ClusterMetadataTest, TheEpochOfATopicNeverGoesBack, ()) {
  ClusterMetadata metadata;
  LeaderEpoch greatest = kNoLeaderEpoch;
  BrokerId leader = kNoBroker;
  const auto answers = *rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 2), rc::gen::inRange(0, 6)));
  for (const auto& [who, epoch] : answers) {
    metadata.Update(Response(who, epoch), kVersion);
    if (LeaderEpoch(epoch) >= greatest) {
      greatest = LeaderEpoch(epoch);
      leader = BrokerId(who);
    }
    RC_ASSERT(metadata.FindPartition("t", kZero)->leader_epoch == greatest);
    RC_ASSERT(metadata.FindPartition("t", kZero)->leader == leader);
  }
}

TEST(ClusterMetadataTest, EpochsOfOldVersionsAreNotReliedOn) {
  ClusterMetadata metadata;
  metadata.Update(Response(1, 5), 8);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader_epoch, kNoLeaderEpoch);
  metadata.Update(Response(0, 4), 8);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, BrokerId(0));
}

// [N22]
TEST(ClusterMetadataTest, AnErrorLeavesNoLeaderButTheEpoch) {
  ClusterMetadata metadata;
  metadata.Update(Response(1, 5), kVersion);
  EXPECT_TRUE(
      metadata
          .Update(Response(-1, 6, {.high = 1, .low = 1}, ErrorCode::LEADER_NOT_AVAILABLE), kVersion)
          .any_error);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, kNoBroker);
  metadata.Update(Response(1, 5), kVersion);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, kNoBroker) << "epoch 6 was seen";
}

TEST(ClusterMetadataTest, ALeaderThatIsNoBrokerIsNone) {
  ClusterMetadata metadata;
  metadata.Update(Response(9, 5), kVersion);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, kNoBroker);
}

TEST(ClusterMetadataTest, ANewerEpochFromElsewhereMakesTheLeaderUnknown) {
  ClusterMetadata metadata;
  metadata.Update(Response(1, 5), kVersion);
  EXPECT_FALSE(metadata.SeenLeaderEpoch("t", kZero, LeaderEpoch(5)));
  EXPECT_FALSE(metadata.SeenLeaderEpoch("t", kZero, kNoLeaderEpoch));
  EXPECT_TRUE(metadata.SeenLeaderEpoch("t", kZero, LeaderEpoch(7)));
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, kNoBroker);
  metadata.Update(Response(0, 7), kVersion);
  EXPECT_EQ(metadata.FindPartition("t", kZero)->leader, BrokerId(0));
}

}  // namespace
}  // namespace highwater::broker::client
