// ReplicaManager and AlterPartitionManager by themselves: fences, checkpoints, and how changes of
// the ISR queue up for the controller.

#include "broker/replication/replica_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "broker/protocol/record_batch_builder.h"
#include "broker/replication/alter_partition_manager.h"
#include "sim/disk/disk.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"

namespace highwater::tests {
namespace {

using namespace broker;            // NOLINT
using namespace broker::protocol;  // NOLINT
using ::testing::ElementsAre;

const TopicPartition kOrders{"orders", PartitionIndex(0)};

// A controller that answers when it is told to.
class FakeChannel final : public ControllerChannel {
 public:
  explicit FakeChannel(core::Environment& env) : env_(env) {}
  absl::StatusOr<AlterPartitionResponse> AlterPartition(
      const AlterPartitionRequest& request) override {
    requests.push_back(request);
    while (requests.size() > answered) {
      if (closed_) return absl::CancelledError();
      if (wake_.Wait(env_.fibers, "an answer", core::MonotonicTime::Never()) ==
          core::Wake::kCancelled) {
        return absl::CancelledError();
      }
    }
    AlterPartitionResponse response;
    response.error_code = next_error;
    if (next_error != ErrorCode::NONE) return response;
    for (const auto& topic : request.topics) {
      auto& to = response.topics.emplace_back();
      to.name = topic.name;
      for (const auto& asked : topic.partitions) {
        to.partitions.push_back({.partition_index = asked.partition_index, .isr = asked.new_isr});
      }
    }
    return response;
  }
  absl::StatusOr<AllocateProducerIdsResponse> AllocateProducerIds(
      const AllocateProducerIdsRequest&) override {
    return absl::UnimplementedError("");
  }
  void Answer(ErrorCode error = ErrorCode::NONE) {
    next_error = error;
    ++answered;
    wake_.WakeAll();
    env_.fibers.SleepFor(absl::Milliseconds(1));
  }
  void Close() {
    closed_ = true;
    wake_.WakeAll();
  }
  std::vector<AlterPartitionRequest> requests;
  size_t answered = 0;
  ErrorCode next_error = ErrorCode::NONE;

 private:
  core::Environment& env_;
  core::WaitQueue wake_;
  bool closed_ = false;
};

class ReplicaManagerTest : public ::testing::Test {
 protected:
  ReplicaManagerTest() {
    host_ = &world_.AddHost({.name = "broker-1",
                             .zone = world_.network().AddZone("az-a"),
                             .disk = sim::MakeDiskFactory({.mounts = {"data"}})});
  }
  // One life of a broker with its logs loaded.
  void Run(const std::function<void(core::Environment&, storage::LogManager&, ReplicaManager&,
                                    FakeChannel&)>& body) {
    bool done = false;
    host_->SetMain([&](core::Environment& env) {
      Observer observer;
      FakeChannel channel(env);
      MetadataCache metadata;
      ReplicaManager replicas(env, BrokerId(1), {}, observer);
      storage::LogManager logs(env, {.directories = {"data"}}, replicas, observer);
      ASSERT_TRUE(logs.Start().ok());
      replicas.JoinCluster({.logs = logs,
                            .metadata = metadata,
                            .channel = channel,
                            .defaults = {},
                            .read_config = [&](const std::string&) {
                              env.fibers.SleepFor(std::exchange(config_takes_, absl::Duration()));
                              const bool fails = config_fails_ > 0;
                              if (fails) --config_fails_;
                              return fails ? absl::UnavailableError("no session")
                                           : absl::OkStatus();
                            }});
      body(env, logs, replicas, channel);
      channel.Close();
      replicas.Stop();
      replicas.ResignAll();
      EXPECT_TRUE(logs.Stop().ok());
      done = true;
    });
    host_->Start();
    world_.RunUntilIdle();
    EXPECT_TRUE(done) << world_.DescribeFibers();
  }
  // The broker leads orders-0 alone.
  static LeaderAndIsrRequest Lead(int32_t epoch, int64_t broker_epoch = -1) {
    LeaderAndIsrRequest request{
        .controller_id = 7, .controller_epoch = 3, .broker_epoch = broker_epoch};
    request.topic_states.push_back(
        {.topic_name = "orders",
         .topic_id = {1, 2},
         .partition_states = {
             {.leader = 1, .leader_epoch = epoch, .isr = {1}, .replicas = {1}, .is_new = true}}});
    return request;
  }
  static ErrorCode ErrorOf(const LeaderAndIsrResponse& response) {
    if (response.error_code != ErrorCode::NONE) return response.error_code;
    return response.topics.at(0).partition_errors.at(0).error_code;
  }

