#pragma once

// LogLoader: opens the directory of a log, recovers what was not closed cleanly and hands over a
// Log that is ready [K11-K14].
//
// The order matters: left-over files first, then segments from the recovery point on, then the
// cuts, then the epoch cache; each removal is durable before the next, so that another power loss
// in the middle of a recovery leaves a state that recovers to the same log.

#include "broker/storage/log.h"

namespace highwater::broker::storage {

class LogLoader {
 public:
  LogLoader(core::Environment& env, Log& log, const LogLoadOptions& options)
      : env_(env), log_(log), options_(options) {}
  [[nodiscard]] absl::Status Load();

 private:
  absl::Status TidyDirectory();
  absl::Status ReadEpochs();
  absl::Status OpenSegments();
  absl::Status RecoverSegments();
  absl::Status RecoverSegment(size_t index, const LogRecovery& recovery, bool* stop);
  absl::Status ReadActiveSegment();
  absl::Status StartOver(Offset base);
  absl::Status DropSegmentsFrom(size_t index);
  absl::Status FinishBounds();
  void NoteBatch(Offset segment_base, const BatchPosition& batch);

  core::Environment& env_;
  Log& log_;
  LogLoadOptions options_;
  std::vector<Offset> bases_;
  std::vector<EpochEntry> epochs_on_disk_;
  Offset log_end_{0};
  uint64_t truncated_bytes_ = 0;
};

}  // namespace highwater::broker::storage
