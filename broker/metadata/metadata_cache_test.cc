#include "broker/metadata/metadata_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker {
namespace {

using protocol::UpdateMetadataRequest;
using protocol::Uuid;

constexpr Uuid kId{7, 7};
constexpr PartitionIndex kZero{0};

UpdateMetadataRequest Request(int32_t leader, int32_t epoch, Uuid id = kId) {
  UpdateMetadataRequest request;
  request.controller_id = 3;
  request.live_brokers = {
      {.id = 1, .endpoints = {{.port = 9092, .host = "b1", .listener = "PLAINTEXT"}}, .rack = "a"},
      {.id = 2, .endpoints = {{.port = 9093, .host = "b2", .listener = "OTHER"}}}};
  request.topic_states.push_back({.topic_name = "t",
                                  .topic_id = id,
                                  .partition_states = {{.partition_index = 0,
                                                        .leader = leader,
                                                        .leader_epoch = epoch,
                                                        .isr = {1},
                                                        .zk_version = 4,
                                                        .replicas = {1, 2},
                                                        .offline_replicas = {2}}}});
  return request;
}

// [C114, S2]
TEST(MetadataCacheTest, IsEmptyUntilTheFirstRequest) {
  const MetadataCache cache;
  EXPECT_EQ(cache.controller(), kNoBroker);
  EXPECT_FALSE(cache.IsAlive(BrokerId(1)));
  EXPECT_EQ(cache.Find("t"), nullptr);
}

// [C114]
TEST(MetadataCacheTest, KeepsWhatARequestTells) {
  MetadataCache cache;
  cache.Update(Request(1, 5));
  EXPECT_EQ(cache.controller(), BrokerId(3));
  EXPECT_EQ(cache.NameOf(kId), "t");
  const MetadataCache::Partition* partition = cache.Find("t", kZero);
  ASSERT_NE(partition, nullptr);
  EXPECT_EQ(partition->leader, BrokerId(1));
  EXPECT_EQ(partition->leader_epoch, LeaderEpoch(5));
  EXPECT_EQ(partition->partition_epoch, PartitionEpoch(4));
  EXPECT_THAT(partition->offline_replicas, ::testing::ElementsAre(BrokerId(2)));
  EXPECT_EQ(*cache.EndpointOf(BrokerId(1), "PLAINTEXT"), (core::Endpoint{"b1", 9092}));
  EXPECT_EQ(cache.EndpointOf(BrokerId(2), "PLAINTEXT"), nullptr) << "[C114]";
  EXPECT_EQ(cache.brokers().at(BrokerId(1)).rack, "a");
}

// [R7]
TEST(MetadataCacheTest, ReplacesTheLiveBrokersAsAWhole) {
  MetadataCache cache;
  cache.Update(Request(1, 5));
  UpdateMetadataRequest request;
  request.live_brokers = {{.id = 2}};
  cache.Update(request);
  EXPECT_FALSE(cache.IsAlive(BrokerId(1)));
  EXPECT_TRUE(cache.IsAlive(BrokerId(2)));
  EXPECT_NE(cache.Find("t", kZero), nullptr) << "partitions that are not named stay";
}

// [R7, W6]
TEST(MetadataCacheTest, TheLastRequestWinsWhateverItsEpoch) {
  MetadataCache cache;
  cache.Update(Request(1, 5));
  cache.Update(Request(2, 4));
  EXPECT_EQ(cache.Find("t", kZero)->leader, BrokerId(2));
}

// [R7]
TEST(MetadataCacheTest, ALeaderOfMinusTwoRemovesThePartitionAndThenTheTopic) {
  MetadataCache cache;
  cache.Update(Request(1, 5));
  cache.Update(Request(-2, 0));
  EXPECT_EQ(cache.Find("t"), nullptr);
  EXPECT_EQ(cache.NameOf(kId), "");
}

// [C104]
TEST(MetadataCacheTest, ALateDeletionLeavesTheNewTopicOfThatName) {
  MetadataCache cache;
  cache.Update(Request(1, 0, Uuid{8, 8}));
  cache.Update(Request(-2, 0, kId));
  EXPECT_EQ(cache.NameOf(Uuid{8, 8}), "t");
}

TEST(MetadataCacheTest, ANewIdIsANewTopic) {
  MetadataCache cache;
  UpdateMetadataRequest two = Request(1, 5);
  two.topic_states[0].partition_states.push_back({.partition_index = 1, .leader = 1});
  cache.Update(two);
  cache.Update(Request(1, 0, Uuid{8, 8}));
  EXPECT_EQ(cache.NameOf(kId), "");
  EXPECT_EQ(cache.Find("t", PartitionIndex(1)), nullptr);
}

}  // namespace
}  // namespace highwater::broker
