#include "broker/replication/replica_manager.h"

#include "core/check.h"
#include "core/status_macros.h"

namespace highwater::broker {

using protocol::ErrorCode;

absl::Status ReplicaManager::StartLeading(storage::LogManager& logs, const TopicPartition& id,
                                          const protocol::Uuid& topic_id, const TopicConfig& config,
                                          storage::IsNew is_new, LeaderEpoch at_least) {
  HW_CHECK(Find(id.topic, id.partition) == nullptr, "{} is hosted already", id);
  const auto start = [&]() -> absl::Status {
    HW_ASSIGN_OR_RETURN(std::shared_ptr<storage::Log> log,
                        logs.Create(id, config.log, topic_id, is_new));
    log->UpdateConfig(config.log);
    auto partition =
        std::make_shared<Partition>(env_, self_, topic_id, config, std::move(log), observer_);
    HW_RETURN_IF_ERROR(partition->LeadAlone(at_least));
    topics_[id.topic][id.partition] = std::move(partition);
    return absl::OkStatus();
  };
  const absl::Status status = start();
  if (status.ok()) {
    offline_.erase(id);
  } else {
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
      partition->Resign(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
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
  return offline_.contains({std::string(topic), index}) ? ErrorCode::KAFKA_STORAGE_ERROR
                                                        : ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
}

std::optional<Offset> ReplicaManager::HighWatermarkOf(const TopicPartition& id) {
  const std::shared_ptr<Partition> partition = Find(id.topic, id.partition);
  if (partition == nullptr || !partition->leader().leads()) return std::nullopt;
  return partition->leader().high_watermark();
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
      partition->Resign(ErrorCode::KAFKA_STORAGE_ERROR);
    }
  }
}

}  // namespace highwater::broker
