#include "broker/client/topic_partition_state.h"

#include <utility>

#include "broker/client/admin.h"
#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::client {

using core::MonotonicTime;
using protocol::ErrorCode;

namespace {

// [N32] What an error of a Fetch means, beside OFFSET_OUT_OF_RANGE.
enum class FetchErrorClass : uint8_t { kLookForLeader, kTryAgain, kGiveUp };

FetchErrorClass ClassOf(ErrorCode error) {
  switch (error) {
    case ErrorCode::NOT_LEADER_OR_FOLLOWER:
    case ErrorCode::REPLICA_NOT_AVAILABLE:
    case ErrorCode::KAFKA_STORAGE_ERROR:
    case ErrorCode::FENCED_LEADER_EPOCH:
    case ErrorCode::OFFSET_NOT_AVAILABLE:
    case ErrorCode::UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode::UNKNOWN_TOPIC_ID:
    case ErrorCode::INCONSISTENT_TOPIC_ID:
    case ErrorCode::LEADER_NOT_AVAILABLE:
      return FetchErrorClass::kLookForLeader;
    // The broker is behind our metadata: asking for more metadata would not help.
    case ErrorCode::UNKNOWN_LEADER_EPOCH:
    case ErrorCode::UNKNOWN_SERVER_ERROR:
      return FetchErrorClass::kTryAgain;
    // Retriable for a producer; a stored batch does not mend by itself.
    case ErrorCode::CORRUPT_MESSAGE:
      return FetchErrorClass::kGiveUp;
    default:
      if (!protocol::IsRetriable(error)) return FetchErrorClass::kGiveUp;
      return protocol::RefreshesMetadata(error) ? FetchErrorClass::kLookForLeader
                                                : FetchErrorClass::kTryAgain;
  }
}

}  // namespace

int64_t TopicPartitionState::reset_timestamp() const {
  HW_CHECK(state_ == State::kAwaitReset);
  if (reset_timestamp_.has_value()) return *reset_timestamp_;
  return policy_ == OffsetReset::kEarliest ? kEarliestTimestamp : kLatestTimestamp;
}

PositionEffects TopicPartitionState::Begin() {
  HW_CHECK(state_ == State::kInitializing);
  return ResetByPolicy(ResetReason::kNoPosition);
}

void TopicPartitionState::Seek(Offset offset, LeaderEpoch epoch, LeaderAndEpoch leader) {
  position_.current_leader = leader;
  JumpTo(offset, epoch);
  ValidatePosition();
}

void TopicPartitionState::SeekByTime(int64_t timestamp) {
  ++version_;
  state_ = State::kAwaitReset;
  reset_timestamp_ = timestamp;
  reset_reason_ = ResetReason::kNoPosition;
}

void TopicPartitionState::JumpTo(Offset offset, LeaderEpoch epoch) {
  ++version_;
  state_ = State::kFetching;
  position_.offset = offset;
  position_.offset_epoch = epoch;
  reset_timestamp_.reset();
}

void TopicPartitionState::OnLeader(LeaderAndEpoch leader) {
  if (state_ != State::kFetching && state_ != State::kAwaitValidation) return;
  if (leader.leader == kNoBroker || leader == position_.current_leader) return;
  position_.current_leader = leader;
  preferred_read_replica_ = kNoBroker;
  ValidatePosition();
}

void TopicPartitionState::ValidatePosition() {
  ++version_;
  state_ = rules_.MustValidate(position_) ? State::kAwaitValidation : State::kFetching;
}

void TopicPartitionState::SkipValidation(uint64_t version) {
  if (version == version_ && state_ == State::kAwaitValidation) state_ = State::kFetching;
}

PositionEffects TopicPartitionState::ResetByPolicy(ResetReason reason) {
  if (policy_ == OffsetReset::kNone) {
    return Fail(ErrorCode::OFFSET_OUT_OF_RANGE, "no position, and auto.offset.reset is none");
  }
  ++version_;
  state_ = State::kAwaitReset;
  reset_timestamp_.reset();
  reset_reason_ = reason;
  return {};
}

PositionEffects TopicPartitionState::Fail(ErrorCode code, std::string message) {
  HW_MARK("client_partition_failed");
  ++version_;
  state_ = State::kFailed;
  return {.failure = PositionEffects::Failure{code, std::move(message)}};
}

