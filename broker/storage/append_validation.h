#pragma once

// ValidateForAppend: what a leader checks of the records of one partition in a produce request before they get offsets [P2b], and
// how timestamps are settled [D35]. Pure: no I/O, no clock.
//
//   auto result = ValidateForAppend(request_records, {.origin = AppendOrigin::kClient, .now_ms = now, ...});
//   if (result.error != protocol::ErrorCode::NONE) return Refuse(result.error, result.message);
//   log->AppendAsLeader(std::move(result.batch), epoch, ...);
//
// Not responsible for: offsets and leader epoch (Log), sequences (producer state), min.insync.replicas (the partition).

#include <cstdint>
#include <string>

#include "broker/protocol/error_code.h"
#include "broker/storage/log_config.h"
#include "broker/storage/stored_batch.h"
#include "core/bytes.h"

namespace highwater::broker::storage {

enum class AppendOrigin : uint8_t { kClient, kCoordinator, kReplication };

struct AppendRules {
  AppendOrigin origin = AppendOrigin::kClient;
  int32_t max_message_bytes = 1'048'588;
  TimestampKind timestamp_type = TimestampKind::kCreateTime;
  int64_t timestamp_difference_max_ms = LogConfig::kUnlimited;
  bool compacted = false;  // keys are required
  int64_t now_ms = 0;      // the broker's wall clock

  // The rules of a topic with `config`.
  [[nodiscard]] static AppendRules Of(const LogConfig& config, AppendOrigin origin, int64_t now_ms);
};

struct ValidatedAppend {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  std::string message;         // what was wrong, for the client; empty if nothing
  StoredBatch batch;           // ready for Log::AppendAsLeader; meaningless on an error
  int64_t log_append_time_ms = -1;  // for the produce response: -1 unless the topic stamps log append time
};

// `records` is the partition's records field as it came: it must be exactly one v2 batch.
[[nodiscard]] ValidatedAppend ValidateForAppend(const core::ByteChain& records, const AppendRules& rules);

}  // namespace highwater::broker::storage
