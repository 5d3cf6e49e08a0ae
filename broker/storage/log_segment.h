#pragma once

// LogSegment: one segment of a log: its .log file, and its indexes in memory and on disk.
//
// Indexes are written when the segment is flushed, not when a batch is appended: what lies above
// the recovery point is rebuilt from the batches after an unclean stop [K12], so an index file
// matters only below it. An index that was not loaded is read when it is first needed, and rebuilt
// if it is missing or makes no sense [K11, K13].
//
// Not responsible for: order of writes and syncs (Log), what may stay after a crash
// (log_recovery.h).

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/protocol/record_batch.h"
#include "broker/storage/batch_position.h"
#include "broker/storage/log_recovery.h"
#include "broker/storage/offset_index.h"
#include "core/environment.h"

namespace highwater::broker::storage {

class LogSegment {
 public:
  // [L5] Makes a new segment; an empty file of its name is replaced, AlreadyExists if it is not
  // empty.
  [[nodiscard]] static absl::StatusOr<std::shared_ptr<LogSegment>> Create(
      core::FileSystem& files, std::string_view directory, Offset base, absl::Time now);
  // Opens an existing one; nothing of it is read.
  [[nodiscard]] static absl::StatusOr<std::shared_ptr<LogSegment>> Open(core::FileSystem& files,
                                                                        std::string_view directory,
                                                                        Offset base);

  [[nodiscard]] Offset base() const { return base_; }
  [[nodiscard]] uint64_t size() const { return size_; }  // bytes written and counted
  [[nodiscard]] const std::shared_ptr<core::File>& file() const { return log_; }
  [[nodiscard]] std::string PathOf(std::string_view suffix) const;
  // The largest timestamp of a batch so far and that batch's last offset; -1 if there is none.
  [[nodiscard]] int64_t largest_timestamp() const { return largest_timestamp_; }
  [[nodiscard]] Offset offset_of_largest_timestamp() const { return offset_of_largest_timestamp_; }
  // The largest timestamp of the first batch; -1 if the segment is empty.
  [[nodiscard]] int64_t first_batch_timestamp() const { return first_batch_timestamp_; }
  [[nodiscard]] absl::Time created() const { return created_; }
  [[nodiscard]] bool indexes_loaded() const { return indexes_loaded_; }

  // Takes note of a batch that lies at the end of the file now.
  void OnAppended(const BatchPosition& batch);
  void set_index_interval_bytes(int64_t bytes) { index_interval_bytes_ = bytes; }
  // [L4] The last entry of the time index, when the segment becomes inactive.
  void OnBecomeInactive();
  // Whether the next batch does not fit [L3].
  [[nodiscard]] bool IndexIsFull(int64_t segment_index_bytes) const;

  // Reads the indexes or rebuilds them. Afterwards indexes_loaded() and the timestamps are right.
  // REQUIRES: on a fiber.
  [[nodiscard]] absl::Status LoadIndexes(core::Environment& env);
  // The first batch whose last offset is at or above `offset`; nullopt if the segment ends before.
  // Reads headers only. REQUIRES: indexes_loaded(). Rebuilds an index that turns out to point
  // nowhere [M87].
  [[nodiscard]] absl::StatusOr<std::optional<BatchPosition>> FindBatch(core::Environment& env,
                                                                       Offset offset);
  // Calls `visit` for each batch from `position` on until it returns false. Headers only; yields
  // now and then. DataLoss at a batch that makes no sense.
  [[nodiscard]] absl::Status ForEachBatch(core::Environment& env, uint64_t position,
                                          const std::function<bool(const BatchPosition&)>& visit);
  // As ForEachBatch, with the headers themselves.
  [[nodiscard]] absl::Status ForEachHeader(
      core::Environment& env, uint64_t position,
      const std::function<void(const protocol::RecordBatchHeader&)>& visit);
  // Reads every batch with its body, feeds `scan`, rebuilds the indexes of what stays, calls
  // `visit` for it, and cuts the file at the first batch that cannot stay. `truncated` gets the
  // bytes that were cut.
  [[nodiscard]] absl::Status Recover(core::Environment& env, SegmentScan& scan,
                                     const std::function<void(const BatchPosition&)>& visit,
                                     uint64_t* truncated);
  // Cuts the segment in memory, so that the batch at `position`, which holds or follows `offset`,
  // is the next to come; FinishCut cuts and syncs the file. REQUIRES: indexes_loaded().
  void Cut(Offset offset, uint64_t position);
  [[nodiscard]] absl::Status FinishCut(core::Environment& env);
  // Where a segment with loaded indexes ends: walks from the last index entry. Takes note of what
  // it finds as OnAppended does. DataLoss if the file makes no sense there.
  [[nodiscard]] absl::StatusOr<Offset> ReadNextOffset(
      core::Environment& env, const std::function<void(const BatchPosition&)>& visit);

