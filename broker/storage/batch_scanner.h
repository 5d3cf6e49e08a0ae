#pragma once

// BatchScanner: walks the record batches of a segment file, header by header, and checks bodies on
// demand.
//
//   BatchScanner scanner(file, position, size, BatchScanner::kBodies);
//   while (true) {
//     HW_ASSIGN_OR_RETURN(const bool more, scanner.ReadHeader());
//     if (!more) break;
//     HW_ASSIGN_OR_RETURN(const bool intact, scanner.VerifyChecksum());
//     scanner.Advance();
//   }
//
// Reads in chunks of bounded size whatever a length field says. Not responsible for what may stay
// (log_recovery.h).

#include <absl/status/statusor.h>

#include "broker/protocol/record_batch.h"
#include "broker/storage/batch_position.h"
#include "core/file_system.h"

namespace highwater::broker::storage {

class BatchScanner {
 public:
  static constexpr size_t kHeadersOnly = 4096;  // bytes a read
  static constexpr size_t kBodies = 65536;

  // Batches of [position, end) of `file`, which outlives the scanner.
  BatchScanner(core::File& file, uint64_t position, uint64_t end, size_t chunk)
      : file_(file), position_(position), end_(end), chunk_(chunk) {}

  // The header at position(). False if fewer than 61 bytes are left.
  [[nodiscard]] absl::StatusOr<bool> ReadHeader();
  [[nodiscard]] const protocol::RecordBatchHeader& header() const { return header_; }
  [[nodiscard]] uint64_t position() const { return position_; }
  // Whether the header makes sense and its batch lies within the file as a whole. REQUIRES:
  // ReadHeader said true.
  [[nodiscard]] bool IsWhole() const;
  // Whether the batch's CRC-32C is right. REQUIRES: IsWhole().
  [[nodiscard]] absl::StatusOr<bool> VerifyChecksum();
  [[nodiscard]] BatchPosition batch() const;
  // To the next batch. REQUIRES: IsWhole().
  void Advance() { position_ += header_.size(); }

 private:
  // Makes [offset, offset + 1) lie in the buffer, reading on from there if it does not.
  absl::Status Fill(uint64_t offset);
  // Calls visit(span) over [offset, offset + length).
  template <typename Visit>
  absl::Status ForEachSpan(uint64_t offset, uint64_t length, Visit visit);

  core::File& file_;
  uint64_t position_;
  uint64_t end_;
  size_t chunk_;
  protocol::RecordBatchHeader header_;
  core::ByteChain buffer_;
  uint64_t buffer_at_ = 0;  // where buffer_ starts in the file
  size_t slice_ = 0;        // the slice of buffer_ read last, and where it starts in the file
  uint64_t slice_at_ = 0;
};

}  // namespace highwater::broker::storage
