// Three brokers and a controller that does what the test says: replication, failover, truncation.

#include <algorithm>

#include "tests/broker/broker_world.h"
#include "tests/replication/replicated_world.h"

namespace highwater::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ReplicatedWorld::Options With(ReplicatedWorld::Settings settings) {
  return {.settings = std::move(settings)};
}

// [F1, F4, P7, P8]
TEST(ReplicationTest, FollowersGetWhatTheLeaderHas) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    EXPECT_EQ(w.Produce(1, "y", 1), ErrorCode::NONE);
    w.AwaitEqualLogs({1, 2, 3});
    EXPECT_THAT(w.Read(1), ElementsAre("x", "y"));
    EXPECT_THAT(w.isr, ElementsAre(1, 2, 3));
    EXPECT_EQ(w.alter_partitions, 0);
  });
}

// [S2]
TEST(ReplicationTest, OnlyTheLeaderTakesRecords) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(2, "x"), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    EXPECT_EQ(w.Produce(2, "x", 1), ErrorCode::NOT_LEADER_OR_FOLLOWER);
  });
}

// [P4, P7]
TEST(ReplicationTest, AnAnswerToAcksAllWaitsForTheWholeIsr) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    w.host(3).Freeze();
    EXPECT_EQ(w.Produce(1, "x", -1, 500), ErrorCode::REQUEST_TIMED_OUT);
    EXPECT_EQ(w.Produce(1, "y", 1), ErrorCode::NONE);
    EXPECT_THAT(w.Read(1), IsEmpty()) << "a consumer sees what is committed";
    w.host(3).Thaw();
    w.AwaitEqualLogs({1, 2, 3});
    EXPECT_THAT(w.Read(1), ElementsAre("x", "y"));
  });
}

// [R15]
TEST(ReplicationTest, ANewLeaderHasEverythingThatWasAcknowledged) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    w.Crash(1);
    w.Lead(2, {2, 3});
    EXPECT_EQ(w.Produce(2, "y"), ErrorCode::NONE);
    EXPECT_THAT(w.Read(2), ElementsAre("x", "y"));
    w.Start(1);
    w.AwaitIsr(3);
    w.AwaitEqualLogs({1, 2, 3});
  });
}

// [R22]
TEST(ReplicationTest, ALeaderThatIsReplacedAnswersWhoWaitsAndFollows) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    w.host(3).Freeze();
    const core::MonotonicTime before = w.env().fibers.Now();
    ErrorCode error = ErrorCode::NONE;
    bool answered = false;
    w.env().fibers.Spawn("producer", [&] {
      error = w.Produce(1, "x", -1, 20'000);
      answered = true;
    });
    w.Sleep(absl::Milliseconds(300));
    w.Decide(2, {1, 2});
    w.Await("an answer", [&] { return answered; });
    EXPECT_EQ(error, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    EXPECT_LT(w.env().fibers.Now() - before, absl::Seconds(3));
    w.host(3).Thaw();
    w.AwaitIsr(3);
    w.AwaitEqualLogs({1, 2, 3});
  });
}

// [H11]
TEST(ReplicationTest, ASlowFollowerLeavesTheIsrAndComesBack) {
  ReplicatedWorld w(With({{"min.insync.replicas", "2"}}));
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    w.host(3).Freeze();
    EXPECT_EQ(w.Produce(1, "y", -1, 10'000), ErrorCode::NONE) << "once 3 has left";
    EXPECT_THAT(w.isr, ElementsAre(1, 2));
    w.host(3).Thaw();
    w.AwaitIsr(3);
    w.AwaitEqualLogs({1, 2, 3});
    w.Await("the leader to know", [&] { return w.witness.isr.size() == 3; });
  });
}

TEST(ReplicationTest, AnIdleFollowerStaysInTheIsrAndSoDoesOneThatIsSilentButHasEverything) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    w.Sleep(absl::Minutes(1));
    EXPECT_EQ(w.Produce(1, "y"), ErrorCode::NONE);
    w.Sleep(absl::Seconds(3));
    EXPECT_EQ(w.alter_partitions, 0);
  });
}

TEST(ReplicationTest, TooFewInSyncRefuseAcksAll) {
  ReplicatedWorld w(With({{"min.insync.replicas", "2"}}));
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    w.Crash(2);
    w.Crash(3);
    w.Lead(1, {1});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NOT_ENOUGH_REPLICAS);
    EXPECT_EQ(w.Produce(1, "y", 1), ErrorCode::NONE);
    EXPECT_THAT(w.Read(1), IsEmpty()) << "[W1] it is nowhere else yet";
    w.Start(2);
    w.AwaitIsr(2);
    EXPECT_EQ(w.Produce(1, "z"), ErrorCode::NONE);
    EXPECT_THAT(w.Read(1), ElementsAre("y", "z"));
  });
}

