#pragma once

// ControllerRules: the decisions of a controller, as a table of named functions that can be
// replaced one by one (DESIGN 3, hook a).
//
//   KafkaController controller(..., ControllerRules::Safe());
//   ControllerRules rules = ControllerRules::Kafka323();      // compatibility: kafka-3.2.3
//
// Safe() repairs what Kafka 3.2.3 is known to lose records or liveness by on the controller's side:
// W1, W2, W3, W9, W15, W17. The other rules are the same in both tables.

#include <vector>

#include "broker/controller/alter_partition_rules.h"
#include "broker/controller/election.h"
#include "broker/types.h"

namespace highwater::broker::controller {

// Which leader epoch a StopReplica carries when the replica leaves the ISR by a write at the same
// time: the one before or the one after it. A receiver ignores a stop of an epoch that it already
// has [R8].
using StopEpochRule = LeaderEpoch (*)(LeaderEpoch before, LeaderEpoch after);

struct ControllerRules {
  // [C31], [C42] The epoch of each new decision about a partition.
  LeaderEpoch (*next_leader_epoch)(LeaderEpoch);
  // [C30], [C43] Whether a znode was written by a controller after us.
  bool (*written_by_newer_controller)(ControllerEpoch stored, ControllerEpoch mine);
  // [C32]
  Elected (*elect_offline)(const ElectionFacts&);
  // [C34]
  Elected (*elect_reassigned)(const ElectionFacts&);
  // [C35]
  Elected (*elect_preferred)(const ElectionFacts&);
  // [C36]
  Elected (*elect_at_shutdown)(const ElectionFacts&);
  // [C41]
  LeaderAndIsr (*without_replica)(const LeaderAndIsr&, BrokerId);
  // [C94] Whether replicas may be dropped before the others have replaced them.
  bool (*may_drop_others)(const LeaderAndIsr&, const std::vector<BrokerId>& replicas,
                          int32_t min_insync_replicas);
  // [C93] The state that goes with a new list of replicas.
  LeaderAndIsr (*limited_to)(const LeaderAndIsr&, const std::vector<BrokerId>& replicas);
  // [W1]
  bool (*may_have_lost_records)(const zk::BrokerRegistration&);
  // [W1]
  LeaderAndIsr (*after_unclean_start)(const LeaderAndIsr&, BrokerId, int32_t min_insync_replicas);
  // [W1]
  std::vector<BrokerId> (*eligible_after)(const LeaderAndIsr& before,
                                          const std::vector<BrokerId>& isr,
                                          int32_t min_insync_replicas);
  // [C71], [W3]
  AlterPartitionVerdict (*check_alter_partition)(const AlterPartitionFacts&);
  // [W2]
  bool (*was_applied)(const zk::LeaderIsrAndControllerEpoch& stored,
                      const zk::LeaderIsrAndControllerEpoch& wanted);
  // [C72], [W2] Whether the znode is read again after a refused ISR change.
  bool (*rereads_after_conflict)();
  // [C45], [W9], [W15]
  StopEpochRule stop_epoch;
  // [W15] Whether the epoch of a partition moves before replicas of a cancelled reassignment are
  // stopped.
  bool (*moves_epoch_before_cancel)();
  // [C3], [W17] Whether requests that a resignation drops are answered.
  bool (*answers_dropped_requests)();

  [[nodiscard]] static ControllerRules Safe();
  [[nodiscard]] static ControllerRules Kafka323();
};

}  // namespace highwater::broker::controller
