// The part of KafkaZkClient about configs, notifications, admin requests and producer ids.

#include <fmt/format.h>

#include <algorithm>

#include "broker/zk/kafka_zk_client.h"
#include "core/status_macros.h"

namespace highwater::broker::zk {

using zookeeper::CreateMode;
using zookeeper::CreateRequest;
using zookeeper::DeleteRequest;
using zookeeper::SetDataRequest;

namespace {

std::optional<core::Bytes> Data(std::string_view text) { return core::Bytes::Copy(text); }

CreateRequest Create(std::string path, std::optional<core::Bytes> data,
                     CreateMode mode = CreateMode::kPersistent) {
  return {
      .path = std::move(path), .data = std::move(data), .acl = zookeeper::OpenAcl(), .mode = mode};
}

}  // namespace

// ---- Configs.

absl::StatusOr<ConfigEntries> KafkaZkClient::GetConfig(ConfigKind kind, std::string_view entity) {
  HW_ASSIGN_OR_RETURN(auto config, GetVersionedConfig(kind, entity));
  return std::move(config.entries);
}

absl::StatusOr<KafkaZkClient::VersionedConfig> KafkaZkClient::GetVersionedConfig(
    ConfigKind kind, std::string_view entity) {
  const auto znode = Read(ConfigPath(kind, entity));
  if (absl::IsNotFound(znode.status())) return VersionedConfig();
  HW_RETURN_IF_ERROR(znode.status());
  VersionedConfig config{.version = znode->stat.version};
  if (!znode->text.empty()) {
    HW_ASSIGN_OR_RETURN(config.entries, DecodeConfig(znode->text));
  }
  return config;
}

absl::Status KafkaZkClient::SetConfigIf(ConfigKind kind, std::string_view entity,
                                        const VersionedConfig& config) {
  const std::string path = ConfigPath(kind, entity);
  const auto data = Data(EncodeConfig(config.entries));
  ErrorCode error = ErrorCode::kOk;
  if (config.version) {
    error = Call(SetDataRequest{.path = path, .data = data, .version = *config.version}).error;
  } else {
    HW_RETURN_IF_ERROR(MakePath(ParentOf(path)));
    error = Call(Create(path, data)).error;
  }
  if (error == ErrorCode::kBadVersion || error == ErrorCode::kNoNode ||
      error == ErrorCode::kNodeExists) {
    return absl::FailedPreconditionError(fmt::format("{} was changed meanwhile", path));
  }
  return ToStatus(error, path);
}

absl::StatusOr<std::map<std::string, ConfigEntries>> KafkaZkClient::GetConfigs(ConfigKind kind) {
  HW_ASSIGN_OR_RETURN(const auto entities, Children(ConfigKindPath(kind)));
  std::vector<std::string> paths;
  for (const std::string& entity : entities) paths.push_back(ConfigPath(kind, entity));
  HW_ASSIGN_OR_RETURN(const auto znodes, ReadAll(paths));
  std::map<std::string, ConfigEntries> configs;
  for (size_t i = 0; i < entities.size(); ++i) {
    if (absl::IsNotFound(znodes[i].status())) continue;
    HW_RETURN_IF_ERROR(znodes[i].status());
    if (znodes[i]->text.empty()) continue;
    HW_ASSIGN_OR_RETURN(configs[entities[i]], DecodeConfig(znodes[i]->text));
  }
  return configs;
}

absl::Status KafkaZkClient::SetOrCreateConfig(ConfigKind kind, std::string_view entity,
                                              const ConfigEntries& entries) {
  const std::string path = ConfigPath(kind, entity);
  const auto data = Data(EncodeConfig(entries));
  ErrorCode error = Call(SetDataRequest{.path = path, .data = data}).error;
  if (error == ErrorCode::kNoNode) {
    HW_RETURN_IF_ERROR(MakePath(ParentOf(path)));
    error = Call(Create(path, data)).error;
  }
  // Two creators at once, or an earlier try whose answer was lost [Z41].
  if (error == ErrorCode::kNodeExists) {
    error = Call(SetDataRequest{.path = path, .data = data}).error;
  }
  return ToStatus(error, path);
}

absl::Status KafkaZkClient::CreateConfigChange(ConfigKind kind, std::string_view entity) {
  const std::string prefix = ConfigChangePrefix();
  const std::string text = EncodeConfigChange(fmt::format("{}/{}", NameOf(kind), entity));
  return ToStatus(Call(Create(prefix, Data(text), CreateMode::kPersistentSequential)).error,
                  prefix);
}

absl::StatusOr<std::vector<KafkaZkClient::ConfigChange>> KafkaZkClient::GetConfigChanges(
    int64_t after) {
  HW_ASSIGN_OR_RETURN(const auto names, Children(kConfigChangesPath));
  std::vector<ConfigChange> changes;
  std::vector<std::string> paths;
  for (const std::string& name : names) {
    const auto sequence = SequenceNumber(name);
    if (!sequence || *sequence <= after) continue;
    changes.push_back({.name = name, .sequence = *sequence});
    paths.push_back(fmt::format("{}/{}", kConfigChangesPath, name));
  }
  HW_ASSIGN_OR_RETURN(const auto znodes, ReadAll(paths));
  for (size_t i = 0; i < changes.size(); ++i) {
    if (!znodes[i].ok()) continue;  // purged meanwhile
    changes[i].created_ms = znodes[i]->stat.ctime;
    changes[i].entity_path = DecodeConfigChange(znodes[i]->text).value_or("");
  }
  return changes;
}

absl::Status KafkaZkClient::DeleteConfigChanges(absl::Span<const std::string> names) {
  for (const std::string& name : names) {
    const std::string path = fmt::format("{}/{}", kConfigChangesPath, name);
    const ErrorCode error = Call(DeleteRequest{.path = path}).error;
    // Every broker purges.
    if (error != ErrorCode::kNoNode) HW_RETURN_IF_ERROR(ToStatus(error, path));
  }
  return absl::OkStatus();
}

// ---- Notifications.

absl::Status KafkaZkClient::CreateLogDirEvent(BrokerId broker) {
  const std::string prefix = LogDirEventPrefix();
  return ToStatus(
      Call(Create(prefix, Data(EncodeLogDirEvent(broker)), CreateMode::kPersistentSequential))
          .error,
      prefix);
}

absl::StatusOr<KafkaZkClient::LogDirEvents> KafkaZkClient::GetLogDirEvents() {
  LogDirEvents events;
  HW_ASSIGN_OR_RETURN(events.names, Children(kLogDirEventsPath));
  std::vector<std::string> paths;
  for (const std::string& name : events.names) {
    paths.push_back(fmt::format("{}/{}", kLogDirEventsPath, name));
  }
  HW_ASSIGN_OR_RETURN(const auto znodes, ReadAll(paths));
  for (const auto& znode : znodes) {
    if (!znode.ok()) continue;
    const auto broker = DecodeLogDirEvent(znode->text);
    if (broker.ok()) events.brokers.push_back(*broker);
  }
  std::sort(events.brokers.begin(), events.brokers.end());
  events.brokers.erase(std::unique(events.brokers.begin(), events.brokers.end()),
                       events.brokers.end());
  return events;
}

absl::StatusOr<KafkaZkClient::IsrChanges> KafkaZkClient::GetIsrChanges() {
  IsrChanges changes;
  HW_ASSIGN_OR_RETURN(changes.names, Children(kIsrChangesPath));
  std::vector<std::string> paths;
  for (const std::string& name : changes.names) {
    paths.push_back(fmt::format("{}/{}", kIsrChangesPath, name));
  }
  HW_ASSIGN_OR_RETURN(const auto znodes, ReadAll(paths));
  for (const auto& znode : znodes) {
    if (!znode.ok()) continue;
    auto partitions = DecodePartitions(znode->text);
    if (!partitions.ok()) continue;
    std::move(partitions->begin(), partitions->end(), std::back_inserter(changes.partitions));
  }
  std::sort(changes.partitions.begin(), changes.partitions.end());
  changes.partitions.erase(std::unique(changes.partitions.begin(), changes.partitions.end()),
                           changes.partitions.end());
  return changes;
}

absl::Status KafkaZkClient::DeleteNotifications(std::string_view parent,
                                                absl::Span<const std::string> names,
                                                FenceVersion fence) {
  std::vector<std::string> paths;
  for (const std::string& name : names) paths.push_back(fmt::format("{}/{}", parent, name));
  return DeleteFenced(paths, fence);
}

// ---- Requests of the old admin commands.

absl::StatusOr<Reassignments> KafkaZkClient::GetReassignments() {
  const auto znode = Read(kReassignPartitionsPath);
  if (absl::IsNotFound(znode.status())) return Reassignments();
  HW_RETURN_IF_ERROR(znode.status());
  return DecodeReassignments(znode->text);
}

absl::Status KafkaZkClient::SetOrDeleteReassignments(const Reassignments& reassignments,
                                                     FenceVersion fence) {
  const std::string path(kReassignPartitionsPath);
  if (reassignments.empty()) return DeleteFenced({path}, fence);
  const absl::Status status = RunOneFenced(
      SetDataRequest{.path = path, .data = Data(EncodeReassignments(reassignments))}, fence);
  if (!absl::IsNotFound(status)) return status;
  return RunOneFenced(Create(path, Data(EncodeReassignments(reassignments))), fence);
}

absl::StatusOr<std::vector<TopicPartition>> KafkaZkClient::GetPreferredElection() {
  const auto znode = Read(kPreferredElectionPath);
  if (absl::IsNotFound(znode.status())) return std::vector<TopicPartition>();
  HW_RETURN_IF_ERROR(znode.status());
  return DecodePartitions(znode->text);
}

absl::Status KafkaZkClient::DeletePreferredElection(FenceVersion fence) {
  return DeleteFenced({std::string(kPreferredElectionPath)}, fence);
}

// ---- Producer ids.

absl::StatusOr<KafkaZkClient::VersionedBlock> KafkaZkClient::GetProducerIdBlock() {
  const auto znode = Read(kProducerIdBlockPath);
  HW_RETURN_IF_ERROR(znode.status());
  VersionedBlock found{.version = znode->stat.version};
  if (!znode->text.empty()) {
    HW_ASSIGN_OR_RETURN(found.block, DecodeProducerIdBlock(znode->text));
  }
  return found;
}

absl::Status KafkaZkClient::SetProducerIdBlock(const ProducerIdBlock& block, int32_t version,
                                               FenceVersion fence) {
  return RunOneFenced(SetDataRequest{.path = std::string(kProducerIdBlockPath),
                                     .data = Data(EncodeProducerIdBlock(block)),
                                     .version = version},
                      fence);
}

}  // namespace highwater::broker::zk
