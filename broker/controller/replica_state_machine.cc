#include "broker/controller/replica_state_machine.h"

#include <map>
#include <utility>

#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

absl::Status ReplicaStateMachine::Startup() {
  std::vector<PartitionReplica> online;
  std::vector<PartitionReplica> offline;
  for (auto& [name, topic] : parts_.context.topics) {
    for (auto& [index, partition] : topic.partitions) {
      const TopicPartition id{name, index};
      for (const BrokerId replica : partition.assignment.replicas) {
        const bool is_online = parts_.context.IsReplicaOnline(id, replica);
        // A dead one cannot delete anything; coming back makes it eligible again [C103].
        partition.replicas[replica] =
            is_online ? ReplicaState::kOnline : ReplicaState::kDeletionIneligible;
        (is_online ? online : offline).push_back({id, replica});
      }
    }
  }
  HW_RETURN_IF_ERROR(Change(online, ReplicaState::kOnline));
  return Change(offline, ReplicaState::kOffline);
}

absl::Status ReplicaStateMachine::Change(const std::vector<PartitionReplica>& replicas,
                                         ReplicaState to) {
  std::map<BrokerId, std::vector<TopicPartition>> leaving;
  for (const PartitionReplica& replica : replicas) {
    PartitionContext* partition = parts_.context.Find(replica.partition);
    const ReplicaState from = parts_.context.StateOf(replica);
    if (partition == nullptr || !MayBecome(from, to)) continue;
    switch (to) {
      case ReplicaState::kNew:
        ToNew(replica, *partition);
        break;
      case ReplicaState::kOnline:
        ToOnline(replica, *partition, from);
        break;
      case ReplicaState::kOffline:
        leaving[replica.broker].push_back(replica.partition);
        break;
      case ReplicaState::kDeletionStarted:
        partition->replicas[replica.broker] = to;
        parts_.batch.AddStopReplica(parts_.context, {replica.broker}, replica.partition,
                                    DeletePartition::kYes);
        break;
      case ReplicaState::kDeletionSuccessful:
      case ReplicaState::kDeletionIneligible:
        partition->replicas[replica.broker] = to;
        break;
      case ReplicaState::kNonExistent:
        partition->replicas.erase(replica.broker);
        std::erase(partition->assignment.replicas, replica.broker);
        std::erase(partition->assignment.adding, replica.broker);
        std::erase(partition->assignment.removing, replica.broker);
        break;
    }
  }
  for (auto& [broker, partitions] : leaving) {
    HW_RETURN_IF_ERROR(ToOffline(broker, std::move(partitions)));
  }
  parts_.SendBatch();
  return absl::OkStatus();
}

// [C25]
void ReplicaStateMachine::ToNew(const PartitionReplica& replica, PartitionContext& partition) {
  if (partition.leadership) {
    if (partition.leadership->leader_and_isr.leader == replica.broker) return;
    parts_.batch.AddLeaderAndIsr(parts_.context, {replica.broker}, replica.partition, IsNew::kYes);
  }
  partition.replicas[replica.broker] = ReplicaState::kNew;
}

// [C26]
void ReplicaStateMachine::ToOnline(const PartitionReplica& replica, PartitionContext& partition,
                                   ReplicaState from) {
  if (from == ReplicaState::kNew) {
    if (!zk::Contains(partition.assignment.replicas, replica.broker)) {
      partition.assignment.replicas.push_back(replica.broker);
    }
  } else if (partition.leadership) {
    parts_.batch.AddLeaderAndIsr(parts_.context, {replica.broker}, replica.partition, IsNew::kNo);
  }
  partition.replicas[replica.broker] = ReplicaState::kOnline;
}

// [C40]-[C45]
absl::Status ReplicaStateMachine::ToOffline(BrokerId broker,
                                            std::vector<TopicPartition> partitions) {
  std::vector<TopicPartition> led;
  std::map<TopicPartition, LeaderEpoch> before;
  for (const TopicPartition& id : partitions) {
    const PartitionContext& partition = *parts_.context.Find(id);
    if (!partition.leadership) continue;
    led.push_back(id);
    before[id] = partition.leadership->leader_and_isr.leader_epoch;
  }
  HW_RETURN_IF_ERROR(RemoveFromIsr(broker, led));
  for (const TopicPartition& id : partitions) {
    PartitionContext* partition = parts_.context.Find(id);
    if (partition == nullptr) continue;
    partition->replicas[broker] = ReplicaState::kOffline;
    std::optional<LeaderEpoch> stop_epoch;
    if (partition->leadership) {
      stop_epoch =
          parts_.rules.stop_epoch(before[id], partition->leadership->leader_and_isr.leader_epoch);
    }
    parts_.batch.AddStopReplica(parts_.context, {broker}, id, DeletePartition::kNo, stop_epoch);
    // [C44]
    if (!partition->leadership || parts_.context.IsQueuedForDeletion(id.topic)) continue;
    parts_.batch.AddLeaderAndIsr(
        parts_.context, zk::Without(partition->assignment.replicas, {broker}), id, IsNew::kNo);
  }
  return absl::OkStatus();
}

absl::Status ReplicaStateMachine::RemoveFromIsr(BrokerId broker,
                                                std::vector<TopicPartition> partitions) {
  while (!partitions.empty()) {
    HW_ASSIGN_OR_RETURN(const auto states, parts_.zk.GetStates(partitions));
    std::vector<ControllerParts::Change> changes;
    for (size_t i = 0; i < partitions.size(); ++i) {
      if (!states[i].ok()) continue;  // the topic has gone
      if (parts_.rules.written_by_newer_controller(states[i]->controller_epoch,
                                                   parts_.context.epoch)) {
        HW_MARK("isr_removal_fenced_by_newer_state");
        continue;
      }
      const LeaderAndIsr& state = states[i]->leader_and_isr;
      if (!zk::Contains(state.isr, broker)) {
        parts_.Remember(partitions[i], *states[i]);
        continue;
      }
      LeaderAndIsr next = parts_.rules.without_replica(state, broker);
      if (next.isr != state.isr) {
        next.eligible =
            parts_.rules.eligible_after(state, next.isr, parts_.MinInsync(partitions[i].topic));
      }
      changes.push_back({.partition = partitions[i], .next = std::move(next)});
    }
    partitions.clear();
    if (changes.empty()) break;
    HW_ASSIGN_OR_RETURN(const auto written, parts_.Write(changes));
    for (size_t i = 0; i < changes.size(); ++i) {
      if (!absl::IsFailedPrecondition(written[i])) continue;
      HW_MARK("isr_removal_retried");
      partitions.push_back(changes[i].partition);
    }
  }
  return absl::OkStatus();
}

}  // namespace highwater::broker::controller
