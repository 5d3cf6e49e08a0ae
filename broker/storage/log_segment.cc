#include "broker/storage/log_segment.h"

#include <algorithm>

#include "broker/storage/batch_scanner.h"
#include "broker/storage/log_file_names.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {
namespace {

using core::OpenMode;

// Work between two yields, in bytes: well below a millisecond also where every byte is summed.
constexpr uint64_t kBytesPerYield = 1 << 20;

constexpr std::string_view kAllSuffixes[] = {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix,
                                             kTransactionIndexSuffix};

// Counts work and yields in between.
class Pacer {
 public:
  explicit Pacer(core::Environment& env) : env_(env) {}
  absl::Status Work(uint64_t bytes) {
    done_ += bytes;
    if (done_ < kBytesPerYield) return absl::OkStatus();
    done_ = 0;
    if (env_.fibers.Yield() == core::Wake::kCancelled) return absl::CancelledError("log scan");
    return absl::OkStatus();
  }

 private:
  core::Environment& env_;
  uint64_t done_ = 0;
};

}  // namespace

std::string LogSegment::PathOf(std::string_view suffix) const {
  return fmt::format("{}/{}", directory_, FileNameOf(base_, suffix));
}

absl::StatusOr<std::shared_ptr<LogSegment>> LogSegment::Create(core::FileSystem& files,
                                                               std::string_view directory,
                                                               Offset base, absl::Time now) {
  std::shared_ptr<LogSegment> segment(new LogSegment(files, directory, base));
  HW_ASSIGN_OR_RETURN(segment->log_, files.Open(segment->PathOf(kLogSuffix), OpenMode::kCreate));
  HW_ASSIGN_OR_RETURN(const uint64_t size, segment->log_->Size());
  if (size != 0) {
    return absl::AlreadyExistsError(
        fmt::format("{} is not empty", segment->PathOf(kLogSuffix)));  // [L5]
  }
  segment->indexes_loaded_ = true;
  segment->created_ = now;
  return segment;
}

absl::StatusOr<std::shared_ptr<LogSegment>> LogSegment::Open(core::FileSystem& files,
                                                             std::string_view directory,
                                                             Offset base) {
  std::shared_ptr<LogSegment> segment(new LogSegment(files, directory, base));
  const std::string path = segment->PathOf(kLogSuffix);
  HW_ASSIGN_OR_RETURN(const core::FileInfo info, files.Stat(path));
  HW_ASSIGN_OR_RETURN(segment->log_, files.Open(path, OpenMode::kReadWrite));
  segment->size_ = info.size;
  segment->created_ = info.modified;
  return segment;
}

void LogSegment::OnAppended(const BatchPosition& batch) {
  HW_CHECK(batch.position == size_ && indexes_loaded_, "a batch at {} of a segment of {} bytes",
           batch.position, size_);
  if (batch.position == 0) first_batch_timestamp_ = batch.max_timestamp;
  if (batch.max_timestamp > largest_timestamp_) {
    largest_timestamp_ = batch.max_timestamp;
    offset_of_largest_timestamp_ = batch.last_offset;
  }
  if (bytes_since_index_entry_ > static_cast<uint64_t>(index_interval_bytes_)) {
    offset_index_.MaybeAppend(static_cast<int32_t>(batch.last_offset - base_), batch.position);
    time_index_.MaybeAppend(largest_timestamp_, offset_of_largest_timestamp_ - base_);
    bytes_since_index_entry_ = 0;
  }
  bytes_since_index_entry_ += batch.size;
  size_ += batch.size;
}

void LogSegment::OnBecomeInactive() {
  if (largest_timestamp_ >= 0) {
    time_index_.MaybeAppend(largest_timestamp_, offset_of_largest_timestamp_ - base_);
  }
}

bool LogSegment::IndexIsFull(int64_t segment_index_bytes) const {
  return offset_index_.IsFull(segment_index_bytes) || time_index_.IsFull(segment_index_bytes);
}

void LogSegment::ResetIndexes() {
  offset_index_.Clear();
  time_index_.Clear();
  offset_file_.persisted = 0;
  offset_file_.exact = false;
  time_file_.persisted = 0;
  time_file_.exact = false;
  ++index_generation_;
  bytes_since_index_entry_ = 0;
  largest_timestamp_ = -1;
  offset_of_largest_timestamp_ = Offset(-1);
  first_batch_timestamp_ = -1;
}

absl::StatusOr<core::Bytes> LogSegment::ReadIndexFile(std::string_view suffix) {
  HW_ASSIGN_OR_RETURN(const std::string content, core::ReadWholeFile(files_, PathOf(suffix)));
  return core::Bytes::Copy(content);
}