// [H15]
TEST(ReplicationTest, TheIsrShrinkingUnderAWriteIsTold) {
  ReplicatedWorld w(With({{"min.insync.replicas", "2"}}));
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    w.host(2).Freeze();
    w.host(3).Freeze();
    EXPECT_EQ(w.Produce(1, "x", -1, 10'000), ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    w.host(2).Thaw();
    w.host(3).Thaw();
    w.AwaitIsr(3);
    EXPECT_THAT(w.Read(1), ElementsAre("x")) << "it is in the log and may be committed";
  });
}

// ---- Histories that lose or part logs without leader epochs.

// KIP-101: a follower that cut to its high watermark, and then led, would lose what its leader had
// acknowledged.
// [K9]
TEST(ReplicationTest, Kip101AFollowerThatRestartsKeepsWhatItsLeaderAcknowledged) {
  ReplicatedWorld w(With({{"replica.high.watermark.checkpoint.interval.ms", "600000"}}));
  w.Run([&] {
    w.Lead(1, {1, 2});
    EXPECT_EQ(w.Produce(1, "m1"), ErrorCode::NONE);
    EXPECT_EQ(w.Produce(1, "m2"), ErrorCode::NONE);
    w.Crash(2);  // its high watermark is behind, on disk it is 0
    w.Start(2);
    w.Crash(1);
    w.Lead(2, {2});
    EXPECT_THAT(w.Read(2), ElementsAre("m1", "m2"));
    w.Start(1);
    w.AwaitIsr(3);
    w.AwaitEqualLogs({1, 2, 3});
  });
}

// KIP-101, the other history: after two leaders wrote at the same offset the logs must not stay
// different.
// [P9, R18]
TEST(ReplicationTest, Kip101WhatAFormerLeaderWroteAloneIsCut) {
  ReplicatedWorld w(With({{"log.flush.interval.messages", "1"}}));
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "common"), ErrorCode::NONE);
    w.AwaitEqualLogs({1, 2, 3});
    const sim::FaultId cuts[] = {w.Cut(1, 2), w.Cut(1, 3)};
    EXPECT_EQ(w.Produce(1, "alone", 1), ErrorCode::NONE);
    w.LosePower(1);
    for (const sim::FaultId cut : cuts) w.world.network().Withdraw(cut);
    w.Lead(2, {2, 3});
    EXPECT_EQ(w.Produce(2, "instead"), ErrorCode::NONE);
    w.Start(1);
    w.AwaitIsr(3);
    w.AwaitEqualLogs({1, 2, 3});
    EXPECT_GT(w.witness.replicas[1].truncations, 0);
    EXPECT_THAT(w.Read(2), ElementsAre("common", "instead"));
  });
}

// KIP-279: several fast failovers, in which each leader wrote alone; a single comparison of epochs
// would leave them different.
// [F17, P9]
TEST(ReplicationTest, Kip279LogsThatPartedSeveralTimesBecomeEqual) {
  ReplicatedWorld w;
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "common"), ErrorCode::NONE);
    w.AwaitEqualLogs({1, 2, 3});
    for (int round = 0; round < 3; ++round) {
      for (const int32_t alone : {1, 2}) {
        for (const int32_t id : {1, 2, 3}) {
          if (id != alone && !w.host(id).frozen()) w.host(id).Freeze();
        }
        w.Decide(alone, {1, 2, 3});
        w.Await("the role", [&] { return w.witness.leader_of.contains(w.leader_epoch); });
        EXPECT_EQ(w.Produce(alone, "alone", 1), ErrorCode::NONE);
        w.host(alone).Freeze();
        for (const int32_t id : {1, 2, 3}) w.host(id).Thaw();
        w.host(3).Freeze();
      }
    }
    w.host(3).Thaw();
    w.Lead(3, {1, 2, 3});
    EXPECT_EQ(w.Produce(3, "end", -1, 20'000), ErrorCode::NONE);
    w.AwaitIsr(3);
    w.AwaitEqualLogs({1, 2, 3});
  });
}

// [F24, W16]
TEST(ReplicationTest, AZombieLeaderIsFencedAndItsRecordsAreCut) {
  ReplicatedWorld w(With({{"min.insync.replicas", "2"}}));
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    w.Withhold(1);  // it does not hear that it is no leader any more
    w.Lead(2, {2, 3});
    EXPECT_EQ(w.Produce(1, "zombie", -1, 2000), ErrorCode::REQUEST_TIMED_OUT)
        << "nobody follows it";
    EXPECT_EQ(w.Produce(2, "y"), ErrorCode::NONE);
    EXPECT_THAT(w.isr, ElementsAre(2, 3)) << "its proposals are of an old epoch";
    w.Admit(1);
    w.AwaitIsr(3);
    w.AwaitEqualLogs({1, 2, 3});
    EXPECT_GT(w.witness.replicas[1].truncations, 0);
    EXPECT_THAT(w.Read(2), ElementsAre("x", "y"));
  });
}

