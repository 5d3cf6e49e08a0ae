#pragma once

// ValidateForAppend: what a leader checks of the records of one partition in a produce request
// before they get offsets [P2b], and how timestamps are settled [D35]. Pure: no I/O, no clock.
//
//   auto result = ValidateForAppend(records, AppendRules::Of(config, AppendOrigin::kClient, now));
//   if (result.error != ErrorCode::NONE) return Refuse(result.error, result.message);
//   log->AppendAsLeader(*std::move(result.batch), epoch, ...);
//
// Not responsible for: offsets and leader epoch (Log), sequences (producer state),
// min.insync.replicas (the partition).

#include <cstdint>
#include <optional>
#include <string>

#include "broker/protocol/error_code.h"
#include "broker/protocol/record_batch.h"
#include "broker/storage/log_config.h"
#include "core/bytes.h"

namespace highwater::broker::storage {

enum class AppendOrigin : uint8_t { kClient, kCoordinator, kReplication };

struct AppendRules {
  AppendOrigin origin = AppendOrigin::kClient;
  int64_t max_message_bytes = 1'048'588;
  int64_t segment_bytes = 1 << 30;  // a batch must fit into a segment
  protocol::TimestampType timestamp_type = protocol::TimestampType::kCreateTime;
  int64_t timestamp_difference_max_ms = LogConfig::kUnlimited;
  bool compacted = false;  // keys are required
  // Goes over the records of every batch, as Kafka does. Without it, only batches whose topic has a
  // rule for single records are opened: what the checksum covers and the header counts is then
  // believed.
  bool read_records = true;
  int64_t now_ms = 0;  // the broker's wall clock

  // The rules of a topic with `config`.
  [[nodiscard]] static AppendRules Of(const LogConfig& config, AppendOrigin origin, int64_t now_ms);
};

struct ValidatedAppend {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  std::string message;                         // what was wrong, for the client; empty if nothing
  std::optional<protocol::RecordBatch> batch;  // ready for Log::AppendAsLeader; none on an error
  int64_t log_append_time_ms =
      -1;  // for the produce response: -1 unless the topic stamps log append time
};

// `records` is the partition's records field as it came: it must be exactly one v2 batch.
[[nodiscard]] ValidatedAppend ValidateForAppend(const core::ByteChain& records,
                                                const AppendRules& rules);

}  // namespace highwater::broker::storage
