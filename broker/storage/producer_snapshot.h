#pragma once

// Producer snapshots: a partition's producer state at an offset, in a file `%020d.snapshot`
// [I11-I15].
//
//   files.Write(offset, producers)                     // at a roll, a close, after a recovery
//   files.LoadNewest(log_end, producers)               // and then the log is replayed from there
//
// The layout is Kafka's: int16 version 1, uint32 CRC-32C of what follows, int32 count, then a row a
// producer: int64 id, int16 epoch, int32 last sequence, int64 last offset, int32 offset delta,
// int64 timestamp, int32 coordinator epoch, int64 first offset of the open transaction or -1. A
// producer may have several rows, its batches from the oldest to the last (producer_state_rules.h):
// a reader that keeps one row a producer keeps the last.
//
// A snapshot is written atomically and synced. One above the log end has been left behind by a log
// that was cut: it is removed, durably, before anything is appended, or it would come back in front
// of records that it has never seen [M89].

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/storage/producer_state_manager.h"
#include "broker/types.h"
#include "core/file_system.h"

namespace highwater::broker::storage {

[[nodiscard]] std::string EncodeProducerSnapshot(absl::Span<const ProducerStateEntry> entries,
                                                 const ProducerStateRules& rules);
// By producer id. DataLoss for anything that EncodeProducerSnapshot or Kafka would not have
// written.
[[nodiscard]] absl::StatusOr<std::vector<ProducerStateEntry>> DecodeProducerSnapshot(
    std::string_view bytes);

// [I12] Snapshots that belong to no segment, but for the newest.
[[nodiscard]] std::vector<Offset> StraySnapshots(absl::Span<const Offset> snapshots,
                                                 absl::Span<const Offset> segment_bases);

// The snapshot files of one log's directory. Waits where it touches a file.
class ProducerSnapshotFiles {
 public:
  // Both outlive it; `directory` may change its value.
  ProducerSnapshotFiles(core::FileSystem& files, const std::string& directory)
      : files_(files), directory_(directory) {}

  // Those that the directory holds.
  void SetFound(absl::Span<const Offset> offsets) { offsets_ = {offsets.begin(), offsets.end()}; }
  // Nothing happens if the newest stands at `offset`.
  [[nodiscard]] absl::Status Write(Offset offset, const ProducerStateManager& producers);
  // Loads the newest that is not damaged; the damaged ones are removed. Its offset, or kNoOffset if
  // there is none. REQUIRES: none is above the log end.
  [[nodiscard]] absl::StatusOr<Offset> LoadNewest(ProducerStateManager& producers);
  // Durably.
  [[nodiscard]] absl::Status RemoveAbove(Offset offset);
  // The last one at or below `offset` stays: a truncation may go back to there, and the entries of
  // producers whose records are gone stand nowhere else [I15].
  [[nodiscard]] absl::Status RemoveBelow(Offset offset);
  [[nodiscard]] absl::Status RemoveStray(absl::Span<const Offset> segment_bases);

  [[nodiscard]] bool empty() const { return offsets_.empty(); }
  // REQUIRES: !empty().
  [[nodiscard]] Offset newest() const { return *offsets_.rbegin(); }
  [[nodiscard]] std::vector<Offset> offsets() const { return {offsets_.begin(), offsets_.end()}; }

 private:
  [[nodiscard]] std::string PathOf(Offset offset) const;
  absl::Status Remove(Offset offset);

  core::FileSystem& files_;
  const std::string& directory_;
  std::set<Offset> offsets_;
};

}  // namespace highwater::broker::storage
