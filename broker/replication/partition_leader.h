#pragma once

// PartitionLeader: what the leader of one partition decides: who is in sync, where the high
// watermark stands, which requests wait for it, and what they are told. A state machine without
// I/O; Partition drives it.
//
//   PartitionLeader::Effects effects;
//   leader.BecomeLeader({.epoch = e, .isr = {1, 2, 3}, ...}, high_watermark, log_end, now,
//   effects); leader.AwaitCommitted(waiter, last_offset);            // acks=all
//   leader.OnAppended(e, log_end_offset, now, effects);    // a write completed
//   leader.OnFollowerFetch({.follower = 2, .fetch_offset = o}, now, effects);
//   for (auto& done : effects.completed) done.waiter->OnDone(done.error);
//   if (effects.alter_partition) ...;                      // to be asked of the controller
//
// Follows replication facts 3.1 (R16-R21), 3.2 (H1-H4, H7-H15, H20-H24) and 3.3 (P4, P6, P12). Not
// responsible for: reading and writing the log, time-outs (whoever waits cancels its waiter),
// sending the proposals.
//
// Invariants:
//   1. high watermark <= log end offset; within an epoch it never goes back [H1].
//   2. A waiter is completed at most once and is out of the machine by then.
//   3. Nobody waits and nothing is pending while the partition is not led.
//   4. The committed ISR is part of the maximal one; both hold this broker; they differ only while
//   a change is pending [H14].
//   5. At most one change of the ISR is pending [H13].

#include <absl/container/inlined_vector.h>
#include <absl/types/span.h>

#include <optional>
#include <vector>

#include "broker/protocol/error_code.h"
#include "broker/replication/offset_waiter.h"
#include "broker/replication/replication_rules.h"
#include "broker/types.h"
#include "core/monotonic_time.h"

namespace highwater::broker {

// What a LeaderAndIsr request says of a partition and its leader [C62].
struct Leadership {
  LeaderEpoch epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch;
  std::vector<BrokerId> isr;
  std::vector<BrokerId> replicas;  // the assigned ones
  // [W1] The controller may elect replicas outside of this ISR.
  bool others_eligible = false;
  // [R20] The role before was to lead, too: under an older epoch, which has been resigned since.
  bool led_before = false;
};

// A change of the ISR that the controller is asked for [H20].
struct IsrProposal {
  uint64_t serial = 0;  // of the change: an answer names it
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch;
  std::vector<BrokerId> isr;
};

// What the controller answered [H22, H23].
struct IsrAnswer {
  uint64_t serial = 0;
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch;
  std::vector<BrokerId> isr;
  bool others_eligible = false;  // as in Leadership
};

class PartitionLeader {
 public:
  struct Completed {
    OffsetWaiter* waiter;
    protocol::ErrorCode error;
  };
  struct Effects {
    bool high_watermark_moved = false;
    bool isr_changed = false;  // the committed one
    absl::InlinedVector<Completed, 4> completed;
    std::optional<IsrProposal> alter_partition;
  };
  struct FollowerFetch {
    BrokerId follower;
    Offset fetch_offset;
    Offset log_start_offset = kNoOffset;
  };
  // What is known of a remote replica [H8].
  struct RemoteReplica {
    BrokerId broker;
    ReplicaProgress progress;
    Offset log_start_offset = kNoOffset;
    core::MonotonicTime last_fetch;
    Offset leader_end_at_last_fetch{0};
    bool fetched = false;  // in this epoch
    bool in_maximal_isr = false;
  };

  explicit PartitionLeader(BrokerId self, const ReplicationRules& rules = ReplicationRules(),
                           absl::Duration lag_max = absl::Seconds(30))
      : self_(self), rules_(rules), lag_max_(lag_max) {}

  // ---- Leadership.

  // [R16-R21] The ISR and the replicas hold this broker. The high watermark starts where the
  // replica's was and rises at once if nobody else holds it back [H3, H7]; a pending change of the
  // ISR is forgotten [H24]. REQUIRES: a greater epoch than any before; high_watermark <=
  // log_end_offset.
  void BecomeLeader(const Leadership& leadership, Offset high_watermark, Offset log_end_offset,
                    core::MonotonicTime now, Effects& effects);
  // Leadership, the partition or its directory is gone: everybody who waits is told so.
  void Resign(protocol::ErrorCode why, Effects& effects);
  [[nodiscard]] bool leads() const { return leads_; }
  // What a request is told while this partition is not led.
  [[nodiscard]] protocol::ErrorCode refusal() const { return refusal_; }

  // [P6] The epoch that a request claims: an older one is fenced, a newer one is not ours to judge,
  // -1 asks for no check.
  [[nodiscard]] protocol::ErrorCode CheckEpoch(LeaderEpoch claimed) const;

  // ---- Writing.

