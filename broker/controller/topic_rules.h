#pragma once

// What makes a request for a new topic legal: Kafka's rules on names, counts, assignments and
// settings. Pure.

#include <absl/functional/function_ref.h>

#include <string>
#include <string_view>

#include "broker/controller/controller.h"

namespace highwater::broker {

// "" if the name is legal; else what is wrong with it. At most 249 of [a-zA-Z0-9._-], neither "."
// nor "..".
[[nodiscard]] std::string WhyIllegalTopicName(std::string_view name);

// Names that differ only in '.' against '_' would share the names of their metrics.
[[nodiscard]] bool TopicNamesCollide(std::string_view a, std::string_view b);

// Topics that only the cluster itself writes.
[[nodiscard]] bool IsInternalTopic(std::string_view name);

struct ClusterFacts {
  std::vector<BrokerId> brokers;  // alive
  int32_t default_partitions = 1;
  int32_t default_replication_factor = 1;
  TopicConfig defaults;
  std::vector<std::string> topics;  // that exist
};

struct CheckedTopic {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  std::string message;
  TopicSettings settings;  // without an id; meaningless on an error
};

// Checks a new topic in the order in which Kafka does and fills in the defaults.
[[nodiscard]] CheckedTopic CheckNewTopic(const NewTopic& topic, const ClusterFacts& cluster);

}  // namespace highwater::broker