  // Brings the index files up to what is in memory. A segment whose indexes were never loaded has
  // nothing to write.
  [[nodiscard]] absl::Status WriteIndexes();
  [[nodiscard]] absl::Status SyncLog() { return log_->Sync(); }
  [[nodiscard]] absl::Status SyncOffsetIndex();
  [[nodiscard]] absl::Status SyncTimeIndex();
  [[nodiscard]] absl::Status SyncTransactionIndex();

  // Makes largest_timestamp() right without reading whole indexes where the time index says enough.
  // REQUIRES: on a fiber.
  [[nodiscard]] absl::Status LoadLargestTimestamp(core::Environment& env);
  // The relative offset from which a search for `timestamp` begins. REQUIRES: indexes_loaded().
  [[nodiscard]] Offset LookupTimestamp(int64_t timestamp) const {
    return base_ + time_index_.Lookup(timestamp);
  }

  // [T3] Gives all its files the suffix ".deleted". Open handles go on reading.
  [[nodiscard]] absl::Status MarkDeleted();
  [[nodiscard]] bool deleted() const { return deleted_; }
  // The names that MarkDeleted gave, of files that may not exist.
  [[nodiscard]] std::vector<std::string> DeletedPaths() const;

 private:
  struct IndexFile {
    std::shared_ptr<core::File> file;
    size_t persisted = 0;  // entries in the file that are right
    bool exact = false;    // the file ends behind them
  };

  LogSegment(core::FileSystem& files, std::string_view directory, Offset base)
      : files_(files), directory_(directory), base_(base) {}
  // Calls visit(scanner) at each batch from `position` on until it returns false.
  template <typename Visit>
  absl::Status Walk(core::Environment& env, uint64_t position, Visit visit);
  absl::Status RebuildIndexes(core::Environment& env);
  absl::Status ReadFirstTimestamp();
  absl::StatusOr<core::Bytes> ReadIndexFile(std::string_view suffix);
  absl::StatusOr<std::optional<BatchPosition>> SearchFrom(core::Environment& env, uint64_t position,
                                                          Offset offset);
  absl::Status WriteIndex(IndexFile& index, std::string_view suffix, const core::Bytes& tail,
                          size_t entries, size_t entry_size);
  void ResetIndexes();

  core::FileSystem& files_;
  std::string directory_;
  Offset base_;
  std::shared_ptr<core::File> log_;
  uint64_t size_ = 0;
  OffsetIndex offset_index_;
  TimeIndex time_index_;
  IndexFile offset_file_;
  IndexFile time_file_;
  uint64_t index_generation_ = 0;  // counts truncations, so that a write in flight knows of one
  int64_t index_interval_bytes_ = 4096;
  bool indexes_loaded_ = false;
  bool deleted_ = false;
  uint64_t bytes_since_index_entry_ = 0;
  int64_t largest_timestamp_ = -1;
  Offset offset_of_largest_timestamp_{-1};
  int64_t first_batch_timestamp_ = -1;
  absl::Time created_;
};

}  // namespace highwater::broker::storage