absl::Status LogSegment::ReadFirstTimestamp() {
  BatchScanner scanner(*log_, 0, size_, BatchScanner::kHeadersOnly);
  HW_ASSIGN_OR_RETURN(const bool any, scanner.ReadHeader());
  first_batch_timestamp_ = any ? scanner.header().max_timestamp_ms : -1;
  return absl::OkStatus();
}

absl::Status LogSegment::LoadIndexes(core::Environment& env) {
  if (indexes_loaded_) return absl::OkStatus();
  const absl::StatusOr<core::Bytes> offsets = ReadIndexFile(kOffsetIndexSuffix);
  const absl::StatusOr<core::Bytes> times = ReadIndexFile(kTimeIndexSuffix);
  std::optional<OffsetIndex> offset_index;
  std::optional<TimeIndex> time_index;
  if (offsets.ok()) offset_index = OffsetIndex::Decode(*offsets, std::max<uint64_t>(size_, 1));
  if (times.ok()) time_index = TimeIndex::Decode(*times);
  if (!absl::IsNotFound(offsets.status())) HW_RETURN_IF_ERROR(offsets.status());
  if (!absl::IsNotFound(times.status())) HW_RETURN_IF_ERROR(times.status());
  HW_RETURN_IF_ERROR(ReadFirstTimestamp());
  if (indexes_loaded_) return absl::OkStatus();  // another fiber was faster
  // A time index without entries says nothing of a segment that has batches: what it was is not
  // known.
  if (!offset_index || !time_index || (size_ > 0 && time_index->entries().empty())) {
    HW_MARK("log_index_rebuilt_at_load");
    return RebuildIndexes(env);
  }
  offset_index_ = *std::move(offset_index);
  time_index_ = *std::move(time_index);
  offset_file_.persisted = offset_index_.entries().size();
  time_file_.persisted = time_index_.entries().size();
  offset_file_.exact = offsets->size() == offset_file_.persisted * OffsetIndex::kEntrySize;
  time_file_.exact = times->size() == time_file_.persisted * TimeIndex::kEntrySize;
  if (!time_index_.entries().empty()) {
    largest_timestamp_ = time_index_.entries().back().timestamp;
    offset_of_largest_timestamp_ = base_ + time_index_.entries().back().relative_offset;
  }
  indexes_loaded_ = true;
  return absl::OkStatus();
}

