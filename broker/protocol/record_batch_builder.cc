#include "broker/protocol/record_batch_builder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "broker/protocol/control_record.h"
#include "broker/protocol/message.h"
#include "core/check.h"
#include "core/crc32c.h"

namespace highwater::broker::protocol {
namespace {

constexpr size_t kLongestVarint = 5;
constexpr size_t kLongestVarlong = 10;

uint64_t ZigZag(int64_t value) {
  return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
}
uint8_t* WriteVarlong(uint8_t* at, int64_t value) {
  uint64_t raw = ZigZag(value);
  for (; raw >= 0x80; raw >>= 7) *at++ = static_cast<uint8_t>(raw | 0x80);
  *at++ = static_cast<uint8_t>(raw);
  return at;
}
size_t VarlongSize(int64_t value) {
  return (static_cast<size_t>(std::bit_width(ZigZag(value) | 1)) + 6) / 7;
}

size_t ViewSize(std::optional<std::string_view> view) {
  return view.has_value() ? VarlongSize(static_cast<int64_t>(view->size())) + view->size() : 1;
}
uint8_t* WriteView(uint8_t* at, std::optional<std::string_view> view) {
  if (!view.has_value()) return WriteVarlong(at, -1);
  at = WriteVarlong(at, static_cast<int64_t>(view->size()));
  if (!view->empty()) std::memcpy(at, view->data(), view->size());
  return at + view->size();
}

// Key, value and headers with their lengths.
size_t ContentSize(std::optional<std::string_view> key, std::optional<std::string_view> value,
                   absl::Span<const RecordHeaderView> headers) {
  size_t size = ViewSize(key) + ViewSize(value) + VarlongSize(static_cast<int64_t>(headers.size()));
  for (const RecordHeaderView& header : headers)
    size += ViewSize(header.key) + ViewSize(header.value);
  return size;
}

int64_t SubtractWrapping(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

}  // namespace

RecordBatchBuilder::RecordBatchBuilder(const RecordBatchOptions& options)
    : options_(options), buffer_(kRecordBatchHeaderSize + options.expected_bytes) {
  buffer_.Grow(kRecordBatchHeaderSize);
  if (options.delete_horizon_ms.has_value()) base_timestamp_ms_ = *options.delete_horizon_ms;
}

size_t RecordBatchBuilder::MaxRecordSize(std::optional<std::string_view> key,
                                         std::optional<std::string_view> value,
                                         absl::Span<const RecordHeaderView> headers) {
  return kLongestVarint + 1 + kLongestVarlong + kLongestVarint + ContentSize(key, value, headers);
}

void RecordBatchBuilder::Append(int64_t timestamp_ms, std::optional<std::string_view> key,
                                std::optional<std::string_view> value,
                                absl::Span<const RecordHeaderView> headers) {
  AppendAt(options_.base_offset + (int64_t{last_offset_delta_} + 1), timestamp_ms, key, value,
           headers);
}

void RecordBatchBuilder::AppendAt(Offset offset, int64_t timestamp_ms,
                                  std::optional<std::string_view> key,
                                  std::optional<std::string_view> value,
                                  absl::Span<const RecordHeaderView> headers) {
  const int64_t delta = offset - options_.base_offset;
  HW_CHECK(delta > last_offset_delta_ && delta <= std::numeric_limits<int32_t>::max(),
           "record at offset {} in a batch at {}", offset, options_.base_offset);
  // The first record's timestamp is the base, unless the delete horizon is.
  if (count_ == 0 && !options_.delete_horizon_ms.has_value()) base_timestamp_ms_ = timestamp_ms;
  const int64_t timestamp_delta = SubtractWrapping(timestamp_ms, base_timestamp_ms_);
  const size_t size =
      1 + VarlongSize(timestamp_delta) + VarlongSize(delta) + ContentSize(key, value, headers);
  uint8_t* at = buffer_.Grow(VarlongSize(static_cast<int64_t>(size)) + size);
  at = WriteVarlong(at, static_cast<int64_t>(size));
  *at++ = 0;
  at = WriteVarlong(at, timestamp_delta);
  at = WriteVarlong(at, delta);
  at = WriteView(at, key);
  at = WriteView(at, value);
  at = WriteVarlong(at, static_cast<int64_t>(headers.size()));
  for (const RecordHeaderView& header : headers) {
    at = WriteView(at, header.key);
    at = WriteView(at, header.value);
  }
  HW_CHECK(at == buffer_.data() + buffer_.size());
  last_offset_delta_ = static_cast<int32_t>(delta);
  max_timestamp_ms_ = count_ == 0 ? timestamp_ms : std::max(max_timestamp_ms_, timestamp_ms);
  ++count_;
}

void RecordBatchBuilder::SetLastOffset(Offset offset) {
  const int64_t delta = offset - options_.base_offset;
  HW_CHECK(
      delta >= last_offset_delta_ && delta >= 0 && delta <= std::numeric_limits<int32_t>::max(),
      "last offset {} of a batch at {}", offset, options_.base_offset);
  last_offset_delta_ = static_cast<int32_t>(delta);
}

void RecordBatchBuilder::SetProducer(ProducerId id, int16_t epoch, int32_t base_sequence) {
  options_.producer_id = id;
  options_.producer_epoch = epoch;
  options_.base_sequence = base_sequence;
}

absl::StatusOr<RecordBatch> RecordBatchBuilder::Build() && {
  if (options_.codec != Codec::kNone && count_ > 0) {
    const core::Bytes plain = std::move(buffer_).Freeze();
    buffer_ = core::BytesBuilder(plain.size());
    buffer_.Grow(kRecordBatchHeaderSize);
    HW_RETURN_IF_ERROR(
        Compress(options_.codec, plain.view().substr(kRecordBatchHeaderSize), buffer_));
  }
  if (buffer_.size() - kBatchOverhead > 0x7fffffff)
    return absl::InvalidArgumentError("the batch is too long");
  RecordBatchHeader header;
  header.base_offset = options_.base_offset;
  header.batch_length = static_cast<int32_t>(buffer_.size() - kBatchOverhead);
  header.partition_leader_epoch = options_.partition_leader_epoch;
  header.attributes =
      static_cast<int16_t>(static_cast<int>(options_.codec) |
                           (options_.log_append_time_ms.has_value() ? kLogAppendTimeBit : 0) |
                           (options_.is_transactional ? kTransactionalBit : 0) |
                           (options_.is_control ? kControlBit : 0) |
                           (options_.delete_horizon_ms.has_value() ? kDeleteHorizonBit : 0));
  header.last_offset_delta = std::max(last_offset_delta_, 0);
  header.base_timestamp_ms = base_timestamp_ms_;
  header.max_timestamp_ms = options_.log_append_time_ms.value_or(max_timestamp_ms_);
  header.producer_id = options_.producer_id;
  header.producer_epoch = options_.producer_epoch;
  header.base_sequence = options_.base_sequence;
  header.record_count = count_;
  header.Write(buffer_.data());
  header.crc = buffer_.Crc32cFrom(kBatchChecksumStart);
  StoreBigEndian(buffer_.data() + 17, header.crc);
  return RecordBatch(header, core::ByteChain(std::move(buffer_).Freeze()));
}

RecordBatch MakeMarkerBatch(const TransactionMarker& marker, Offset base_offset,
                            LeaderEpoch leader_epoch) {
  RecordBatchBuilder builder({.base_offset = base_offset,
                              .partition_leader_epoch = leader_epoch,
                              .producer_id = marker.producer_id,
                              .producer_epoch = marker.producer_epoch,
                              .is_transactional = true,
                              .is_control = true,
                              .expected_bytes = 64});
  ControlRecordKey key;
  key.type = static_cast<int16_t>(marker.type);
  EndTxnMarkerValue value;
  value.coordinator_epoch = marker.coordinator_epoch;
  const absl::StatusOr<core::Bytes> key_bytes = EncodeVersioned(key, 0);
  const absl::StatusOr<core::Bytes> value_bytes = EncodeVersioned(value, 0);
  HW_CHECK(key_bytes.ok() && value_bytes.ok());
  builder.Append(marker.timestamp_ms, key_bytes->view(), value_bytes->view());
  absl::StatusOr<RecordBatch> batch = std::move(builder).Build();
  HW_CHECK(batch.ok(), "{}", batch.status().ToString());
  return *std::move(batch);
}

}  // namespace highwater::broker::protocol
