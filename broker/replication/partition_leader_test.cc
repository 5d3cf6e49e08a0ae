#include "broker/replication/partition_leader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <memory>
#include <optional>

namespace highwater::broker {
namespace {

using core::MonotonicTime;
using protocol::ErrorCode;
using ::testing::ElementsAre;

constexpr BrokerId kSelf{1};
constexpr BrokerId kTwo{2};
constexpr BrokerId kThree{3};
constexpr LeaderEpoch kEpoch{5};
constexpr absl::Duration kLag = absl::Seconds(30);

struct Client final : OffsetWaiter {
  void OnDone(ErrorCode error) override { answer = error; }
  std::optional<ErrorCode> answer;
};

// A machine whose effects are carried out at once, but for the proposals, which it keeps.
struct Machine {
  using Effects = PartitionLeader::Effects;

  explicit Machine(std::vector<BrokerId> isr = {kSelf}, int64_t log_end = 0,
                   std::vector<BrokerId> replicas = {},
                   const ReplicationRules& rules = ReplicationRules())
      : leader(kSelf, rules, kLag) {
    Lead(kEpoch, std::move(isr), log_end, std::move(replicas));
  }
  void Lead(LeaderEpoch epoch, std::vector<BrokerId> isr, int64_t log_end,
            std::vector<BrokerId> replicas = {}) {
    if (replicas.empty()) replicas = isr;
    const Offset high_watermark = leader.high_watermark();
    Do([&](Effects& effects) {
      leader.BecomeLeader(
          {.epoch = epoch, .partition_epoch = PartitionEpoch(7), .isr = isr, .replicas = replicas},
          high_watermark, Offset(log_end), now, effects);
    });
  }
  template <typename Step>
  bool Do(Step step) {
    Effects effects;
    step(effects);
    for (const auto& done : effects.completed) done.waiter->OnDone(done.error);
    proposal = effects.alter_partition;
    return effects.high_watermark_moved;
  }
  bool Appended(LeaderEpoch epoch, int64_t log_end) {
    return Do([&](Effects& effects) { leader.OnAppended(epoch, Offset(log_end), now, effects); });
  }
  bool Fetched(BrokerId broker, int64_t at) {
    return Do([&](Effects& effects) {
      leader.OnFollowerFetch({.follower = broker, .fetch_offset = Offset(at)}, now, effects);
    });
  }
  void CheckIsr() {
    Do([&](Effects& effects) { leader.CheckIsr(now, effects); });
  }
  bool Answer(const IsrProposal& asked, ErrorCode error = ErrorCode::NONE) {
    return Do([&](Effects& effects) {
      leader.OnIsrAnswer({.serial = asked.serial,
                          .error = error,
                          .leader_epoch = asked.leader_epoch,
                          .partition_epoch = asked.partition_epoch + 1,
                          .isr = asked.isr},
                         now, effects);
    });
  }
  void Pass(absl::Duration time) { now = now + time; }
  Offset high_watermark() const { return leader.high_watermark(); }

