#pragma once

// LogManager::Directory: one of log.dirs: its lock, what its checkpoint files said, what is to be
// removed in it.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/storage/log_manager.h"
#include "core/mutex.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {

class LogManager::Directory final : public LogOwner {
 public:
  Directory(LogManager& manager, std::string path)
      : manager_(manager), path(std::move(path)), checkpoint_mutex(manager.env_.fibers) {}

  void OnStorageError(const absl::Status& status) override { manager_.TakeOffline(*this, status); }
  absl::Status OnBoundsLowered() override {
    HW_RETURN_IF_ERROR(manager_.WriteRecoveryPoints(*this));
    return manager_.WriteLogStartOffsets(*this);
  }
  void RemoveLater(std::vector<std::string> paths, absl::Duration delay) override {
    manager_.RemoveLater(*this, std::move(paths), delay);
  }
  [[nodiscard]] std::string PathOf(std::string_view name) const {
    return fmt::format("{}/{}", path, name);
  }

 private:
  LogManager& manager_;

 public:
  using Offsets = absl::btree_map<TopicPartition, Offset>;

  const std::string path;
  std::unique_ptr<core::FileLock> lock;
  bool online = true;
  bool clean = false;      // the clean-shutdown marker was there
  std::string cluster_id;  // of meta.properties; "" if there was none
  bool has_meta_properties = false;
  size_t logs_in_creation = 0;
  Offsets recovery_points;  // as the files said at start
  Offsets log_starts;
  Offsets high_watermarks;       // the last known, for partitions that have none yet
  core::Mutex checkpoint_mutex;  // one checkpoint is written at a time
  std::map<std::string, std::string, std::less<>> written;   // checkpoint files as they are
  std::multimap<core::MonotonicTime, std::string> removals;  // paths, by when
  bool remover_running = false;
};

}  // namespace highwater::broker::storage
