// Starting a LogManager: locks, meta.properties, checkpoints, loading [K7, K10, K16].

#include "broker/storage/checkpoint_file.h"
#include "broker/storage/log_directory.h"
#include "broker/storage/log_file_names.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {
namespace {

constexpr absl::Duration kProducerExpirationInterval = absl::Minutes(10);  // [I14]

// A checkpoint of offsets; empty if there is no file.
absl::StatusOr<std::vector<OffsetCheckpointEntry>> ReadOffsets(core::FileSystem& files,
                                                               const std::string& path) {
  const absl::StatusOr<std::string> text = core::ReadWholeFile(files, path);
  if (absl::IsNotFound(text.status())) return std::vector<OffsetCheckpointEntry>();
  HW_RETURN_IF_ERROR(text.status());
  return ParseOffsetCheckpoint(*text);
}

absl::btree_map<TopicPartition, Offset> ToMap(const std::vector<OffsetCheckpointEntry>& entries) {
  absl::btree_map<TopicPartition, Offset> offsets;
  for (const OffsetCheckpointEntry& entry : entries) offsets[entry.partition] = entry.offset;
  return offsets;
}

// As core::CreateDirectories, with the names that it makes durable.
absl::Status MakeDirectories(core::FileSystem& files, const std::string& path) {
  const absl::StatusOr<core::FileInfo> info = files.Stat(path);
  if (info.ok()) {
    if (info->kind == core::FileInfo::Kind::kDirectory) return absl::OkStatus();
    return absl::FailedPreconditionError(fmt::format("{} is not a directory", path));
  }
  if (!absl::IsNotFound(info.status())) return info.status();
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  if (slash != std::string::npos && slash != 0) HW_RETURN_IF_ERROR(MakeDirectories(files, parent));
  const absl::Status made = files.CreateDirectory(path);
  if (!absl::IsAlreadyExists(made)) HW_RETURN_IF_ERROR(made);
  return files.SyncDirectory(parent);
}

Offset OffsetIn(const absl::btree_map<TopicPartition, Offset>& offsets,
                const TopicPartition& partition) {
  const auto found = offsets.find(partition);
  return found == offsets.end() || found->second.value() < 0 ? Offset(0) : found->second;
}

}  // namespace

absl::Status LogManager::Start() {
  HW_CHECK(!started_, "a log manager is started twice");
  started_ = true;
  for (const auto& directory : directories_) {
    const absl::Status status = OpenDirectory(*directory);
    if (absl::IsFailedPrecondition(status))
      return status;  // the operator's mistake, not the disk's
    if (!status.ok()) TakeOffline(*directory, status);
  }
  HW_RETURN_IF_ERROR(AgreeOnMetaProperties());
  core::WaitGroup loading(env_.fibers);
  for (const auto& directory : directories_) {
    if (!directory->online) continue;
    loading.Add();
    env_.fibers.Spawn("log recovery", [this, &loading, directory = directory.get()] {
      LoadDirectory(*directory);
      loading.Done();
    });
  }
  loading.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
  HW_RETURN_IF_ERROR(start_error_);
  if (OnlineDirectories().empty()) return absl::UnavailableError("no log directory is usable");
  serving_ = true;
  StartTasks();
  return absl::OkStatus();
}

absl::Status LogManager::OpenDirectory(Directory& directory) {
  HW_RETURN_IF_ERROR(MakeDirectories(env_.files, directory.path));
  absl::StatusOr<std::unique_ptr<core::FileLock>> lock =
      env_.files.Lock(directory.PathOf(kDirectoryLock));
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::FailedPreconditionError(
        fmt::format("log directory {} is in use by another process", directory.path));
  }
  HW_RETURN_IF_ERROR(lock.status());
  directory.lock = *std::move(lock);
  const absl::StatusOr<std::string> text =
      core::ReadWholeFile(env_.files, directory.PathOf(kMetaProperties));
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  HW_RETURN_IF_ERROR(text.status());
  HW_ASSIGN_OR_RETURN(const MetaProperties properties, ParseMetaProperties(*text));
  if (properties.broker_id != kNoBroker && properties.broker_id != options_.broker_id) {
    return absl::FailedPreconditionError(fmt::format("{} belongs to broker {}, this is broker {}",
                                                     directory.PathOf(kMetaProperties),
                                                     properties.broker_id, options_.broker_id));
  }
  directory.has_meta_properties = true;
  directory.cluster_id = properties.cluster_id;
  return absl::OkStatus();
}

