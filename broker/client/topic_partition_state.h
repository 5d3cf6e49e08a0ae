#pragma once

// TopicPartitionState: where a consumer stands in one partition, and what it must do before it may
// fetch on.
//
//   TopicPartitionState state(OffsetReset::kEarliest, ClientRules());
//   Carry out(state.Begin());                  // -> kAwaitReset:
//   ListOffsets(state.reset_timestamp()) Carry out(state.OnListed(...));            // -> kFetching
//   at the position that was listed state.OnLeader({BrokerId(1), LeaderEpoch(7)});   // perhaps ->
//   kAwaitValidation Carry out(state.OnEndOffset(...));         // -> kFetching there, or cut back
//   if (state.Answers(version, fetched)) ... state.Consumed(next, epoch);
//
// Pure: no clock, no request. The reference client's SubscriptionState.TopicPartitionState. Follows
// [N30]-[N33], [P19]. Invariants:
//   1. In kFetching and kAwaitValidation there is a position.
//   2. [N31] A position with known epochs is fetched only after the leader under which it is
//   fetched has been asked about it: each new leader or leader epoch ends in kAwaitValidation
//   first.
//   3. Every jump, new leader and failure makes a new version. What was asked under an older one
//   changes nothing any more [N33]: an answer of a deposed leader may hold records that the new
//   leader's log has not, and the jump away from them lies behind us.
//   4. The position moves back only by a jump that is reported.

#include <cstdint>
#include <optional>
#include <string>

#include "broker/client/client_config.h"
#include "broker/client/client_rules.h"
#include "broker/client/consumer.h"
#include "broker/protocol/error_code.h"
#include "core/monotonic_time.h"

namespace highwater::broker::client {

// What a step asks of its driver.
struct PositionEffects {
  struct Jump {
    Offset from;
    Offset to;
    ResetReason reason;
  };
  struct Failure {
    protocol::ErrorCode code;
    std::string message;
  };

  bool refresh_metadata = false;
  bool back_off = false;  // ask nothing more for this partition before retry.backoff.ms
  std::optional<Jump> jump;
  std::optional<Failure> failure;
};

class TopicPartitionState {
 public:
  enum class State : uint8_t {
    kInitializing,  // nothing is known yet
    kFetching,
    kAwaitReset,       // ListOffsets must say where to go
    kAwaitValidation,  // OffsetForLeaderEpoch must say whether the position is good
    kFailed,           // the application must seek
  };

  TopicPartitionState(OffsetReset policy, const ClientRules& rules)
      : policy_(policy), rules_(rules) {}

  [[nodiscard]] State state() const { return state_; }
  // Under which a request is sent now.
  [[nodiscard]] uint64_t version() const { return version_; }
  // The last known one in kAwaitReset and kFailed.
  [[nodiscard]] const FetchPosition& position() const { return position_; }
  // REQUIRES: kAwaitReset.
  [[nodiscard]] int64_t reset_timestamp() const;

  // From kInitializing: resets by auto.offset.reset, or fails if that is none.
  [[nodiscard]] PositionEffects Begin();
  // The application jumps. `epoch`: of the record before `offset`, if it knows.
  void Seek(Offset offset, LeaderEpoch epoch, LeaderAndEpoch leader);
  void SeekByTime(int64_t timestamp);

  // [N31] This is who leads, as far as is known; without a leader nothing changes.
  void OnLeader(LeaderAndEpoch leader);
  // [N31] The leader is too old to be asked: the position is taken as good.
  void SkipValidation(uint64_t version);
  // What was asked under the present version is given up: its answer does not count any more.
  void GiveUpOnAnswer() { ++version_; }

  // Answers to what was sent under `version`, by `leader`. Without effect if that is past.
  [[nodiscard]] PositionEffects OnListed(uint64_t version, protocol::ErrorCode error, Offset offset,
                                         LeaderEpoch epoch, LeaderAndEpoch leader);
  [[nodiscard]] PositionEffects OnEndOffset(uint64_t version, protocol::ErrorCode error,
                                            const EpochEnd& end);
  [[nodiscard]] PositionEffects OnFetchError(uint64_t version, Offset fetched, BrokerId answered_by,
                                             protocol::ErrorCode error);
  // [N33] Whether what was fetched at `fetched` under `version` is what comes next.
  [[nodiscard]] bool Answers(uint64_t version, Offset fetched) const {
    return state_ == State::kFetching && version == version_ &&
           rules_.AnswersPosition(fetched, position_.offset);
  }
  // Everything below `next` was returned; `epoch` of the last batch, if known. REQUIRES: kFetching.
  void Consumed(Offset next, LeaderEpoch epoch);
  [[nodiscard]] PositionEffects Fail(protocol::ErrorCode code, std::string message);

  // [P19] The replica that the leader asked us to fetch from; kNoBroker: the leader, also once
  // `now` has reached the end of the time for which it was asked.
  [[nodiscard]] BrokerId PreferredReadReplica(core::MonotonicTime now) const;
  void PreferReadReplica(BrokerId replica, core::MonotonicTime until);
  void ClearPreferredReadReplica() { preferred_read_replica_ = kNoBroker; }

 private:
  void ValidatePosition();
  void JumpTo(Offset offset, LeaderEpoch epoch);
  [[nodiscard]] PositionEffects ResetByPolicy(ResetReason reason);
  [[nodiscard]] PositionEffects Refused(protocol::ErrorCode error, const char* what);

  OffsetReset policy_;
  ClientRules rules_;
  State state_ = State::kInitializing;
  uint64_t version_ = 0;
  FetchPosition position_;
  std::optional<int64_t> reset_timestamp_;  // none: by auto.offset.reset
  ResetReason reset_reason_ = ResetReason::kNoPosition;
  BrokerId preferred_read_replica_ = kNoBroker;
  core::MonotonicTime preferred_until_;
};

}  // namespace highwater::broker::client
