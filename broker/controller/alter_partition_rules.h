#pragma once

// What the controller answers to a leader that proposes another ISR (AlterPartition, KIP-497).
// Pure.
//
// Follows [C71]-[C74], with safe rules for W2 (a lost reply of ZooKeeper) and W3 (epochs and
// members that are not checked).

#include <vector>

#include "broker/protocol/error_code.h"
#include "broker/types.h"
#include "broker/zk/leader_and_isr.h"

namespace highwater::broker::controller {

struct AlterPartitionFacts {
  BrokerId requester;
  // leader = the requester, leader epoch, ISR, recovery and partition epoch as proposed.
  const zk::LeaderAndIsr& proposed;
  const zk::LeaderAndIsr& known;
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> live;  // brokers; without those that shut down
};

struct AlterPartitionVerdict {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  bool already_so = false;  // nothing has to be written
};

// [C71] with W3: only the leader of this very epoch may ask, and only assigned replicas may be in
// the ISR; who joins must be live and not about to leave (KAFKA-14140).
[[nodiscard]] AlterPartitionVerdict CheckAlterPartition(const AlterPartitionFacts& facts);
// [C71], [C74] As Kafka 3.2.3.
[[nodiscard]] AlterPartitionVerdict CheckAlterPartitionOfKafka323(const AlterPartitionFacts& facts);

// [W2] Whether a refused conditional write was in fact applied, by an earlier try whose answer was
// lost: what stands there is what was to be written.
[[nodiscard]] bool WasApplied(const zk::LeaderIsrAndControllerEpoch& stored,
                              const zk::LeaderIsrAndControllerEpoch& wanted);
// As Kafka 3.2.3: that is not looked at.
[[nodiscard]] bool NeverApplied(const zk::LeaderIsrAndControllerEpoch& stored,
                                const zk::LeaderIsrAndControllerEpoch& wanted);

}  // namespace highwater::broker::controller