absl::Status LogSegment::RebuildIndexes(core::Environment& env) {
  const uint64_t end = size_;
  // Built aside: others may look at this segment while we wait.
  LogSegment fresh(files_, directory_, base_);
  fresh.log_ = log_;
  fresh.indexes_loaded_ = true;
  fresh.index_interval_bytes_ = index_interval_bytes_;
  Pacer pacer(env);
  BatchScanner scanner(*log_, 0, end, BatchScanner::kHeadersOnly);
  while (true) {
    HW_ASSIGN_OR_RETURN(const bool more, scanner.ReadHeader());
    if (!more || !scanner.IsWhole()) break;
    fresh.OnAppended(scanner.batch());
    HW_RETURN_IF_ERROR(pacer.Work(scanner.header().size()));
    scanner.Advance();
  }
  if (size_ != end)
    return absl::OkStatus();  // truncated or appended to meanwhile: by one with loaded indexes
  ResetIndexes();
  offset_index_ = std::move(fresh.offset_index_);
  time_index_ = std::move(fresh.time_index_);
  bytes_since_index_entry_ = fresh.bytes_since_index_entry_;
  largest_timestamp_ = fresh.largest_timestamp_;
  offset_of_largest_timestamp_ = fresh.offset_of_largest_timestamp_;
  first_batch_timestamp_ = fresh.first_batch_timestamp_;
  indexes_loaded_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<BatchPosition>> LogSegment::SearchFrom(core::Environment& env,
                                                                    uint64_t position,
                                                                    Offset offset) {
  Pacer pacer(env);
  BatchScanner scanner(*log_, position, size_, BatchScanner::kHeadersOnly);
  while (true) {
    HW_ASSIGN_OR_RETURN(const bool more, scanner.ReadHeader());
    if (!more) return std::nullopt;
    if (!scanner.IsWhole()) {
      return absl::DataLossError(
          fmt::format("{}: no record batch at {}", PathOf(kLogSuffix), scanner.position()));
    }
    if (scanner.header().last_offset() >= offset) return scanner.batch();
    HW_RETURN_IF_ERROR(pacer.Work(protocol::kRecordBatchHeaderSize));
    scanner.Advance();
  }
}

absl::StatusOr<std::optional<BatchPosition>> LogSegment::FindBatch(core::Environment& env,
                                                                   Offset offset) {
  HW_CHECK(indexes_loaded_, "a search in a segment without indexes");
  const uint64_t from = offset_index_.Lookup(offset - base_);
  auto found = SearchFrom(env, from, offset);
  if (found.ok() || !absl::IsDataLoss(found.status()) || from == 0) return found;
  HW_MARK("log_index_rebuilt_by_search");
  HW_RETURN_IF_ERROR(RebuildIndexes(env));
  return SearchFrom(env, offset_index_.Lookup(offset - base_), offset);
}

template <typename Visit>
absl::Status LogSegment::Walk(core::Environment& env, uint64_t position, Visit visit) {
  Pacer pacer(env);
  const uint64_t end = size_;
  BatchScanner scanner(*log_, position, end, BatchScanner::kHeadersOnly);
  while (scanner.position() < end) {
    HW_ASSIGN_OR_RETURN(const bool more, scanner.ReadHeader());
    if (!more || !scanner.IsWhole()) {
      return absl::DataLossError(
          fmt::format("{}: no record batch at {}", PathOf(kLogSuffix), scanner.position()));
    }
    if (!visit(scanner)) return absl::OkStatus();
    HW_RETURN_IF_ERROR(pacer.Work(protocol::kRecordBatchHeaderSize));
    scanner.Advance();
  }
  return absl::OkStatus();
}

absl::Status LogSegment::ForEachBatch(core::Environment& env, uint64_t position,
                                      const std::function<bool(const BatchPosition&)>& visit) {
  return Walk(env, position, [&](const BatchScanner& scanner) { return visit(scanner.batch()); });
}

absl::Status LogSegment::ForEachHeader(
    core::Environment& env, uint64_t position,
    const std::function<void(const protocol::RecordBatchHeader&)>& visit) {
  return Walk(env, position, [&](const BatchScanner& scanner) {
    visit(scanner.header());
    return true;
  });
}

absl::StatusOr<Offset> LogSegment::ReadNextOffset(
    core::Environment& env, const std::function<void(const BatchPosition&)>& visit) {
  HW_CHECK(indexes_loaded_, "a walk in a segment without indexes");
  Offset next = base_;
  const uint64_t from =
      offset_index_.entries().empty() ? 0 : offset_index_.entries().back().position;
  bytes_since_index_entry_ = 0;
  HW_RETURN_IF_ERROR(ForEachBatch(env, from, [&](const BatchPosition& batch) {
    next = batch.last_offset + 1;
    bytes_since_index_entry_ += batch.size;
    if (batch.max_timestamp > largest_timestamp_) {
      largest_timestamp_ = batch.max_timestamp;
      offset_of_largest_timestamp_ = batch.last_offset;
    }
    visit(batch);
    return true;
  }));
  return next;
}

absl::Status LogSegment::Recover(core::Environment& env, SegmentScan& scan,
                                 const std::function<void(const BatchPosition&)>& visit,
                                 uint64_t* truncated) {
  const uint64_t end = size_;
  ResetIndexes();
  indexes_loaded_ = true;
  size_ = 0;
  Pacer pacer(env);
  BatchScanner scanner(*log_, 0, end, BatchScanner::kBodies);
  while (!scan.finished()) {
    ScannedBatch found{.position = scanner.position()};
    HW_ASSIGN_OR_RETURN(const bool more, scanner.ReadHeader());
    if (more && scanner.IsWhole()) {
      HW_ASSIGN_OR_RETURN(found.checksum_ok, scanner.VerifyChecksum());
      found.length = scanner.header().size();
      found.magic = scanner.header().magic;
      found.base_offset = scanner.header().base_offset;
      found.last_offset = scanner.header().last_offset();
    }
    if (!scan.Accept(found)) break;
    OnAppended(scanner.batch());
    visit(scanner.batch());
    HW_RETURN_IF_ERROR(pacer.Work(found.length));
    scanner.Advance();
  }
  *truncated = end - scan.valid_bytes();
  if (*truncated == 0) return absl::OkStatus();
  HW_MARK("log_tail_cut_by_recovery");
  HW_RETURN_IF_ERROR(log_->Truncate(scan.valid_bytes()));
  // Synced, so that another power loss cannot bring the tail back behind what is appended next.
  return log_->Sync();
}

void LogSegment::Cut(Offset offset, uint64_t position) {
  HW_CHECK(indexes_loaded_ && position <= size_, "a cut at {} of {} bytes", position, size_);
  size_ = position;
  ++index_generation_;
  offset_index_.TruncateTo(offset - base_);
  time_index_.TruncateTo(offset - base_);
  offset_file_.persisted = std::min(offset_file_.persisted, offset_index_.entries().size());
  time_file_.persisted = std::min(time_file_.persisted, time_index_.entries().size());
  offset_file_.exact = false;
  time_file_.exact = false;
  bytes_since_index_entry_ = 0;
  largest_timestamp_ = -1;
  offset_of_largest_timestamp_ = Offset(-1);
  if (size_ == 0) first_batch_timestamp_ = -1;
}

absl::Status LogSegment::FinishCut(core::Environment& env) {
  HW_RETURN_IF_ERROR(log_->Truncate(size_));
  // Synced, so that a power loss cannot bring the tail back behind what is appended next.
  HW_RETURN_IF_ERROR(log_->Sync());
  uint64_t from = 0;
  if (!time_index_.entries().empty()) {
    const TimeIndex::Entry& last = time_index_.entries().back();
    largest_timestamp_ = last.timestamp;
    offset_of_largest_timestamp_ = base_ + last.relative_offset;
    from = offset_index_.Lookup(last.relative_offset);
  }
  // What came after the last entry of the time index may be younger than it says.
  return ForEachBatch(env, from, [&](const BatchPosition& batch) {
    bytes_since_index_entry_ += batch.size;
    if (batch.max_timestamp > largest_timestamp_) {
      largest_timestamp_ = batch.max_timestamp;
      offset_of_largest_timestamp_ = batch.last_offset;
    }
    return true;
  });
}

absl::Status LogSegment::LoadLargestTimestamp(core::Environment& env) {
  if (indexes_loaded_ || largest_timestamp_ >= 0 || size_ == 0) return absl::OkStatus();
  const auto file = files_.Open(PathOf(kTimeIndexSuffix), OpenMode::kRead);
  if (file.ok()) {
    HW_ASSIGN_OR_RETURN(const uint64_t bytes, (*file)->Size());
    if (bytes >= TimeIndex::kEntrySize && bytes % TimeIndex::kEntrySize == 0) {
      HW_ASSIGN_OR_RETURN(
          const core::ByteChain last,
          core::ReadExactly(**file, bytes - TimeIndex::kEntrySize, TimeIndex::kEntrySize));
      const auto entry = TimeIndex::Decode(last.Flatten());
      if (indexes_loaded_) return absl::OkStatus();
      if (entry && !entry->entries().empty()) {
        largest_timestamp_ = entry->entries().back().timestamp;
        offset_of_largest_timestamp_ = base_ + entry->entries().back().relative_offset;
        return absl::OkStatus();
      }
    }
  }
  return LoadIndexes(env);
}

absl::Status LogSegment::WriteIndex(IndexFile& index, std::string_view suffix,
                                    const core::Bytes& tail, size_t entries, size_t entry_size) {
  const uint64_t generation = index_generation_;
  const uint64_t end = index.persisted * entry_size;
  if (index.file == nullptr) {
    HW_ASSIGN_OR_RETURN(index.file, files_.Open(PathOf(suffix), OpenMode::kCreate));
  }
  if (!index.exact) HW_RETURN_IF_ERROR(index.file->Truncate(end));
  index.exact = false;  // until the write is known to have happened
  if (!tail.empty()) HW_RETURN_IF_ERROR(index.file->WriteAt(end, tail));
  if (generation != index_generation_)
    return absl::OkStatus();  // cut meanwhile: the next flush mends it
  index.persisted = entries;
  index.exact = true;
  return absl::OkStatus();
}

absl::Status LogSegment::WriteIndexes() {
  if (!indexes_loaded_ || deleted_) return absl::OkStatus();
  const core::Bytes offsets = offset_index_.Encode(offset_file_.persisted);
  HW_RETURN_IF_ERROR(WriteIndex(offset_file_, kOffsetIndexSuffix, offsets,
                                offset_file_.persisted + offsets.size() / OffsetIndex::kEntrySize,
                                OffsetIndex::kEntrySize));
  const core::Bytes times = time_index_.Encode(time_file_.persisted);
  return WriteIndex(time_file_, kTimeIndexSuffix, times,
                    time_file_.persisted + times.size() / TimeIndex::kEntrySize,
                    TimeIndex::kEntrySize);
}

absl::Status LogSegment::SyncOffsetIndex() {
  return offset_file_.file == nullptr ? absl::OkStatus() : offset_file_.file->Sync();
}

absl::Status LogSegment::SyncTimeIndex() {
  return time_file_.file == nullptr ? absl::OkStatus() : time_file_.file->Sync();
}

absl::Status LogSegment::MarkDeleted() {
  deleted_ = true;
  for (const std::string_view suffix : kAllSuffixes) {
    const std::string path = PathOf(suffix);
    const absl::Status renamed = files_.Rename(path, fmt::format("{}{}", path, kDeletedSuffix));
    if (!absl::IsNotFound(renamed)) HW_RETURN_IF_ERROR(renamed);
  }
  return absl::OkStatus();
}

std::vector<std::string> LogSegment::DeletedPaths() const {
  std::vector<std::string> paths;
  for (const std::string_view suffix : kAllSuffixes) {
    paths.push_back(fmt::format("{}{}", PathOf(suffix), kDeletedSuffix));
  }
  return paths;
}

}  // namespace highwater::broker::storage