TEST(ReplicationTest, AFollowerThatLosesItsUnsyncedTailFetchesItAgain) {
  ReplicatedWorld w(With({{"min.insync.replicas", "2"}}));
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(w.Produce(1, std::to_string(i)), ErrorCode::NONE);
    }
    w.LosePower(2);
    w.Lead(1, {1, 3});
    w.Start(2);
    w.AwaitIsr(3);
    w.AwaitEqualLogs({1, 2, 3});
  });
}

TEST(ReplicationTest, ALeaderThatLosesItsUnsyncedTailFollowsAndHasEverythingAgain) {
  ReplicatedWorld w(With({{"min.insync.replicas", "2"}}));
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(w.Produce(1, std::to_string(i)), ErrorCode::NONE);
    }
    w.LosePower(1);
    w.Lead(3, {2, 3});
    w.Start(1);
    w.AwaitIsr(3);
    w.AwaitEqualLogs({1, 2, 3});
    EXPECT_EQ(w.Read(3).size(), 20u);
  });
}

// [W7] The same leader under a new epoch must not count a follower's old log end.
TEST(ReplicationTest, AFollowerThatCameBackShorterHoldsTheHighWatermarkBack) {
  ReplicatedWorld w(With({{"min.insync.replicas", "2"}}));
  w.Run([&] {
    w.Lead(1, {1, 2});
    for (int i = 0; i < 10; ++i) EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    w.LosePower(2);
    w.Lead(1, {1, 2});
    EXPECT_EQ(w.Produce(1, "y", -1, 500), ErrorCode::REQUEST_TIMED_OUT);
    w.Start(2);
    w.AwaitEqualLogs({1, 2});
  });
}

// [F20] What a new follower lacks may be gone at the leader: it starts at the leader's log start.
// [T5]
TEST(ReplicationTest, AFollowerFarBehindStartsAtTheLeadersLogStart) {
  ReplicatedWorld w(With({{"log.segment.bytes", "2000"},
                          {"log.retention.bytes", "4000"},
                          {"log.retention.check.interval.ms", "200"}}));
  w.Run([&] {
    w.Lead(1, {1, 2});
    w.Crash(3);
    const std::string value(200, 'v');
    for (int i = 0; i < 60; ++i) EXPECT_EQ(w.Produce(1, value), ErrorCode::NONE);
    w.Sleep(absl::Seconds(60));
    w.Start(3);
    w.AwaitIsr(3);
    EXPECT_EQ(w.Produce(1, "after"), ErrorCode::NONE);
    const auto& one = w.witness.replicas[1].log;
    const auto& three = w.witness.replicas[3].log;
    w.Await("the same end", [&] { return !three.empty() && three.back() == one.back(); });
    ASSERT_FALSE(three.empty());
    EXPECT_GT(three.front().base, 0);
  });
}

// [P3, R28]
TEST(ReplicationTest, AFailedDirectoryEndsItsPartitionAndAnotherLeads) {
  ReplicatedWorld w({.settings = {{"log.dirs", "d1/data,d2/data"}}, .mounts = {"d1", "d2"}});
  w.Run([&] {
    w.Lead(1, {1, 2, 3});
    EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
    const sim::FaultId fault = w.world.ledger().Request("disk error");
    static_cast<sim::Disk*>(w.host(1).disk())
        ->Begin({.id = fault, .kind = sim::DiskFault::Kind::kWriteErrors, .device = 1});
    EXPECT_EQ(w.Produce(1, "y"), ErrorCode::KAFKA_STORAGE_ERROR);
    EXPECT_THAT(w.witness.failed_directories, ElementsAre(1));
    EXPECT_EQ(w.Produce(1, "z"), ErrorCode::KAFKA_STORAGE_ERROR);
    w.Lead(2, {2, 3});
    EXPECT_EQ(w.Produce(2, "w"), ErrorCode::NONE);
    const auto answer = w.Call(1, w.LeaderAndIsr());
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->topics.at(0).partition_errors.at(0).error_code,
              ErrorCode::KAFKA_STORAGE_ERROR)
        << "[R5]";
  });
}

TEST(ReplicationTest, TheSameSeedGivesTheSameWorld) {
  const auto hash = [](uint64_t seed) {
    ReplicatedWorld w({.seed = seed, .strategy = sim::StrategyKind::kRandom});
    w.Run([&] {
      w.Lead(1, {1, 2, 3});
      EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
      w.Crash(1);
      w.Lead(2, {2, 3});
      EXPECT_EQ(w.Produce(2, "y"), ErrorCode::NONE);
    });
    return w.world.hash().value();
  };
  EXPECT_EQ(hash(7), hash(7));
  EXPECT_NE(hash(7), hash(8));
}

}  // namespace
}  // namespace highwater::tests
