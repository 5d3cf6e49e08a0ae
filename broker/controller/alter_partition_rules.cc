#include "broker/controller/alter_partition_rules.h"

#include "core/mark.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;
using zk::Contains;
using zk::LeaderRecoveryState;

namespace {

bool SameAs(const zk::LeaderAndIsr& a, const zk::LeaderAndIsr& b) {
  return a.leader == b.leader && a.leader_epoch == b.leader_epoch && a.isr == b.isr &&
         a.recovery == b.recovery;
}

bool IllegalRecovery(const AlterPartitionFacts& facts) {
  // Only the leader itself can be in sync while it recovers, and nobody goes back to that.
  if (facts.proposed.recovery != LeaderRecoveryState::kRecovering) return false;
  return facts.proposed.isr.size() > 1 || facts.known.recovery == LeaderRecoveryState::kRecovered;
}

}  // namespace

AlterPartitionVerdict CheckAlterPartition(const AlterPartitionFacts& facts) {
  if (facts.proposed.leader_epoch < facts.known.leader_epoch) {
    return {.error = ErrorCode::FENCED_LEADER_EPOCH};
  }
  // A newer epoch than ours can only come from a controller after us: the leader asks again, there.
  if (facts.proposed.leader_epoch > facts.known.leader_epoch) {
    HW_MARK("alter_partition_of_a_newer_epoch");
    return {.error = ErrorCode::NOT_CONTROLLER};
  }
  if (SameAs(facts.proposed, facts.known)) return {.already_so = true};
  if (IllegalRecovery(facts)) return {.error = ErrorCode::INVALID_REQUEST};
  if (facts.requester != facts.known.leader || !Contains(facts.proposed.isr, facts.requester)) {
    return {.error = ErrorCode::INVALID_REQUEST};
  }
  for (const BrokerId id : facts.proposed.isr) {
    if (!Contains(facts.replicas, id)) return {.error = ErrorCode::INVALID_REQUEST};
    // Who is dead or dying would hold the high watermark back, or be elected without its records.
    if (!Contains(facts.known.isr, id) && !Contains(facts.live, id)) {
      HW_MARK("alter_partition_of_a_dead_replica");
      return {.error = ErrorCode::OPERATION_NOT_ATTEMPTED};
    }
  }
  return {};
}

AlterPartitionVerdict CheckAlterPartitionOfKafka323(const AlterPartitionFacts& facts) {
  if (facts.proposed.leader_epoch < facts.known.leader_epoch) {
    return {.error = ErrorCode::FENCED_LEADER_EPOCH};
  }
  if (SameAs(facts.proposed, facts.known)) return {.already_so = true};
  if (IllegalRecovery(facts)) return {.error = ErrorCode::INVALID_REQUEST};
  return {};
}

bool WasApplied(const zk::LeaderIsrAndControllerEpoch& stored,
                const zk::LeaderIsrAndControllerEpoch& wanted) {
  // Our own epoch in it says that nobody but us wrote it.
  return stored.controller_epoch == wanted.controller_epoch &&
         SameAs(stored.leader_and_isr, wanted.leader_and_isr) &&
         stored.leader_and_isr.partition_epoch == wanted.leader_and_isr.partition_epoch + 1;
}

bool NeverApplied(const zk::LeaderIsrAndControllerEpoch&, const zk::LeaderIsrAndControllerEpoch&) {
  return false;
}

}  // namespace highwater::broker::controller
