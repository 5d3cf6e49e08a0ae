#include "broker/controller/controller_rules.h"

namespace highwater::broker::controller {

namespace {

LeaderEpoch NextLeaderEpoch(LeaderEpoch epoch) { return epoch + 1; }

bool WrittenByNewerController(ControllerEpoch stored, ControllerEpoch mine) {
  return stored > mine;
}

LeaderEpoch EpochAfter(LeaderEpoch, LeaderEpoch after) { return after; }
LeaderEpoch EpochBefore(LeaderEpoch before, LeaderEpoch) { return before; }

// [W1] As Kafka 3.2.3: a broker that comes back is taken for what it was.
bool LosesNothing(const zk::BrokerRegistration&) { return false; }

// [C93] As Kafka 3.2.3: who leaves is taken from the ISR by a later write.
LeaderAndIsr NotLimited(const LeaderAndIsr& state, const std::vector<BrokerId>&) { return state; }

// [C94] As Kafka 3.2.3.
bool DropsAnyway(const LeaderAndIsr&, const std::vector<BrokerId>&, int32_t) { return true; }

bool Yes() { return true; }
bool No() { return false; }

}  // namespace

ControllerRules ControllerRules::Safe() {
  return {.next_leader_epoch = NextLeaderEpoch,
          .written_by_newer_controller = WrittenByNewerController,
          .elect_offline = ElectOffline,
          .elect_reassigned = ElectReassigned,
          .elect_preferred = ElectPreferred,
          .elect_at_shutdown = ElectAtShutdown,
          .without_replica = WithoutReplica,
          .may_drop_others = MayDropOthers,
          .limited_to = LimitedTo,
          .may_have_lost_records = MayHaveLostRecords,
          .after_unclean_start = AfterUncleanStart,
          .eligible_after = EligibleAfter,
          .check_alter_partition = CheckAlterPartition,
          .was_applied = WasApplied,
          .rereads_after_conflict = Yes,
          .stop_epoch = EpochAfter,
          .moves_epoch_before_cancel = Yes,
          .answers_dropped_requests = Yes};
}

ControllerRules ControllerRules::Kafka323() {
  ControllerRules rules = Safe();
  rules.elect_offline = ElectOfflineOfKafka323;
  rules.may_drop_others = DropsAnyway;
  rules.limited_to = NotLimited;
  rules.may_have_lost_records = LosesNothing;
  rules.eligible_after = NobodyIsEligible;
  rules.check_alter_partition = CheckAlterPartitionOfKafka323;
  rules.was_applied = NeverApplied;
  rules.rereads_after_conflict = No;
  rules.stop_epoch = EpochBefore;
  rules.moves_epoch_before_cancel = No;
  rules.answers_dropped_requests = No;
  return rules;
}

}  // namespace highwater::broker::controller
