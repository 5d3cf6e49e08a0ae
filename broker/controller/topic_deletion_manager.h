#pragma once

// TopicDeletionManager: takes topics apart: stops their replicas, deletes them, then the znodes.
//
// Follows [C102], [C103]. A topic is ineligible while one of its replicas is offline or one of its
// partitions is being reassigned; what made it so brings it back with Resume. The request in
// /admin/delete_topics goes last, so that the next controller takes up what this one leaves.
//
// Errors as in PartitionStateMachine. REQUIRES: on the controller's fiber.

#include <absl/status/status.h>

#include <set>
#include <string>
#include <vector>

#include "broker/controller/controller_parts.h"
#include "broker/controller/partition_state_machine.h"
#include "broker/controller/replica_state_machine.h"

namespace highwater::broker::controller {

class TopicDeletionManager {
 public:
  // `forget` runs for each topic whose deletion is complete.
  TopicDeletionManager(ControllerParts& parts, PartitionStateMachine& partitions,
                       ReplicaStateMachine& replicas,
                       absl::AnyInvocable<void(const std::string&)> forget)
      : parts_(parts), partitions_(partitions), replicas_(replicas), forget_(std::move(forget)) {}

  [[nodiscard]] absl::Status Enqueue(const std::set<std::string>& topics);
  // They may be deleted now.
  [[nodiscard]] absl::Status Resume(const std::set<std::string>& topics);
  [[nodiscard]] absl::Status ResumeAll();
  void MarkIneligible(const std::set<std::string>& topics);
  // Answers of brokers, or their deaths.
  [[nodiscard]] absl::Status ReplicasDeleted(const std::vector<PartitionReplica>& replicas);
  [[nodiscard]] absl::Status ReplicasFailed(const std::vector<PartitionReplica>& replicas);

 private:
  [[nodiscard]] absl::Status Begin(const std::set<std::string>& topics);
  [[nodiscard]] absl::Status StopReplicas(const std::set<std::string>& topics);
  [[nodiscard]] absl::Status Complete(const std::string& topic);
  [[nodiscard]] std::vector<PartitionReplica> Queued(
      const std::vector<PartitionReplica>& replicas) const;

  ControllerParts& parts_;
  PartitionStateMachine& partitions_;
  ReplicaStateMachine& replicas_;
  absl::AnyInvocable<void(const std::string&)> forget_;
};

}  // namespace highwater::broker::controller
