#include "broker/client/topic_partition_state.h"

#include <gtest/gtest.h>

#include "broker/client/admin.h"

namespace highwater::broker::client {
namespace {

using core::MonotonicTime;
using protocol::ErrorCode;
using State = TopicPartitionState::State;

constexpr BrokerId kA{0};
constexpr BrokerId kB{1};
const LeaderAndEpoch kFirst{kA, LeaderEpoch(3)};
const LeaderAndEpoch kSecond{kB, LeaderEpoch(4)};

TopicPartitionState Make(OffsetReset policy = OffsetReset::kEarliest) {
  return {policy, ClientRules()};
}

// At offset 10 under kFirst, after a record of epoch 2.
TopicPartitionState Fetching(OffsetReset policy = OffsetReset::kEarliest) {
  TopicPartitionState state = Make(policy);
  state.Seek(Offset(10), LeaderEpoch(2), kFirst);
  static_cast<void>(
      state.OnEndOffset(state.version(), ErrorCode::NONE, {LeaderEpoch(2), Offset(10)}));
  HW_CHECK(state.state() == State::kFetching);
  return state;
}

TopicPartitionState AwaitingValidation(OffsetReset policy = OffsetReset::kEarliest) {
  TopicPartitionState state = Fetching(policy);
  state.OnLeader(kSecond);
  HW_CHECK(state.state() == State::kAwaitValidation);
  return state;
}

// [N30]
TEST(TopicPartitionStateTest, BeginsByThePolicy) {
  TopicPartitionState state = Make(OffsetReset::kLatest);
  EXPECT_FALSE(state.Begin().failure.has_value());
  EXPECT_EQ(state.state(), State::kAwaitReset);
  EXPECT_EQ(state.reset_timestamp(), kLatestTimestamp);
  const PositionEffects effects =
      state.OnListed(state.version(), ErrorCode::NONE, Offset(7), LeaderEpoch(3), kFirst);
  ASSERT_TRUE(effects.jump.has_value());
  EXPECT_EQ(effects.jump->from, kNoOffset);
  EXPECT_EQ(effects.jump->to, Offset(7));
  EXPECT_EQ(state.state(), State::kFetching);
  EXPECT_EQ(state.position(), (FetchPosition{Offset(7), LeaderEpoch(3), kFirst}));
}

TEST(TopicPartitionStateTest, WithoutAPolicyItFailsAndASeekMendsIt) {
  TopicPartitionState state = Make(OffsetReset::kNone);
  EXPECT_EQ(state.Begin().failure->code, ErrorCode::OFFSET_OUT_OF_RANGE);
  EXPECT_EQ(state.state(), State::kFailed);
  state.Seek(Offset(1), kNoLeaderEpoch, kFirst);
  EXPECT_EQ(state.state(), State::kFetching);
}

// [N31]
TEST(TopicPartitionStateTest, ANewLeaderOrEpochMakesThePositionAwaitValidation) {
  TopicPartitionState state = Fetching();
  const uint64_t before = state.version();
  state.OnLeader(kFirst);
  EXPECT_EQ(state.state(), State::kFetching);
  EXPECT_EQ(state.version(), before);
  state.OnLeader({kA, LeaderEpoch(4)});
  EXPECT_EQ(state.state(), State::kAwaitValidation) << "the same leader in another epoch";
  EXPECT_GT(state.version(), before);
  EXPECT_FALSE(state.Answers(before, Offset(10)));
}

TEST(TopicPartitionStateTest, ALostLeaderChangesNothing) {
  TopicPartitionState state = Fetching();
  state.OnLeader({kNoBroker, LeaderEpoch(9)});
  EXPECT_EQ(state.state(), State::kFetching);
  EXPECT_EQ(state.position().current_leader, kFirst);
}

// [N31] "Skipped when epochs are unknown."
TEST(TopicPartitionStateTest, WithoutEpochsThereIsNothingToValidate) {
  TopicPartitionState state = Make();
  state.Seek(Offset(10), kNoLeaderEpoch, kFirst);
  state.OnLeader(kSecond);
  EXPECT_EQ(state.state(), State::kFetching);
  EXPECT_EQ(state.position().current_leader, kSecond);
  state.Consumed(Offset(11), LeaderEpoch(4));
  state.OnLeader({kA, kNoLeaderEpoch});
  EXPECT_EQ(state.state(), State::kFetching) << "a broker that does not speak of epochs";
}

TEST(TopicPartitionStateTest, ASeekWithAnEpochIsValidatedBeforeTheFirstFetch) {
  TopicPartitionState state = Make();
  state.Seek(Offset(10), LeaderEpoch(2), kFirst);
  EXPECT_EQ(state.state(), State::kAwaitValidation);
}

TEST(TopicPartitionStateTest, AnEndAtOrBehindThePositionLetsItFetch) {
  for (const int64_t end : {10, 11}) {
    TopicPartitionState state = AwaitingValidation();
    const auto effects =
        state.OnEndOffset(state.version(), ErrorCode::NONE, {LeaderEpoch(2), Offset(end)});
    EXPECT_FALSE(effects.jump.has_value());
    EXPECT_EQ(state.state(), State::kFetching);
    EXPECT_EQ(state.position(), (FetchPosition{Offset(10), LeaderEpoch(2), kSecond}));
  }
}

// [N31]
TEST(TopicPartitionStateTest, AnEndBelowThePositionIsATruncationAndTheyGoBackToIt) {
  TopicPartitionState state = AwaitingValidation();
  const auto effects =
      state.OnEndOffset(state.version(), ErrorCode::NONE, {LeaderEpoch(1), Offset(8)});
  ASSERT_TRUE(effects.jump.has_value());
  EXPECT_EQ(effects.jump->reason, ResetReason::kTruncation);
  EXPECT_EQ(effects.jump->from, Offset(10));
  EXPECT_EQ(effects.jump->to, Offset(8));
  EXPECT_EQ(state.position(), (FetchPosition{Offset(8), LeaderEpoch(1), kSecond}));
  EXPECT_EQ(state.state(), State::kFetching);
}

TEST(TopicPartitionStateTest, AnUndefinedEndResetsByPolicy) {
  TopicPartitionState state = AwaitingValidation(OffsetReset::kLatest);
  EXPECT_FALSE(state.OnEndOffset(state.version(), ErrorCode::NONE, {}).jump.has_value());
  EXPECT_EQ(state.state(), State::kAwaitReset);
  EXPECT_EQ(state.reset_timestamp(), kLatestTimestamp);
  const auto effects =
      state.OnListed(state.version(), ErrorCode::NONE, Offset(4), LeaderEpoch(4), kSecond);
  EXPECT_EQ(effects.jump->reason, ResetReason::kTruncation);
  EXPECT_EQ(effects.jump->from, Offset(10));
}

// [N31]
TEST(TopicPartitionStateTest, WithoutAPolicyATruncationIsTheApplicationsToDecide) {
  for (const EpochEnd end : {EpochEnd{LeaderEpoch(1), Offset(8)}, EpochEnd{}}) {
    TopicPartitionState state = AwaitingValidation(OffsetReset::kNone);
    const auto effects = state.OnEndOffset(state.version(), ErrorCode::NONE, end);
    ASSERT_TRUE(effects.failure.has_value());
    EXPECT_EQ(state.state(), State::kFailed);
    EXPECT_EQ(state.position().offset, Offset(10));
  }
}

TEST(TopicPartitionStateTest, ARefusedQuestionIsAskedAgainWithFreshMetadata) {
  for (const ErrorCode error :
       {ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::UNKNOWN_LEADER_EPOCH, ErrorCode::KAFKA_STORAGE_ERROR,
        ErrorCode::OFFSET_NOT_AVAILABLE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::LEADER_NOT_AVAILABLE, ErrorCode::REPLICA_NOT_AVAILABLE}) {
    TopicPartitionState state = AwaitingValidation();
    auto effects = state.OnEndOffset(state.version(), error, {});
    EXPECT_TRUE(effects.refresh_metadata && effects.back_off) << protocol::NameOf(error);
    EXPECT_EQ(state.state(), State::kAwaitValidation);

    state = Make();
    static_cast<void>(state.Begin());
    effects = state.OnListed(state.version(), error, kNoOffset, kNoLeaderEpoch, kFirst);
    EXPECT_TRUE(effects.refresh_metadata && effects.back_off) << protocol::NameOf(error);
    EXPECT_EQ(state.state(), State::kAwaitReset);
  }
  TopicPartitionState state = AwaitingValidation();
  EXPECT_TRUE(
      state.OnEndOffset(state.version(), ErrorCode::TOPIC_AUTHORIZATION_FAILED, {}).failure);
}

// [N33]
TEST(TopicPartitionStateTest, AnswersToAnOlderVersionChangeNothing) {
  TopicPartitionState state = AwaitingValidation();
  const uint64_t old = state.version();
  state.OnLeader({kA, LeaderEpoch(5)});
  static_cast<void>(state.OnEndOffset(old, ErrorCode::NONE, {LeaderEpoch(1), Offset(8)}));
  EXPECT_EQ(state.state(), State::kAwaitValidation);
  EXPECT_EQ(state.position().offset, Offset(10));

  state = Make();
  static_cast<void>(state.Begin());
  const uint64_t reset = state.version();
  state.Seek(Offset(3), kNoLeaderEpoch, kFirst);
  static_cast<void>(state.OnListed(reset, ErrorCode::NONE, Offset(0), LeaderEpoch(0), kFirst));
  EXPECT_EQ(state.position().offset, Offset(3));

  state = Fetching();
  const uint64_t fetch = state.version();
  state.OnLeader(kSecond);
  static_cast<void>(state.OnFetchError(fetch, Offset(10), kA, ErrorCode::OFFSET_OUT_OF_RANGE));
  EXPECT_EQ(state.state(), State::kAwaitValidation);
}

// [N33]
TEST(TopicPartitionStateTest, OnlyAFetchAtThePositionAnswersIt) {
  TopicPartitionState state = Fetching();
  EXPECT_TRUE(state.Answers(state.version(), Offset(10)));
  EXPECT_FALSE(state.Answers(state.version(), Offset(9)));
  state.Consumed(Offset(12), LeaderEpoch(3));
  EXPECT_FALSE(state.Answers(state.version(), Offset(10)));
  EXPECT_EQ(state.position().offset_epoch, LeaderEpoch(3));
  const uint64_t version = state.version();
  state.Seek(Offset(20), kNoLeaderEpoch, kFirst);
  state.Seek(Offset(12), kNoLeaderEpoch, kFirst);
  EXPECT_FALSE(state.Answers(version, Offset(12))) << "back at the same place, by another way";
}

// [N32]
TEST(TopicPartitionStateTest, FetchErrorsLookForTheLeaderOrTryAgainOrGiveUp) {
  using enum ErrorCode;
  for (const ErrorCode error :
       {NOT_LEADER_OR_FOLLOWER, REPLICA_NOT_AVAILABLE, KAFKA_STORAGE_ERROR, FENCED_LEADER_EPOCH,
        OFFSET_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID,
        INCONSISTENT_TOPIC_ID}) {
    TopicPartitionState state = Fetching();
    const auto effects = state.OnFetchError(state.version(), Offset(10), kA, error);
    EXPECT_TRUE(effects.refresh_metadata && effects.back_off) << protocol::NameOf(error);
    EXPECT_EQ(state.state(), State::kFetching);
  }
  for (const ErrorCode error : {UNKNOWN_LEADER_EPOCH, UNKNOWN_SERVER_ERROR}) {
    TopicPartitionState state = Fetching();
    const auto effects = state.OnFetchError(state.version(), Offset(10), kA, error);
    EXPECT_TRUE(!effects.refresh_metadata && effects.back_off) << protocol::NameOf(error);
  }
  for (const ErrorCode error : {TOPIC_AUTHORIZATION_FAILED, CORRUPT_MESSAGE}) {
    TopicPartitionState state = Fetching();
    const auto effects = state.OnFetchError(state.version(), Offset(10), kA, error);
    ASSERT_TRUE(effects.failure.has_value());
    EXPECT_EQ(effects.failure->code, error);
    EXPECT_EQ(state.state(), State::kFailed);
  }
}

// [N32]
TEST(TopicPartitionStateTest, OutOfRangeAtTheLeaderResetsByPolicy) {
  TopicPartitionState state = Fetching();
  static_cast<void>(
      state.OnFetchError(state.version(), Offset(10), kA, ErrorCode::OFFSET_OUT_OF_RANGE));
  EXPECT_EQ(state.state(), State::kAwaitReset);
  EXPECT_EQ(state.reset_timestamp(), kEarliestTimestamp);
  const auto effects =
      state.OnListed(state.version(), ErrorCode::NONE, Offset(12), LeaderEpoch(2), kFirst);
  EXPECT_EQ(effects.jump->reason, ResetReason::kOutOfRange);

  state = Fetching(OffsetReset::kNone);
  EXPECT_TRUE(
      state.OnFetchError(state.version(), Offset(10), kA, ErrorCode::OFFSET_OUT_OF_RANGE).failure);
}

// [N32], [P19]
TEST(TopicPartitionStateTest, OutOfRangeAtAFollowerGoesBackToTheLeaderFirst) {
  TopicPartitionState state = Fetching();
  state.PreferReadReplica(kB, MonotonicTime::Never());
  EXPECT_EQ(state.PreferredReadReplica(MonotonicTime()), kB);
  static_cast<void>(
      state.OnFetchError(state.version(), Offset(10), kB, ErrorCode::OFFSET_OUT_OF_RANGE));
  EXPECT_EQ(state.state(), State::kFetching);
  EXPECT_EQ(state.PreferredReadReplica(MonotonicTime()), kNoBroker);
}

// [P19]
TEST(TopicPartitionStateTest, AReadReplicaIsPreferredUntilItsTimeOrTheLeaderOrAnErrorEndsIt) {
  const MonotonicTime until = MonotonicTime() + absl::Seconds(5);
  TopicPartitionState state = Fetching();
  state.PreferReadReplica(kB, until);
  EXPECT_EQ(state.PreferredReadReplica(until), kNoBroker);
  state.PreferReadReplica(kB, until);
  static_cast<void>(
      state.OnFetchError(state.version(), Offset(10), kB, ErrorCode::NOT_LEADER_OR_FOLLOWER));
  EXPECT_EQ(state.PreferredReadReplica(MonotonicTime()), kNoBroker);
  state.PreferReadReplica(kB, until);
  state.OnLeader(kSecond);
  EXPECT_EQ(state.PreferredReadReplica(MonotonicTime()), kNoBroker);
}

TEST(TopicPartitionStateTest, ATimestampBehindAllRecordsMeansTheEnd) {
  TopicPartitionState state = Fetching();
  state.SeekByTime(1000);
  EXPECT_EQ(state.reset_timestamp(), 1000);
  static_cast<void>(
      state.OnListed(state.version(), ErrorCode::NONE, kNoOffset, kNoLeaderEpoch, kFirst));
  EXPECT_EQ(state.state(), State::kAwaitReset);
  EXPECT_EQ(state.reset_timestamp(), kLatestTimestamp);
}

TEST(TopicPartitionStateTest, ABrokerThatCannotBeAskedLetsThePositionStand) {
  TopicPartitionState state = AwaitingValidation();
  state.SkipValidation(state.version() - 1);
  EXPECT_EQ(state.state(), State::kAwaitValidation);
  state.SkipValidation(state.version());
  EXPECT_EQ(state.state(), State::kFetching);
}

}  // namespace
}  // namespace highwater::broker::client
