#pragma once

// ReplicaStateMachine: moves replicas between their states: into service, out of the ISR, through
// deletion.
//
// Follows [C21], [C25], [C26], [C40]-[C45], [C64]. Each call collects requests and sends them at
// its end [C22]. Errors as in PartitionStateMachine.

#include <absl/status/status.h>

#include <vector>

#include "broker/controller/controller_parts.h"

namespace highwater::broker::controller {

class ReplicaStateMachine {
 public:
  explicit ReplicaStateMachine(ControllerParts& parts) : parts_(parts) {}

  // [C11]
  [[nodiscard]] absl::Status Startup();
  // Those that may not go there are skipped.
  [[nodiscard]] absl::Status Change(const std::vector<PartitionReplica>& replicas, ReplicaState to);

 private:
  void ToNew(const PartitionReplica& replica, PartitionContext& partition);
  void ToOnline(const PartitionReplica& replica, PartitionContext& partition, ReplicaState from);
  [[nodiscard]] absl::Status ToOffline(BrokerId broker, std::vector<TopicPartition> partitions);
  // [C41]-[C43]
  [[nodiscard]] absl::Status RemoveFromIsr(BrokerId broker, std::vector<TopicPartition> partitions);

  ControllerParts& parts_;
};

}  // namespace highwater::broker::controller
