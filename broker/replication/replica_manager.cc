#include "broker/replication/replica_manager.h"

#include "core/check.h"
#include "core/status_macros.h"

namespace highwater::broker {

using protocol::ErrorCode;

ReplicaManager::ReplicaManager(core::Environment& env, BrokerId self,
                               const ReplicaManagerOptions& options, Observer& observer)
    : env_(env),
      self_(self),
      options_(options),
      observer_(observer),
      role_changes_(env.fibers),
      tasks_(env.fibers) {
  options_.fetchers.self = self;
}

ReplicaManager::~ReplicaManager() = default;

absl::StatusOr<std::shared_ptr<Partition>> ReplicaManager::Host(storage::LogManager& logs,
                                                                const TopicPartition& id,
                                                                const protocol::Uuid& topic_id,
                                                                const TopicConfig& config,
                                                                storage::IsNew is_new) {
  // Before the log: making it forgets what the checkpoint says of a former one.
  const Offset checkpointed =
      logs.Find(id) == nullptr ? Offset(0) : logs.CheckpointedHighWatermark(id);
  HW_ASSIGN_OR_RETURN(std::shared_ptr<storage::Log> log,
                      logs.Create(id, config.log, topic_id, is_new));
  log->UpdateConfig(config.log);
  auto partition = std::make_shared<Partition>(
      env_, self_, topic_id, config, std::move(log), checkpointed,
      Partition::Options{.rules = options_.rules, .lag_max = options_.lag_max}, *this, observer_);
  topics_[id.topic][id.partition] = partition;
  offline_.erase(id);
  return partition;
}

absl::Status ReplicaManager::StartLeading(storage::LogManager& logs, const TopicPartition& id,
                                          const protocol::Uuid& topic_id, const TopicConfig& config,
                                          storage::IsNew is_new, LeaderEpoch at_least) {
  HW_CHECK(Find(id.topic, id.partition) == nullptr, "{} is hosted already", id);
  const auto start = [&]() -> absl::Status {
    HW_ASSIGN_OR_RETURN(const std::shared_ptr<Partition> partition,
                        Host(logs, id, topic_id, config, is_new));
    const LeaderEpoch latest = partition->log().LatestEpoch().value_or(kNoLeaderEpoch);
    partition->BecomeLeader(
        {.epoch = std::max(latest + 1, at_least), .isr = {self_}, .replicas = {self_}});
    return partition->AwaitRole();
  };
  const absl::Status status = start();
  if (!status.ok()) {
    topics_[id.topic].erase(id.partition);
    offline_.insert(id);
  }
  return status;
}

absl::Status ReplicaManager::Delete(storage::LogManager& logs, const TopicPartition& id) {
  offline_.erase(id);
  if (const auto topic = topics_.find(id.topic); topic != topics_.end()) {
    if (const auto found = topic->second.find(id.partition); found != topic->second.end()) {
      const std::shared_ptr<Partition> partition = found->second;
      topic->second.erase(found);
      if (topic->second.empty()) topics_.erase(topic);
      if (fetchers_ != nullptr) fetchers_->Remove(id);
      partition->StopFetching();
      partition->Resign(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
      observer_.OnReplicaDeleted(self_, id);
    }
  }
  const absl::Status status = logs.Delete(id);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

void ReplicaManager::ResignAll() {
  for (const auto& [name, partitions] : topics_) {
    for (const auto& [index, partition] : partitions) {
      partition->Resign(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
  }
}

std::shared_ptr<Partition> ReplicaManager::Find(std::string_view topic,
                                                PartitionIndex index) const {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return nullptr;
  const auto partition = found->second.find(index);
  return partition == found->second.end() ? nullptr : partition->second;
}

ErrorCode ReplicaManager::WhyNotHosted(std::string_view topic, PartitionIndex index) const {
  if (offline_.contains({std::string(topic), index})) return ErrorCode::KAFKA_STORAGE_ERROR;
  const bool elsewhere = cluster_ != nullptr && cluster_->metadata.Find(topic, index) != nullptr;
  return elsewhere ? ErrorCode::NOT_LEADER_OR_FOLLOWER : ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
}

std::optional<Offset> ReplicaManager::HighWatermarkOf(const TopicPartition& id) {
  const std::shared_ptr<Partition> partition = Find(id.topic, id.partition);
  // [R25] Without a role its checkpointed one still counts.
  if (partition == nullptr || partition->role() == Partition::Role::kNone) return std::nullopt;
  return partition->high_watermark();
}

storage::LogConfig ReplicaManager::ConfigOf(std::string_view topic,
                                            const storage::LogConfig& defaults) {
  const auto found = expected_configs_.find(topic);
  return found == expected_configs_.end() ? defaults : found->second;
}

void ReplicaManager::OnDirectoryOffline(std::string_view /*directory*/,
                                        const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& id : partitions) {
    offline_.insert(id);
    if (const auto partition = Find(id.topic, id.partition)) {
      if (fetchers_ != nullptr) fetchers_->Remove(id);  // [P3]
      partition->StopFetching();
      partition->Resign(ErrorCode::KAFKA_STORAGE_ERROR);
    }
  }
}

}  // namespace highwater::broker
