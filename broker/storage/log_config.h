#pragma once

// LogConfig: what one partition's log needs to know of its topic's settings, under Kafka's names
// with Kafka 3.2.3's defaults [D17-D23, D35].
//
//   LogConfig config;                                              // the defaults
//   HW_RETURN_IF_ERROR(config.Set("segment.bytes", "1048576"));
//   HW_RETURN_IF_ERROR(config.Validate());
//
// Times are in milliseconds, as Kafka counts them in records and settings.
// Not responsible for: the names and precedence of broker-wide defaults (server/topic_config.h),
// settings that only a partition's leader needs (min.insync.replicas).

#include <absl/status/status.h>

#include <cstdint>
#include <limits>
#include <string_view>

#include "broker/protocol/record_batch.h"

namespace highwater::broker::storage {

struct LogConfig {
  static constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

  int64_t segment_bytes = 1 << 30;
  int64_t segment_ms = 604'800'000;
  int64_t segment_jitter_ms = 0;
  int64_t segment_index_bytes = 10'485'760;
  int64_t index_interval_bytes = 4096;
  int64_t retention_bytes = -1;        // -1: no limit
  int64_t retention_ms = 604'800'000;  // -1: no limit
  int64_t flush_messages = kUnlimited;
  int64_t flush_ms = kUnlimited;
  int64_t file_delete_delay_ms = 60'000;
  int64_t max_message_bytes = 1'048'588;
  protocol::TimestampType message_timestamp_type = protocol::TimestampType::kCreateTime;
  int64_t message_timestamp_difference_max_ms = kUnlimited;
  bool cleanup_delete = true;    // "delete" in cleanup.policy
  bool cleanup_compact = false;  // "compact" in cleanup.policy

  // Sets the topic setting `name`. NotFound: a log has no such setting. InvalidArgument: not a
  // value of it; says what is.
  [[nodiscard]] absl::Status Set(std::string_view name, std::string_view value);
  // Whether the values are in Kafka's ranges and go together.
  [[nodiscard]] absl::Status Validate() const;

  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

}  // namespace highwater::broker::storage
