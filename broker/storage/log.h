#pragma once

// Log: one partition's segmented log on disk, and the ordered queue in front of it.
//
//   auto admitted = log->AppendAsLeader(*std::move(validated.batch), epoch,
//                                       [this](const absl::Status& status) { ... });
//   // admitted->first is the batch's base offset; the callback comes once the batch is written
//   // (and flushed, if flush.messages says so), when log_end_offset() is past it.
//
// Everything that changes the log — append, roll, truncate, epoch entries, start offset, retention,
// delete — waits in one queue with one write in flight; neighbouring batches are written together.
// Offsets are given at admission. Callbacks come in the order of the queue, on the log's worker
// fiber, and must not wait; they may put more into the queue. An idle log has no fiber.
//
// What is synced when [L4, L6, L7]: nothing on an append, unless flush.messages says so; closed
// segments on a fiber of their own after a roll; everything up to log end by Flush and by a clean
// Close. The recovery point moves only after the syncs succeeded.
//
// Invariants:
//   1. log start offset <= log end offset; both move only as an effect in the queue (log end down
//      only by truncation).
//   2. Offsets of admitted batches are contiguous for a leader and never go back for a follower.
//   3. recovery point <= log end offset; everything below it was synced, and so were the names of
//      its files.
//   4. After a failed write or sync the log is offline: nothing in the queue happens any more,
//      every callback gets the error, and LogOwner hears of it once [P3, M83].
//   5. Reads see whole batches below log end offset only.
//
//   6. The producer state is that of the batches below log end offset [I8, I16].
//
// Not responsible for: high watermark, leadership, transactions (the partition), which directory
// (LogManager).

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/observer.h"
#include "broker/protocol/record_batch.h"
#include "broker/storage/batch_position.h"
#include "broker/storage/leader_epoch_cache.h"
#include "broker/storage/log_config.h"
#include "broker/storage/log_operation.h"
#include "broker/storage/log_recovery.h"
#include "broker/storage/log_segment.h"
#include "broker/storage/producer_snapshot.h"
#include "broker/storage/producer_state_manager.h"
#include "broker/storage/recent_batches.h"
#include "broker/types.h"
#include "core/environment.h"
#include "core/mutex.h"
#include "core/network.h"

namespace highwater::broker::storage {

// Whom a log tells what concerns its whole directory. Implemented by LogManager; the default does
// nothing.
class LogOwner {
 public:
  virtual ~LogOwner() = default;
  // A write or sync failed: the directory of this log is to go offline. Must not wait. Called once
  // per log.
  virtual void OnStorageError(const absl::Status&) {}
  // A truncation lowered the recovery point or the log start offset: both have to be in the
  // checkpoint files before anything is appended again, or a power loss would leave what follows
  // unchecked, or hidden [F21, M82]. May wait.
  virtual absl::Status OnBoundsLowered() { return absl::OkStatus(); }
  // Files of this log that nobody needs any more, renamed to "...deleted": to be removed after
  // file.delete.delay.ms.
  virtual void RemoveLater(std::vector<std::string> /*paths*/, absl::Duration /*delay*/) {}
};

struct AdmittedOffsets {
  Offset first{0};
  Offset last{0};
};

// Where an offset's batch lies.
struct LogPosition {
  Offset segment_base{0};
  uint64_t position = 0;  // bytes from the start of the segment

  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

struct TimestampAndOffset {
  int64_t timestamp = -1;
  Offset offset{-1};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;

  friend bool operator==(const TimestampAndOffset&, const TimestampAndOffset&) = default;
};

struct LogLoadOptions {
  bool clean = false;          // the directory had its clean-shutdown marker [K11]
  Offset recovery_point{0};    // from the checkpoint file
  Offset log_start_offset{0};  // from the checkpoint file
  RecoveryRules rules;
  ProducerStateRules producer_rules;
};

class Log : public std::enable_shared_from_this<Log> {
 public:
  // Opens the log in `directory` (".../<topic>-<partition>"), which is made if it does not exist,
  // and recovers it if it was not closed cleanly [K11-K14]. REQUIRES: on a fiber. `env`, `owner`
  // and `observer` outlive the log.
  [[nodiscard]] static absl::StatusOr<std::shared_ptr<Log>> Load(
      core::Environment& env, TopicPartition partition, std::string directory, LogConfig config,
      const LogLoadOptions& options, LogOwner& owner, BrokerId broker, Observer& observer);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // ---- Changes. Any fiber or none; never wait. An error means that nothing was put into the queue
  // and `done` is dropped: Unavailable if the log is offline, FailedPrecondition if it is closed or
  // deleted.

