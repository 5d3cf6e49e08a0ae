// Consumers that read from a follower in their own rack (KIP-392, [P6, P7, P12, P19]).

#include "broker/server/broker_config.h"
#include "tests/replication/replicated_world.h"

namespace highwater::tests {
namespace {

using Data = broker::protocol::FetchResponse::PartitionData;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int32_t kLong = 30000;  // ms; nothing here waits for it

ReplicatedWorld::Options RackAware() {
  return {.settings = {{"replica.selector.class", std::string(broker::kRackAwareReplicaSelector)},
                       {"replica.fetch.wait.max.ms", "200"}}};
}

// [P19]
TEST(FollowerReadTest, TheLeaderSendsAConsumerToTheReplicaOfItsRack) {
  ReplicatedWorld w(RackAware());
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    const core::MonotonicTime asked = w.env().fibers.Now();
    const Data sent_on = w.Fetch(1, 0, kLong, "rack-2");
    EXPECT_LT(w.env().fibers.Now() - asked, absl::Seconds(1));  // [P11]
    EXPECT_EQ(sent_on.preferred_read_replica, 2);
    EXPECT_TRUE(sent_on.records.empty());
    const Data near = w.Fetch(1, 0, kLong, "rack-1");
    EXPECT_EQ(near.preferred_read_replica, -1);
    EXPECT_FALSE(near.records.empty());
    EXPECT_FALSE(w.Fetch(1, 0, kLong, "rack-9").records.empty());
    EXPECT_FALSE(w.Fetch(1, 0, kLong, "").records.empty());
  });
}

// [P19]
TEST(FollowerReadTest, WithoutTheSelectorEverybodyReadsFromTheLeader) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    const Data data = w.Fetch(1, 0, 0, "rack-2");
    EXPECT_EQ(data.preferred_read_replica, -1);
    EXPECT_FALSE(data.records.empty());
  });
}

TEST(FollowerReadTest, AConsumerIsNotSentToAReplicaThatLacksItsOffset) {
  ReplicatedWorld w(RackAware());
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    w.Crash(2);
    EXPECT_EQ(w.Produce(1, "y", 1), ErrorCode::NONE);
    w.AwaitIsr(2);
    EXPECT_EQ(w.Fetch(1, 2, 0, "rack-2").preferred_read_replica, -1);
    EXPECT_EQ(w.Fetch(1, 1, 0, "rack-2").preferred_read_replica, 2);
  });
}

// [P7] What is not committed as far as the follower knows is not shown.
TEST(FollowerReadTest, AFollowerShowsNothingAboveItsHighWatermark) {
  ReplicatedWorld w(RackAware());
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    w.Cut(1, 3);
    EXPECT_EQ(w.Produce(1, "x", 1), ErrorCode::NONE);
    w.Await("the record at the follower", [&] { return !w.witness.replicas[2].log.empty(); });
    EXPECT_THAT(w.Read(2), IsEmpty());
    w.AwaitIsr(2);
    w.Await("the record to be shown", [&] { return !w.Read(2).empty(); });
    EXPECT_THAT(w.Read(2), ElementsAre("x"));
  });
}

// [P12, KAFKA-14334]
TEST(FollowerReadTest, AFetchThatWaitsAtAFollowerIsAnsweredWhenItsHighWatermarkMoves) {
  ReplicatedWorld w(RackAware());
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    const core::MonotonicTime asked = w.env().fibers.Now();
    w.env().fibers.Spawn("producer", [&] {
      w.Sleep(absl::Seconds(2));
      EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    });
    EXPECT_FALSE(w.Fetch(2, 0, kLong, "rack-2").records.empty());
    EXPECT_GE(w.env().fibers.Now() - asked, absl::Seconds(2));
    EXPECT_LT(w.env().fibers.Now() - asked, absl::Seconds(5));
  });
}

// [P12]
TEST(FollowerReadTest, AFetchThatWaitsAtAFollowerIsAnsweredWhenItsRoleChanges) {
  ReplicatedWorld w(RackAware());
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    const core::MonotonicTime asked = w.env().fibers.Now();
    w.env().fibers.Spawn("controller", [&] {
      w.Sleep(absl::Seconds(2));
      w.Lead(2, {1, 2, 3});
      w.Sleep(absl::Seconds(2));
      EXPECT_EQ(w.Produce(2, "x"), ErrorCode::NONE);
    });
    const Data data = w.Fetch(2, 0, kLong, "rack-2");
    EXPECT_LT(w.env().fibers.Now() - asked, absl::Seconds(6));
    EXPECT_TRUE(data.error_code != ErrorCode::NONE || !data.records.empty());
  });
}

}  // namespace
}  // namespace highwater::tests
