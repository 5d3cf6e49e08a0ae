#include "broker/controller/request_batch.h"

#include <gtest/gtest.h>

namespace highwater::broker::controller {
namespace {

using protocol::LeaderAndIsrRequest;
using protocol::StopReplicaRequest;
using protocol::UpdateMetadataRequest;

const TopicPartition kOrders{"orders", PartitionIndex(0)};

std::vector<BrokerId> Ids(std::initializer_list<int32_t> ids) {
  std::vector<BrokerId> brokers;
  for (const int32_t id : ids) brokers.emplace_back(id);
  return brokers;
}

// Brokers 1 to 3; orders-0 on all of them, led by 1.
ControllerContext Context() {
  ControllerContext context;
  context.epoch = ControllerEpoch(7);
  for (const BrokerId id : Ids({1, 2, 3})) {
    context.brokers[id] = {.id = id,
                           .epoch = BrokerEpoch(100 + id.value()),
                           .endpoints = {{.host = fmt::format("b{}", id), .port = 9092}},
                           .rack = "az"};
  }
  TopicContext& topic = context.topics["orders"];
  topic.id = {.high = 1, .low = 2};
  PartitionContext& partition = topic.partitions[PartitionIndex(0)];
  partition.assignment.replicas = Ids({1, 2, 3});
  partition.leadership = {.leader_and_isr = {.leader = BrokerId(1),
                                             .leader_epoch = LeaderEpoch(4),
                                             .isr = Ids({1, 2}),
                                             .partition_epoch = PartitionEpoch(9)},
                          .controller_epoch = ControllerEpoch(6)};
  return context;
}

std::vector<Outgoing> Build(ControllerRequestBatch& batch, const ControllerContext& context) {
  return batch.Build(context, BrokerId(1), {});
}

// [C66]
TEST(ControllerRequestBatchTest, SaysToEachBrokerWhatTheContextSaysC62) {
  const ControllerContext context = Context();
  ControllerRequestBatch batch;
  batch.AddLeaderAndIsr(context, Ids({2}), kOrders, IsNew::kYes);
  const auto requests = Build(batch, context);
  ASSERT_EQ(requests.size(), 4u);  // one LeaderAndIsr, three UpdateMetadata
  EXPECT_EQ(requests[0].to, BrokerId(2));
  EXPECT_EQ(requests[0].version, 6);
  const auto& request = std::get<LeaderAndIsrRequest>(requests[0].request);
  EXPECT_EQ(request.controller_epoch, 7);
  EXPECT_EQ(request.broker_epoch, 102);
  ASSERT_EQ(request.live_leaders.size(), 1u);
  EXPECT_EQ(request.live_leaders[0].host_name, "b1");
  const auto& state = request.topic_states.at(0).partition_states.at(0);
  EXPECT_EQ(state.controller_epoch, 6);  // of the decision
  EXPECT_EQ(state.leader_epoch, 4);
  EXPECT_EQ(state.zk_version, 9);
  EXPECT_EQ(state.isr, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(state.replicas, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_TRUE(state.is_new);
}

// [C22]
TEST(ControllerRequestBatchTest, EachLeaderAndIsrAlsoUpdatesEverybodysMetadataC60) {
  ControllerContext context = Context();
  context.shutting_down.insert(BrokerId(3));
  ControllerRequestBatch batch;
  batch.AddLeaderAndIsr(context, Ids({1, 2}), kOrders, IsNew::kNo);
  batch.AddStopReplica(context, Ids({1, 3}), kOrders, DeletePartition::kNo);
  const auto requests = Build(batch, context);
  ASSERT_EQ(requests.size(), 7u);
  // LeaderAndIsr, then UpdateMetadata, then StopReplica.
  for (size_t i = 0; i < 7; ++i)
    EXPECT_EQ(requests[i].request.index(), i < 2 ? 0u : i < 5 ? 1u : 2u);
  const auto& metadata = std::get<UpdateMetadataRequest>(requests[2].request);
  EXPECT_EQ(metadata.live_brokers.size(), 3u);
  EXPECT_EQ(metadata.live_brokers[0].endpoints.at(0).host, "b1");
  const auto& state = metadata.topic_states.at(0).partition_states.at(0);
  EXPECT_EQ(state.leader, 1);
  EXPECT_EQ(state.offline_replicas, std::vector<int32_t>{3});
  EXPECT_TRUE(batch.empty());
}

TEST(ControllerRequestBatchTest, SendsNothingToWhoIsNotThere) {
  ControllerContext context = Context();
  ControllerRequestBatch batch;
  batch.AddLeaderAndIsr(context, Ids({2, -1, 8}), kOrders, IsNew::kNo);
  context.brokers.erase(BrokerId(2));
  for (const Outgoing& request : Build(batch, context)) {
    EXPECT_TRUE(std::holds_alternative<UpdateMetadataRequest>(request.request));
    EXPECT_NE(request.to, BrokerId(2));
  }
}

TEST(ControllerRequestBatchTest, ATopicToBeDeletedHasTheLeaderMinusTwoC63) {
  ControllerContext context = Context();
  context.to_be_deleted.insert("orders");
  ControllerRequestBatch batch;
  batch.AddUpdateMetadata(Ids({1}), {kOrders});
  const auto requests = Build(batch, context);
  const auto& state = std::get<UpdateMetadataRequest>(requests.at(0).request)
                          .topic_states.at(0)
                          .partition_states.at(0);
  EXPECT_EQ(state.leader, -2);
  EXPECT_EQ(state.leader_epoch, 0);
}

TEST(ControllerRequestBatchTest, AStopCarriesTheEpochThatItNeedsC64) {
  ControllerContext context = Context();
  const auto epoch_of = [&](std::optional<LeaderEpoch> epoch) {
    ControllerRequestBatch batch;
    batch.AddStopReplica(context, Ids({3}), kOrders, DeletePartition::kYes, epoch);
    const auto requests = Build(batch, context);
    const auto& request = std::get<StopReplicaRequest>(requests.at(0).request);
    EXPECT_TRUE(request.topic_states.at(0).partition_states.at(0).delete_partition);
    return request.topic_states.at(0).partition_states.at(0).leader_epoch;
  };
  EXPECT_EQ(epoch_of(std::nullopt), 4);
  EXPECT_EQ(epoch_of(LeaderEpoch(3)), 3);
  context.topics["orders"].partitions[PartitionIndex(0)].leadership.reset();
  EXPECT_EQ(epoch_of(std::nullopt), -1);
  context.to_be_deleted.insert("orders");
  EXPECT_EQ(epoch_of(LeaderEpoch(3)), -2);
}

TEST(ControllerRequestBatchTest, WithinABatchADeletionWinsC64) {
  const ControllerContext context = Context();
  for (const bool delete_first : {true, false}) {
    ControllerRequestBatch batch;
    const auto first = delete_first ? DeletePartition::kYes : DeletePartition::kNo;
    const auto second = delete_first ? DeletePartition::kNo : DeletePartition::kYes;
    batch.AddStopReplica(context, Ids({3}), kOrders, first);
    batch.AddStopReplica(context, Ids({3}), kOrders, second);
    const auto requests = Build(batch, context);
    const auto& request = std::get<StopReplicaRequest>(requests.at(0).request);
    EXPECT_TRUE(request.topic_states.at(0).partition_states.at(0).delete_partition);
  }
}

}  // namespace
}  // namespace highwater::broker::controller
