// The checkpoint files of a LogManager [K6, K8, M91].

#include "broker/storage/checkpoint_file.h"
#include "broker/storage/log_directory.h"
#include "broker/storage/log_file_names.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {

absl::Status LogManager::WriteCheckpoint(Directory& directory, std::string_view name,
                                         std::string content) {
  // A file that says so already need not be written again.
  std::string& written = directory.written[std::string(name)];
  if (written == content) return absl::OkStatus();
  written.clear();
  HW_RETURN_IF_ERROR(core::WriteFileAtomically(env_.files, directory.PathOf(name), content));
  directory.written[std::string(name)] = std::move(content);
  return absl::OkStatus();
}

absl::Status LogManager::WriteRecoveryPoints(Directory& directory) {
  const core::MutexLock lock(directory.checkpoint_mutex);
  if (!directory.online) return absl::UnavailableError("the log directory is offline");
  std::vector<OffsetCheckpointEntry> entries;
  for (const HostedLog& hosted : LogsOf(directory)) {
    entries.push_back({hosted.log->partition(), hosted.log->recovery_point()});
  }
  return WriteCheckpoint(directory, kRecoveryPointCheckpoint, PrintOffsetCheckpoint(entries));
}

absl::Status LogManager::WriteLogStartOffsets(Directory& directory) {
  const core::MutexLock lock(directory.checkpoint_mutex);
  if (!directory.online) return absl::UnavailableError("the log directory is offline");
  std::vector<OffsetCheckpointEntry> entries;
  for (const HostedLog& hosted : LogsOf(directory)) {
    if (hosted.log->log_start_offset() <= hosted.log->first_segment_base()) continue;
    entries.push_back({hosted.log->partition(), hosted.log->log_start_offset()});
  }
  return WriteCheckpoint(directory, kLogStartCheckpoint, PrintOffsetCheckpoint(entries));
}

absl::Status LogManager::WriteHighWatermarks(Directory& directory) {
  const core::MutexLock lock(directory.checkpoint_mutex);
  if (!directory.online) return absl::UnavailableError("the log directory is offline");
  std::vector<OffsetCheckpointEntry> entries;
  for (const HostedLog& hosted : LogsOf(directory)) {
    const TopicPartition& partition = hosted.log->partition();
    if (const auto high_watermark = listener_.HighWatermarkOf(partition)) {
      directory.high_watermarks[partition] = *high_watermark;
    }
    const auto known = directory.high_watermarks.find(partition);
    if (known != directory.high_watermarks.end()) entries.push_back({partition, known->second});
  }
  return WriteCheckpoint(directory, kHighWatermarkCheckpoint, PrintOffsetCheckpoint(entries));
}

// Each directory on a fiber of its own: a device that stalls holds up nobody else's checkpoint.
void LogManager::ForEachOnlineDirectory(absl::Status (LogManager::*write)(Directory&)) {
  for (const auto& owned : directories_) {
    Directory* directory = owned.get();
    if (!directory->online) continue;
    tasks_.Add();
    env_.fibers.Spawn("log checkpoint", [this, directory, write] {
      const absl::Status status = (this->*write)(*directory);
      if (!status.ok() && directory->online) TakeOffline(*directory, status);
      tasks_.Done();
    });
  }
}

void LogManager::CheckpointRecoveryPoints() {
  ForEachOnlineDirectory(&LogManager::WriteRecoveryPoints);
}

void LogManager::CheckpointLogStartOffsets() {
  ForEachOnlineDirectory(&LogManager::WriteLogStartOffsets);
}

void LogManager::CheckpointHighWatermarks() {
  ForEachOnlineDirectory(&LogManager::WriteHighWatermarks);
}

}  // namespace highwater::broker::storage
