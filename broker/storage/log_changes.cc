// What the queue of a Log does: writes, rolls, truncations, start offset, retention, renaming. Runs
// on the worker fiber only.

#include <algorithm>

#include "broker/storage/checkpoint_file.h"
#include "broker/storage/log.h"
#include "broker/storage/log_file_names.h"
#include "broker/storage/retention.h"
#include "core/mark.h"
#include "core/mix.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

bool Log::MustRollBefore(const protocol::RecordBatch& batch, uint64_t bytes_ahead) const {
  const LogSegment& segment = active();
  const protocol::RecordBatchHeader& header = batch.header();
  if (header.last_offset() - segment.base() > kMaxInt) return true;
  const uint64_t size = segment.size() + bytes_ahead;
  if (size == 0) return false;
  if (size + batch.size() > static_cast<uint64_t>(config_.segment_bytes)) return true;
  if (segment.size() == 0) return false;  // the rest of [L3] asks for what is already written
  if (segment.IndexIsFull(config_.segment_index_bytes)) return true;
  const int64_t limit = config_.segment_ms - roll_jitter_ms_;
  if (segment.first_batch_timestamp() >= 0 && header.max_timestamp_ms >= 0) {
    return header.max_timestamp_ms - segment.first_batch_timestamp() > limit;
  }
  return absl::ToInt64Milliseconds(env_.clock.WallNow() - segment.created()) > limit;
}

absl::Status Log::WriteRun(absl::Span<const protocol::RecordBatch* const> run) {
  // [K1] The epoch is on disk before its first record is.
  const protocol::RecordBatchHeader& first = run.front()->header();
  HW_RETURN_IF_ERROR(EnterEpoch(first.partition_leader_epoch, first.base_offset));
  LogSegment& segment = active();
  segment.set_index_interval_bytes(config_.index_interval_bytes);
  core::ByteChain bytes;
  for (const protocol::RecordBatch* batch : run) bytes.Append(batch->bytes());
  HW_RETURN_IF_ERROR(segment.file()->WriteAt(segment.size(), bytes));
  if (!failure_.ok()) return failure_;  // the directory went offline while we wrote
  for (const protocol::RecordBatch* batch : run) {
    const protocol::RecordBatchHeader& header = batch->header();
    const BatchPosition position{.base_offset = header.base_offset,
                                 .last_offset = header.last_offset(),
                                 .position = segment.size(),
                                 .size = static_cast<uint32_t>(batch->size()),
                                 .leader_epoch = header.partition_leader_epoch,
                                 .max_timestamp = header.max_timestamp_ms};
    segment.OnAppended(position);
    recent_.Add(segment.base(), position);
    ApplyProducer(header);
    log_end_offset_ = position.last_offset + 1;
    // The checksum was compared when the batch was admitted: it stands for the content.
    observer_.OnAppended(broker_, {.partition = partition_,
                                   .leader_epoch = position.leader_epoch,
                                   .base_offset = position.base_offset,
                                   .last_offset = position.last_offset,
                                   .digest = core::Mix(0, header.crc),
                                   .bytes = batch->size()});
  }
  return absl::OkStatus();
}

absl::Status Log::RollAt(Offset base) {
  base = std::max(base, log_end_offset_);
  if (active().size() == 0 && active().base() == base) return absl::OkStatus();  // [L5]
  HW_RETURN_IF_ERROR(TakeProducerSnapshot(base));                                // [L4]
  active().OnBecomeInactive();
  HW_ASSIGN_OR_RETURN(std::shared_ptr<LogSegment> segment,
                      LogSegment::Create(env_.files, directory_, base, env_.clock.WallNow()));
  segments_.push_back(std::move(segment));
  directory_changed_ = true;
  roll_jitter_ms_ = 0;
  if (const int64_t most = std::min(config_.segment_jitter_ms, config_.segment_ms); most > 0) {
    roll_jitter_ms_ = static_cast<int64_t>(env_.random.Below(static_cast<uint64_t>(most)));
  }
  SpawnFlush(base);  // [L4]
  return absl::OkStatus();
}

absl::Status Log::WriteEpochs() {
  return core::WriteFileAtomically(env_.files,
                                   fmt::format("{}/{}", directory_, kLeaderEpochCheckpoint),
                                   PrintEpochCheckpoint(stored_epochs_.entries()));
}

