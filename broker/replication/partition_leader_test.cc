#include "broker/replication/partition_leader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <memory>
#include <optional>

namespace highwater::broker {
namespace {

using protocol::ErrorCode;
using ::testing::ElementsAre;

constexpr BrokerId kSelf{1};
constexpr BrokerId kOther{2};
constexpr LeaderEpoch kEpoch{5};

struct Client final : OffsetWaiter {
  void OnDone(ErrorCode error) override { answer = error; }
  std::optional<ErrorCode> answer;
};

// A machine whose effects are carried out at once.
struct Machine {
  explicit Machine(std::vector<BrokerId> isr = {kSelf}, Offset log_end = Offset(0)) {
    Do([&](auto& effects) { leader.BecomeLeader(kEpoch, isr, Offset(0), log_end, effects); });
  }
  template <typename Step>
  bool Do(Step step) {
    PartitionLeader::Effects effects;
    step(effects);
    for (const auto& done : effects.completed) done.waiter->OnDone(done.error);
    return effects.high_watermark_moved;
  }
  bool Appended(LeaderEpoch epoch, int64_t log_end) {
    return Do([&](auto& effects) { leader.OnAppended(epoch, Offset(log_end), effects); });
  }
  bool Fetched(BrokerId broker, int64_t at) {
    return Do([&](auto& effects) { leader.OnFollowerFetch(broker, Offset(at), effects); });
  }
  PartitionLeader leader{kSelf};
};

TEST(PartitionLeaderTest, AloneItCommitsWhatItHas) {
  Machine m({kSelf}, Offset(7));
  EXPECT_EQ(m.leader.high_watermark(), Offset(7));
  EXPECT_TRUE(m.Appended(kEpoch, 10));
  EXPECT_EQ(m.leader.high_watermark(), Offset(10));
  EXPECT_THAT(m.leader.isr(), ElementsAre(kSelf));
}

TEST(PartitionLeaderTest, AnswersAcksOneWhenTheWriteCompletes) {
  Machine m({kSelf, kOther});
  Client client;
  m.leader.AwaitAppended(client, Offset(4));
  EXPECT_FALSE(m.Appended(kEpoch, 4));
  EXPECT_FALSE(client.answer);
  m.Appended(kEpoch, 5);
  EXPECT_EQ(client.answer, ErrorCode::NONE);
}

TEST(PartitionLeaderTest, AnswersAcksAllWhenTheHighWatermarkIsPastTheRecord) {
  Machine m({kSelf, kOther});
  Client client;
  m.leader.AwaitCommitted(client, Offset(4));
  m.Appended(kEpoch, 5);
  EXPECT_FALSE(client.answer) << "the other in-sync replica does not have it yet";
  m.Fetched(kOther, 4);
  EXPECT_FALSE(client.answer);
  EXPECT_TRUE(m.Fetched(kOther, 5));
  EXPECT_EQ(client.answer, ErrorCode::NONE);
}

TEST(PartitionLeaderTest, WakesAFetchOnlyWhenTheHighWatermarkMoves) {
  Machine m({kSelf, kOther});
  Client consumer;
  m.leader.AwaitHighWatermark(consumer, Offset(0));
  m.Appended(kEpoch, 3);
  EXPECT_FALSE(consumer.answer);
  m.Fetched(kOther, 1);
  EXPECT_EQ(consumer.answer, ErrorCode::NONE);
}

TEST(PartitionLeaderTest, ACompletionOfAnOlderEpochChangesNothing) {
  Machine m;
  Client client;
  m.leader.AwaitAppended(client, Offset(0));
  m.Do([&](auto& effects) {
    m.leader.BecomeLeader(LeaderEpoch(6), {kSelf}, Offset(0), Offset(0), effects);
  });
  EXPECT_EQ(client.answer, ErrorCode::NOT_LEADER_OR_FOLLOWER);
  EXPECT_FALSE(m.Appended(kEpoch, 1));
  EXPECT_EQ(m.leader.log_end_offset(), Offset(0));
}

TEST(PartitionLeaderTest, ResigningTellsEverybodyWhy) {
  Machine m({kSelf, kOther});
  Client appended, committed, watching;
  m.leader.AwaitAppended(appended, Offset(0));
  m.leader.AwaitCommitted(committed, Offset(0));
  m.leader.AwaitHighWatermark(watching, Offset(0));
  m.Do([&](auto& effects) { m.leader.Resign(ErrorCode::KAFKA_STORAGE_ERROR, effects); });
  EXPECT_EQ(appended.answer, ErrorCode::KAFKA_STORAGE_ERROR);
  EXPECT_EQ(committed.answer, ErrorCode::KAFKA_STORAGE_ERROR);
  EXPECT_EQ(watching.answer, ErrorCode::KAFKA_STORAGE_ERROR);
  EXPECT_EQ(m.leader.CheckAppend(1), ErrorCode::KAFKA_STORAGE_ERROR);
}

TEST(PartitionLeaderTest, RefusesAcksAllWithTooFewInSync) {
  Machine m;
  m.leader.SetMinInsyncReplicas(2);
  EXPECT_EQ(m.leader.CheckAppend(-1), ErrorCode::NOT_ENOUGH_REPLICAS);
  EXPECT_EQ(m.leader.CheckAppend(1), ErrorCode::NONE);
  EXPECT_EQ(m.leader.CheckAppend(0), ErrorCode::NONE);
}

TEST(PartitionLeaderTest, SaysWhenTheInSyncBecameTooFewAfterTheAppend) {
  Machine m({kSelf, kOther});
  Client client;
  m.leader.AwaitCommitted(client, Offset(0));
  m.leader.SetMinInsyncReplicas(3);
  m.Appended(kEpoch, 1);
  m.Fetched(kOther, 1);
  EXPECT_EQ(client.answer, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND);
}

TEST(PartitionLeaderTest, FencesOlderAndDoubtsNewerEpochs) {
  Machine m;
  EXPECT_EQ(m.leader.CheckEpoch(LeaderEpoch(4)), ErrorCode::FENCED_LEADER_EPOCH);
  EXPECT_EQ(m.leader.CheckEpoch(LeaderEpoch(5)), ErrorCode::NONE);
  EXPECT_EQ(m.leader.CheckEpoch(LeaderEpoch(6)), ErrorCode::UNKNOWN_LEADER_EPOCH);
  EXPECT_EQ(m.leader.CheckEpoch(kNoLeaderEpoch), ErrorCode::NONE);
}

TEST(PartitionLeaderTest, ANewLeaderBehindItsEpochStartDoesNotKnowTheEnd) {
  Machine m({kSelf, kOther}, Offset(9));
  EXPECT_EQ(m.leader.high_watermark(), Offset(0));
  EXPECT_FALSE(m.leader.KnowsEndOffset());
  m.Fetched(kOther, 9);
  EXPECT_TRUE(m.leader.KnowsEndOffset());
}

TEST(PartitionLeaderTest, IgnoresAFetchBeyondTheLogEnd) {
  Machine m({kSelf, kOther}, Offset(3));
  EXPECT_FALSE(m.Fetched(kOther, 4));
  EXPECT_EQ(m.leader.high_watermark(), Offset(0));
}

TEST(PartitionLeaderTest, ADestroyedWaiterIsForgotten) {
  Machine m;
  {
    Client client;
    m.leader.AwaitAppended(client, Offset(0));
    EXPECT_TRUE(client.waiting());
  }
  EXPECT_TRUE(m.Appended(kEpoch, 1));
}

// Whatever the order of appends, fetches and waits: each acks=all waiter is answered exactly when
// the least log end of the ISR has passed its offset, and the high watermark never goes back.
RC_GTEST_PROP(PartitionLeaderProperty, AnswersExactlyWhatIsCommitted, ()) {
  Machine m({kSelf, kOther});
  int64_t mine = 0;
  int64_t theirs = 0;
  std::vector<std::pair<int64_t, std::unique_ptr<Client>>> clients;
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 3));
  for (const int step : steps) {
    if (step == 0) {
      const int64_t last = *rc::gen::inRange<int64_t>(std::min(mine, theirs), mine + 4);
      clients.emplace_back(last, std::make_unique<Client>());
      m.leader.AwaitCommitted(*clients.back().second, Offset(last));
    } else if (step == 1) {
      mine += *rc::gen::inRange<int64_t>(1, 4);
      m.Appended(kEpoch, mine);
    } else {
      theirs = *rc::gen::inRange<int64_t>(theirs, mine + 1);
      m.Fetched(kOther, theirs);
    }
    RC_ASSERT(m.leader.high_watermark() == Offset(std::min(mine, theirs)));
    for (const auto& [last, client] : clients) {
      RC_ASSERT(client->answer.has_value() == (last < std::min(mine, theirs)));
    }
  }
}

}  // namespace
}  // namespace highwater::broker
