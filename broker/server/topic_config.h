#pragma once

// TopicConfig: the settings of one topic, under Kafka's names (retention.ms, flush.messages,
// segment.bytes, ...). A topic's own values stand over the broker's defaults.
//
//   HW_ASSIGN_OR_RETURN(TopicConfig config, TopicConfig::Resolve(broker_config.topic_defaults,
//   overrides));
//
// Accepted but without effect yet: the settings of compaction (cleanup.policy=compact itself is
// refused).

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "broker/server/config_value.h"
#include "broker/storage/log_config.h"

namespace highwater::broker {

// What a topic says for itself: names and values as given.
using TopicOverrides = std::map<std::string, std::string>;

struct TopicConfig {
  storage::LogConfig log;  // what the topic's logs need
  int64_t min_insync_replicas = 1;
  bool unclean_leader_election_enable = false;

  // `overrides` over `defaults`. InvalidArgument names the property, what was expected and a
  // suggestion.
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