absl::Status LogManager::AgreeOnMetaProperties() {
  for (const auto& directory : directories_) {
    if (!directory->online || directory->cluster_id.empty()) continue;
    if (options_.cluster_id.empty()) options_.cluster_id = directory->cluster_id;
    if (options_.cluster_id == directory->cluster_id) continue;
    return absl::FailedPreconditionError(fmt::format("{} belongs to cluster {}, expected {}",
                                                     directory->PathOf(kMetaProperties),
                                                     directory->cluster_id, options_.cluster_id));
  }
  while (options_.cluster_id.empty()) {
    protocol::Uuid id;
    id.high = env_.random.Next();
    id.low = env_.random.Next();
    if (!protocol::IsReservedUuid(id)) options_.cluster_id = id.ToString();
  }
  for (const auto& directory : directories_) {
    if (!directory->online || (directory->has_meta_properties && !directory->cluster_id.empty())) {
      continue;
    }
    const absl::Status written = core::WriteFileAtomically(
        env_.files, directory->PathOf(kMetaProperties),
        PrintMetaProperties({.broker_id = options_.broker_id, .cluster_id = options_.cluster_id}));
    if (!written.ok()) TakeOffline(*directory, written);
  }
  return absl::OkStatus();
}

void LogManager::LoadDirectory(Directory& directory) {
  const absl::Status status = LoadLogs(directory);
  if (!status.ok() && directory.online) TakeOffline(directory, status);  // [K16]
}

absl::Status LogManager::LoadLogs(Directory& directory) {
  // [K10] The marker goes before anything is loaded: a crash in the middle of loading must not look
  // clean next time.
  const absl::Status removed = env_.files.Remove(directory.PathOf(kCleanShutdownMarker));
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  directory.clean = removed.ok();
  if (directory.clean) HW_RETURN_IF_ERROR(env_.files.SyncDirectory(directory.path));
  HW_RETURN_IF_ERROR(ReadCheckpoints(directory));
  HW_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> entries,
                      env_.files.List(directory.path));
  for (const core::DirectoryEntry& entry : entries) {
    if (entry.kind != core::FileInfo::Kind::kDirectory) continue;
    if (IsDeleteDirectoryName(entry.name)) {
      RemoveLater(directory, {directory.PathOf(entry.name)},
                  absl::Milliseconds(options_.defaults.file_delete_delay_ms));
    } else if (const auto partition = PartitionOfDirectoryName(entry.name)) {
      HW_RETURN_IF_ERROR(LoadLog(directory, *partition));
    }
  }
  // [M82] A recovery point that had to come down is on disk before anything is appended.
  for (const HostedLog& hosted : LogsOf(directory)) {
    if (hosted.log->recovery_point() <
        OffsetIn(directory.recovery_points, hosted.log->partition())) {
      return WriteRecoveryPoints(directory);
    }
  }
  return absl::OkStatus();
}

absl::Status LogManager::ReadCheckpoints(Directory& directory) {
  // [K7] Without recovery points everything is recovered; without log starts they come from the
  // segments.
  const auto recovery_points = ReadOffsets(env_.files, directory.PathOf(kRecoveryPointCheckpoint));
  if (absl::IsInvalidArgument(recovery_points.status())) {
    HW_MARK("log_recovery_checkpoint_unreadable");
  } else {
    HW_RETURN_IF_ERROR(recovery_points.status());
    directory.recovery_points = ToMap(*recovery_points);
  }
  const auto log_starts = ReadOffsets(env_.files, directory.PathOf(kLogStartCheckpoint));
  if (!absl::IsInvalidArgument(log_starts.status())) {
    HW_RETURN_IF_ERROR(log_starts.status());
    directory.log_starts = ToMap(*log_starts);
  }
  HW_ASSIGN_OR_RETURN(const auto high_watermarks,
                      ReadOffsets(env_.files, directory.PathOf(kHighWatermarkCheckpoint)));
  directory.high_watermarks = ToMap(high_watermarks);
  return absl::OkStatus();
}

