#pragma once

// LogManager: the log directories of one broker and all logs in them.
//
//   LogManager logs(env, options, listener, observer);
//   HW_RETURN_IF_ERROR(logs.Start());    // locks, loads, recovers; background tasks run
//   HW_ASSIGN_OR_RETURN(auto log, logs.Create(partition, config, topic_id, IsNew::kYes));
//   HW_RETURN_IF_ERROR(logs.Stop());     // flushes all, checkpoints, clean-shutdown markers
//
// Background tasks, one fiber each: retention [T1], recovery-point and log-start checkpoints [K8],
// high watermark checkpoint [K8, R25], flush.ms [D21], producers that have expired [I14], removal
// of deleted files.
//
// Invariants:
//   1. A clean-shutdown marker is removed before any log of its directory is loaded, and written as
//      the last act of a stop in which every log of the directory was flushed and closed without
//      error [K10, M81].
//   2. A directory that failed goes offline as a whole and is not written again; without any
//      directory left the process halts [K16, P3].
//   3. Checkpoint files are replaced atomically [K6, M91].
//   4. A manager outlives the fibers that use it: it is destroyed after Stop, or after a crash has
//      unwound them all.
//
// Not responsible for: roles and high watermarks (the partitions; supplied through
// LogManagerListener).

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/observer.h"
#include "broker/protocol/uuid.h"
#include "broker/storage/log.h"
#include "broker/storage/log_config.h"
#include "broker/types.h"
#include "core/environment.h"
#include "core/wait_group.h"
#include "core/wait_queue.h"

namespace highwater::broker::storage {

// What the broker tells and hears.
// Whether a stop leaves the clean-shutdown marker [K10].
enum class CleanMarker : uint8_t { kWritten, kWithheld };

class LogManagerListener {
 public:
  virtual ~LogManagerListener() = default;
  // A partition's high watermark, for its checkpoint; nullopt if the partition has none yet: its
  // last checkpointed one is kept [R25].
  virtual std::optional<Offset> HighWatermarkOf(const TopicPartition&) { return std::nullopt; }
  // The settings of a topic, for logs that are found at start.
  virtual LogConfig ConfigOf(std::string_view /*topic*/, const LogConfig& defaults) {
    return defaults;
  }
  // The directory and these partitions are offline. Must not wait.
  virtual void OnDirectoryOffline(std::string_view /*directory*/,
                                  const std::vector<TopicPartition>& /*partitions*/) {}
};

struct LogManagerOptions {
  std::vector<std::string> directories;  // log.dirs
  BrokerId broker_id{0};
  std::string cluster_id;  // "" takes what meta.properties says, or draws one
  LogConfig defaults;
  absl::Duration retention_check_interval = absl::Seconds(300);  // log.retention.check.interval.ms
  absl::Duration initial_task_delay = absl::Seconds(30);
  absl::Duration recovery_point_checkpoint_interval = absl::Seconds(60);
  absl::Duration log_start_checkpoint_interval = absl::Seconds(60);
  absl::Duration high_watermark_checkpoint_interval = absl::Seconds(5);
  absl::Duration flush_scheduler_interval = absl::InfiniteDuration();
  absl::Duration producer_id_expiration = absl::Hours(24 * 7);  // transactional.id.expiration.ms
  RecoveryRules recovery_rules;
  ProducerStateRules producer_rules;
};

enum class IsNew : uint8_t { kNo, kYes };

class LogManager {
 public:
  // `env`, `listener` and `observer` outlive the manager.
  LogManager(core::Environment& env, LogManagerOptions options, LogManagerListener& listener,
             Observer& observer);
  ~LogManager();
  LogManager(const LogManager&) = delete;
  LogManager& operator=(const LogManager&) = delete;

  // Locks the directories (made where missing), checks meta.properties, loads every log and starts
  // the tasks. A directory that fails is offline; an error comes if none is left, if one is locked,
  // or if their meta.properties disagree. REQUIRES: on a fiber.
  [[nodiscard]] absl::Status Start();
  // Whether every directory had its clean-shutdown marker when it was loaded: then no log has lost
  // anything that was written. REQUIRES: Start was called.
  [[nodiscard]] bool started_clean() const;
  // Ends the tasks; flushes and closes every log; writes checkpoints and clean-shutdown markers. OK
  // if every directory that was online stopped cleanly. REQUIRES: on a fiber.
  // Without the marker the next start recovers again, and says that it was unclean.
  [[nodiscard]] absl::Status Stop(CleanMarker marker = CleanMarker::kWritten);