  sim::World world_{{.seed = 1}};
  sim::Host* host_;
  absl::Duration config_takes_;  // the next reading of a topic's settings
  int config_fails_ = 0;         // the next so many of them
};

TEST_F(ReplicaManagerTest, R1RequestsForAnEarlierRegistrationAreRefused) {
  Run([](core::Environment&, storage::LogManager&, ReplicaManager& replicas, FakeChannel&) {
    replicas.SetBrokerEpoch(BrokerEpoch(20));
    EXPECT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(Lead(0, 19), 6)),
              ErrorCode::STALE_BROKER_EPOCH);
    EXPECT_EQ(replicas.StopReplicas({.broker_epoch = 19}, 3).error_code,
              ErrorCode::STALE_BROKER_EPOCH);
    EXPECT_EQ(replicas.UpdateMetadata({.broker_epoch = 19}).error_code,
              ErrorCode::STALE_BROKER_EPOCH);
    EXPECT_EQ(replicas.Find("orders", PartitionIndex(0)), nullptr);
    // The controller may know of the next registration before this broker's own fiber does.
    EXPECT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(Lead(0, 21), 6)), ErrorCode::NONE);
    EXPECT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(Lead(1, -1), 6)), ErrorCode::NONE);
  });
}

TEST_F(ReplicaManagerTest, R3RequestsAreHandledOneAtATime) {
  config_takes_ = absl::Seconds(1);  // so long waits the first request
  Run([](core::Environment& env, storage::LogManager&, ReplicaManager& replicas, FakeChannel&) {
    std::vector<int> order;
    core::WaitGroup both(env.fibers);
    for (const int epoch : {4, 5}) {
      both.Add();
      env.fibers.Spawn("request", [&, epoch] {
        EXPECT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(Lead(epoch), 6)), ErrorCode::NONE);
        order.push_back(epoch);
        both.Done();
      });
    }
    both.Wait(core::MonotonicTime::Never());
    EXPECT_THAT(order, ElementsAre(4, 5));
  });
}

// [R28] A broker cut off from ZooKeeper has no broken disk: told so, the controller would count its
// replicas out until it is started again.
TEST_F(ReplicaManagerTest, ARoleWaitsForTheSettingsOfItsTopic) {
  config_fails_ = 3;
  Run([](core::Environment&, storage::LogManager&, ReplicaManager& replicas, FakeChannel&) {
    EXPECT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(Lead(0), 6)), ErrorCode::NONE);
    EXPECT_NE(replicas.Find("orders", PartitionIndex(0)), nullptr);
  });
}

// [R2]
TEST_F(ReplicaManagerTest, R4WhoSendsDoesNotMatterButTheNumbersDo) {
  Run([](core::Environment&, storage::LogManager&, ReplicaManager& replicas, FakeChannel&) {
    auto request = Lead(0);
    request.controller_id = 55;
    EXPECT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(request, 6)), ErrorCode::NONE);
    request = Lead(1);
    request.controller_epoch = 2;
    EXPECT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(request, 6)),
              ErrorCode::STALE_CONTROLLER_EPOCH);
  });
}

// [K9]
TEST_F(ReplicaManagerTest, R6AfterAStartAnyEpochIsNews) {
  for (int life = 0; life < 2; ++life) {
    Run([](core::Environment&, storage::LogManager&, ReplicaManager& replicas, FakeChannel&) {
      EXPECT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(Lead(5), 6)), ErrorCode::NONE);
      EXPECT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(Lead(5), 6)),
                ErrorCode::STALE_CONTROLLER_EPOCH);
    });
  }
}

// [K8, R16]
TEST_F(ReplicaManagerTest, R25UntilItHasARoleAPartitionKeepsItsCheckpointedHighWatermark) {
  Run([](core::Environment&, storage::LogManager& logs, ReplicaManager& replicas, FakeChannel&) {
    ASSERT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(Lead(0), 6)), ErrorCode::NONE);
    const auto partition = replicas.Find("orders", PartitionIndex(0));
    ASSERT_TRUE(partition->AwaitRole().ok());
    RecordBatchBuilder builder({});
    builder.Append(1, "key", "value");
    struct Waiter final : OffsetWaiter {
      void OnDone(ErrorCode) override {}
    } waiter;
    const auto batch = std::move(builder).Build();
    ASSERT_EQ(partition->Append(batch->bytes(), -1, waiter).error, ErrorCode::NONE);
    ASSERT_TRUE(partition->AwaitRole().ok());
    logs.CheckpointHighWatermarks();
  });
  Run([](core::Environment&, storage::LogManager& logs, ReplicaManager& replicas, FakeChannel&) {
    EXPECT_EQ(replicas.HighWatermarkOf(kOrders), std::nullopt);
    logs.CheckpointHighWatermarks();  // a stop without ever hearing of a controller
  });
  Run([](core::Environment&, storage::LogManager& logs, ReplicaManager& replicas, FakeChannel&) {
    EXPECT_EQ(logs.CheckpointedHighWatermark(kOrders), Offset(1));
    ASSERT_EQ(ErrorOf(replicas.BecomeLeaderOrFollower(Lead(1), 6)), ErrorCode::NONE);
    EXPECT_EQ(replicas.HighWatermarkOf(kOrders), Offset(1)) << "[R16]";
  });
}

