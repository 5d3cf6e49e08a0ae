#pragma once

// TopicConfig: the settings of one topic, under Kafka's names (retention.ms, flush.messages, segment.bytes, ...). A topic's own
// values stand over the broker's defaults.
//
//   HW_ASSIGN_OR_RETURN(TopicConfig config, TopicConfig::Resolve(broker_config.topic_defaults, overrides));
//
// Accepted but without effect yet: the settings of compaction (cleanup.policy=compact itself is refused).

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "broker/server/config_value.h"

namespace highwater::broker {

// What a topic says for itself: names and values as given.
using TopicOverrides = std::map<std::string, std::string>;

enum class TimestampType : uint8_t { kCreateTime, kLogAppendTime };

struct TopicConfig {
  int64_t segment_bytes = 0;
  absl::Duration segment_ms;
  absl::Duration segment_jitter_ms;
  int64_t segment_index_bytes = 0;
  int64_t index_interval_bytes = 0;
  int64_t flush_messages = 0;          // a sync after this many records; 2^63-1 is never
  absl::Duration flush_ms;             // infinite is never
  int64_t retention_bytes = 0;         // -1 is no limit
  absl::Duration retention_ms;         // infinite is no limit
  absl::Duration file_delete_delay_ms;
  int64_t max_message_bytes = 0;
  int64_t min_insync_replicas = 0;
  TimestampType message_timestamp_type = TimestampType::kCreateTime;
  absl::Duration message_timestamp_difference_max_ms;
  std::string compression_type;        // "producer" keeps the producer's codec
  bool unclean_leader_election_enable = false;
  bool preallocate = false;

  // `overrides` over `defaults`. InvalidArgument names the property, what was expected and a suggestion.
  [[nodiscard]] static absl::StatusOr<TopicConfig> Resolve(const TopicConfig& defaults,
                                                           const TopicOverrides& overrides);
};

// A topic property and the broker property that gives its default.
struct TopicConfigKey {
  ConfigKey key;
  std::string_view broker_name;
};

// All topic properties, sorted by name.
[[nodiscard]] absl::Span<const TopicConfigKey> TopicConfigKeys();
[[nodiscard]] const TopicConfigKey* FindTopicConfigKey(std::string_view name);

// Whether a topic may have this setting: OK, or what is wrong and what was perhaps meant.
[[nodiscard]] absl::Status ValidateTopicConfig(std::string_view name, std::string_view value);

}  // namespace highwater::broker
