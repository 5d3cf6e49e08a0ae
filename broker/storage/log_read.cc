// Reading a Log: where batches lie, and which records timestamps mean [L8, P7, P13, P17].

#include <algorithm>

#include "broker/protocol/record.h"
#include "broker/storage/log.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {
namespace {

// How much of [start, bound) a read takes. `first_size`: of the batch at `start`.
uint64_t LengthToRead(const Log::ReadRequest& request, uint64_t start, uint64_t bound,
                      uint64_t first_size) {
  if (bound <= start) return 0;
  uint64_t length = std::min(bound - start, request.max_bytes);
  if (length < first_size) length = request.at_least_one_batch ? first_size : 0;
  return length;
}

}  // namespace

absl::Status Log::CheckReadable(const ReadRequest& request) const {
  if (request.from < log_start_offset_ || request.from > log_end_offset_) {
    return absl::OutOfRangeError(fmt::format("{}: offset {} is not in [{}, {}]", partition_,
                                             request.from, log_start_offset_, log_end_offset_));
  }
  return absl::OkStatus();
}

size_t Log::SegmentIndexOf(Offset offset) const {
  const auto above = std::upper_bound(
      segments_.begin(), segments_.end(), offset,
      [](Offset o, const std::shared_ptr<LogSegment>& segment) { return o < segment->base(); });
  return above == segments_.begin() ? 0 : static_cast<size_t>(above - segments_.begin()) - 1;
}

std::shared_ptr<LogSegment> Log::SegmentAt(Offset base) const {
  const std::shared_ptr<LogSegment>& segment = segments_[SegmentIndexOf(base)];
  return segment->base() == base ? segment : nullptr;
}

Offset Log::first_segment_base() const { return segments_.front()->base(); }

uint64_t Log::size() const {
  uint64_t bytes = 0;
  for (const auto& segment : segments_) bytes += segment->size();
  return bytes;
}

std::optional<LogPosition> Log::PositionOf(Offset offset) const {
  if (offset >= log_end_offset_) return LogPosition{active().base(), active().size()};
  const std::optional<size_t> found = recent_.Find(offset);
  if (!found) return std::nullopt;
  return LogPosition{recent_[*found].segment_base, recent_[*found].batch.position};
}

std::optional<absl::StatusOr<Log::ReadResult>> Log::TryRead(const ReadRequest& request) {
  if (absl::Status status = CheckReadable(request); !status.ok()) return status;
  const Offset bound = std::min(request.upper_bound, log_end_offset_);
  if (request.from >= bound) {
    ReadResult nothing;
    if (const auto position = PositionOf(request.from)) nothing.position = *position;
    return nothing;
  }
  const std::optional<size_t> found = recent_.Find(request.from);
  if (!found) return std::nullopt;
  const RecentBatches::Entry& first = recent_[*found];
  const std::shared_ptr<LogSegment> segment = SegmentAt(first.segment_base);
  if (segment == nullptr) return std::nullopt;
  // The batch that holds the bound, if it lies in this segment, is the first that is not read.
  size_t end = *found;
  uint64_t end_position = first.batch.position;
  while (end < recent_.size() && recent_[end].segment_base == first.segment_base &&
         recent_[end].batch.last_offset < bound) {
    const BatchPosition& batch = recent_[end].batch;
    const uint64_t taken = batch.position + batch.size - first.batch.position;
    const bool fits = taken <= request.max_bytes || (end == *found && request.at_least_one_batch);
    if (!fits) break;
    end_position = batch.position + batch.size;
    ++end;
  }
  ReadResult result{.position = {first.segment_base, first.batch.position}};
  const uint64_t length = end_position - first.batch.position;
  if (length > 0) result.records = {segment->file(), first.batch.position, length};
  return result;
}

// Where the batches of `segment` that lie wholly below `bound` end.
absl::StatusOr<uint64_t> Log::BoundPosition(LogSegment& segment, Offset bound) {
  if (bound >= log_end_offset_) return segment.size();
  const size_t index = SegmentIndexOf(bound);
  if (segments_[index]->base() > segment.base()) return segment.size();
  if (const std::optional<size_t> found = recent_.Find(bound)) {
    const RecentBatches::Entry& entry = recent_[*found];
    if (entry.segment_base == segment.base()) return entry.batch.position;
    if (entry.segment_base > segment.base()) return segment.size();
  }
  HW_ASSIGN_OR_RETURN(const auto at_bound, segment.FindBatch(env_, bound));
  return at_bound ? at_bound->position : segment.size();
}

