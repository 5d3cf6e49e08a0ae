#include "broker/replication/replication_rules.h"

#include <algorithm>

namespace highwater::broker {
namespace {

// [C102, R8] What a StopReplica request says instead of an epoch: the topic is deleted; unknown.
constexpr LeaderEpoch kEpochDuringDelete{-2};

bool CaughtUpLately(const ReplicaProgress& replica, const LeaderProgress& leader) {
  return replica.last_caught_up.has_value() &&
         leader.now - *replica.last_caught_up <= leader.lag_max;
}

// Both are needed: after a failover the high watermark may lag behind what is committed, but
// nothing is committed that the leader did not have when its epoch began (KAFKA-7128).
bool MayJoinIsr(const ReplicaProgress& replica, const LeaderProgress& leader) {
  return replica.log_end_offset >= leader.high_watermark &&
         replica.log_end_offset >= leader.epoch_start_offset;
}

// A replica that has everything stays, however long ago it asked (KAFKA-7152).
bool MustLeaveIsr(const ReplicaProgress& replica, const LeaderProgress& leader) {
  return replica.log_end_offset != leader.log_end_offset && !CaughtUpLately(replica, leader);
}

// A replica that is about to join must not be outrun, so one that was caught up lately counts too.
bool HoldsHighWatermark(const ReplicaProgress& replica, bool in_maximal_isr,
                        const LeaderProgress& leader) {
  return in_maximal_isr || CaughtUpLately(replica, leader);
}

// [W1] With fewer replicas than min.insync.replicas the last one standing would commit what is
// nowhere else; its disk's loss would then take back what clients have read. So nothing is
// committed until the ISR has grown again (as in KIP-966). A topic whose replicas are fewer than
// min.insync.replicas commits with all of them [H16].
// Nor while the controller would still elect somebody outside of the ISR: leader and controller
// learn at different times that min.insync.replicas was changed, and what is committed between the
// two would be missing from whoever is elected then.
bool EnoughToCommit(const CommitQuorum& quorum) {
  return quorum.committed_isr >= std::min(quorum.min_insync_replicas, quorum.replicas) &&
         !quorum.others_eligible;
}
bool AnyMayCommit(const CommitQuorum&) { return true; }

// [W7] A follower that restarted with a shorter log since would still count with its old log end
// (KIP-903, KAFKA-15221).
bool ForgetsRemoteProgress(bool) { return false; }
bool KeepsRemoteProgressIfLed(bool led_before) { return led_before; }

Truncation TruncationPoint(const std::optional<storage::EpochEndOffset>& theirs,
                           const FollowerLog& log, Offset high_watermark) {
  if (!theirs.has_value()) return {std::min(high_watermark, log.log_end_offset)};  // [F15]
  const Offset limit = std::min(theirs->end_offset, log.log_end_offset);
  if (theirs->epoch == kNoLeaderEpoch) return {limit};  // [F16]
  const auto mine = log.epochs.EndOffsetFor(theirs->epoch, log.log_end_offset);
  if (!mine.has_value()) return {limit};
  // [F17] Without that epoch the logs may have parted earlier (KIP-279).
  if (mine->epoch != theirs->epoch) {
    return {std::min(mine->end_offset, log.log_end_offset), false};
  }
  return {std::min(mine->end_offset, limit)};
}

// A leader whose log begins where the follower's ends says that they agree, for want of anything to
// compare: its epochs begin there, too. What the follower holds above its high watermark may be
// its own, of a time when it led. Retention takes those records anyway; but what the log remembers
// of producers would stay, and a retry of a batch that was never committed would be answered as if
// it were stored. (Kafka 3.2.3 keeps all.)
bool NothingIsComparable(Offset leader_log_start, const FollowerLog& log, Offset high_watermark) {
  return log.log_start_offset < log.log_end_offset && leader_log_start >= log.log_end_offset &&
         high_watermark < log.log_end_offset;
}
bool NeverStartsAnew(Offset, const FollowerLog&, Offset) { return false; }

// It may go down, after a change of leaders [H7].
Offset FollowerHighWatermark(Offset leader_high_watermark, const FollowerLog& log) {
  return std::clamp(leader_high_watermark, log.log_start_offset, log.log_end_offset);
}

// [W8] Below that high watermark lie records of ours that the leader does not have (KAFKA-14704).
bool NeverTrustsIt() { return false; }
bool AlwaysTrustsIt() { return true; }

// [W10] An answer of an older epoch may carry records that the new leader does not have
// (KAFKA-18723).
bool MayUseAnswerOfSameEpoch(LeaderEpoch asked, LeaderEpoch current) { return asked == current; }
bool MayUseAnyAnswer(LeaderEpoch, LeaderEpoch) { return true; }

bool MayChangeRole(LeaderEpoch requested, LeaderEpoch local) { return requested > local; }

// [W9] At a controlled shutdown the epoch is the one that the follower has: ignored, it would go on
// fetching and be taken back into the ISR just before it dies (KAFKA-13972).
bool MustObeyStopOfSameEpoch(LeaderEpoch requested, LeaderEpoch local) {
  return requested == kEpochDuringDelete || requested == kNoLeaderEpoch || requested >= local;
}
bool MustObeyStopOfNewerEpoch(LeaderEpoch requested, LeaderEpoch local) {
  return requested == kEpochDuringDelete || requested == kNoLeaderEpoch || requested > local;
}

// [R24, W4]
bool NeverGoesOn() { return false; }
bool AlwaysGoesOn() { return true; }

}  // namespace

ReplicationRules::ReplicationRules()
    : MayJoinIsr(broker::MayJoinIsr),
      MustLeaveIsr(broker::MustLeaveIsr),
      HoldsHighWatermark(broker::HoldsHighWatermark),
      MayCommit(EnoughToCommit),
      KeepsRemoteProgress(ForgetsRemoteProgress),
      TruncationPoint(broker::TruncationPoint),
      MustStartAnew(NothingIsComparable),
      FollowerHighWatermark(broker::FollowerHighWatermark),
      TrustsHighWatermarkOfDivergence(NeverTrustsIt),
      MayUseAnswer(MayUseAnswerOfSameEpoch),
      MayChangeRole(broker::MayChangeRole),
      MustObeyStop(MustObeyStopOfSameEpoch),
      GoesOnUnderUnknownLeader(NeverGoesOn) {}

ReplicationRules ReplicationRules::Kafka323() {
  ReplicationRules rules;
  rules.MayCommit = AnyMayCommit;
  rules.KeepsRemoteProgress = KeepsRemoteProgressIfLed;
  rules.MustStartAnew = NeverStartsAnew;
  rules.TrustsHighWatermarkOfDivergence = AlwaysTrustsIt;
  rules.MayUseAnswer = MayUseAnyAnswer;
  rules.MustObeyStop = MustObeyStopOfNewerEpoch;
  rules.GoesOnUnderUnknownLeader = AlwaysGoesOn;
  return rules;
}

}  // namespace highwater::broker
