#pragma once

// The settings of a topic or the broker as clients are shown them: value and where it comes from.

#include <string>
#include <vector>

#include "broker/server/broker_config.h"

namespace highwater::broker {

// Kafka's numbers on the wire.
enum class ConfigSource : int8_t { kTopic = 1, kStaticBroker = 4, kDefault = 5 };

struct TopicConfigEntry {
  const ConfigKey* key = nullptr;
  std::string_view broker_name;  // the broker property that gives the default
  std::string value;
  ConfigSource source = ConfigSource::kDefault;
};

// Every topic setting, sorted by name.
[[nodiscard]] std::vector<TopicConfigEntry> TopicConfigEntries(const BrokerConfig& broker,
                                                               const TopicOverrides& overrides);

}  // namespace highwater::broker
