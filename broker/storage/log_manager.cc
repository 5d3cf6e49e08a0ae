#include "broker/storage/log_manager.h"

#include "broker/storage/checkpoint_file.h"
#include "broker/storage/log_directory.h"
#include "broker/storage/log_file_names.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {

LogManager::LogManager(core::Environment& env, LogManagerOptions options,
                       LogManagerListener& listener, Observer& observer)
    : env_(env),
      options_(std::move(options)),
      listener_(listener),
      observer_(observer),
      tasks_(env.fibers) {
  for (const std::string& path : options_.directories) {
    directories_.push_back(std::make_unique<Directory>(*this, path));
  }
}

LogManager::~LogManager() {
  for (const auto& [partition, hosted] : logs_) {
    const std::shared_ptr<Log> log = hosted.log;  // its last operation may hold its last owner
    log->Abandon();
  }
}

std::shared_ptr<Log> LogManager::Find(const TopicPartition& partition) const {
  const auto found = logs_.find(partition);
  return found == logs_.end() ? nullptr : found->second.log;
}

std::optional<protocol::Uuid> LogManager::TopicIdOf(const TopicPartition& partition) const {
  const auto found = logs_.find(partition);
  if (found == logs_.end() || found->second.topic_id.is_zero()) return std::nullopt;
  return found->second.topic_id;
}

std::vector<LogManager::LogInfo> LogManager::List() const {
  std::vector<LogInfo> list;
  for (const auto& [partition, hosted] : logs_) {
    list.push_back({partition, hosted.topic_id, hosted.directory->path, hosted.log});
  }
  return list;
}

Offset LogManager::CheckpointedHighWatermark(const TopicPartition& partition) const {
  const auto hosted = logs_.find(partition);
  if (hosted == logs_.end()) return Offset(0);
  const auto& known = hosted->second.directory->high_watermarks;
  const auto found = known.find(partition);
  return found == known.end() ? Offset(0) : found->second;
}

bool LogManager::started_clean() const {
  return std::all_of(directories_.begin(), directories_.end(),
                     [](const auto& directory) { return directory->clean; });
}

std::vector<std::string> LogManager::OnlineDirectories() const {
  std::vector<std::string> paths;
  for (const auto& directory : directories_) {
    if (directory->online) paths.push_back(directory->path);
  }
  return paths;
}

std::vector<std::string> LogManager::OfflineDirectories() const {
  std::vector<std::string> paths;
  for (const auto& directory : directories_) {
    if (!directory->online) paths.push_back(directory->path);
  }
  return paths;
}

std::vector<LogManager::HostedLog> LogManager::LogsOf(const Directory& directory) const {
  std::vector<HostedLog> logs;
  for (const auto& [partition, hosted] : logs_) {
    if (hosted.directory == &directory) logs.push_back(hosted);
  }
  return logs;
}

// [R26]; the first in the order of log.dirs among equals.
LogManager::Directory* LogManager::EmptiestDirectory() {
  Directory* best = nullptr;
  size_t fewest = 0;
  for (const auto& directory : directories_) {
    if (!directory->online) continue;
    const size_t logs = LogsOf(*directory).size() + directory->logs_in_creation;
    if (best == nullptr || logs < fewest) {
      best = directory.get();
      fewest = logs;
    }
  }
  return best;
}

absl::Status LogManager::AdoptTopicId(HostedLog& hosted, const protocol::Uuid& topic_id) {
  if (topic_id.is_zero() || hosted.topic_id == topic_id) return absl::OkStatus();
  if (!hosted.topic_id.is_zero()) {
    return absl::FailedPreconditionError(fmt::format("{} has topic id {}, not {}",
                                                     hosted.log->partition(), hosted.topic_id,
                                                     topic_id));  // [K15]
  }
  hosted.topic_id = topic_id;
  return core::WriteFileAtomically(
      env_.files, fmt::format("{}/{}", hosted.log->directory(), kPartitionMetadata),
      PrintPartitionMetadata(topic_id));
}

