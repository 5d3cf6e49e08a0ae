// The part of KafkaController about brokers: who comes, goes, comes back; what they answer.

#include <utility>

#include "broker/controller/kafka_controller.h"
#include "broker/controller/kafka_controller_impl.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;

namespace {

std::vector<BrokerId> ToVector(const std::set<BrokerId>& ids) { return {ids.begin(), ids.end()}; }

}  // namespace

void KafkaController::SendMetadata(const std::vector<BrokerId>& brokers,
                                   const std::vector<TopicPartition>& partitions) {
  parts_.batch.AddUpdateMetadata(brokers, partitions);
  parts_.SendBatch();
}

// [C50], [C51]
absl::Status KafkaController::ProcessBrokerChange() {
  ControllerContext& context = parts_.context;
  HW_ASSIGN_OR_RETURN(const auto current, zk_.GetBrokers());
  std::set<BrokerId> added;
  std::set<BrokerId> bounced;
  std::set<BrokerId> dead;
  std::map<BrokerId, zk::BrokerRegistration> arrived;
  for (const auto& [id, broker] : current) {
    const auto known = context.brokers.find(id);
    if (known == context.brokers.end()) {
      added.insert(id);
      arrived[id] = broker;
    } else if (broker.epoch > known->second.epoch) {
      bounced.insert(id);
      arrived[id] = broker;
    }
  }
  for (const auto& [id, broker] : context.brokers) {
    if (!current.contains(id)) dead.insert(id);
  }
  if (added.empty() && bounced.empty() && dead.empty()) return absl::OkStatus();
  // [W1] Who came back and may have lost records leaves the ISRs before anybody is elected, also
  // before the elections that the dead make necessary.
  HW_RETURN_IF_ERROR(HandleUncleanStarts(arrived));
  for (const BrokerId id : bounced) parts_.channels.RemoveBroker(id);
  for (const BrokerId id : dead) parts_.channels.RemoveBroker(id);
  for (const auto& [id, broker] : arrived) parts_.channels.AddBroker(broker);
  if (!added.empty()) {
    for (const BrokerId id : added) context.brokers[id] = arrived[id];
    HW_RETURN_IF_ERROR(OnBrokerStartup(added));
  }
  if (!bounced.empty()) {
    for (const BrokerId id : bounced) context.brokers.erase(id);
    HW_RETURN_IF_ERROR(OnBrokerFailure(bounced));
    for (const BrokerId id : bounced) context.brokers[id] = arrived[id];
    HW_RETURN_IF_ERROR(OnBrokerStartup(bounced));
  }
  if (!dead.empty()) {
    for (const BrokerId id : dead) context.brokers.erase(id);
    HW_RETURN_IF_ERROR(OnBrokerFailure(dead));
  }
  return CompareLogs();
}

// [Z33] Endpoints changed: everybody hears of them.
absl::Status KafkaController::ProcessBrokerModifications() {
  ControllerContext& context = parts_.context;
  HW_ASSIGN_OR_RETURN(const auto current, zk_.GetBrokers());
  bool changed = false;
  for (const auto& [id, broker] : current) {
    const auto known = context.brokers.find(id);
    if (known == context.brokers.end() || known->second.epoch != broker.epoch) continue;
    changed = changed || known->second.endpoints != broker.endpoints;
    known->second = broker;
  }
  if (changed) SendMetadata(context.LiveOrShuttingDownBrokers(), {});
  return absl::OkStatus();
}