absl::Status Log::EnterEpoch(LeaderEpoch epoch, Offset start_offset) {
  if (!epochs_.Assign(epoch, start_offset)) return absl::OkStatus();
  stored_epochs_.Assign(epoch, start_offset);
  return WriteEpochs();
}

absl::Status Log::CutEpochs(Offset end_offset) {
  epochs_.TruncateFromEnd(end_offset);
  return stored_epochs_.TruncateFromEnd(end_offset) ? WriteEpochs() : absl::OkStatus();
}

// Brings recovery point, also the one that a flush at work aims at, and log start offset down to
// `offset`; whether one of them was above it.
bool Log::LowerBounds(Offset offset) {
  const bool lowered = recovery_point_ > offset || log_start_offset_ > offset;
  flushing_to_ = std::min(flushing_to_, offset);
  recovery_point_ = std::min(recovery_point_, offset);
  log_start_offset_ = std::min(log_start_offset_, offset);
  return lowered;
}

// Renames the files away, one segment after the other in the given order, each made durable before
// the next: a power loss in between leaves no hole.
absl::Status Log::RemoveFilesOf(absl::Span<const std::shared_ptr<LogSegment>> segments) {
  std::vector<std::string> paths;
  for (const std::shared_ptr<LogSegment>& segment : segments) {
    HW_RETURN_IF_ERROR(segment->MarkDeleted());
    HW_RETURN_IF_ERROR(env_.files.SyncDirectory(directory_));
    for (std::string& path : segment->DeletedPaths()) paths.push_back(std::move(path));
  }
  if (!paths.empty()) {
    owner_.RemoveLater(std::move(paths), absl::Milliseconds(config_.file_delete_delay_ms));
  }
  return absl::OkStatus();
}

absl::Status Log::DoTruncateTo(Offset offset) {
  if (offset >= log_end_offset_) {
    // [F22] An entry put at the log end on becoming leader must go.
    return CutEpochs(log_end_offset_);
  }
  if (offset < segments_.front()->base()) return DoTruncateFully(offset);
  const size_t index = SegmentIndexOf(offset);
  LogSegment& last = *segments_[index];
  HW_RETURN_IF_ERROR(last.LoadIndexes(env_));
  HW_ASSIGN_OR_RETURN(const std::optional<BatchPosition> cut, last.FindBatch(env_, offset));
  Offset end = offset;
  if (cut && cut->base_offset < offset) {
    // Batches are cut whole: the log must not promise offsets that it does not hold.
    HW_MARK("log_truncated_inside_batch");
    end = cut->base_offset;
    if (next_admitted_offset_ == offset) next_admitted_offset_ = end;
  }
  // First in memory, for readers; then on disk, from the end: a power loss in between leaves a
  // longer log without a hole.
  std::vector<std::shared_ptr<LogSegment>> dropped(
      segments_.rbegin(), segments_.rend() - static_cast<ptrdiff_t>(index + 1));
  segments_.resize(index + 1);
  last.Cut(end, cut ? cut->position : last.size());
  recent_.TruncateTo(end);
  log_end_offset_ = end;
  const bool lowered = LowerBounds(end);
  observer_.OnTruncated(broker_, partition_, end);
  HW_RETURN_IF_ERROR(RemoveFilesOf(dropped));
  HW_RETURN_IF_ERROR(last.FinishCut(env_));
  HW_RETURN_IF_ERROR(CutEpochs(end));
  HW_RETURN_IF_ERROR(ReloadProducers());  // [I13]
  return lowered ? owner_.OnBoundsLowered() : absl::OkStatus();
}

absl::Status Log::DoTruncateFully(Offset offset) {
  const std::vector<std::shared_ptr<LogSegment>> dropped(segments_.rbegin(), segments_.rend());
  recent_.Clear();
  log_end_offset_ = offset;
  const bool lowered = LowerBounds(offset);
  log_start_offset_ = offset;
  observer_.OnTruncated(broker_, partition_, offset);
  observer_.OnLogStartMoved(broker_, partition_, offset);
  HW_RETURN_IF_ERROR(RemoveFilesOf(dropped));
  HW_ASSIGN_OR_RETURN(std::shared_ptr<LogSegment> segment,
                      LogSegment::Create(env_.files, directory_, offset, env_.clock.WallNow()));
  segments_.clear();
  segments_.push_back(std::move(segment));
  // Synced: where an empty log begins is known from the name of its segment only.
  HW_RETURN_IF_ERROR(env_.files.SyncDirectory(directory_));
  epochs_.Clear();
  if (stored_epochs_.Clear()) HW_RETURN_IF_ERROR(WriteEpochs());
  // [F23] No snapshot says anything of the log that begins here.
  HW_RETURN_IF_ERROR(snapshots_.RemoveAbove(kNoOffset));
  producers_.Clear();
  return lowered ? owner_.OnBoundsLowered() : absl::OkStatus();
}

