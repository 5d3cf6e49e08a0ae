#include "broker/protocol/record.h"

#include <fmt/format.h>

#include <utility>

#include "broker/protocol/control_record.h"
#include "broker/protocol/message.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace highwater::broker::protocol {
namespace {

// Reads a zig-zag varint of at most `groups` groups of seven bits. False if it does not end in
// time.
bool ReadZigZag(const uint8_t*& at, const uint8_t* end, int groups, int64_t& value) {
  uint64_t raw = 0;
  for (int i = 0; i < groups && at != end; ++i) {
    const uint8_t byte = *at++;
    raw |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      value = static_cast<int64_t>(raw >> 1 ^ (0 - (raw & 1)));
      return true;
    }
  }
  return false;
}
bool ReadVarint(const uint8_t*& at, const uint8_t* end, int32_t& value) {
  int64_t wide = 0;
  if (!ReadZigZag(at, end, 5, wide) || wide < INT32_MIN || wide > INT32_MAX) return false;
  value = static_cast<int32_t>(wide);
  return true;
}

// A length and as many bytes; a negative length is null.
bool ReadView(const uint8_t*& at, const uint8_t* end, std::optional<std::string_view>& view) {
  int32_t length = 0;
  if (!ReadVarint(at, end, length)) return false;
  if (length < 0) {
    view.reset();
    return true;
  }
  if (length > end - at) return false;
  view.emplace(reinterpret_cast<const char*>(at), static_cast<size_t>(length));
  at += length;
  return true;
}

int64_t AddWrapping(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

}  // namespace

absl::StatusOr<RecordReader> RecordReader::Open(const RecordBatch& batch, size_t max_decompressed) {
  const RecordBatchHeader& header = batch.header();
  if (header.magic != kCurrentMagic) {
    return absl::InvalidArgumentError(fmt::format("a message of magic {}", header.magic));
  }
  core::Bytes block = batch.body().Flatten();
  if (header.codec() != Codec::kNone && header.record_count != 0) {
    HW_ASSIGN_OR_RETURN(block, Decompress(header.codec(), block, max_decompressed));
  }
  return RecordReader(header, std::move(block));
}

const RecordView* RecordReader::Fail(const char* reason) {
  status_ = absl::DataLossError(fmt::format("batch at offset {}: {}", header_.base_offset, reason));
  left_ = 0;
  at_ = end_;
  return nullptr;
}

const RecordView* RecordReader::Next() {
  if (!status_.ok()) return nullptr;
  if (left_ <= 0) {
    if (left_ < 0) return Fail("the record count is negative");
    return at_ == end_ || header_.record_count == 0 ? nullptr
                                                    : Fail("there are more bytes than records");
  }
  if (!ReadRecord()) return Fail("a record is malformed");
  --left_;
  return &record_;
}

bool RecordReader::ReadRecord() {
  int32_t length = 0;
  if (!ReadVarint(at_, end_, length) || length < 1 || length > end_ - at_) return false;
  const uint8_t* const end = at_ + length;
  ++at_;  // the attributes of a record have no meaning
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  if (!ReadZigZag(at_, end, 10, timestamp_delta) || !ReadVarint(at_, end, offset_delta))
    return false;
  if (!ReadView(at_, end, record_.key) || !ReadView(at_, end, record_.value)) return false;
  if (!ReadHeaders(end)) return false;
  // [V5]
  record_.offset = Offset(AddWrapping(header_.base_offset.value(), offset_delta));
  record_.timestamp_ms = header_.timestamp_type() == TimestampType::kLogAppendTime
                             ? header_.max_timestamp_ms
                             : AddWrapping(header_.base_timestamp_ms, timestamp_delta);
  return at_ == end;
}

bool RecordReader::ReadHeaders(const uint8_t* end) {
  record_.headers.clear();
  int32_t count = 0;
  // A header takes at least two bytes.
  if (!ReadVarint(at_, end, count) || count < 0 || count > (end - at_) / 2) return false;
  for (int32_t i = 0; i < count; ++i) {
    std::optional<std::string_view> key;
    RecordHeaderView& header = record_.headers.emplace_back();
    if (!ReadView(at_, end, key) || !key.has_value()) return false;
    if (!ReadView(at_, end, header.value)) return false;
    header.key = *key;
  }
  return true;
}

core::Bytes RecordReader::Keep(std::string_view view) const {
  if (view.empty()) return {};
  const auto* from = reinterpret_cast<const uint8_t*>(view.data());
  HW_CHECK(from >= block_.data() && from + view.size() <= block_.data() + block_.size(),
           "the view does not point into this batch");
  return block_.Slice(static_cast<size_t>(from - block_.data()), view.size());
}

absl::StatusOr<ControlRecord> ParseControlRecord(const RecordView& record) {
  if (!record.key.has_value()) return absl::DataLossError("a control record without a key");
  const auto key =
      DecodeVersioned<ControlRecordKey>(core::ByteChain(core::Bytes::Copy(*record.key)));
  if (!key.ok()) return absl::DataLossError(key.status().message());
  ControlRecord control{.type = key->message.type};
  const bool ends_transaction = control.type == static_cast<int16_t>(ControlType::kAbort) ||
                                control.type == static_cast<int16_t>(ControlType::kCommit);
  if (!ends_transaction) return control;
  if (!record.value.has_value()) return absl::DataLossError("a transaction marker without a value");
  const auto value =
      DecodeVersioned<EndTxnMarkerValue>(core::ByteChain(core::Bytes::Copy(*record.value)));
  if (!value.ok()) return absl::DataLossError(value.status().message());
  control.coordinator_epoch = value->message.coordinator_epoch;
  return control;
}

}  // namespace highwater::broker::protocol