// An answer to ListOffsets or OffsetForLeaderEpoch with an error: whatever may be mended is asked
// again, of whoever leads then; OFFSET_NOT_AVAILABLE too [P17]: a new leader's high watermark may
// still lie below offsets that were already read, and "latest" would step back.
PositionEffects TopicPartitionState::Refused(ErrorCode error, const char* what) {
  if (protocol::IsRetriable(error) || error == ErrorCode::UNKNOWN_SERVER_ERROR) {
    return {.refresh_metadata = true, .back_off = true};
  }
  return Fail(error, what);
}

PositionEffects TopicPartitionState::OnListed(uint64_t version, ErrorCode error, Offset offset,
                                              LeaderEpoch epoch, LeaderAndEpoch leader) {
  if (version != version_ || state_ != State::kAwaitReset) return {};
  if (error != ErrorCode::NONE) return Refused(error, "the broker refused to list offsets");
  if (offset < Offset(0)) {
    if (reset_timestamp() < 0) return {.back_off = true};  // an end is always somewhere
    // Nothing that late: the end.
    reset_timestamp_ = kLatestTimestamp;
    return {};
  }
  const PositionEffects::Jump jump{position_.offset, offset, reset_reason_};
  // The leader that gave the position need not be asked whether it holds. The epoch that it gave is
  // kept, unlike in the reference client: a log that is cut before the first record was read is
  // noticed, too.
  JumpTo(offset, epoch);
  position_.current_leader = leader;
  return {.jump = jump};
}

PositionEffects TopicPartitionState::OnEndOffset(uint64_t version, ErrorCode error,
                                                 const EpochEnd& end) {
  if (version != version_ || state_ != State::kAwaitValidation) return {};
  if (error != ErrorCode::NONE)
    return Refused(error, "the broker refused to validate the position");
  const PositionVerdict verdict = rules_.JudgePosition(position_, end);
  if (verdict == PositionVerdict::kHolds) {
    state_ = State::kFetching;
    return {};
  }
  HW_MARK("client_log_truncation");
  if (policy_ == OffsetReset::kNone) {
    return Fail(ErrorCode::OFFSET_OUT_OF_RANGE,
                "the log was cut below the position, and auto.offset.reset is none");
  }
  if (verdict == PositionVerdict::kCutBefore) return ResetByPolicy(ResetReason::kTruncation);
  const PositionEffects::Jump jump{position_.offset, end.end_offset, ResetReason::kTruncation};
  JumpTo(end.end_offset, end.epoch);
  return {.jump = jump};
}

PositionEffects TopicPartitionState::OnFetchError(uint64_t version, Offset fetched,
                                                  BrokerId answered_by, ErrorCode error) {
  if (!Answers(version, fetched)) return {};
  if (error == ErrorCode::OFFSET_OUT_OF_RANGE) {
    // [N32] A follower may be behind, or may have deleted more than the leader: only the leader's
    // word makes the position jump.
    if (answered_by != position_.current_leader.leader) {
      HW_MARK("client_back_to_leader");
      ClearPreferredReadReplica();
      return {};
    }
    HW_MARK("client_offset_out_of_range");
    return ResetByPolicy(ResetReason::kOutOfRange);
  }
  switch (ClassOf(error)) {
    case FetchErrorClass::kLookForLeader:
      HW_MARK("client_fetch_leader_moved");
      ClearPreferredReadReplica();
      return {.refresh_metadata = true, .back_off = true};
    case FetchErrorClass::kTryAgain:
      return {.back_off = true};
    case FetchErrorClass::kGiveUp:
      break;
  }
  return Fail(error, "the broker refused the fetch");
}

void TopicPartitionState::Consumed(Offset next, LeaderEpoch epoch) {
  HW_CHECK(state_ == State::kFetching && next >= position_.offset);
  position_.offset = next;
  if (epoch != kNoLeaderEpoch) position_.offset_epoch = epoch;
}

BrokerId TopicPartitionState::PreferredReadReplica(MonotonicTime now) const {
  return now < preferred_until_ ? preferred_read_replica_ : kNoBroker;
}

void TopicPartitionState::PreferReadReplica(BrokerId replica, MonotonicTime until) {
  preferred_read_replica_ = replica;
  preferred_until_ = until;
}

}  // namespace highwater::broker::client