  // [I2-I6] What a client's batch with a producer id is to be told. A duplicate's offsets may lie
  // above log end offset: it is on its way. NOT_LEADER_OR_FOLLOWER: what this log took as a
  // follower, or a truncation, is still in the queue. Only if the verdict is neither an error nor a
  // duplicate the batch may be appended, without a wait in between. REQUIRES: a producer id.
  [[nodiscard]] ProducerVerdict CheckProducer(const protocol::RecordBatchHeader& header) const;
  // Gives `batch` (of ValidateForAppend) the next offsets and `epoch`.
  [[nodiscard]] absl::StatusOr<AdmittedOffsets> AppendAsLeader(protocol::RecordBatch batch,
                                                               LeaderEpoch epoch, Completion done);
  // Appends batches of a leader's log as they are [F6]. A partial batch at the end is ignored.
  // DataLoss: a batch is damaged (length, magic, CRC); OutOfRange: it starts below what was
  // admitted. Nothing of `records` is then appended. Empty records: `first` is the next offset,
  // `last` the one before, and `done` comes in order.
  [[nodiscard]] absl::StatusOr<AdmittedOffsets> AppendAsFollower(const core::ByteChain& records,
                                                                 Completion done);
  // Enters (epoch, log end offset) into the epoch cache, synced, before any record of that epoch
  // exists [R18].
  [[nodiscard]] absl::Status AssignEpoch(LeaderEpoch epoch, Completion done);
  // [F22] Cuts everything at and above `offset`. If that lies below the first segment: as
  // TruncateFullyAndStartAt.
  [[nodiscard]] absl::Status TruncateTo(Offset offset, Completion done);
  // [F23] Drops everything; the log is empty and starts and ends at `offset`.
  [[nodiscard]] absl::Status TruncateFullyAndStartAt(Offset offset, Completion done);
  // [L12] Raises the log start offset; no effect if it is not higher. OutOfRange through `done` if
  // it is above the log end.
  [[nodiscard]] absl::Status IncrementLogStartOffset(Offset offset, Completion done);
  // [T1-T3] Drops the segments that retention no longer keeps below `high_watermark`.
  [[nodiscard]] absl::Status ApplyRetention(Offset high_watermark, Completion done);
  // [L3, L4] Starts a new segment at log end, unless the active one is empty.
  [[nodiscard]] absl::Status Roll(Completion done);
  // [R9] Gives the directory the name `renamed` and refuses everything afterwards. Its files stay
  // until the LogManager removes them.
  [[nodiscard]] absl::Status RenameAway(std::string renamed, Completion done);

  // The directory is offline: everything in the queue fails with `why`. The owner is not told.
  void TakeOffline(const absl::Status& why);
  // [I14] Forgets producers that have written nothing for so long.
  void RemoveExpiredProducers(int64_t now_ms, int64_t expiration_ms) {
    producers_.RemoveExpired(now_ms, expiration_ms);
  }
  // Settings for what is admitted from now on.
  void UpdateConfig(LogConfig config) { config_ = std::move(config); }

  // ---- Waiting forms, for fibers.
  [[nodiscard]] absl::Status AppendAsLeaderAndWait(protocol::RecordBatch batch, LeaderEpoch epoch,
                                                   AdmittedOffsets* admitted);
  [[nodiscard]] absl::Status TruncateToAndWait(Offset offset);
  [[nodiscard]] absl::Status ApplyRetentionAndWait(Offset high_watermark);
  [[nodiscard]] absl::Status RenameAwayAndWait(std::string renamed);
  // Waits until everything put into the queue so far has happened.
  [[nodiscard]] absl::Status Drain();
  // [L6] Syncs everything below log end offset; the recovery point then stands there. Runs beside
  // the queue.
  [[nodiscard]] absl::Status Flush() { return FlushUpTo(log_end_offset_, IncludeEmptyActive::kNo); }
  // Drains the queue, flushes everything including an empty active segment, refuses everything
  // afterwards. OK only if all of it is durable: only then may a clean-shutdown marker be written
  // [K10, M81].
  [[nodiscard]] absl::Status Close();