absl::StatusOr<std::shared_ptr<Log>> LogManager::Create(const TopicPartition& partition,
                                                        const LogConfig& config,
                                                        const protocol::Uuid& topic_id,
                                                        IsNew is_new) {
  while (creating_.contains(partition)) {
    const core::Wake wake =
        created_.Wait(env_.fibers, "the creation of a log", core::MonotonicTime::Never());
    HW_RETURN_IF_ERROR(core::ToStatus(wake, "the creation of a log"));
  }
  if (stopping_) return absl::UnavailableError("the log manager is stopping");
  if (const auto found = logs_.find(partition); found != logs_.end()) {
    Directory& directory = *found->second.directory;
    const std::shared_ptr<Log> log = found->second.log;
    const absl::Status adopted = AdoptTopicId(found->second, topic_id);
    if (absl::IsFailedPrecondition(adopted)) return adopted;
    if (!adopted.ok()) {
      TakeOffline(directory, adopted);
      return adopted;
    }
    return log;
  }
  if (is_new == IsNew::kNo && !OfflineDirectories().empty()) {
    HW_MARK("log_not_created_beside_offline_directory");
    return absl::UnavailableError(
        fmt::format("{} may lie in a log directory that is offline", partition));  // [M95]
  }
  Directory* directory = EmptiestDirectory();
  if (directory == nullptr) return absl::UnavailableError("no log directory is online");
  creating_.insert(partition);
  ++directory->logs_in_creation;
  absl::StatusOr<std::shared_ptr<Log>> log = CreateIn(*directory, partition, config, topic_id);
  --directory->logs_in_creation;
  creating_.erase(partition);
  created_.WakeAll();
  if (!log.ok() && directory->online) TakeOffline(*directory, log.status());
  return log;
}

absl::StatusOr<std::shared_ptr<Log>> LogManager::CreateIn(Directory& directory,
                                                          const TopicPartition& partition,
                                                          const LogConfig& config,
                                                          const protocol::Uuid& topic_id) {
  const std::string path = directory.PathOf(DirectoryNameOf(partition));
  HostedLog hosted{.directory = &directory, .topic_id = topic_id};
  HW_ASSIGN_OR_RETURN(hosted.log, Log::Load(env_, partition, path, config,
                                            {.rules = options_.recovery_rules,
                                             .producer_rules = options_.producer_rules},
                                            directory, options_.broker_id, observer_));
  if (!topic_id.is_zero()) {
    HW_RETURN_IF_ERROR(core::WriteFileAtomically(env_.files,
                                                 fmt::format("{}/{}", path, kPartitionMetadata),
                                                 PrintPartitionMetadata(topic_id)));
  }
  HW_RETURN_IF_ERROR(env_.files.SyncDirectory(directory.path));
  if (!directory.online) return absl::UnavailableError("the log directory went offline");
  directory.high_watermarks.erase(partition);
  std::shared_ptr<Log> log = hosted.log;
  logs_[partition] = std::move(hosted);
  // What the files still say of a former log of this name would be believed of this one after a
  // crash.
  const bool stale = directory.recovery_points.erase(partition) > 0;
  if (directory.log_starts.erase(partition) > 0 || stale) {
    HW_MARK("log_created_over_stale_checkpoint");
    HW_RETURN_IF_ERROR(WriteRecoveryPoints(directory));
    HW_RETURN_IF_ERROR(WriteLogStartOffsets(directory));
  }
  return log;
}

absl::Status LogManager::Delete(const TopicPartition& partition) {
  const auto found = logs_.find(partition);
  if (found == logs_.end()) return absl::NotFoundError(fmt::format("no log of {}", partition));
  const HostedLog hosted = found->second;
  logs_.erase(found);
  protocol::Uuid unique;
  unique.high = env_.random.Next();
  unique.low = env_.random.Next();
  HW_RETURN_IF_ERROR(hosted.log->RenameAwayAndWait(DeleteDirectoryNameOf(partition, unique)));
  observer_.OnLogDeleted(options_.broker_id, partition);
  hosted.directory->high_watermarks.erase(partition);
  RemoveLater(*hosted.directory, {hosted.log->directory()},
              absl::Milliseconds(hosted.log->config().file_delete_delay_ms));
  absl::Status written = WriteRecoveryPoints(*hosted.directory);  // [K8]
  if (written.ok()) written = WriteLogStartOffsets(*hosted.directory);
  if (!written.ok() && hosted.directory->online) TakeOffline(*hosted.directory, written);
  return written;
}

void LogManager::RemoveLater(Directory& directory, std::vector<std::string> paths,
                             absl::Duration delay) {
  const core::MonotonicTime when = env_.fibers.Now() + delay;
  for (std::string& path : paths) directory.removals.emplace(when, std::move(path));
  if (directory.remover_running) {
    stop_.WakeAll();  // one that is due earlier may have come
    return;
  }
  directory.remover_running = true;
  tasks_.Add();
  env_.fibers.Spawn("log file removal", [this, &directory] { RunRemover(directory); });
}