  MonotonicTime now = MonotonicTime::FromNanos(1'000'000);
  PartitionLeader leader;
  std::optional<IsrProposal> proposal;  // of the last step
};

// ---- High watermark [H1-H4, H7].

// [R21]
TEST(PartitionLeaderTest, AloneItCommitsWhatItHas) {
  Machine m({kSelf}, 7);
  EXPECT_EQ(m.high_watermark(), Offset(7)) << "[R21]";
  EXPECT_TRUE(m.Appended(kEpoch, 10));
  EXPECT_EQ(m.high_watermark(), Offset(10));
  EXPECT_THAT(m.leader.isr(), ElementsAre(kSelf));
}

TEST(PartitionLeaderTest, H1TheHighWatermarkIsTheLeastLogEndOfTheIsr) {
  Machine m({kSelf, kTwo, kThree});
  m.Appended(kEpoch, 5);
  m.Fetched(kTwo, 5);
  EXPECT_EQ(m.high_watermark(), Offset(0));
  EXPECT_TRUE(m.Fetched(kThree, 4));
  EXPECT_EQ(m.high_watermark(), Offset(4));
}

TEST(PartitionLeaderTest, H2AReplicaThatWasCaughtUpLatelyHoldsItBackToo) {
  Machine m({kSelf, kTwo}, 0, {kSelf, kTwo, kThree});
  m.Appended(kEpoch, 5);
  m.Fetched(kTwo, 5);
  ASSERT_EQ(m.high_watermark(), Offset(5));
  m.Fetched(kThree, 5);  // proposed for the ISR
  ASSERT_TRUE(m.proposal);
  m.Answer(*m.proposal, ErrorCode::OPERATION_NOT_ATTEMPTED);
  m.Appended(kEpoch, 6);
  m.Fetched(kTwo, 6);
  EXPECT_EQ(m.high_watermark(), Offset(5));
  m.Pass(kLag + absl::Seconds(1));
  m.CheckIsr();
  EXPECT_EQ(m.high_watermark(), Offset(6));
}

TEST(PartitionLeaderTest, H3ARecordOfAnOlderEpochIsCommittedOnceTheIsrHasIt) {
  Machine m({kSelf, kTwo}, 9);
  m.Fetched(kTwo, 9);
  EXPECT_EQ(m.high_watermark(), Offset(9));
}

TEST(PartitionLeaderTest, H4AMemberOfTheIsrThatIsNotAssignedHoldsNothingBack) {
  Machine m({kSelf, kTwo, kThree}, 0, {kSelf, kTwo});
  m.Appended(kEpoch, 5);
  m.Fetched(kTwo, 5);
  EXPECT_EQ(m.high_watermark(), Offset(5));
}

TEST(PartitionLeaderTest, H7ANewLeaderBehindItsEpochStartDoesNotKnowTheEnd) {
  Machine m({kSelf, kTwo}, 9);
  EXPECT_EQ(m.high_watermark(), Offset(0));
  EXPECT_FALSE(m.leader.KnowsEndOffset());
  m.Fetched(kTwo, 9);
  EXPECT_TRUE(m.leader.KnowsEndOffset());
}

// [P10]
TEST(PartitionLeaderTest, H8AFetchOfSomebodyElseCountsForNothing) {
  Machine m({kSelf, kTwo});
  m.Appended(kEpoch, 5);
  EXPECT_FALSE(m.Fetched(kThree, 5));
  EXPECT_FALSE(m.proposal);
  EXPECT_FALSE(m.Fetched(kTwo, 6)) << "nobody has more than the leader";
}

TEST(PartitionLeaderTest, W1TooFewReplicasCommitNothing) {
  Machine m({kSelf}, 0, {kSelf, kTwo, kThree});
  m.leader.SetMinInsyncReplicas(2);
  EXPECT_FALSE(m.Appended(kEpoch, 3));
  EXPECT_EQ(m.high_watermark(), Offset(0));
  m.Fetched(kTwo, 3);
  ASSERT_TRUE(m.proposal);
  EXPECT_EQ(m.high_watermark(), Offset(0)) << "the controller may still elect one that lacks it";
}

TEST(PartitionLeaderTest, W1NothingIsCommittedWhileTheControllerMayElectSomebodyElse) {
  Machine m({kSelf, kTwo}, 0, {kSelf, kTwo, kThree});
  m.Do([&](auto& effects) {
    m.leader.BecomeLeader({.epoch = kEpoch + 1,
                           .partition_epoch = PartitionEpoch(8),
                           .isr = {kSelf},
                           .replicas = {kSelf, kTwo, kThree},
                           .others_eligible = true},
                          Offset(0), Offset(0), m.now, effects);
  });
  // min.insync.replicas is 1 here already; the controller has not dropped who left under 2.
  m.leader.SetMinInsyncReplicas(1);
  EXPECT_FALSE(m.Appended(kEpoch + 1, 3));
  m.Do([&](auto& effects) {
    m.leader.BecomeLeader({.epoch = kEpoch + 2,
                           .partition_epoch = PartitionEpoch(9),
                           .isr = {kSelf},
                           .replicas = {kSelf, kTwo, kThree}},
                          Offset(0), Offset(3), m.now, effects);
  });
  EXPECT_EQ(m.high_watermark(), Offset(3));
}

TEST(PartitionLeaderTest, W1TheAnswerToAChangeSaysWhetherOthersMayBeElected) {
  Machine m({kSelf, kTwo}, 0, {kSelf, kTwo, kThree});
  m.leader.SetMinInsyncReplicas(1);
  m.Appended(kEpoch, 3);
  m.Pass(kLag + absl::Seconds(1));
  m.CheckIsr();
  ASSERT_TRUE(m.proposal);
  m.Do([&](auto& effects) {
    m.leader.OnIsrAnswer({.serial = m.proposal->serial,
                          .leader_epoch = kEpoch,
                          .partition_epoch = PartitionEpoch(8),
                          .isr = {kSelf},
                          .others_eligible = true},
                         m.now, effects);
  });
  EXPECT_EQ(m.high_watermark(), Offset(0)) << "it held min.insync.replicas for 2";
}

TEST(PartitionLeaderTest, W1AsKafkaTheLastOneStandingCommitsAlone) {
  Machine m({kSelf}, 0, {kSelf, kTwo, kThree}, ReplicationRules::Kafka323());
  m.leader.SetMinInsyncReplicas(2);
  EXPECT_TRUE(m.Appended(kEpoch, 3));
}

// [H16]
TEST(PartitionLeaderTest, W1ATopicOfFewReplicasCommitsWithAllOfThem) {
  Machine m({kSelf, kTwo});
  m.leader.SetMinInsyncReplicas(3);
  m.Appended(kEpoch, 3);
  EXPECT_TRUE(m.Fetched(kTwo, 3));
}

// ---- Leaving the ISR [H9-H11].

TEST(PartitionLeaderTest, H10WhoIsBehindForTooLongIsProposedToLeave) {
  Machine m({kSelf, kTwo, kThree});
  m.Fetched(kThree, 0);
  m.Appended(kEpoch, 1);
  m.Pass(kLag);
  m.CheckIsr();
  EXPECT_FALSE(m.proposal) << "not yet too long";
  m.Pass(absl::Seconds(1));
  m.Fetched(kThree, 1);
  m.CheckIsr();
  ASSERT_TRUE(m.proposal);
  EXPECT_THAT(m.proposal->isr, ElementsAre(kSelf, kThree));
  EXPECT_EQ(m.proposal->leader_epoch, kEpoch);
  EXPECT_EQ(m.proposal->partition_epoch, PartitionEpoch(7));
}

TEST(PartitionLeaderTest, H10WhoHasEverythingStaysHoweverLongAgoItFetched) {
  Machine m({kSelf, kTwo});
  m.Fetched(kTwo, 0);
  m.Pass(absl::Hours(1));
  m.CheckIsr();
  EXPECT_FALSE(m.proposal);
}

TEST(PartitionLeaderTest, H9WhoReachesWhatThereWasAtItsLastFetchWasCaughtUpThen) {
  Machine m({kSelf, kTwo});
  for (int64_t end = 1; end < 10; ++end) {  // always one batch behind, never too late
    m.Appended(kEpoch, end);
    m.Fetched(kTwo, end - 1);
    m.Pass(absl::Seconds(10));
  }
  m.CheckIsr();
  EXPECT_FALSE(m.proposal);
  m.Pass(kLag);
  m.CheckIsr();
  EXPECT_TRUE(m.proposal);
}

TEST(PartitionLeaderTest, H11AllThatAreOutOfSyncLeaveInOneChange) {
  Machine m({kSelf, kTwo, kThree});
  m.Appended(kEpoch, 1);
  m.Pass(kLag + absl::Seconds(1));
  m.CheckIsr();
  ASSERT_TRUE(m.proposal);
  EXPECT_THAT(m.proposal->isr, ElementsAre(kSelf));
}

TEST(PartitionLeaderTest, H14WhoLeavesCountsUntilTheControllerHasSaidSo) {
  Machine m({kSelf, kTwo});
  m.Appended(kEpoch, 1);
  m.Pass(kLag + absl::Seconds(1));
  m.CheckIsr();
  const IsrProposal shrink = *m.proposal;
  m.Appended(kEpoch, 2);
  EXPECT_EQ(m.high_watermark(), Offset(0));
  EXPECT_TRUE(m.Answer(shrink));
  EXPECT_EQ(m.high_watermark(), Offset(2));
  EXPECT_THAT(m.leader.isr(), ElementsAre(kSelf));
  EXPECT_EQ(m.leader.partition_epoch(), PartitionEpoch(8));
}

// ---- Joining the ISR [H12-H14].

TEST(PartitionLeaderTest, H12WhoReachesHighWatermarkAndEpochStartIsProposedToJoin) {
  Machine m({kSelf}, 5, {kSelf, kTwo});
  m.Appended(kEpoch, 8);
  m.Fetched(kTwo, 7);
  EXPECT_FALSE(m.proposal) << "below the high watermark";
  m.Fetched(kTwo, 8);
  ASSERT_TRUE(m.proposal);
  EXPECT_THAT(m.proposal->isr, ElementsAre(kSelf, kTwo));
}

// [R17]
TEST(PartitionLeaderTest, H12TheHighWatermarkAloneIsNotEnoughAfterAFailover) {
  Machine m({kSelf, kThree}, 5, {kSelf, kTwo, kThree});
  ASSERT_EQ(m.high_watermark(), Offset(0));
  m.Fetched(kTwo, 4);
  EXPECT_FALSE(m.proposal) << "what lies below the epoch's start may be committed already";
  m.Fetched(kTwo, 5);
  EXPECT_TRUE(m.proposal);
}

TEST(PartitionLeaderTest, H14WhoJoinsHoldsTheHighWatermarkBackAtOnce) {
  Machine m({kSelf}, 0, {kSelf, kTwo});
  m.Fetched(kTwo, 0);
  ASSERT_TRUE(m.proposal);
  EXPECT_FALSE(m.Appended(kEpoch, 1));
  EXPECT_THAT(m.leader.isr(), ElementsAre(kSelf));
  EXPECT_EQ(m.leader.maximal_isr_size(), 2u);
}

TEST(PartitionLeaderTest, H13OneChangeAtATime) {
  Machine m({kSelf}, 0, {kSelf, kTwo, kThree});
  m.Fetched(kTwo, 0);
  ASSERT_TRUE(m.proposal);
  const IsrProposal first = *m.proposal;
  m.Fetched(kThree, 0);
  EXPECT_FALSE(m.proposal);
  m.Pass(absl::Hours(1));
  m.CheckIsr();
  EXPECT_FALSE(m.proposal);
  m.Answer(first);
  m.Fetched(kThree, 0);
  EXPECT_TRUE(m.proposal);
}

// ---- The controller's answers [H21-H24].

// [H24]
TEST(PartitionLeaderTest, H22AnAnswerToAnOlderChangeIsIgnored) {
  Machine m({kSelf}, 0, {kSelf, kTwo});
  m.Fetched(kTwo, 0);
  const IsrProposal expand = *m.proposal;
  m.Lead(kEpoch + 1, {kSelf}, 0, {kSelf, kTwo});
  m.Answer(expand);
  EXPECT_THAT(m.leader.isr(), ElementsAre(kSelf)) << "[H24]";
}

// [H12, H13] In a fetch session one that has everything says nothing new: it has to be woken.
TEST(PartitionLeaderTest, WhoAskedWhileAChangeWasInFlightIsHeardOnceItIsDone) {
  Machine m({kSelf}, 0, {kSelf, kTwo, kThree});
  m.Fetched(kTwo, 0);
  const IsrProposal expand = *m.proposal;
  m.Fetched(kThree, 0);
  EXPECT_FALSE(m.proposal) << "[H13]";
  Client poll;
  m.leader.AwaitHighWatermark(poll, Offset(0));
  m.Answer(expand);
  EXPECT_EQ(poll.answer, ErrorCode::NONE);
  m.Fetched(kThree, 0);
  EXPECT_TRUE(m.proposal);
}

TEST(PartitionLeaderTest, NobodyIsWokenWhenAllAreInSync) {
  Machine m({kSelf}, 0, {kSelf, kTwo});
  m.Fetched(kTwo, 0);
  Client poll;
  m.leader.AwaitHighWatermark(poll, Offset(0));
  m.Answer(*m.proposal);
  EXPECT_FALSE(poll.answer);
}

// [H21b]
TEST(PartitionLeaderTest, H23WhatWasNotAttemptedIsTriedAgainByTheNextFetch) {
  Machine m({kSelf}, 0, {kSelf, kTwo});
  m.Fetched(kTwo, 0);
  const IsrProposal expand = *m.proposal;
  m.Answer(expand, ErrorCode::OPERATION_NOT_ATTEMPTED);
  EXPECT_FALSE(m.leader.isr_change_pending());
  m.Fetched(kTwo, 0);
  ASSERT_TRUE(m.proposal);
  EXPECT_NE(m.proposal->serial, expand.serial);
}

// [H24]
TEST(PartitionLeaderTest, H23AConflictLeavesItPendingUntilALeaderAndIsrRequestComes) {
  for (const ErrorCode error :
       {ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::INVALID_UPDATE_VERSION, ErrorCode::INVALID_REQUEST}) {
    Machine m({kSelf}, 0, {kSelf, kTwo});
    m.Fetched(kTwo, 0);
    m.Answer(*m.proposal, error);
    EXPECT_FALSE(m.proposal);
    EXPECT_TRUE(m.leader.isr_change_pending());
    m.Lead(kEpoch + 1, {kSelf, kTwo}, 0);
    EXPECT_FALSE(m.leader.isr_change_pending());
  }
}

TEST(PartitionLeaderTest, H23AnyOtherErrorIsAskedAgain) {
  Machine m({kSelf}, 0, {kSelf, kTwo});
  m.Fetched(kTwo, 0);
  const IsrProposal expand = *m.proposal;
  m.Answer(expand, ErrorCode::UNKNOWN_SERVER_ERROR);
  ASSERT_TRUE(m.proposal);
  EXPECT_EQ(m.proposal->isr, expand.isr);
}

// ---- A new epoch [R17-R21].

// [W7]
TEST(PartitionLeaderTest, R20ANewEpochOfTheSameLeaderForgetsWhatFollowersHad) {
  Machine m({kSelf, kTwo});
  m.Appended(kEpoch, 5);
  m.Fetched(kTwo, 3);
  m.Lead(kEpoch + 1, {kSelf, kTwo}, 5);
  m.Do([&](auto& effects) { m.leader.CheckIsr(m.now, effects); });
  EXPECT_EQ(m.leader.remote_replicas()[0].progress.log_end_offset, kNoOffset);
  EXPECT_EQ(m.high_watermark(), Offset(3));
}

// [R20]
TEST(PartitionLeaderTest, W7AsKafkaItRemembers) {
  Machine m({kSelf, kTwo}, 0, {}, ReplicationRules::Kafka323());
  m.Appended(kEpoch, 5);
  m.Fetched(kTwo, 5);
  m.Lead(kEpoch + 1, {kSelf, kTwo}, 5);
  EXPECT_EQ(m.leader.remote_replicas()[0].progress.log_end_offset, Offset(5));
}

// A partition resigns before its new epoch is on disk.
TEST(PartitionLeaderTest, W7ItRemembersAlsoIfItResignedInBetween) {
  for (const bool as_kafka : {false, true}) {
    Machine m({kSelf, kTwo}, 0, {}, as_kafka ? ReplicationRules::Kafka323() : ReplicationRules());
    m.Appended(kEpoch, 5);
    m.Fetched(kTwo, 5);
    m.Do([&](auto& effects) {
      m.leader.Resign(ErrorCode::NOT_LEADER_OR_FOLLOWER, effects);
      m.leader.BecomeLeader({.epoch = kEpoch + 1,
                             .isr = {kSelf, kTwo},
                             .replicas = {kSelf, kTwo},
                             .led_before = true},
                            m.high_watermark(), Offset(5), m.now, effects);
    });
    EXPECT_EQ(m.leader.remote_replicas()[0].progress.log_end_offset,
              as_kafka ? Offset(5) : kNoOffset);
  }
}

TEST(PartitionLeaderTest, R19MembersOfTheIsrCountAsCaughtUpWhenAnEpochBegins) {
  Machine m({kSelf, kTwo}, 5);
  m.Pass(kLag);
  m.CheckIsr();
  EXPECT_FALSE(m.proposal);
}

// ---- Who waits [P4, P12, H15].

TEST(PartitionLeaderTest, AnswersAcksOneWhenTheWriteCompletes) {
  Machine m({kSelf, kTwo});
  Client client;
  m.leader.AwaitAppended(client, Offset(4));
  m.Appended(kEpoch, 4);
  EXPECT_FALSE(client.answer);
  m.Appended(kEpoch, 5);
  EXPECT_EQ(client.answer, ErrorCode::NONE);
}

TEST(PartitionLeaderTest, AnswersAcksAllWhenTheHighWatermarkIsPastTheRecord) {
  Machine m({kSelf, kTwo});
  Client client;
  m.leader.AwaitCommitted(client, Offset(4));
  m.Appended(kEpoch, 5);
  EXPECT_FALSE(client.answer) << "the other in-sync replica does not have it yet";
  m.Fetched(kTwo, 4);
  EXPECT_FALSE(client.answer);
  EXPECT_TRUE(m.Fetched(kTwo, 5));
  EXPECT_EQ(client.answer, ErrorCode::NONE);
}

// [H3]
TEST(PartitionLeaderTest, WakesAFetchOnlyWhenTheHighWatermarkMoves) {
  Machine m({kSelf, kTwo});
  Client consumer;
  m.leader.AwaitHighWatermark(consumer, Offset(0));
  m.Appended(kEpoch, 3);
  EXPECT_FALSE(consumer.answer);
  m.Fetched(kTwo, 1);
  EXPECT_EQ(consumer.answer, ErrorCode::NONE);
}

// [W5]
TEST(PartitionLeaderTest, ACompletionOfAnOlderEpochChangesNothing) {
  Machine m;
  Client client;
  m.leader.AwaitAppended(client, Offset(0));
  m.Lead(kEpoch + 1, {kSelf}, 0);
  EXPECT_EQ(client.answer, ErrorCode::NOT_LEADER_OR_FOLLOWER);
  EXPECT_FALSE(m.Appended(kEpoch, 1));
  EXPECT_EQ(m.leader.log_end_offset(), Offset(0));
}

// [W5]
TEST(PartitionLeaderTest, ResigningTellsEverybodyWhy) {
  Machine m({kSelf, kTwo});
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

TEST(PartitionLeaderTest, H15RefusesAcksAllWithTooFewInSync) {
  Machine m;
  m.leader.SetMinInsyncReplicas(2);
  EXPECT_EQ(m.leader.CheckAppend(-1), ErrorCode::NOT_ENOUGH_REPLICAS);
  EXPECT_EQ(m.leader.CheckAppend(1), ErrorCode::NONE);
  EXPECT_EQ(m.leader.CheckAppend(0), ErrorCode::NONE);
}

TEST(PartitionLeaderTest, H15SaysWhenTheInSyncBecameTooFewAfterTheAppend) {
  for (const bool as_kafka : {false, true}) {
    Machine m({kSelf, kTwo}, 0, {}, as_kafka ? ReplicationRules::Kafka323() : ReplicationRules());
    m.leader.SetMinInsyncReplicas(2);
    Client client;
    m.Appended(kEpoch, 1);
    m.leader.AwaitCommitted(client, Offset(0));
    m.Pass(kLag + absl::Seconds(1));
    m.CheckIsr();
    EXPECT_FALSE(client.answer);
    m.Answer(*m.proposal);
    EXPECT_EQ(client.answer, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    EXPECT_EQ(m.high_watermark(), Offset(as_kafka ? 1 : 0)) << "[W1]";
  }
}

TEST(PartitionLeaderTest, P6FencesOlderAndDoubtsNewerEpochs) {
  Machine m;
  EXPECT_EQ(m.leader.CheckEpoch(LeaderEpoch(4)), ErrorCode::FENCED_LEADER_EPOCH);
  EXPECT_EQ(m.leader.CheckEpoch(LeaderEpoch(5)), ErrorCode::NONE);
  EXPECT_EQ(m.leader.CheckEpoch(LeaderEpoch(6)), ErrorCode::UNKNOWN_LEADER_EPOCH);
  EXPECT_EQ(m.leader.CheckEpoch(kNoLeaderEpoch), ErrorCode::NONE);
}

// [P5]
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
// [P5]
RC_GTEST_PROP(PartitionLeaderProperty, AnswersExactlyWhatIsCommitted, ()) {
  Machine m({kSelf, kTwo});
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
      m.Fetched(kTwo, theirs);
    }
    RC_ASSERT(m.leader.high_watermark() == Offset(std::min(mine, theirs)));
    for (const auto& [last, client] : clients) {
      RC_ASSERT(client->answer.has_value() == (last < std::min(mine, theirs)));
    }
  }
}

}  // namespace
}  // namespace highwater::broker
