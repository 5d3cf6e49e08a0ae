#include "broker/storage/append_validation.h"

#include <fmt/format.h>

#include "broker/protocol/record.h"

namespace highwater::broker::storage {
namespace {

using protocol::ErrorCode;
using protocol::RecordBatch;
using protocol::RecordBatchHeader;
using protocol::TimestampType;

ValidatedAppend Refuse(ErrorCode error, std::string message) {
  return {.error = error, .message = std::move(message)};
}

// Whether `timestamp` is further from `now` than `limit`.
bool IsTooFar(int64_t timestamp, int64_t now, int64_t limit) {
  int64_t distance = 0;
  if (__builtin_sub_overflow(timestamp, now, &distance)) return true;
  if (distance < 0 && __builtin_sub_overflow(int64_t{0}, distance, &distance)) return true;
  return distance > limit;
}

// What of a header a client may not send.
std::optional<ValidatedAppend> CheckClientHeader(const RecordBatchHeader& header) {
  if (header.is_control()) {
    return Refuse(ErrorCode::INVALID_RECORD, "clients may not write control batches");
  }
  if (header.record_count <= 0 || header.record_count != header.last_offset_delta + int64_t{1}) {
    return Refuse(ErrorCode::INVALID_RECORD,
                  fmt::format("{} records, but the last offset delta is {}", header.record_count,
                              header.last_offset_delta));
  }
  if (header.has_delete_horizon()) {
    return Refuse(ErrorCode::INVALID_RECORD, "clients may not set a delete horizon");
  }
  if (header.has_producer_id() && header.base_sequence < 0) {
    return Refuse(ErrorCode::INVALID_RECORD, "a producer id without a base sequence");
  }
  return std::nullopt;
}

// Goes over the records: they must be well formed and count up from zero, and a compacted topic
// needs keys.
std::optional<ValidatedAppend> CheckRecords(const RecordBatch& batch, const AppendRules& rules) {
  absl::StatusOr<protocol::RecordReader> reader = protocol::RecordReader::Open(batch);
  if (!reader.ok())
    return Refuse(ErrorCode::CORRUPT_MESSAGE, std::string(reader.status().message()));
  int64_t expected = 0;
  const bool stamped = rules.timestamp_type == TimestampType::kLogAppendTime;
  while (const protocol::RecordView* record = reader->Next()) {
    if (record->offset - batch.header().base_offset != expected++) {
      return Refuse(ErrorCode::INVALID_RECORD, "offset deltas do not count up from zero");
    }
    if (rules.compacted && !record->key) {
      return Refuse(ErrorCode::INVALID_RECORD, "a record without a key in a compacted topic");
    }
    if (!stamped && record->timestamp_ms != protocol::kNoTimestamp &&
        IsTooFar(record->timestamp_ms, rules.now_ms, rules.timestamp_difference_max_ms)) {
      return Refuse(
          ErrorCode::INVALID_TIMESTAMP,
          fmt::format("timestamp {} is more than {} ms from the broker's {}", record->timestamp_ms,
                      rules.timestamp_difference_max_ms, rules.now_ms));
    }
  }
  if (!reader->status().ok()) {
    return Refuse(ErrorCode::INVALID_RECORD, std::string(reader->status().message()));
  }
  return std::nullopt;
}

// Whether the checks of CheckRecords are needed: without them a batch costs no look at its records.
bool MustReadRecords(const AppendRules& rules) {
  if (rules.origin != AppendOrigin::kClient) return false;
  return rules.compacted || rules.read_records ||
         (rules.timestamp_type == TimestampType::kCreateTime &&
          rules.timestamp_difference_max_ms != LogConfig::kUnlimited);
}

}  // namespace

AppendRules AppendRules::Of(const LogConfig& config, AppendOrigin origin, int64_t now_ms) {
  return {.origin = origin,
          .max_message_bytes = config.max_message_bytes,
          .segment_bytes = config.segment_bytes,
          .timestamp_type = config.message_timestamp_type,
          .timestamp_difference_max_ms = config.message_timestamp_difference_max_ms,
          .compacted = config.cleanup_compact,
          .now_ms = now_ms};
}

ValidatedAppend ValidateForAppend(const core::ByteChain& records, const AppendRules& rules) {
  if (records.empty()) return Refuse(ErrorCode::INVALID_RECORD, "no record batch");
  absl::StatusOr<RecordBatch> batch = RecordBatch::Parse(records);
  if (!batch.ok()) return Refuse(ErrorCode::CORRUPT_MESSAGE, std::string(batch.status().message()));
  const RecordBatchHeader& header = batch->header();
  if (header.magic != protocol::kCurrentMagic) {
    return Refuse(ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT,
                  fmt::format("magic {}, expected {}", header.magic, protocol::kCurrentMagic));
  }
  if (batch->size() != records.size()) {
    return Refuse(ErrorCode::INVALID_RECORD, "expected exactly one record batch");  // [V8]
  }
  if (static_cast<int64_t>(batch->size()) > rules.max_message_bytes) {
    return Refuse(ErrorCode::MESSAGE_TOO_LARGE,
                  fmt::format("the batch has {} bytes, max.message.bytes is {}", batch->size(),
                              rules.max_message_bytes));
  }
  if (static_cast<int64_t>(batch->size()) > rules.segment_bytes) {
    return Refuse(ErrorCode::RECORD_LIST_TOO_LARGE,
                  fmt::format("the batch has {} bytes, segment.bytes is {}", batch->size(),
                              rules.segment_bytes));
  }
  if (const absl::Status intact = batch->Validate(); !intact.ok()) {
    return Refuse(ErrorCode::CORRUPT_MESSAGE, std::string(intact.message()));
  }
  if (rules.origin == AppendOrigin::kClient) {
    if (auto refused = CheckClientHeader(header)) return *std::move(refused);
    if (header.base_offset.value() != 0) {
      return Refuse(ErrorCode::INVALID_RECORD,
                    fmt::format("base offset {}, expected 0", header.base_offset));
    }
    if (header.timestamp_type() == TimestampType::kLogAppendTime) {
      return Refuse(ErrorCode::INVALID_TIMESTAMP, "clients may not set the log append time");
    }
  }
  if (MustReadRecords(rules)) {
    if (auto refused = CheckRecords(*batch, rules)) return *std::move(refused);
  }
  ValidatedAppend result;
  if (rules.timestamp_type == TimestampType::kLogAppendTime && !header.is_control()) {
    result.log_append_time_ms = rules.now_ms;
    result.batch =
        batch->WithAppendTime(header.base_offset, header.partition_leader_epoch, rules.now_ms);
  } else {
    result.batch = *std::move(batch);
  }
  return result;
}

}  // namespace highwater::broker::storage