  // ---- Reads.
  struct ReadRequest {
    Offset from{0};
    uint64_t max_bytes = 0;
    Offset upper_bound{0};  // exclusive: high watermark, last stable offset or log end offset [P7]
    bool at_least_one_batch = false;  // return the first batch whole, however large [P13]
  };
  struct ReadResult {
    core::FileRange records;  // whole batches, but for a last one that max_bytes may cut; empty if
                              // there is nothing to read
    LogPosition position;     // where they start
  };
  // [L8] OutOfRange: `from` is below the log start offset or above the log end offset. Waits only
  // if the place is neither among the recent batches nor in a loaded index. REQUIRES: on a fiber.
  [[nodiscard]] absl::StatusOr<ReadResult> Read(const ReadRequest& request);
  // As Read, if it can be answered without waiting; nullopt if not. May be called outside fibers.
  [[nodiscard]] std::optional<absl::StatusOr<ReadResult>> TryRead(const ReadRequest& request);
  // As Read, with the bytes. REQUIRES: on a fiber.
  [[nodiscard]] absl::StatusOr<core::ByteChain> ReadBatches(const ReadRequest& request);

  // Where the batch that holds `offset` (or the next one after it) starts; where the next batch
  // will start for the log end offset. nullopt if it is not among the recent batches. Never waits.
  [[nodiscard]] std::optional<LogPosition> PositionOf(Offset offset) const;
  // [P17] The first record with a timestamp >= `timestamp`; nullopt if there is none. REQUIRES: on
  // a fiber.
  [[nodiscard]] absl::StatusOr<std::optional<TimestampAndOffset>> OffsetForTimestamp(
      int64_t timestamp);
  // [P17] The first record with the greatest timestamp; nullopt if there are no timestamps.
  // REQUIRES: on a fiber.
  [[nodiscard]] absl::StatusOr<std::optional<TimestampAndOffset>> OffsetOfMaxTimestamp();
  // [K5]
  [[nodiscard]] std::optional<EpochEndOffset> EndOffsetForEpoch(LeaderEpoch epoch) const {
    return epochs_.EndOffsetFor(epoch, log_end_offset_);
  }
  [[nodiscard]] std::optional<LeaderEpoch> LatestEpoch() const { return epochs_.latest(); }
  [[nodiscard]] const LeaderEpochCache& epochs() const { return epochs_; }
  [[nodiscard]] const ProducerStateManager& producers() const { return producers_; }

  // ---- State.
  [[nodiscard]] const TopicPartition& partition() const { return partition_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] const LogConfig& config() const { return config_; }
  [[nodiscard]] Offset log_start_offset() const { return log_start_offset_; }
  [[nodiscard]] Offset log_end_offset() const { return log_end_offset_; }
  // The offset that the next admitted batch gets: log end offset if nothing is in the queue.
  [[nodiscard]] Offset next_admitted_offset() const { return next_admitted_offset_; }
  [[nodiscard]] Offset recovery_point() const { return recovery_point_; }
  [[nodiscard]] uint64_t size() const;  // bytes of all segments
  [[nodiscard]] size_t segment_count() const { return segments_.size(); }
  [[nodiscard]] Offset first_segment_base() const;
  [[nodiscard]] core::MonotonicTime last_flush_time() const { return last_flush_time_; }
  // Whether ApplyRetention may find something to drop; false is certain. Cheap, for the task that
  // goes over all logs.
  [[nodiscard]] bool RetentionMayApply(int64_t now_ms) const;
  [[nodiscard]] bool offline() const { return !failure_.ok(); }
  [[nodiscard]] bool busy() const { return worker_running_; }
  // Drops what is queued, uncalled: the process is over. What waits for it often holds this log, so
  // the two would keep each other.
  void Abandon() { const std::deque<LogOperation> dropped = std::exchange(queue_, {}); }

 private:
  friend class LogLoader;
  enum class IncludeEmptyActive : uint8_t { kNo, kYes };
  Log(core::Environment& env, TopicPartition partition, std::string directory, LogConfig config,
      const ProducerStateRules& producer_rules, LogOwner& owner, BrokerId broker,
      Observer& observer);

