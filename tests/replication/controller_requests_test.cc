// What a broker accepts of a controller: epochs, topic ids, stops; and AlterPartition as the
// controller meets it.

#include "broker/protocol/fetch.h"
#include "tests/broker/broker_world.h"
#include "tests/replication/replicated_world.h"

namespace highwater::tests {
namespace {

using namespace broker::protocol;  // the messages
using ::testing::ElementsAre;

ErrorCode ErrorIn(const absl::StatusOr<LeaderAndIsrResponse>& response) {
  if (!response.ok()) return ErrorCode::UNKNOWN_SERVER_ERROR;
  return response->topics.at(0).partition_errors.at(0).error_code;
}

StopReplicaRequest Stop(const ReplicatedWorld& w, int32_t epoch, bool delete_partition) {
  StopReplicaRequest request{.controller_id = 100, .controller_epoch = w.controller_epoch};
  request.topic_states.push_back(
      {.topic_name = "t",
       .partition_states = {{.leader_epoch = epoch, .delete_partition = delete_partition}}});
  return request;
}

ErrorCode ErrorIn(const absl::StatusOr<StopReplicaResponse>& response) {
  if (!response.ok()) return ErrorCode::UNKNOWN_SERVER_ERROR;
  return response->partition_errors.at(0).error_code;
}

TEST(ControllerRequestsTest, R2AStaleControllerEpochIsRefused) {
  ReplicatedWorld w;
  w.Run([&] {
    w.controller_epoch = 5;
    w.Lead(1, {1, 2, 3});
    w.controller_epoch = 4;
    ++w.leader_epoch;
    EXPECT_EQ(w.Call(1, w.LeaderAndIsr())->error_code, ErrorCode::STALE_CONTROLLER_EPOCH);
    EXPECT_EQ(w.Call(1, w.UpdateMetadata())->error_code, ErrorCode::STALE_CONTROLLER_EPOCH);
    EXPECT_EQ(w.Call(1, Stop(w, -2, true))->error_code, ErrorCode::STALE_CONTROLLER_EPOCH);
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE) << "nothing has changed";
  });
}

TEST(ControllerRequestsTest, R5AnEpochThatIsNotGreaterIsRefused) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(ErrorIn(w.Call(1, w.LeaderAndIsr())), ErrorCode::STALE_CONTROLLER_EPOCH);
    auto older = w.LeaderAndIsr();
    older.topic_states[0].partition_states[0].leader_epoch = w.leader_epoch - 1;
    EXPECT_EQ(ErrorIn(w.Call(1, older)), ErrorCode::STALE_CONTROLLER_EPOCH);
  });
}

// [K15]
TEST(ControllerRequestsTest, R5AnotherTopicIdIsRefused) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    auto other = w.LeaderAndIsr();
    other.topic_states[0].topic_id = {9, 9};
    other.topic_states[0].partition_states[0].leader_epoch = 50;
    EXPECT_EQ(ErrorIn(w.Call(1, other)), ErrorCode::INCONSISTENT_TOPIC_ID);
    w.Crash(1);
    w.Start(1);
    w.AwaitDelivered();
    EXPECT_EQ(ErrorIn(w.Call(1, other)), ErrorCode::INCONSISTENT_TOPIC_ID) << "it is on disk";
  });
}

TEST(ControllerRequestsTest, R5ABrokerThatIsNoReplicaIsNotMadeOne) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    auto without = w.LeaderAndIsr();
    without.topic_states[0].partition_states[0].leader_epoch = 50;
    without.topic_states[0].partition_states[0].replicas = {1, 2};
    EXPECT_EQ(ErrorIn(w.Call(3, without)), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  });
}

// [W4]
TEST(ControllerRequestsTest, R24ALeaderThatIsNotAliveIsNotFollowed) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    auto nobody = w.LeaderAndIsr();
    nobody.topic_states[0].partition_states[0].leader = -1;
    nobody.topic_states[0].partition_states[0].leader_epoch = w.leader_epoch + 1;
    EXPECT_EQ(ErrorIn(w.Call(1, nobody)), ErrorCode::NONE);
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NOT_LEADER_OR_FOLLOWER)
        << "[W4] it is deposed, though it cannot follow anybody yet";
  });
}

