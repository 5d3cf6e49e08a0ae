#pragma once

// RecordBatch: one batch of a log or of a field of type `records`: its header, read, and its bytes,
// shared.
//
//   RecordBatchReader reader(chain);
//   while (std::optional<RecordBatch> batch = reader.Next()) HW_RETURN_IF_ERROR(batch->Validate());
//   HW_RETURN_IF_ERROR(reader.status());
//
// Follows replication facts section 8 [V1]-[V8]. Pure: bytes in, values out. Not responsible for
// the records inside (record.h), for building batches (record_batch_builder.h), nor for whether a
// log may take a batch (broker/storage). Old formats: a message of magic 0 or 1 is recognised as a
// batch of that magic; legacy_messages.h reads its content.
//
// Invariants: 1. A batch's bytes are exactly size() long and its header is what they begin with. 2.
// Any bytes give a batch or an error; sums of hostile offsets wrap.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>

#include "broker/protocol/compression.h"
#include "broker/types.h"
#include "core/bytes.h"

namespace highwater::broker::protocol {

// Base offset and length: what stands in front of what the length counts, in every format.
inline constexpr size_t kBatchOverhead = 12;
inline constexpr size_t kBatchMagicAt = 16;
// [V1] The part of a v2 batch in front of what its checksum covers: base offset, length, leader
// epoch, magic, checksum.
inline constexpr size_t kBatchChecksumStart = 21;
inline constexpr size_t kRecordBatchHeaderSize = 61;
inline constexpr int8_t kCurrentMagic = 2;
inline constexpr int32_t kNoSequence = -1;
inline constexpr int16_t kNoProducerEpoch = -1;
inline constexpr int64_t kNoTimestamp = -1;

enum class TimestampType { kCreateTime = 0, kLogAppendTime = 1 };

// [V2] Bits of the attributes.
inline constexpr int16_t kCodecMask = 0x07;
inline constexpr int16_t kLogAppendTimeBit = 0x08;
inline constexpr int16_t kTransactionalBit = 0x10;
inline constexpr int16_t kControlBit = 0x20;
inline constexpr int16_t kDeleteHorizonBit = 0x40;

// The header of a batch of magic 2. Of a message of magic 0 or 1 only base_offset (the message's
// offset), batch_length, magic, crc, the low byte of attributes and, for magic 1, both timestamps
// are set.
struct RecordBatchHeader {
  Offset base_offset;
  int32_t batch_length = kRecordBatchHeaderSize - kBatchOverhead;  // bytes after this field
  LeaderEpoch partition_leader_epoch = kNoLeaderEpoch;
  int8_t magic = kCurrentMagic;
  uint32_t crc = 0;
  int16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp_ms = kNoTimestamp;  // the delete horizon if kDeleteHorizonBit is set
  int64_t max_timestamp_ms = kNoTimestamp;
  ProducerId producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;
  int32_t record_count = 0;

  // Reads and writes the 61 bytes of magic 2 at `at`.
  [[nodiscard]] static RecordBatchHeader Read(const uint8_t* at);
  void Write(uint8_t* at) const;

  // The whole batch with its first twelve bytes. REQUIRES: batch_length >= 0.
  [[nodiscard]] size_t size() const { return kBatchOverhead + static_cast<size_t>(batch_length); }
  [[nodiscard]] Codec codec() const { return static_cast<Codec>(attributes & kCodecMask); }
  [[nodiscard]] TimestampType timestamp_type() const {
    return (attributes & kLogAppendTimeBit) != 0 ? TimestampType::kLogAppendTime
                                                 : TimestampType::kCreateTime;
  }
  [[nodiscard]] bool is_transactional() const { return (attributes & kTransactionalBit) != 0; }
  [[nodiscard]] bool is_control() const { return (attributes & kControlBit) != 0; }
  [[nodiscard]] bool has_delete_horizon() const { return (attributes & kDeleteHorizonBit) != 0; }
  [[nodiscard]] bool has_producer_id() const { return producer_id.value() >= 0; }
  // [V5] The offset of the batch's last record, even if compaction removed it. Wraps.
  [[nodiscard]] Offset last_offset() const;
  [[nodiscard]] Offset next_offset() const;
  // [V5] Sequences wrap from 2^31 - 1 to 0; kNoSequence if there is no base sequence.
  [[nodiscard]] int32_t last_sequence() const;

  friend bool operator==(const RecordBatchHeader&, const RecordBatchHeader&) = default;
};

// The sequence `delta` after `sequence`, wrapping from 2^31 - 1 to 0. REQUIRES: both >= 0.
[[nodiscard]] int32_t AdvanceSequence(int32_t sequence, int32_t delta);

class RecordBatch {
 public:
  // The batch that `bytes` begin with. OutOfRange if it is cut off, DataLoss if its length or magic
  // cannot be.
  [[nodiscard]] static absl::StatusOr<RecordBatch> Parse(const core::ByteChain& bytes);
  // REQUIRES: `bytes` is a whole batch whose header reads as `header`.
  RecordBatch(RecordBatchHeader header, core::ByteChain bytes)
      : header_(header), bytes_(std::move(bytes)) {}

  [[nodiscard]] const RecordBatchHeader& header() const { return header_; }
  [[nodiscard]] const core::ByteChain& bytes() const { return bytes_; }
  [[nodiscard]] size_t size() const { return bytes_.size(); }
  // What follows the header: records, compressed if there is a codec. REQUIRES: magic 2.
  [[nodiscard]] core::ByteChain body() const;

  // The checksum that the bytes have, against the one that the header states. Remembered with the
  // block where the covered bytes are one slice. REQUIRES: magic 2.
  [[nodiscard]] uint32_t ComputeCrc() const;
  // DataLoss unless magic is 2, the checksum is right, and codec and counts are possible.
  [[nodiscard]] absl::Status Validate() const;

  // The same batch at another place in a log. [V1] Neither field is covered by the checksum, so
  // only 21 bytes are new and a remembered checksum stays of use. REQUIRES: magic 2.
  [[nodiscard]] RecordBatch WithOffset(Offset base_offset, LeaderEpoch leader_epoch) const;
  // As WithOffset, stamped by the log: [V5] every record's timestamp becomes `append_time_ms`. The
  // header is new, the checksum computed again, the body shared.
  [[nodiscard]] RecordBatch WithAppendTime(Offset base_offset, LeaderEpoch leader_epoch,
                                           int64_t append_time_ms) const;
  // As WithOffset with another header in front of the body: `header`'s crc is ignored and computed.
  [[nodiscard]] RecordBatch WithHeader(RecordBatchHeader header) const;

 private:
  RecordBatchHeader header_;
  core::ByteChain bytes_;
};

// Walks the batches of a chain. The last may be cut off, as at the end of a Fetch answer [V8]: see
// remaining().
class RecordBatchReader {
 public:
  explicit RecordBatchReader(core::ByteChain bytes) : rest_(std::move(bytes)) {}

  // The next whole batch; nullopt at the end, in front of a batch that is cut off, and after an
  // error.
  [[nodiscard]] std::optional<RecordBatch> Next();
  // DataLoss if what comes cannot be a batch.
  [[nodiscard]] const absl::Status& status() const { return status_; }
  // Bytes that are not part of a batch that Next gave.
  [[nodiscard]] size_t remaining() const { return rest_.size(); }

 private:
  core::ByteChain rest_;
  absl::Status status_;
};

}  // namespace highwater::broker::protocol
