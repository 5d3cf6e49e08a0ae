#include "broker/replication/partition_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker {
namespace {

using protocol::ErrorCode;
using storage::EpochEndOffset;
using storage::LeaderEpochCache;
using Action = PartitionFollower::Action;
using Kind = Action::Kind;
using State = PartitionFollower::State;

constexpr BrokerId kLeader{1};
constexpr LeaderEpoch kEpoch{5};

// A follower with a log of epoch 4 that ends at 10, high watermark 6.
struct Machine {
  explicit Machine(const ReplicationRules& rules = ReplicationRules()) : follower(rules) {
    epochs.Assign(LeaderEpoch(4), Offset(0));
    follower.Follow(kEpoch, kLeader, Offset(6));
    EXPECT_EQ(follower.OnSettled(log()).kind, Kind::kNone);
  }
  FollowerLog log() const { return {epochs, Offset(start), Offset(end)}; }
  PartitionFollower::Fetched Answer(ErrorCode error = ErrorCode::NONE) const {
    return {.asked = *follower.NextFetch(),
            .error = error,
            .leader_high_watermark = Offset(8),
            .leader_log_start_offset = Offset(0)};
  }

  LeaderEpochCache epochs;
  int64_t start = 0;
  int64_t end = 10;
  PartitionFollower follower;
};

// [F2, R22]
TEST(PartitionFollowerTest, F3FetchesAtItsLogEndWithItsLatestEpoch) {
  const Machine m;
  EXPECT_EQ(m.follower.NextFetch(), (PartitionFollower::Fetch{Offset(10), kEpoch, LeaderEpoch(4)}));
}

TEST(PartitionFollowerTest, F3WithoutEpochsItFirstCutsToTheHighWatermark) {
  Machine m;
  m.epochs.Clear();
  m.follower.Follow(kEpoch + 1, kLeader, Offset(6));
  const Action action = m.follower.OnSettled(m.log());
  EXPECT_EQ(action.kind, Kind::kTruncate);
  EXPECT_EQ(action.offset, Offset(6));
  m.end = 6;
  EXPECT_EQ(m.follower.OnSettled(m.log()).kind, Kind::kNone);
  EXPECT_EQ(m.follower.NextFetch()->offset, Offset(6));
}

TEST(PartitionFollowerTest, R23FetchesNothingUntilTheLogHasSettled) {
  Machine m;
  m.follower.Follow(kEpoch + 1, kLeader, Offset(6));
  EXPECT_FALSE(m.follower.NextFetch());
}

TEST(PartitionFollowerTest, WhereNothingCanBeComparedItStartsAnewButNotAsKafka) {
  for (const bool as_kafka : {false, true}) {
    Machine m(as_kafka ? ReplicationRules::Kafka323() : ReplicationRules());
    auto answer = m.Answer();
    answer.leader_log_start_offset = Offset(10);
    answer.first_base_offset = Offset(10);
    const Action action = m.follower.OnFetched(answer, m.log());
    EXPECT_EQ(action.kind, as_kafka ? Kind::kAppend : Kind::kTruncateFully);
    EXPECT_EQ(action.offset, Offset(10));
  }
}

TEST(PartitionFollowerTest, ALogThatWasComparedOnceIsKeptWhateverItsLeaderDeletes) {
  Machine m;
  EXPECT_EQ(m.follower.OnFetched(m.Answer(), m.log()).kind, Kind::kNone);
  auto answer = m.Answer();
  answer.leader_log_start_offset = Offset(10);
  EXPECT_EQ(m.follower.OnFetched(answer, m.log()).kind, Kind::kNone);
}

TEST(PartitionFollowerTest, ALogThatIsKnownToBeCommittedNeedsNoComparison) {
  Machine m;
  m.follower.Follow(kEpoch + 1, kLeader, Offset(10));
  EXPECT_EQ(m.follower.OnSettled(m.log()).kind, Kind::kNone);
  auto answer = m.Answer();
  answer.leader_log_start_offset = Offset(10);
  EXPECT_EQ(m.follower.OnFetched(answer, m.log()).kind, Kind::kNone);
}

// [H6, L12, T4]
TEST(PartitionFollowerTest, F7AppendsAndTakesTheHighWatermarkAfterwards) {
  Machine m;
  auto answer = m.Answer();
  answer.leader_high_watermark = Offset(12);
  answer.first_base_offset = Offset(10);
  EXPECT_EQ(m.follower.OnFetched(answer, m.log()).kind, Kind::kAppend);
  EXPECT_FALSE(m.follower.NextFetch()) << "one step at a time";
  m.end = 14;
  m.epochs.Assign(kEpoch, Offset(12));
  m.follower.OnAppended(m.log());
  EXPECT_EQ(m.follower.high_watermark(), Offset(12));
  EXPECT_EQ(m.follower.NextFetch(), (PartitionFollower::Fetch{Offset(14), kEpoch, kEpoch}));
}

TEST(PartitionFollowerTest, H5TheHighWatermarkMayGoDownAndNeverPastTheLogEnd) {
  Machine m;
  auto answer = m.Answer();
  answer.leader_high_watermark = Offset(3);
  static_cast<void>(m.follower.OnFetched(answer, m.log()));
  EXPECT_EQ(m.follower.high_watermark(), Offset(3));
  answer = m.Answer();
  answer.leader_high_watermark = Offset(30);
  static_cast<void>(m.follower.OnFetched(answer, m.log()));
  EXPECT_EQ(m.follower.high_watermark(), Offset(10));
}

TEST(PartitionFollowerTest, F5AnAnswerToAnotherOffsetIsDropped) {
  Machine m;
  auto answer = m.Answer();
  answer.asked.offset = Offset(9);
  answer.first_base_offset = Offset(9);
  EXPECT_EQ(m.follower.OnFetched(answer, m.log()).kind, Kind::kNone);
  EXPECT_EQ(m.follower.state(), State::kFetching);
}

// [F5]
TEST(PartitionFollowerTest, W10AnAnswerOfAnOlderEpochIsDroppedButNotByKafka) {
  for (const bool as_kafka : {false, true}) {
    Machine m(as_kafka ? ReplicationRules::Kafka323() : ReplicationRules());
    auto answer = m.Answer();
    answer.first_base_offset = Offset(10);
    m.follower.Follow(kEpoch + 1, BrokerId(2), Offset(6));
    static_cast<void>(m.follower.OnSettled(m.log()));
    EXPECT_EQ(m.follower.OnFetched(answer, m.log()).kind, as_kafka ? Kind::kAppend : Kind::kNone);
  }
}

TEST(PartitionFollowerTest, F18CutsWhereTheLogsPartAndFetchesOn) {
  Machine m;
  auto answer = m.Answer();
  answer.diverging = EpochEndOffset{LeaderEpoch(4), Offset(7)};
  const Action action = m.follower.OnFetched(answer, m.log());
  EXPECT_EQ(action.kind, Kind::kTruncate);
  EXPECT_EQ(action.offset, Offset(7));
  m.end = 7;
  static_cast<void>(m.follower.OnSettled(m.log()));
  EXPECT_EQ(m.follower.NextFetch()->offset, Offset(7));
}

// [F8]
TEST(PartitionFollowerTest, W8TheHighWatermarkOfADivergenceIsNotTrustedButKafkaDoes) {
  for (const bool as_kafka : {false, true}) {
    Machine m(as_kafka ? ReplicationRules::Kafka323() : ReplicationRules());
    auto answer = m.Answer();
    answer.leader_high_watermark = Offset(10);
    answer.diverging = EpochEndOffset{LeaderEpoch(4), Offset(7)};
    static_cast<void>(m.follower.OnFetched(answer, m.log()));
    EXPECT_EQ(m.follower.high_watermark(), Offset(as_kafka ? 10 : 6));
  }
}

// [F21, W14]
TEST(PartitionFollowerTest, F22ACutBelowTheHighWatermarkTakesItAlong) {
  Machine m;
  auto answer = m.Answer();
  answer.diverging = EpochEndOffset{LeaderEpoch(4), Offset(2)};
  EXPECT_EQ(m.follower.OnFetched(answer, m.log()).offset, Offset(2));
  m.end = 2;
  static_cast<void>(m.follower.OnSettled(m.log()));
  EXPECT_EQ(m.follower.high_watermark(), Offset(2));
}

TEST(PartitionFollowerTest, F6ALogStartInsideABatchStartsTheLogAtThatBatch) {
  Machine m;
  m.start = 10;
  auto answer = m.Answer();
  answer.first_base_offset = Offset(8);
  const Action action = m.follower.OnFetched(answer, m.log());
  EXPECT_EQ(action.kind, Kind::kTruncateFullyAndAppend);
  EXPECT_EQ(action.offset, Offset(8));
}

TEST(PartitionFollowerTest, F9FencedUnderItsOwnEpochItStopsForGood) {
  Machine m;
  EXPECT_EQ(m.follower.OnFetched(m.Answer(ErrorCode::FENCED_LEADER_EPOCH), m.log()).kind,
            Kind::kNone);
  EXPECT_EQ(m.follower.state(), State::kFailed);
  m.follower.OnDelayOver(m.log());
  EXPECT_FALSE(m.follower.NextFetch());
  m.follower.Follow(kEpoch + 1, kLeader, Offset(6));
  static_cast<void>(m.follower.OnSettled(m.log()));
  EXPECT_TRUE(m.follower.NextFetch());
}

// [F2]
TEST(PartitionFollowerTest, F9OtherErrorsDelayIt) {
  for (const ErrorCode error :
       {ErrorCode::UNKNOWN_LEADER_EPOCH, ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::INCONSISTENT_TOPIC_ID,
        ErrorCode::KAFKA_STORAGE_ERROR, ErrorCode::CORRUPT_MESSAGE}) {
    Machine m;
    EXPECT_EQ(m.follower.OnFetched(m.Answer(error), m.log()).kind, Kind::kDelay);
    EXPECT_FALSE(m.follower.NextFetch());
    m.follower.OnDelayOver(m.log());
    EXPECT_TRUE(m.follower.NextFetch());
  }
}

// [W19]
TEST(PartitionFollowerTest, F20OutOfRangeAboveTheLeaderItCutsToTheLeadersEnd) {
  Machine m;
  EXPECT_EQ(m.follower.OnFetched(m.Answer(ErrorCode::OFFSET_OUT_OF_RANGE), m.log()).kind,
            Kind::kAskLatestOffset);
  const Action action = m.follower.OnLeaderLatestOffset(kEpoch, Offset(8), m.log());
  EXPECT_EQ(action.kind, Kind::kTruncate);
  EXPECT_EQ(action.offset, Offset(8));
}

// [F23]
TEST(PartitionFollowerTest, F20OutOfRangeBelowTheLeaderItStartsOverAtTheLeadersStart) {
  Machine m;
  static_cast<void>(m.follower.OnFetched(m.Answer(ErrorCode::OFFSET_OUT_OF_RANGE), m.log()));
  EXPECT_EQ(m.follower.OnLeaderLatestOffset(kEpoch, Offset(50), m.log()).kind,
            Kind::kAskEarliestOffset);
  const Action action = m.follower.OnLeaderEarliestOffset(kEpoch, Offset(40), m.log());
  EXPECT_EQ(action.kind, Kind::kTruncateFully);
  EXPECT_EQ(action.offset, Offset(40));
}

TEST(PartitionFollowerTest, F19AnAnswerAboutOffsetsOfAnOlderEpochIsDropped) {
  Machine m;
  static_cast<void>(m.follower.OnFetched(m.Answer(ErrorCode::OFFSET_OUT_OF_RANGE), m.log()));
  EXPECT_EQ(m.follower.OnLeaderLatestOffset(kEpoch - 1, Offset(8), m.log()).kind, Kind::kNone);
}

TEST(PartitionFollowerTest, F10DamagedRecordsAreFetchedAgainAfterAWhile) {
  Machine m;
  auto answer = m.Answer();
  answer.first_base_offset = Offset(10);
  static_cast<void>(m.follower.OnFetched(answer, m.log()));
  EXPECT_EQ(m.follower.OnDamagedRecords().kind, Kind::kDelay);
  EXPECT_EQ(m.follower.state(), State::kDelayed);
}

}  // namespace
}  // namespace highwater::broker
