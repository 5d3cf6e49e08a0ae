#pragma once

// RecordReader: the records inside a batch.
//
//   HW_ASSIGN_OR_RETURN(RecordReader reader, RecordReader::Open(batch));
//   while (const RecordView* record = reader.Next()) Use(record->offset, record->value);
//   HW_RETURN_IF_ERROR(reader.status());
//
// Follows replication facts [V3]-[V6]. Not responsible for messages of magic 0 and 1
// (legacy_messages.h). Invariant: any bytes give records or an error; nothing is read outside of
// the batch.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/protocol/record_batch.h"
#include "broker/types.h"
#include "core/bytes.h"

namespace highwater::broker::protocol {

struct RecordHeaderView {
  std::string_view key;
  std::optional<std::string_view> value;

  friend bool operator==(const RecordHeaderView&, const RecordHeaderView&) = default;
};

// The views point into RecordReader::block().
struct RecordView {
  Offset offset;
  int64_t timestamp_ms = kNoTimestamp;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<RecordHeaderView> headers;
};

class RecordReader {
 public:
  // Decompresses if there is a codec. DataLoss if that fails, ResourceExhausted if more than
  // `max_decompressed` bytes come out, InvalidArgument unless magic is 2.
  [[nodiscard]] static absl::StatusOr<RecordReader> Open(
      const RecordBatch& batch, size_t max_decompressed = kDefaultMaxDecompressedBytes);

  // The next record, valid until the next call; nullptr after the last and after an error.
  [[nodiscard]] const RecordView* Next();
  // DataLoss if a record is malformed, or if the batch holds fewer or more than its header says.
  [[nodiscard]] const absl::Status& status() const { return status_; }

  // What all views point into: the uncompressed records in one block.
  [[nodiscard]] const core::Bytes& block() const { return block_; }
  // A shared slice of `view`, to keep it. REQUIRES: it points into block().
  [[nodiscard]] core::Bytes Keep(std::string_view view) const;

 private:
  RecordReader(const RecordBatchHeader& header, core::Bytes block)
      : header_(header),
        block_(std::move(block)),
        at_(block_.data()),
        end_(block_.data() + block_.size()),
        left_(header.record_count) {}

  const RecordView* Fail(const char* reason);
  bool ReadRecord();
  bool ReadHeaders(const uint8_t* end);

  RecordBatchHeader header_;
  core::Bytes block_;
  const uint8_t* at_;
  const uint8_t* end_;
  int32_t left_;
  RecordView record_;
  absl::Status status_;
};

// [V6] What the record of a control batch says.
enum class ControlType : int16_t { kAbort = 0, kCommit = 1 };
struct ControlRecord {
  int16_t type = 0;                // compare with ControlType: other types are to be skipped
  int32_t coordinator_epoch = -1;  // of commit and abort markers
};
// DataLoss if it is malformed.
[[nodiscard]] absl::StatusOr<ControlRecord> ParseControlRecord(const RecordView& record);

}  // namespace highwater::broker::protocol
