#include "broker/controller/topic_deletion_manager.h"

#include <utility>

#include "core/status_macros.h"

namespace highwater::broker::controller {

absl::Status TopicDeletionManager::Enqueue(const std::set<std::string>& topics) {
  parts_.context.to_be_deleted.insert(topics.begin(), topics.end());
  return ResumeAll();
}

absl::Status TopicDeletionManager::Resume(const std::set<std::string>& topics) {
  bool any = false;
  for (const std::string& topic : topics) {
    if (!parts_.context.IsQueuedForDeletion(topic)) continue;
    any = true;
    parts_.context.deletion_ineligible.erase(topic);
  }
  return any ? ResumeAll() : absl::OkStatus();
}

void TopicDeletionManager::MarkIneligible(const std::set<std::string>& topics) {
  for (const std::string& topic : topics) {
    if (parts_.context.IsQueuedForDeletion(topic)) {
      parts_.context.deletion_ineligible.insert(topic);
    }
  }
}

std::vector<PartitionReplica> TopicDeletionManager::Queued(
    const std::vector<PartitionReplica>& replicas) const {
  std::vector<PartitionReplica> queued;
  for (const PartitionReplica& replica : replicas) {
    if (parts_.context.IsQueuedForDeletion(replica.partition.topic)) queued.push_back(replica);
  }
  return queued;
}

absl::Status TopicDeletionManager::ReplicasDeleted(const std::vector<PartitionReplica>& replicas) {
  HW_RETURN_IF_ERROR(replicas_.Change(Queued(replicas), ReplicaState::kDeletionSuccessful));
  return ResumeAll();
}

absl::Status TopicDeletionManager::ReplicasFailed(const std::vector<PartitionReplica>& replicas) {
  const auto failed = Queued(replicas);
  if (failed.empty()) return absl::OkStatus();
  HW_RETURN_IF_ERROR(replicas_.Change(failed, ReplicaState::kDeletionIneligible));
  std::set<std::string> topics;
  for (const PartitionReplica& replica : failed) topics.insert(replica.partition.topic);
  MarkIneligible(topics);
  return ResumeAll();
}

absl::Status TopicDeletionManager::ResumeAll() {
  ControllerContext& context = parts_.context;
  std::set<std::string> eligible;
  const std::set<std::string> queued = context.to_be_deleted;
  for (const std::string& topic : queued) {
    if (!context.topics.contains(topic)) continue;
    const auto replicas = context.ReplicasOf(topic);
    const auto done = context.ReplicasIn(topic, ReplicaState::kDeletionSuccessful);
    if (done.size() == replicas.size()) {
      HW_RETURN_IF_ERROR(Complete(topic));
      continue;
    }
    const bool in_progress = !context.ReplicasIn(topic, ReplicaState::kDeletionStarted).empty();
    if (!in_progress) {
      // Those that failed before are tried again.
      const auto failed = context.ReplicasIn(topic, ReplicaState::kDeletionIneligible);
      HW_RETURN_IF_ERROR(replicas_.Change(failed, ReplicaState::kOffline));
    }
    if (!in_progress && !context.deletion_ineligible.contains(topic)) eligible.insert(topic);
  }
  return eligible.empty() ? absl::OkStatus() : Begin(eligible);
}

absl::Status TopicDeletionManager::Begin(const std::set<std::string>& topics) {
  ControllerContext& context = parts_.context;
  std::vector<TopicPartition> all;
  for (const std::string& topic : topics) {
    const auto partitions = context.PartitionsOf(topic);
    if (context.deletion_started.insert(topic).second) {
      partitions_.Change(partitions, PartitionState::kOffline);
      partitions_.Change(partitions, PartitionState::kNonExistent);
    }
    all.insert(all.end(), partitions.begin(), partitions.end());
  }
  // Brokers stop serving what is being deleted: leader -2.
  parts_.batch.AddUpdateMetadata(context.LiveOrShuttingDownBrokers(), all);
  parts_.SendBatch();
  return StopReplicas(topics);
}

absl::Status TopicDeletionManager::StopReplicas(const std::set<std::string>& topics) {
  std::vector<PartitionReplica> dead;
  std::vector<PartitionReplica> live;
  std::set<std::string> ineligible;
  for (const std::string& topic : topics) {
    for (const PartitionReplica& replica : parts_.context.ReplicasOf(topic)) {
      if (!parts_.context.IsReplicaOnline(replica.partition, replica.broker)) {
        dead.push_back(replica);
        ineligible.insert(topic);
      } else if (parts_.context.StateOf(replica) != ReplicaState::kDeletionSuccessful) {
        live.push_back(replica);
      }
    }
  }
  HW_RETURN_IF_ERROR(replicas_.Change(dead, ReplicaState::kDeletionIneligible));
  HW_RETURN_IF_ERROR(replicas_.Change(live, ReplicaState::kOffline));
  HW_RETURN_IF_ERROR(replicas_.Change(live, ReplicaState::kDeletionStarted));
  MarkIneligible(ineligible);
  return absl::OkStatus();
}

absl::Status TopicDeletionManager::Complete(const std::string& topic) {
  // From now on nobody hears of it again, also if this controller ends here.
  forget_(topic);
  HW_RETURN_IF_ERROR(
      replicas_.Change(parts_.context.ReplicasIn(topic, ReplicaState::kDeletionSuccessful),
                       ReplicaState::kNonExistent));
  HW_RETURN_IF_ERROR(parts_.zk.DeleteTopic(topic, parts_.context.fence));
  parts_.context.topics.erase(topic);
  parts_.context.to_be_deleted.erase(topic);
  parts_.context.deletion_started.erase(topic);
  parts_.context.deletion_ineligible.erase(topic);
  std::erase_if(parts_.context.being_reassigned,
                [&](const TopicPartition& id) { return id.topic == topic; });
  return absl::OkStatus();
}

}  // namespace highwater::broker::controller