// [F24]
TEST(ControllerRequestsTest, R9AStoppedFollowerFetchesNoMore) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(ErrorIn(w.Call(3, Stop(w, w.leader_epoch - 1, false))),
              ErrorCode::FENCED_LEADER_EPOCH)
        << "[R8]";
    EXPECT_EQ(ErrorIn(w.Call(3, Stop(w, w.leader_epoch, false))), ErrorCode::NONE) << "[W9]";
    EXPECT_EQ(w.Produce(1, "x", -1, 10'000), ErrorCode::NONE);
    EXPECT_THAT(w.isr, ElementsAre(1, 2));
    EXPECT_TRUE(w.witness.replicas[3].log.empty());
    w.Lead(1, {1, 2});
    w.AwaitIsr(3);
  });
}

TEST(ControllerRequestsTest, R9AStopWithDeleteRemovesTheLog) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    EXPECT_EQ(ErrorIn(w.Call(3, Stop(w, -2, true))), ErrorCode::NONE);
    EXPECT_EQ(ErrorIn(w.Call(3, Stop(w, -2, true))), ErrorCode::NONE) << "again: nothing is left";
    w.witness.replicas[3].log.clear();
    w.Lead(1, {1, 2});  // a new replica
    w.AwaitIsr(3);
    w.AwaitEqualLogs({1, 2, 3});
  });
}

TEST(ControllerRequestsTest, R8AStrayLogIsDeletedThoughItsPartitionIsNotHosted) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    w.AwaitEqualLogs({1, 2, 3});
    w.Crash(3);
    w.Withhold(3);
    w.Start(3);
    w.Await("it to answer", [&] { return w.Call(3, w.UpdateMetadata()).ok(); });
    EXPECT_EQ(ErrorIn(w.Call(3, Stop(w, -2, true))), ErrorCode::NONE);
    auto as_leader = w.LeaderAndIsr();
    as_leader.topic_states[0].partition_states[0].leader = 3;
    as_leader.topic_states[0].partition_states[0].leader_epoch = 40;
    as_leader.topic_states[0].partition_states[0].isr = {3};
    EXPECT_EQ(ErrorIn(w.Call(3, as_leader)), ErrorCode::NONE);
    w.Await("the role", [&] { return w.witness.leader_of.contains(40); });
    EXPECT_THAT(w.Read(3), testing::IsEmpty());
  });
}

TEST(ControllerRequestsTest, OlderVersionsSayTheSame) {
  ReplicatedWorld w;
  w.Run([&] {
    // Version 0 to 6 of the same decision, each with a greater epoch.
    w.Await("it to answer", [&] { return w.Call(1, w.UpdateMetadata()).ok(); });
    w.leader = 1;
    w.isr = {1};
    for (int16_t version = 0; version <= 6; ++version) {
      ++w.leader_epoch;
      LeaderAndIsrRequest request = w.LeaderAndIsr();
      if (version < 2) {
        request.ungrouped_partition_states = request.topic_states[0].partition_states;
        request.ungrouped_partition_states[0].topic_name = "t";
        request.topic_states.clear();
      }
      if (version < 6) request.type = 0;
      core::Environment& env = w.env();
      auto connection = env.network.Dial({"b1", 9092}, env.clock.Now() + absl::Seconds(1));
      ASSERT_TRUE(connection.ok());
      auto frame = EncodeRequest(broker::CorrelationId(1), "test", request, version);
      ASSERT_TRUE(frame.ok()) << frame.status();
      ASSERT_TRUE((*connection)->Write(*frame, env.clock.Now() + absl::Seconds(1)).ok());
      core::ByteChain buffered;
      std::optional<core::ByteChain> answer;
      while (!answer) {
        auto bytes = (*connection)->Read(1 << 16, env.clock.Now() + absl::Seconds(5));
        ASSERT_TRUE(bytes.ok() && !bytes->empty());
        buffered.Append(*bytes);
        answer = *TakeFrame(buffered, kDefaultMaxRequestBytes);
      }
      const auto response = DecodeResponse<LeaderAndIsrResponse>(*answer, version);
      ASSERT_TRUE(response.ok()) << response.status();
      const auto error = version < 5 ? response->partition_errors.at(0).error_code
                                     : response->topics.at(0).partition_errors.at(0).error_code;
      EXPECT_EQ(error, ErrorCode::NONE) << version;
      w.Await("the role", [&] { return w.witness.leader_of.contains(w.leader_epoch); });
    }
  });
}