class AlterPartitionManagerTest : public ::testing::Test {
 protected:
  void Run(
      const std::function<void(core::Environment&, FakeChannel&, AlterPartitionManager&)>& body) {
    sim::World world({.seed = 1});
    sim::Host& host = world.AddHost({.name = "h", .zone = world.network().AddZone("z")});
    bool done = false;
    host.SetMain([&](core::Environment& env) {
      FakeChannel channel(env);
      AlterPartitionManager changes(env, BrokerId(1), channel);
      body(env, channel, changes);
      channel.Close();
      changes.Stop();
      done = true;
    });
    host.Start();
    world.RunUntilIdle();
    EXPECT_TRUE(done) << world.DescribeFibers();
  }
  static TopicPartition Orders(int32_t index) { return {"orders", PartitionIndex(index)}; }
  static size_t CountOf(const AlterPartitionRequest& request) {
    return request.topics.empty() ? 0 : request.topics.at(0).partitions.size();
  }
};

TEST_F(AlterPartitionManagerTest, H20OneRequestIsInFlightAndTheNextTakesAllThatCameMeanwhile) {
  Run([](core::Environment& env, FakeChannel& channel, AlterPartitionManager& changes) {
    int answers = 0;
    const auto count = [&](const IsrAnswer&) { ++answers; };
    EXPECT_TRUE(changes.Submit(Orders(0), {.isr = {BrokerId(1)}}, count));
    env.fibers.SleepFor(absl::Milliseconds(1));
    for (const int32_t index : {1, 2}) {
      EXPECT_TRUE(changes.Submit(Orders(index), {.isr = {BrokerId(1)}}, count));
    }
    // [H21b]
    EXPECT_FALSE(changes.Submit(Orders(0), {.isr = {BrokerId(1)}}, count));
    EXPECT_FALSE(changes.Submit(Orders(1), {.isr = {BrokerId(1)}}, count));
    env.fibers.SleepFor(absl::Seconds(60));
    ASSERT_EQ(channel.requests.size(), 1u);
    EXPECT_EQ(CountOf(channel.requests[0]), 1u);
    channel.Answer();
    EXPECT_EQ(answers, 1);
    ASSERT_EQ(channel.requests.size(), 2u);
    EXPECT_EQ(CountOf(channel.requests[1]), 2u);
    channel.Answer();
    EXPECT_EQ(answers, 3);
    EXPECT_TRUE(changes.Submit(Orders(1), {.isr = {BrokerId(1)}}, count)) << "answered: free again";
  });
}

// [S4]
TEST_F(AlterPartitionManagerTest, H21WhatIsNotAnsweredIsAskedAgainUnderTheBrokerEpochOfThen) {
  Run([](core::Environment& env, FakeChannel& channel, AlterPartitionManager& changes) {
    int answers = 0;
    changes.SetBrokerEpoch(BrokerEpoch(7));
    const IsrProposal proposal{.leader_epoch = LeaderEpoch(4),
                               .partition_epoch = PartitionEpoch(9),
                               .isr = {BrokerId(1), BrokerId(2)}};
    EXPECT_TRUE(changes.Submit(Orders(0), proposal, [&](const IsrAnswer&) { ++answers; }));
    env.fibers.SleepFor(absl::Milliseconds(1));
    changes.SetBrokerEpoch(BrokerEpoch(8));  // registered anew meanwhile
    channel.Answer(ErrorCode::STALE_BROKER_EPOCH);
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(answers, 0);
    ASSERT_EQ(channel.requests.size(), 2u);
    EXPECT_EQ(channel.requests[0].broker_epoch, 7);
    EXPECT_EQ(channel.requests[1].broker_epoch, 8);
    for (const auto& request : channel.requests) {
      EXPECT_EQ(request.topics.at(0).partitions.at(0).leader_epoch, 4);
      EXPECT_EQ(request.topics.at(0).partitions.at(0).partition_epoch, 9);
    }
    channel.Answer();
    EXPECT_EQ(answers, 1);
  });
}

}  // namespace
}  // namespace highwater::tests