  // The log of a partition; nullptr if there is none here or its directory is offline.
  [[nodiscard]] std::shared_ptr<Log> Find(const TopicPartition& partition) const;
  // Makes a log in the online directory with the fewest logs [R26] and its partition.metadata; the
  // present one if there is one. Unavailable: a directory is offline and the partition is not new,
  // so that it may lie there [M95]. FailedPrecondition: there is one with another topic id [K15].
  // REQUIRES: on a fiber.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<Log>> Create(const TopicPartition& partition,
                                                            const LogConfig& config,
                                                            const protocol::Uuid& topic_id,
                                                            IsNew is_new);
  // [R9] Renames the log's directory at once and removes it after file.delete.delay.ms. NotFound if
  // there is none. REQUIRES: on a fiber.
  [[nodiscard]] absl::Status Delete(const TopicPartition& partition);

  struct LogInfo {
    TopicPartition partition;
    protocol::Uuid topic_id;  // zero if unknown
    std::string directory;    // the log directory, not the partition's
    std::shared_ptr<Log> log;
  };
  // All online logs, by partition.
  [[nodiscard]] std::vector<LogInfo> List() const;
  [[nodiscard]] std::optional<protocol::Uuid> TopicIdOf(const TopicPartition& partition) const;
  // What the high watermark checkpoint said at start; 0 if it said nothing [R16].
  [[nodiscard]] Offset CheckpointedHighWatermark(const TopicPartition& partition) const;

  [[nodiscard]] const std::string& cluster_id() const { return options_.cluster_id; }
  [[nodiscard]] std::vector<std::string> OnlineDirectories() const;
  [[nodiscard]] std::vector<std::string> OfflineDirectories() const;

  // One round of a task, as its timer does. REQUIRES: on a fiber.
  void CheckpointRecoveryPoints();
  void CheckpointLogStartOffsets();
  void CheckpointHighWatermarks();
  void ApplyRetention();
  void FlushDirtyLogs();
  void RemoveExpiredProducers();

 private:
  class Directory;
  struct HostedLog {
    std::shared_ptr<Log> log;
    Directory* directory = nullptr;
    protocol::Uuid topic_id;
  };

  // Starting (log_manager_start.cc).
  absl::Status OpenDirectory(Directory& directory);
  absl::Status AgreeOnMetaProperties();
  void LoadDirectory(Directory& directory);
  absl::Status LoadLogs(Directory& directory);
  absl::Status LoadLog(Directory& directory, const TopicPartition& partition);
  absl::Status ReadCheckpoints(Directory& directory);
  void StartTasks();
  void SpawnTask(std::string_view name, absl::Duration first, absl::Duration interval,
                 void (LogManager::*round)());

  // Checkpoints (log_manager_checkpoints.cc).
  absl::Status WriteRecoveryPoints(Directory& directory);
  absl::Status WriteLogStartOffsets(Directory& directory);
  absl::Status WriteHighWatermarks(Directory& directory);
  absl::Status WriteCheckpoint(Directory& directory, std::string_view name, std::string content);
  void ForEachOnlineDirectory(absl::Status (LogManager::*write)(Directory&));

  absl::StatusOr<std::shared_ptr<Log>> CreateIn(Directory& directory,
                                                const TopicPartition& partition,
                                                const LogConfig& config,
                                                const protocol::Uuid& topic_id);
  absl::Status AdoptTopicId(HostedLog& hosted, const protocol::Uuid& topic_id);
  absl::Status StopDirectory(Directory& directory, CleanMarker marker);
  void RemoveLater(Directory& directory, std::vector<std::string> paths, absl::Duration delay);
  void RunRemover(Directory& directory);
  void TakeOffline(Directory& directory, const absl::Status& why);
  Directory* EmptiestDirectory();
  [[nodiscard]] std::vector<HostedLog> LogsOf(const Directory& directory) const;

  core::Environment& env_;
  LogManagerOptions options_;
  LogManagerListener& listener_;
  Observer& observer_;
  std::vector<std::unique_ptr<Directory>> directories_;
  absl::btree_map<TopicPartition, HostedLog> logs_;
  absl::btree_set<TopicPartition> creating_;
  core::WaitQueue created_;
  core::WaitQueue stop_;  // tasks wait here for their time or the stop
  core::WaitGroup tasks_;
  absl::Status start_error_;  // what two directories disagree about
  bool started_ = false;
  bool serving_ = false;  // Start said OK and Stop has not begun
  bool stopping_ = false;
};

}  // namespace highwater::broker::storage
