#pragma once

// RecordBatchBuilder: makes a batch of magic 2 out of records.
//
//   RecordBatchBuilder builder({.codec = Codec::kLz4, .producer_id = ProducerId(9), .producer_epoch
//   = 0, .base_sequence = 0}); builder.Append(timestamp_ms, "key", "value");
//   HW_ASSIGN_OR_RETURN(RecordBatch batch, std::move(builder).Build());
//
// Follows replication facts [V1]-[V6]. Not responsible for the limits of a topic
// (max.message.bytes). Invariant: what Build gives passes RecordBatch::Validate, and RecordReader
// gives the records back.

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "broker/protocol/record.h"
#include "broker/protocol/record_batch.h"
#include "broker/types.h"
#include "core/bytes.h"

namespace highwater::broker::protocol {

struct RecordBatchOptions {
  Offset base_offset;  // 0 from producers
  LeaderEpoch partition_leader_epoch = kNoLeaderEpoch;
  Codec codec = Codec::kNone;
  ProducerId producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;
  bool is_transactional = false;
  bool is_control = false;
  // Set where the log stamps records: their timestamps are this one [V5].
  std::optional<int64_t> log_append_time_ms;
  // Set by compaction [V2].
  std::optional<int64_t> delete_horizon_ms;
  // Room to begin with, in bytes of uncompressed records.
  size_t expected_bytes = 1024;
};

class RecordBatchBuilder {
 public:
  explicit RecordBatchBuilder(const RecordBatchOptions& options);

  // Adds a record at the next offset.
  void Append(int64_t timestamp_ms, std::optional<std::string_view> key,
              std::optional<std::string_view> value,
              absl::Span<const RecordHeaderView> headers = {});
  // Adds a record at `offset`, leaving a gap as compaction does. REQUIRES: past the last one, less
  // than 2^31 past the base.
  void AppendAt(Offset offset, int64_t timestamp_ms, std::optional<std::string_view> key,
                std::optional<std::string_view> value,
                absl::Span<const RecordHeaderView> headers = {});
  // [V5] The last offset of the batch, if records behind the last one were removed. REQUIRES: not
  // before the last record.
  void SetLastOffset(Offset offset);

  // What options said of the producer may be settled as late as this.
  void SetProducer(ProducerId id, int16_t epoch, int32_t base_sequence);

  [[nodiscard]] int32_t record_count() const { return count_; }
  // Bytes of header and records before compression.
  [[nodiscard]] size_t uncompressed_size() const { return buffer_.size(); }
  // What Append would add to uncompressed_size(), at most.
  [[nodiscard]] static size_t MaxRecordSize(std::optional<std::string_view> key,
                                            std::optional<std::string_view> value,
                                            absl::Span<const RecordHeaderView> headers = {});

  // The batch, in one slice whose block remembers the checksum: who validates it next need not sum.
  // Internal if a codec fails, InvalidArgument if it is 2 GiB or more.
  [[nodiscard]] absl::StatusOr<RecordBatch> Build() &&;

 private:
  RecordBatchOptions options_;
  core::BytesBuilder buffer_;  // room for the header, then records
  int32_t count_ = 0;
  int32_t last_offset_delta_ = -1;
  int64_t base_timestamp_ms_ = kNoTimestamp;
  int64_t max_timestamp_ms_ = kNoTimestamp;
};

// [V6] The marker that ends a transaction on a partition: one control record.
struct TransactionMarker {
  ControlType type = ControlType::kAbort;
  ProducerId producer_id;
  int16_t producer_epoch = 0;
  int32_t coordinator_epoch = 0;
  int64_t timestamp_ms = kNoTimestamp;
};
[[nodiscard]] RecordBatch MakeMarkerBatch(const TransactionMarker& marker, Offset base_offset,
                                          LeaderEpoch leader_epoch);

}  // namespace highwater::broker::protocol