absl::Status LogManager::LoadLog(Directory& directory, const TopicPartition& partition) {
  const std::string path = directory.PathOf(DirectoryNameOf(partition));
  HostedLog hosted{.directory = &directory};
  const absl::StatusOr<std::string> metadata =
      core::ReadWholeFile(env_.files, fmt::format("{}/{}", path, kPartitionMetadata));
  if (metadata.ok()) {
    HW_ASSIGN_OR_RETURN(hosted.topic_id, ParsePartitionMetadata(*metadata));
  } else if (!absl::IsNotFound(metadata.status())) {
    return metadata.status();
  }
  HW_ASSIGN_OR_RETURN(
      hosted.log,
      Log::Load(env_, partition, path, listener_.ConfigOf(partition.topic, options_.defaults),
                {.clean = directory.clean,
                 .recovery_point = OffsetIn(directory.recovery_points, partition),
                 .log_start_offset = OffsetIn(directory.log_starts, partition),
                 .rules = options_.recovery_rules,
                 .producer_rules = options_.producer_rules},
                directory, options_.broker_id, observer_));
  const Directory* other = nullptr;
  if (const auto found = logs_.find(partition); found != logs_.end()) {
    other = found->second.directory;
  }
  if (other != nullptr) {
    start_error_ = absl::FailedPreconditionError(fmt::format(
        "{} lies in two log directories: {} and {}", partition, other->path, directory.path));
    return absl::OkStatus();
  }
  logs_[partition] = std::move(hosted);
  return absl::OkStatus();
}

void LogManager::StartTasks() {
  SpawnTask("log retention", options_.initial_task_delay, options_.retention_check_interval,
            &LogManager::ApplyRetention);
  SpawnTask("recovery point checkpoint", options_.initial_task_delay,
            options_.recovery_point_checkpoint_interval, &LogManager::CheckpointRecoveryPoints);
  SpawnTask("log start checkpoint", options_.initial_task_delay,
            options_.log_start_checkpoint_interval, &LogManager::CheckpointLogStartOffsets);
  SpawnTask("high watermark checkpoint", options_.high_watermark_checkpoint_interval,
            options_.high_watermark_checkpoint_interval, &LogManager::CheckpointHighWatermarks);
  SpawnTask("producer expiration", kProducerExpirationInterval, kProducerExpirationInterval,
            &LogManager::RemoveExpiredProducers);
  SpawnTask("log flush", options_.initial_task_delay, options_.flush_scheduler_interval,
            &LogManager::FlushDirtyLogs);
}

void LogManager::SpawnTask(std::string_view name, absl::Duration first, absl::Duration interval,
                           void (LogManager::*round)()) {
  // 2^63-1 milliseconds and more are never.
  if (interval >= absl::Hours(24 * 365 * 100) || interval <= absl::ZeroDuration()) return;
  tasks_.Add();
  env_.fibers.Spawn(name, [this, first, interval, round] {
    core::MonotonicTime next = env_.fibers.Now() + std::min(first, interval);
    while (!stopping_) {
      const core::Wake wake = stop_.Wait(env_.fibers, "the next round of a log task", next);
      if (stopping_ || wake == core::Wake::kCancelled) break;
      if (wake == core::Wake::kSignaled) continue;  // the removal of files was meant
      next = env_.fibers.Now() + interval;
      (this->*round)();
    }
    tasks_.Done();
  });
}

}  // namespace highwater::broker::storage