void Log::MoveLogStart(Offset offset) {
  log_start_offset_ = offset;
  epochs_.TruncateFromStart(offset);
  observer_.OnLogStartMoved(broker_, partition_, offset);
}

absl::Status Log::DoIncrementLogStart(Offset offset) {
  if (offset > log_start_offset_) MoveLogStart(offset);
  // [I15] The producer snapshots stay with their segments: the log start offset may come down again
  // by a truncation or a crash [F22, W14].
  return absl::OkStatus();
}

bool Log::RetentionMayApply(int64_t now_ms) const {
  const LogSegment& oldest = *segments_.front();
  if (segments_.size() == 1 && oldest.size() == 0) return false;
  if (segments_.size() > 1 && segments_[1]->base() <= log_start_offset_) return true;
  if (!config_.cleanup_delete) return false;
  if (config_.retention_bytes >= 0 && size() > static_cast<uint64_t>(config_.retention_bytes)) {
    return true;
  }
  if (config_.retention_ms < 0) return false;
  // A timestamp that was not read yet may be any.
  return oldest.largest_timestamp() < 0 ||
         oldest.largest_timestamp() < now_ms - std::min(config_.retention_ms, now_ms);
}

absl::Status Log::DoApplyRetention(Offset high_watermark) {
  const bool by_time = config_.cleanup_delete && config_.retention_ms >= 0;
  std::vector<RetentionSegment> summary;
  for (const std::shared_ptr<LogSegment>& segment : segments_) {
    RetentionSegment& of = summary.emplace_back();
    of = {.base = segment->base(), .size = segment->size()};
    if (!by_time || segment->size() == 0) continue;
    HW_RETURN_IF_ERROR(segment->LoadLargestTimestamp(env_));
    of.largest_timestamp = segment->largest_timestamp();
    if (of.largest_timestamp >= 0) continue;
    HW_ASSIGN_OR_RETURN(const core::FileInfo info, env_.files.Stat(segment->PathOf(kLogSuffix)));
    of.largest_timestamp = absl::ToUnixMillis(info.modified);
  }
  const RetentionVerdict verdict =
      ApplyRetentionRules(summary,
                          {.high_watermark = high_watermark,
                           .log_start_offset = log_start_offset_,
                           .log_end_offset = log_end_offset_,
                           .now_ms = absl::ToUnixMillis(env_.clock.WallNow())},
                          config_);
  if (verdict.segments == 0) return absl::OkStatus();
  if (verdict.roll_first) HW_RETURN_IF_ERROR(RollAt(log_end_offset_));  // [T3]
  const auto end = segments_.begin() + static_cast<ptrdiff_t>(verdict.segments);
  const std::vector<std::shared_ptr<LogSegment>> dropped(segments_.begin(), end);
  segments_.erase(segments_.begin(), end);
  recent_.DropSegmentsBelow(segments_.front()->base());
  const Offset first_base = segments_.front()->base();
  if (first_base > log_start_offset_) MoveLogStart(first_base);
  // Where an empty log begins is known from the name of its segment only.
  if (verdict.roll_first) HW_RETURN_IF_ERROR(env_.files.SyncDirectory(directory_));
  HW_RETURN_IF_ERROR(RemoveFilesOf(dropped));
  HW_RETURN_IF_ERROR(snapshots_.RemoveBelow(first_base));  // [I12]
  return stored_epochs_.TruncateFromStart(first_base) ? WriteEpochs() : absl::OkStatus();
}

absl::Status Log::DoRenameAway(const std::string& renamed) {
  renamed_away_ = true;
  const std::string parent = ParentOf(directory_);
  std::string to = fmt::format("{}/{}", parent, renamed);
  HW_RETURN_IF_ERROR(env_.files.Rename(directory_, to));
  directory_ = std::move(to);
  return env_.files.SyncDirectory(parent);
}

}  // namespace highwater::broker::storage
