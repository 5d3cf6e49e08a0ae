#pragma once

// ReplicationRules: the decisions of ISR replication that can be replaced one by one: a table of
// named functions, given to PartitionLeader, PartitionFollower and ReplicaManager.
//
//   PartitionLeader leader(self, ReplicationRules());            // the safe rules
//   PartitionLeader as_kafka(self, ReplicationRules::Kafka323());  // with the weak points of 3.2.3
//
// Follows replication facts 3.1 (R5, R8, R20, R24), 3.2 (H1, H2, H5, H10, H12) and 3.4 (F5, F8,
// F15-F17). Where Kafka 3.2.3 is known to be weak (W1, W7, W8, W9, W10) the default is the repaired
// rule. Not responsible for: when a rule is asked, and what follows from its answer.

#include <absl/time/time.h>

#include <optional>

#include "broker/storage/leader_epoch_cache.h"
#include "broker/types.h"
#include "core/monotonic_time.h"

namespace highwater::broker {

// How far a remote replica is, as its leader knows.
struct ReplicaProgress {
  Offset log_end_offset = kNoOffset;                  // unknown: -1
  std::optional<core::MonotonicTime> last_caught_up;  // nullopt: never in this epoch
};

// What a leader holds a replica's progress against.
struct LeaderProgress {
  Offset high_watermark{0};
  Offset log_end_offset{0};
  Offset epoch_start_offset{0};
  core::MonotonicTime now;
  absl::Duration lag_max;  // replica.lag.time.max.ms
};

struct CommitQuorum {
  int64_t committed_isr = 0;
  int64_t replicas = 0;  // the assigned ones
  int64_t min_insync_replicas = 1;
  // Replicas outside of the ISR may still be elected, as they hold all that is committed so far.
  bool others_eligible = false;
};

// What a follower knows of its own log when it is told where its leader's begins to differ.
struct FollowerLog {
  const storage::LeaderEpochCache& epochs;
  Offset log_start_offset{0};
  Offset log_end_offset{0};
};

struct Truncation {
  Offset offset{0};
  bool done = true;  // false: the leader has to be asked again, with the epoch that is latest then
};

struct ReplicationRules {
  // [H12] Whether a replica outside of the ISR may be proposed for it.
  bool (*MayJoinIsr)(const ReplicaProgress&, const LeaderProgress&);
  // [H10] Whether a member must leave the ISR.
  bool (*MustLeaveIsr)(const ReplicaProgress&, const LeaderProgress&);
  // [H1, H2] Whether the high watermark waits for this replica.
  bool (*HoldsHighWatermark)(const ReplicaProgress&, bool in_maximal_isr, const LeaderProgress&);
  // [H3, W1] Whether so many in-sync replicas may commit a record. Those count that the controller
  // has confirmed: while it knows of fewer than min.insync.replicas, it may still elect one that
  // left the ISR before, and that one lacks what is committed now.
  bool (*MayCommit)(const CommitQuorum&);
  // [R20, W7] Whether what is known of the remote replicas outlives a new epoch of the same leader.
  bool (*KeepsRemoteProgress)(bool led_before);
  // [F15-F17] Where a follower cuts; `theirs` is nullopt if the leader could not say.
  Truncation (*TruncationPoint)(const std::optional<storage::EpochEndOffset>& theirs,
                                const FollowerLog& log, Offset high_watermark);
  // Whether a follower drops its log because nothing of it can be compared with its leader's.
  bool (*MustStartAnew)(Offset leader_log_start, const FollowerLog& log, Offset high_watermark);
  // [H5] A follower's high watermark from its leader's.
  Offset (*FollowerHighWatermark)(Offset leader_high_watermark, const FollowerLog& log);
  // [F8, W8] Whether the high watermark of an answer counts that also says that the logs diverge.
  bool (*TrustsHighWatermarkOfDivergence)();
  // [F5, W10] Whether the answer to a fetch of `asked` may be used under `current`.
  bool (*MayUseAnswer)(LeaderEpoch asked, LeaderEpoch current);
  // [R5] Whether a LeaderAndIsr request with this epoch is news.
  bool (*MayChangeRole)(LeaderEpoch requested, LeaderEpoch local);
  // [R8, W9] Whether a StopReplica request with this epoch is obeyed.
  bool (*MustObeyStop)(LeaderEpoch requested, LeaderEpoch local);
  // [R24, W4] Whether a leader goes on when it is told of a newer epoch whose leader its broker
  // does not know to be alive. It cannot follow that one, but a deposed leader that goes on takes
  // writes with acks=1 that are lost.
  bool (*GoesOnUnderUnknownLeader)();

  ReplicationRules();  // the safe rules
  [[nodiscard]] static ReplicationRules Kafka323();
};

}  // namespace highwater::broker