// [C53]
absl::Status KafkaController::OnBrokerStartup(const std::set<BrokerId>& ids) {
  ControllerContext& context = parts_.context;
  std::erase_if(context.on_offline_directory,
                [&](const PartitionReplica& replica) { return ids.contains(replica.broker); });
  std::vector<BrokerId> existing;
  for (const BrokerId id : context.LiveOrShuttingDownBrokers()) {
    if (!ids.contains(id)) existing.push_back(id);
  }
  SendMetadata(existing, {});
  SendMetadata(ToVector(ids), context.AllPartitions());
  const auto replicas = context.ReplicasOn(ids);
  HW_RETURN_IF_ERROR(replicas_.Change(replicas, ReplicaState::kOnline));
  HW_RETURN_IF_ERROR(partitions_.TriggerOnline());
  HW_RETURN_IF_ERROR(
      ResumeReassignments([&](const TopicPartition&, const ReplicaAssignment& assignment) {
        for (const BrokerId id : assignment.Target()) {
          if (ids.contains(id)) return true;
        }
        return false;
      }));
  std::set<std::string> topics;
  for (const PartitionReplica& replica : replicas) topics.insert(replica.partition.topic);
  HW_RETURN_IF_ERROR(deletions_.Resume(topics));
  for (const BrokerId id : ids) {
    WatchData(zk::BrokerIdPath(id), &KafkaController::ProcessBrokerModifications);
    HW_RETURN_IF_ERROR(zk_.GetBroker(id).status());  // sets the watch
  }
  return absl::OkStatus();
}

// [C52]
absl::Status KafkaController::OnBrokerFailure(const std::set<BrokerId>& ids) {
  ControllerContext& context = parts_.context;
  std::erase_if(context.on_offline_directory,
                [&](const PartitionReplica& replica) { return ids.contains(replica.broker); });
  for (const BrokerId id : ids) {
    context.shutting_down.erase(id);
    Unwatch(zk::BrokerIdPath(id));
  }
  return OnReplicasOffline(context.ReplicasOn(ids));
}

absl::Status KafkaController::OnReplicasOffline(const std::vector<PartitionReplica>& replicas) {
  ControllerContext& context = parts_.context;
  std::vector<PartitionReplica> deleted;
  std::vector<PartitionReplica> others;
  for (const PartitionReplica& replica : replicas) {
    const bool queued = context.IsQueuedForDeletion(replica.partition.topic);
    (queued ? deleted : others).push_back(replica);
  }
  std::vector<TopicPartition> leaderless;
  for (const TopicPartition& id : context.AllPartitions()) {
    const PartitionContext& partition = *context.Find(id);
    if (!partition.leadership || context.IsQueuedForDeletion(id.topic)) continue;
    if (!context.IsReplicaOnline(id, partition.leadership->leader_and_isr.leader)) {
      leaderless.push_back(id);
    }
  }
  partitions_.Change(leaderless, PartitionState::kOffline);
  HW_RETURN_IF_ERROR(partitions_.TriggerOnline());
  HW_RETURN_IF_ERROR(replicas_.Change(others, ReplicaState::kOffline));
  HW_RETURN_IF_ERROR(deletions_.ReplicasFailed(deleted));
  if (leaderless.empty()) SendMetadata(context.LiveOrShuttingDownBrokers(), {});
  return absl::OkStatus();
}

// ---- Answers [C65].

void KafkaController::OnResponse(const Outgoing& request, const ControllerResponse& response) {
  const BrokerId broker = request.to;
  if (const auto* answer = std::get_if<protocol::LeaderAndIsrResponse>(&response)) {
    PutIfActive("LeaderAndIsrResponseReceived", [this, broker, answer = *answer] {
      return OnLeaderAndIsrResponse(broker, answer);
    });
  } else if (const auto* stopped = std::get_if<protocol::StopReplicaResponse>(&response)) {
    const auto& stop = std::get<protocol::StopReplicaRequest>(request.request);
    PutIfActive("TopicDeletionStopReplicaResponseReceived",
                [this, broker, stop, stopped = *stopped] {
                  return OnStopReplicaResponse(broker, stop, stopped);
                });
  } else if (const auto* ends = std::get_if<protocol::OffsetForLeaderEpochResponse>(&response)) {
    PutIfActive("LogEndsReceived", [this, broker, epoch = request.to_epoch, ends = *ends] {
      return OnLogEnds(broker, epoch, ends);
    });
  }
}

