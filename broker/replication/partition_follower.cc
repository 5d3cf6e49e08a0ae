#include "broker/replication/partition_follower.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker {

using protocol::ErrorCode;
using Action = PartitionFollower::Action;

void PartitionFollower::Follow(LeaderEpoch epoch, BrokerId leader, Offset high_watermark) {
  HW_CHECK(epoch >= epoch_, "leader epoch {} does not follow {}", epoch, epoch_);
  epoch_ = epoch;
  leader_ = leader;
  high_watermark_ = high_watermark;
  leader_high_watermark_ = kNoOffset;
  compared_ = false;
  state_ = State::kSettling;
}

void PartitionFollower::Stop() {
  state_ = State::kIdle;
  leader_ = kNoBroker;
}

// To the log end: that is all that it ever asks for [F6, F18].
void PartitionFollower::Fetching(const FollowerLog& log) {
  state_ = State::kFetching;
  next_ = {.offset = log.log_end_offset,
           .leader_epoch = epoch_,
           .last_fetched_epoch = log.epochs.latest().value_or(kNoLeaderEpoch)};
  // [F22, F23]
  high_watermark_ = std::clamp(high_watermark_, log.log_start_offset, log.log_end_offset);
  CheckInvariants(log);
}

Action PartitionFollower::OnSettled(const FollowerLog& log) {
  if (state_ != State::kSettling && state_ != State::kChanging) return {};
  // [F3] Without any epoch the leader cannot tell where the logs part.
  if (state_ == State::kSettling && !log.epochs.latest() && log.log_end_offset > high_watermark_) {
    HW_MARK("follower_truncates_to_high_watermark");
    return Change({Action::Kind::kTruncate, std::max(high_watermark_, log.log_start_offset)});
  }
  Fetching(log);
  return {};
}

std::optional<PartitionFollower::Fetch> PartitionFollower::NextFetch() const {
  if (state_ != State::kFetching) return std::nullopt;
  return next_;
}

Action PartitionFollower::OnFetched(const Fetched& answer, const FollowerLog& log) {
  // [F5] The answer must belong to where we stand now.
  if (state_ != State::kFetching || answer.asked.offset != next_.offset) return {};
  if (!rules_.MayUseAnswer(answer.asked.leader_epoch, epoch_)) {
    HW_MARK("fetched_under_an_older_epoch");
    return {};
  }
  if (answer.error != ErrorCode::NONE) return OnError(answer);
  leader_high_watermark_ = answer.leader_high_watermark;
  leader_log_start_offset_ = answer.leader_log_start_offset;
  if (answer.diverging.has_value()) {
    if (rules_.TrustsHighWatermarkOfDivergence()) {
      high_watermark_ = rules_.FollowerHighWatermark(leader_high_watermark_, log);
    }
    // [F18] One cut; the next fetch tells whether it was enough.
    const Truncation cut = rules_.TruncationPoint(answer.diverging, log, high_watermark_);
    if (cut.offset < high_watermark_) HW_MARK("truncation_below_high_watermark");  // [F21]
    return Change({Action::Kind::kTruncate, cut.offset});
  }
  if (!std::exchange(compared_, true) &&
      rules_.MustStartAnew(answer.leader_log_start_offset, log, high_watermark_)) {
    HW_MARK("follower_starts_anew");
    return Change({Action::Kind::kTruncateFully, log.log_end_offset});
  }
  if (!answer.first_base_offset.has_value()) {
    OnAppended(log);
    return {};
  }
  // [F6, KAFKA-6975] The leader's log start lies inside a batch: it comes whole.
  if (*answer.first_base_offset < log.log_end_offset &&
      log.log_start_offset == log.log_end_offset) {
    HW_MARK("follower_starts_inside_batch");
    return Change({Action::Kind::kTruncateFullyAndAppend, *answer.first_base_offset});
  }
  return Change({Action::Kind::kAppend, log.log_end_offset});
}

Action PartitionFollower::OnError(const Fetched& answer) {
  if (answer.error == ErrorCode::OFFSET_OUT_OF_RANGE) {  // [F20]
    state_ = State::kAsking;
    return {Action::Kind::kAskLatestOffset};
  }
  if (answer.error == ErrorCode::FENCED_LEADER_EPOCH) {
    HW_MARK("follower_fenced");
    if (answer.asked.leader_epoch != epoch_) return {};
    state_ = State::kFailed;  // [F9] only a newer LeaderAndIsr request can help
    return {};
  }
  return Delay();
}

void PartitionFollower::OnAppended(const FollowerLog& log) {
  if (state_ != State::kChanging && state_ != State::kFetching) return;
  if (leader_high_watermark_ != kNoOffset) {
    high_watermark_ = rules_.FollowerHighWatermark(leader_high_watermark_, log);  // [F7, H5]
  }
  Fetching(log);
}

Action PartitionFollower::OnDamagedRecords() {
  HW_MARK("follower_refetches_damaged_records");
  return Delay();
}

Action PartitionFollower::OnLeaderLatestOffset(LeaderEpoch asked, Offset offset,
                                               const FollowerLog& log) {
  if (state_ != State::kAsking || asked != epoch_) return {};
  if (offset < log.log_end_offset) {
    // [W19] By offset alone: only an unclean election should lead here.
    HW_MARK("truncation_to_leader_end");
    return Change({Action::Kind::kTruncate, offset});
  }
  return {Action::Kind::kAskEarliestOffset};
}

Action PartitionFollower::OnLeaderEarliestOffset(LeaderEpoch asked, Offset offset,
                                                 const FollowerLog& log) {
  if (state_ != State::kAsking || asked != epoch_) return {};
  if (offset > log.log_end_offset) {
    HW_MARK("follower_starts_over");
    return Change({Action::Kind::kTruncateFully, offset});
  }
  // The fetch that failed raced with the leader; but do not ask again at once.
  return Delay();
}

Action PartitionFollower::OnRequestFailed(LeaderEpoch asked) {
  if (asked != epoch_ || (state_ != State::kFetching && state_ != State::kAsking)) return {};
  return Delay();
}

void PartitionFollower::OnDelayOver(const FollowerLog& log) {
  if (state_ == State::kDelayed) Fetching(log);
}

Action PartitionFollower::Delay() {
  state_ = State::kDelayed;
  return {Action::Kind::kDelay};
}

Action PartitionFollower::Change(Action action) {
  state_ = State::kChanging;
  return action;
}

void PartitionFollower::CheckInvariants(const FollowerLog& log) const {
  HW_CHECK(high_watermark_ <= log.log_end_offset, "high watermark {} above log end {}",
           high_watermark_, log.log_end_offset);
  HW_CHECK(next_.offset == log.log_end_offset && next_.leader_epoch == epoch_,
           "a fetch at {} under {}, the log ends at {} under {}", next_.offset, next_.leader_epoch,
           log.log_end_offset, epoch_);
}

}  // namespace highwater::broker