// Ends when nothing is left to remove. What remains at a stop is removed after the next start.
void LogManager::RunRemover(Directory& directory) {
  while (!directory.removals.empty() && !stopping_ && directory.online) {
    const auto first = directory.removals.begin();
    if (first->first > env_.fibers.Now()) {
      const core::Wake wake = stop_.Wait(env_.fibers, "files that are to be removed", first->first);
      if (wake == core::Wake::kCancelled) break;
      continue;
    }
    const std::string path = first->second;
    directory.removals.erase(first);
    // A file that cannot be removed is found again at the next start; it is no reason to stop
    // serving.
    if (!core::RemoveAll(env_.files, path).ok()) HW_MARK("log_file_not_removed");
  }
  directory.remover_running = false;
  tasks_.Done();
}

void LogManager::TakeOffline(Directory& directory, const absl::Status& why) {
  if (!directory.online) return;
  directory.online = false;
  HW_MARK("log_directory_offline");
  std::vector<TopicPartition> partitions;
  for (const HostedLog& hosted : LogsOf(directory)) {
    hosted.log->TakeOffline(why);
    partitions.push_back(hosted.log->partition());
  }
  for (const TopicPartition& partition : partitions) logs_.erase(partition);
  const std::string_view message(why.message().data(), why.message().size());
  observer_.OnLogDirectoryFailed(options_.broker_id, directory.path, message);
  listener_.OnDirectoryOffline(directory.path, partitions);
  if (!OnlineDirectories().empty() || !serving_) return;
  env_.process.Halt("every log directory has failed");  // [K16, P3]
}

void LogManager::ApplyRetention() {
  const int64_t now_ms = absl::ToUnixMillis(env_.clock.WallNow());
  for (const LogInfo& info : List()) {
    if (!info.log->RetentionMayApply(now_ms)) continue;
    const std::optional<Offset> high_watermark = listener_.HighWatermarkOf(info.partition);
    if (!high_watermark) continue;
    // In the log's own queue, without waiting: a device that stalls holds up its own logs only.
    static_cast<void>(info.log->ApplyRetention(*high_watermark, [](const absl::Status&) {}));
  }
}

void LogManager::FlushDirtyLogs() {
  for (const LogInfo& info : List()) {
    const Log& log = *info.log;
    const int64_t limit = log.config().flush_ms;
    if (limit == LogConfig::kUnlimited || log.recovery_point() >= log.log_end_offset()) continue;
    if (env_.clock.Now() - log.last_flush_time() < absl::Milliseconds(limit)) continue;
    tasks_.Add();
    env_.fibers.Spawn("log flush", [this, flushed = info.log] {
      static_cast<void>(flushed->Flush());
      tasks_.Done();
    });
  }
}

void LogManager::RemoveExpiredProducers() {
  const int64_t now_ms = absl::ToUnixMillis(env_.clock.WallNow());
  const int64_t expiration_ms = absl::ToInt64Milliseconds(options_.producer_id_expiration);
  for (const LogInfo& info : List()) info.log->RemoveExpiredProducers(now_ms, expiration_ms);
}

absl::Status LogManager::StopDirectory(Directory& directory, CleanMarker marker) {
  for (const HostedLog& hosted : LogsOf(directory)) HW_RETURN_IF_ERROR(hosted.log->Close());
  HW_RETURN_IF_ERROR(WriteRecoveryPoints(directory));
  HW_RETURN_IF_ERROR(WriteLogStartOffsets(directory));
  HW_RETURN_IF_ERROR(WriteHighWatermarks(directory));
  if (marker == CleanMarker::kWithheld) return absl::OkStatus();
  // [K10, M81] The last act: everything that the marker vouches for is durable.
  HW_RETURN_IF_ERROR(
      env_.files.Open(directory.PathOf(kCleanShutdownMarker), core::OpenMode::kCreate).status());
  return env_.files.SyncDirectory(directory.path);
}

absl::Status LogManager::Stop(CleanMarker marker) {
  if (stopping_ || !started_) return absl::OkStatus();
  stopping_ = true;
  serving_ = false;
  stop_.WakeAll();
  tasks_.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
  std::vector<absl::Status> outcomes(directories_.size());
  core::WaitGroup stopping(env_.fibers);
  for (size_t i = 0; i < directories_.size(); ++i) {
    if (!directories_[i]->online) continue;
    stopping.Add();
    env_.fibers.Spawn("log stop", [this, i, marker, &outcomes, &stopping] {
      outcomes[i] = StopDirectory(*directories_[i], marker);
      stopping.Done();
    });
  }
  stopping.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
  for (const auto& directory : directories_) directory->lock.reset();
  for (const absl::Status& outcome : outcomes) HW_RETURN_IF_ERROR(outcome);
  return absl::OkStatus();
}

}  // namespace highwater::broker::storage