absl::Status KafkaController::OnLeaderAndIsrResponse(
    BrokerId broker, const protocol::LeaderAndIsrResponse& response) {
  ControllerContext& context = parts_.context;
  if (response.error_code != ErrorCode::NONE) return absl::OkStatus();
  std::map<protocol::Uuid, std::string> names;
  for (const auto& [name, topic] : context.topics) names[topic.id] = name;
  std::vector<PartitionReplica> newly_offline;
  const auto take = [&](const std::string& topic, const auto& errors) {
    for (const auto& entry : errors) {
      const PartitionReplica replica{{topic, PartitionIndex(entry.partition_index)}, broker};
      if (entry.error_code == ErrorCode::KAFKA_STORAGE_ERROR) {
        if (context.on_offline_directory.insert(replica).second) newly_offline.push_back(replica);
      } else if (entry.error_code == ErrorCode::NONE) {
        context.on_offline_directory.erase(replica);
      }
    }
  };
  for (const auto& topic : response.topics) take(names[topic.topic_id], topic.partition_errors);
  for (const auto& entry : response.partition_errors) {
    take(entry.topic_name, std::vector(1, entry));
  }
  if (newly_offline.empty()) return absl::OkStatus();
  HW_MARK("replica_on_offline_directory");
  return OnReplicasOffline(newly_offline);
}

absl::Status KafkaController::OnStopReplicaResponse(BrokerId broker,
                                                    const protocol::StopReplicaRequest& request,
                                                    const protocol::StopReplicaResponse& response) {
  // Only deletions are waited for.
  std::set<TopicPartition> deleting;
  for (const auto& topic : request.topic_states) {
    for (const auto& entry : topic.partition_states) {
      if (entry.delete_partition) {
        deleting.insert({topic.topic_name, PartitionIndex(entry.partition_index)});
      }
    }
  }
  std::vector<PartitionReplica> deleted;
  std::vector<PartitionReplica> failed;
  for (const auto& entry : response.partition_errors) {
    const TopicPartition id{entry.topic_name, PartitionIndex(entry.partition_index)};
    if (!deleting.contains(id)) continue;
    const bool ok = response.error_code == ErrorCode::NONE && entry.error_code == ErrorCode::NONE;
    (ok ? deleted : failed).push_back({id, broker});
  }
  HW_RETURN_IF_ERROR(deletions_.ReplicasFailed(failed));
  return deleted.empty() ? absl::OkStatus() : deletions_.ReplicasDeleted(deleted);
}

// ---- Notifications.

// [C111] The answers to these requests say which replicas are gone.
absl::Status KafkaController::ProcessLogDirEvents() {
  HW_ASSIGN_OR_RETURN(const auto events, zk_.GetLogDirEvents());
  if (events.names.empty()) return absl::OkStatus();
  const std::set<BrokerId> brokers(events.brokers.begin(), events.brokers.end());
  HW_RETURN_IF_ERROR(replicas_.Change(parts_.context.ReplicasOn(brokers), ReplicaState::kOnline));
  return zk_.DeleteNotifications(zk::kLogDirEventsPath, events.names, parts_.context.fence);
}

// [C76]
absl::Status KafkaController::ProcessIsrChanges() {
  HW_ASSIGN_OR_RETURN(const auto changes, zk_.GetIsrChanges());
  if (changes.names.empty()) return absl::OkStatus();
  std::vector<TopicPartition> known;
  for (const TopicPartition& id : changes.partitions) {
    if (parts_.context.Find(id) != nullptr) known.push_back(id);
  }
  HW_RETURN_IF_ERROR(LoadStates(known));
  SendMetadata(parts_.context.LiveOrShuttingDownBrokers(), known);
  return zk_.DeleteNotifications(zk::kIsrChangesPath, changes.names, parts_.context.fence);
}

}  // namespace highwater::broker::controller