  // The queue (log_queue.cc).
  [[nodiscard]] absl::Status CheckOpen() const;
  absl::Status Enqueue(LogOperation operation);
  void RunWorker();
  void Fail(const absl::Status& status);
  void FailQueue();
  absl::Status Execute(LogOperation& operation);
  void RunAppends();
  absl::Status WriteAppends(absl::Span<LogOperation> appends);
  absl::Status WaitFor(absl::AnyInvocable<absl::Status(Completion)> start);

  // What the queue does (log_changes.cc).
  absl::Status WriteRun(absl::Span<const protocol::RecordBatch* const> run);
  [[nodiscard]] bool MustRollBefore(const protocol::RecordBatch& batch, uint64_t bytes_ahead) const;
  absl::Status RollAt(Offset base);
  absl::Status DoTruncateTo(Offset offset);
  absl::Status DoTruncateFully(Offset offset);
  absl::Status DoIncrementLogStart(Offset offset);
  absl::Status DoApplyRetention(Offset high_watermark);
  absl::Status DoRenameAway(const std::string& renamed);
  void MoveLogStart(Offset offset);
  absl::Status EnterEpoch(LeaderEpoch epoch, Offset start_offset);
  absl::Status CutEpochs(Offset end_offset);
  absl::Status RemoveFilesOf(absl::Span<const std::shared_ptr<LogSegment>> segments);
  absl::Status WriteEpochs();
  bool LowerBounds(Offset offset);

  // The producer state (log_producers.cc).
  [[nodiscard]] bool KnowsProducers() const { return completed_ >= producers_unknown_until_; }
  void AdmitProducer(const protocol::RecordBatchHeader& header);
  void ApplyProducer(const protocol::RecordBatchHeader& header);
  absl::Status TakeProducerSnapshot(Offset offset);
  absl::Status LoadProducers(bool clean);
  absl::Status ReloadProducers();
  absl::Status ReplayProducers(Offset from);

  // Flushing (log_flush.cc).
  void SpawnFlush(Offset offset);
  absl::Status FlushUpTo(Offset offset, IncludeEmptyActive include);
  absl::Status RunFlush(Offset target, IncludeEmptyActive include);

  // Reads (log_read.cc).
  [[nodiscard]] absl::Status CheckReadable(const ReadRequest& request) const;
  [[nodiscard]] size_t SegmentIndexOf(Offset offset) const;
  [[nodiscard]] LogSegment& active() { return *segments_.back(); }
  [[nodiscard]] const LogSegment& active() const { return *segments_.back(); }
  [[nodiscard]] std::shared_ptr<LogSegment> SegmentAt(Offset base) const;
  absl::StatusOr<uint64_t> BoundPosition(LogSegment& segment, Offset bound);
  absl::StatusOr<std::optional<TimestampAndOffset>> FirstRecordAtOrAfter(LogSegment& segment,
                                                                         int64_t timestamp);

  core::Environment& env_;
  TopicPartition partition_;
  std::string directory_;
  LogConfig config_;
  LogOwner& owner_;
  BrokerId broker_;
  Observer& observer_;

  std::vector<std::shared_ptr<LogSegment>>
      segments_;  // by base offset; the last is the active one; never empty once loaded
  // What answers questions, cut at the log start offset; and what is on disk, cut at the first
  // segment only: the log start offset may fall back after a crash [W14], and the records that show
  // up again then have their epochs.
  LeaderEpochCache epochs_;
  LeaderEpochCache stored_epochs_;
  RecentBatches recent_;
  ProducerStateManager producers_;
  ProducerSnapshotFiles snapshots_;
  Offset log_start_offset_{0};
  Offset log_end_offset_{0};
  Offset next_admitted_offset_{0};
  Offset recovery_point_{0};
  core::MonotonicTime last_flush_time_;

  std::deque<LogOperation> queue_;
  bool worker_running_ = false;
  uint64_t enqueued_ = 0;  // operations so far, and how many of them are over
  uint64_t completed_ = 0;
  // Until so many are over the producer state of what comes next is not known.
  uint64_t producers_unknown_until_ = 0;
  bool closed_ = false;
  bool renamed_away_ = false;
  absl::Status failure_;  // why it is offline

  core::Mutex flush_mutex_;         // one flush at a time
  int64_t roll_jitter_ms_ = 0;      // of the active segment
  bool directory_changed_ = false;  // a segment's name was made since the directory was synced
  Offset flushing_to_{0};           // target of the flush at work; a truncation meanwhile lowers it
};

}  // namespace highwater::broker::storage