absl::StatusOr<Log::ReadResult> Log::Read(const ReadRequest& request) {
  if (auto quick = TryRead(request)) return *std::move(quick);
  size_t index = SegmentIndexOf(request.from);
  while (index < segments_.size()) {
    const std::shared_ptr<LogSegment> segment = segments_[index];
    HW_RETURN_IF_ERROR(segment->LoadIndexes(env_));
    HW_ASSIGN_OR_RETURN(const auto first, segment->FindBatch(env_, request.from));
    const Offset bound = std::min(request.upper_bound, log_end_offset_);
    if (!first) {
      // The segment ends in a gap: the next one has the next batch. What changed while we waited is
      // looked at again.
      HW_RETURN_IF_ERROR(CheckReadable(request));
      index = SegmentIndexOf(segment->base()) + 1;
      continue;
    }
    HW_ASSIGN_OR_RETURN(const uint64_t bound_position, BoundPosition(*segment, bound));
    HW_RETURN_IF_ERROR(CheckReadable(request));
    ReadResult result{.position = {segment->base(), first->position}};
    const uint64_t length = LengthToRead(request, first->position,
                                         std::min(bound_position, segment->size()), first->size);
    if (length > 0) result.records = {segment->file(), first->position, length};
    return result;
  }
  return ReadResult{.position = {active().base(), active().size()}};
}

absl::StatusOr<core::ByteChain> Log::ReadBatches(const ReadRequest& request) {
  HW_ASSIGN_OR_RETURN(const ReadResult result, Read(request));
  if (result.records.length == 0) return core::ByteChain();
  return core::ReadExactly(*result.records.file, result.records.offset, result.records.length);
}

// The first record of `segment` at or above the log start offset with a timestamp >= `timestamp`.
absl::StatusOr<std::optional<TimestampAndOffset>> Log::FirstRecordAtOrAfter(LogSegment& segment,
                                                                            int64_t timestamp) {
  HW_RETURN_IF_ERROR(segment.LoadIndexes(env_));
  Offset from = std::max(log_start_offset_, segment.LookupTimestamp(timestamp));
  while (true) {
    HW_ASSIGN_OR_RETURN(const auto start, segment.FindBatch(env_, from));
    if (!start) return std::nullopt;
    std::optional<BatchPosition> candidate;
    HW_RETURN_IF_ERROR(segment.ForEachBatch(env_, start->position, [&](const BatchPosition& batch) {
      if (batch.max_timestamp >= timestamp) candidate = batch;
      return !candidate;
    }));
    if (!candidate) return std::nullopt;
    HW_ASSIGN_OR_RETURN(const core::ByteChain bytes,
                        core::ReadExactly(*segment.file(), candidate->position, candidate->size));
    HW_ASSIGN_OR_RETURN(const protocol::RecordBatch batch, protocol::RecordBatch::Parse(bytes));
    HW_ASSIGN_OR_RETURN(protocol::RecordReader reader, protocol::RecordReader::Open(batch));
    while (const protocol::RecordView* record = reader.Next()) {
      if (record->timestamp_ms >= timestamp && record->offset >= log_start_offset_) {
        return TimestampAndOffset{record->timestamp_ms, record->offset, candidate->leader_epoch};
      }
    }
    HW_RETURN_IF_ERROR(reader.status());
    from =
        candidate->last_offset + 1;  // the record was compacted away, or lies below the log start
  }
}

absl::StatusOr<std::optional<TimestampAndOffset>> Log::OffsetForTimestamp(int64_t timestamp) {
  const std::vector<std::shared_ptr<LogSegment>> segments = segments_;
  for (const std::shared_ptr<LogSegment>& segment : segments) {
    HW_RETURN_IF_ERROR(segment->LoadLargestTimestamp(env_));
    if (segment->largest_timestamp() < timestamp || segment->deleted()) continue;
    HW_ASSIGN_OR_RETURN(auto found, FirstRecordAtOrAfter(*segment, timestamp));
    if (found) return found;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<TimestampAndOffset>> Log::OffsetOfMaxTimestamp() {
  const std::vector<std::shared_ptr<LogSegment>> segments = segments_;
  int64_t largest = -1;
  for (const std::shared_ptr<LogSegment>& segment : segments) {
    HW_RETURN_IF_ERROR(segment->LoadLargestTimestamp(env_));
    largest = std::max(largest, segment->largest_timestamp());
  }
  if (largest < 0) return std::nullopt;
  return OffsetForTimestamp(largest);
}

}  // namespace highwater::broker::storage