// [H8, W16]
TEST(ControllerRequestsTest, P10AFetchOfABrokerThatIsNoReplicaGetsNothingAndNoError) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    for (const int32_t replica : {-1, 9}) {
      FetchRequest request{.replica_id = replica, .max_wait_ms = 0, .min_bytes = 0};
      request.topics.push_back({.topic = "t",
                                .topic_id = w.LeaderAndIsr().topic_states[0].topic_id,
                                .partitions = {{.partition_max_bytes = 1 << 20}}});
      const auto response = w.Call(1, request);
      ASSERT_TRUE(response.ok()) << response.status();
      const auto& data = response->responses.at(0).partitions.at(0);
      EXPECT_EQ(data.error_code, ErrorCode::NONE);
      EXPECT_EQ(ValuesOf(data.records).empty(), replica == 9);
    }
  });
}

// A follower of another broker fences before it says that it does not lead.
TEST(ControllerRequestsTest, P6TheEpochIsLookedAtBeforeTheRole) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    w.Lead(1, {1, 2, 3});
    w.AwaitDelivered();
    const auto ask = [&](int32_t epoch) {
      FetchRequest request{.replica_id = 3, .max_wait_ms = 0, .min_bytes = 0};
      request.topics.push_back({.topic = "t",
                                .topic_id = w.LeaderAndIsr().topic_states[0].topic_id,
                                .partitions = {{.current_leader_epoch = epoch}}});
      const auto response = w.Call(2, request);
      return response.ok() ? response->responses.at(0).partitions.at(0).error_code
                           : ErrorCode::UNKNOWN_SERVER_ERROR;
    };
    EXPECT_EQ(ask(w.leader_epoch - 1), ErrorCode::FENCED_LEADER_EPOCH);
    EXPECT_EQ(ask(w.leader_epoch + 1), ErrorCode::UNKNOWN_LEADER_EPOCH);
    EXPECT_EQ(ask(w.leader_epoch), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    EXPECT_EQ(ask(-1), ErrorCode::NOT_LEADER_OR_FOLLOWER);
  });
}

// [H20, S4]
TEST(ControllerRequestsTest, H21AlterPartitionIsAskedAgainUntilItIsAnswered) {
  ReplicatedWorld w;
  w.Run([&] {
    w.answers_alter_partition = false;
    w.Lead(1, {1, 2});
    w.Sleep(absl::Seconds(5));
    EXPECT_THAT(w.isr, ElementsAre(1, 2));
    w.answers_alter_partition = true;
    w.AwaitIsr(3);
    w.Await("the leader to know", [&] { return w.witness.isr.size() == 3; });
  });
}

TEST(ControllerRequestsTest, H23AfterAConflictTheNextLeaderAndIsrRequestMendsIt) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2});
    w.AwaitIsr(3);
    w.Crash(3);
    ++w.partition_epoch;  // somebody else wrote
    EXPECT_EQ(w.Produce(1, "x", -1, 5000), ErrorCode::REQUEST_TIMED_OUT) << "the shrink conflicts";
    w.Lead(1, {1, 2});
    EXPECT_EQ(w.Produce(1, "y"), ErrorCode::NONE);
  });
}

}  // namespace
}  // namespace highwater::tests
