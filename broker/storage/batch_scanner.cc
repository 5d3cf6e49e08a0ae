#include "broker/storage/batch_scanner.h"

#include <algorithm>
#include <array>

#include "core/crc32c.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {

absl::Status BatchScanner::Fill(uint64_t offset) {
  if (offset >= buffer_at_ && offset < buffer_at_ + buffer_.size()) {
    if (offset < slice_at_) {
      slice_ = 0;
      slice_at_ = buffer_at_;
    }
  } else {
    HW_ASSIGN_OR_RETURN(buffer_, file_.ReadAt(offset, std::min<uint64_t>(chunk_, end_ - offset)));
    if (buffer_.empty()) {
      return absl::OutOfRangeError(fmt::format("file ends at {} before {}", offset, end_));
    }
    buffer_at_ = offset;
    slice_ = 0;
    slice_at_ = offset;
  }
  while (offset >= slice_at_ + buffer_.slices()[slice_].size()) {
    slice_at_ += buffer_.slices()[slice_].size();
    ++slice_;
  }
  return absl::OkStatus();
}

template <typename Visit>
absl::Status BatchScanner::ForEachSpan(uint64_t offset, uint64_t length, Visit visit) {
  while (length > 0) {
    HW_RETURN_IF_ERROR(Fill(offset));
    const core::Bytes& slice = buffer_.slices()[slice_];
    const uint64_t skipped = offset - slice_at_;
    const uint64_t n = std::min<uint64_t>(length, slice.size() - skipped);
    visit(absl::Span<const uint8_t>(slice.data() + skipped, n));
    offset += n;
    length -= n;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> BatchScanner::ReadHeader() {
  if (end_ < position_ || end_ - position_ < protocol::kRecordBatchHeaderSize) return false;
  std::array<uint8_t, protocol::kRecordBatchHeaderSize> raw;
  size_t filled = 0;
  HW_RETURN_IF_ERROR(ForEachSpan(position_, raw.size(), [&](absl::Span<const uint8_t> span) {
    std::memcpy(raw.data() + filled, span.data(), span.size());
    filled += span.size();
  }));
  header_ = protocol::RecordBatchHeader::Read(raw.data());
  return true;
}

bool BatchScanner::IsWhole() const {
  return header_.batch_length >=
             static_cast<int32_t>(protocol::kRecordBatchHeaderSize - protocol::kBatchOverhead) &&
         header_.size() <= end_ - position_ && header_.magic == protocol::kCurrentMagic &&
         header_.last_offset_delta >= 0 && header_.base_offset.value() >= 0;
}

absl::StatusOr<bool> BatchScanner::VerifyChecksum() {
  uint32_t crc = 0;
  const uint64_t length = header_.size() - protocol::kBatchChecksumStart;
  HW_RETURN_IF_ERROR(
      ForEachSpan(position_ + protocol::kBatchChecksumStart, length,
                  [&](absl::Span<const uint8_t> span) { crc = core::Crc32cExtend(crc, span); }));
  return crc == header_.crc;
}

BatchPosition BatchScanner::batch() const {
  return {.base_offset = header_.base_offset,
          .last_offset = header_.last_offset(),
          .position = position_,
          .size = static_cast<uint32_t>(header_.size()),
          .leader_epoch = header_.partition_leader_epoch,
          .max_timestamp = header_.max_timestamp_ms};
}

}  // namespace highwater::broker::storage