  void SetMinInsyncReplicas(int64_t count) { min_insync_replicas_ = count; }
  // [H15] Whether a write with these acks may begin.
  [[nodiscard]] protocol::ErrorCode CheckAppend(int16_t acks) const;
  // A write completed under `epoch`. One of an older epoch changes nothing: those who waited for it
  // were already told NOT_LEADER_OR_FOLLOWER.
  void OnAppended(LeaderEpoch epoch, Offset log_end_offset, core::MonotonicTime now,
                  Effects& effects);

  // ---- Replicas.

  // [H8, H9, H12] A fetch at an offset says that everything below it is stored. To be called for
  // fetches that met neither an error nor a diverging epoch (KAFKA-8400).
  void OnFollowerFetch(const FollowerFetch& fetch, core::MonotonicTime now, Effects& effects);
  // [H9] A fetch of a follower that stood at the log end at the time, and has not changed since: an
  // incremental fetch does not name it.
  void OnFollowerStillThere(BrokerId follower, core::MonotonicTime at);
  // [H11] All members that are out of sync leave in one change.
  void CheckIsr(core::MonotonicTime now, Effects& effects);
  // [H22-H24]
  void OnIsrAnswer(const IsrAnswer& answer, core::MonotonicTime now, Effects& effects);

  // ---- Waiting. REQUIRES: leads(). An offset that is already reached is to be asked for first.

  // Done once the log end offset is greater than `above`: acks=1, a follower's fetch [P12].
  void AwaitAppended(OffsetWaiter& waiter, Offset above);
  // Told NOT_ENOUGH_REPLICAS_AFTER_APPEND if the in-sync replicas have become too few by the time
  // at which all of them have the record [H15].
  void AwaitCommitted(OffsetWaiter& waiter, Offset last_offset);
  // Done once the high watermark is greater than `above`: a consumer's fetch [P12]; also when a
  // change of the ISR was refused for now, so that followers are heard again.
  void AwaitHighWatermark(OffsetWaiter& waiter, Offset above);

  // ---- State.

  [[nodiscard]] LeaderEpoch epoch() const { return epoch_; }
  [[nodiscard]] PartitionEpoch partition_epoch() const { return partition_epoch_; }
  [[nodiscard]] Offset high_watermark() const { return high_watermark_; }
  [[nodiscard]] Offset log_end_offset() const { return log_end_offset_; }
  [[nodiscard]] Offset leader_epoch_start_offset() const { return epoch_start_offset_; }
  // What the controller has confirmed.
  [[nodiscard]] const std::vector<BrokerId>& isr() const { return committed_isr_; }
  [[nodiscard]] size_t maximal_isr_size() const;
  [[nodiscard]] bool isr_change_pending() const { return pending_.has_value(); }
  [[nodiscard]] absl::Span<const RemoteReplica> remote_replicas() const { return remote_; }
  [[nodiscard]] bool IsRemoteReplica(BrokerId broker) const;
  // [H7] A new leader whose high watermark is behind the start of its epoch cannot yet name a safe
  // end offset.
  [[nodiscard]] bool KnowsEndOffset() const { return high_watermark_ >= epoch_start_offset_; }

 private:
  [[nodiscard]] LeaderProgress Progress(core::MonotonicTime now) const;
  [[nodiscard]] RemoteReplica* Find(BrokerId broker);
  [[nodiscard]] bool InCommittedIsr(BrokerId broker) const;
  void SetIsr(absl::Span<const BrokerId> isr);
  void Propose(std::vector<BrokerId> isr, Effects& effects);
  void MaybeExpandIsr(const RemoteReplica& replica, core::MonotonicTime now, Effects& effects);
  void HearFollowersAgain(Effects& effects);
  void MaybeAdvanceHighWatermark(core::MonotonicTime now, Effects& effects);
  void CheckInvariants();

  BrokerId self_;
  ReplicationRules rules_;
  absl::Duration lag_max_;
  bool leads_ = false;
  protocol::ErrorCode refusal_ = protocol::ErrorCode::NOT_LEADER_OR_FOLLOWER;
  LeaderEpoch epoch_ = kNoLeaderEpoch;
  PartitionEpoch partition_epoch_;
  Offset high_watermark_{0};
  Offset log_end_offset_{0};
  Offset epoch_start_offset_{0};
  int64_t min_insync_replicas_ = 1;
  std::vector<BrokerId> committed_isr_;
  bool others_eligible_ = false;
  std::vector<RemoteReplica> remote_;  // in the order of the assignment
  uint64_t changes_ = 0;
  std::optional<IsrProposal> pending_;  // whose answer is awaited
  WaiterList appended_;
  WaiterList committed_;
  WaiterList watching_;
  // For the invariants: the step before.
  LeaderEpoch last_epoch_ = kNoLeaderEpoch;
  Offset last_high_watermark_{0};
};

}  // namespace highwater::broker
