#include "broker/server/handlers/topic_config_entries.h"

namespace highwater::broker {

std::vector<TopicConfigEntry> TopicConfigEntries(const BrokerConfig& broker,
                                                 const TopicOverrides& overrides) {
  std::vector<TopicConfigEntry> entries;
  for (const TopicConfigKey& key : TopicConfigKeys()) {
    TopicConfigEntry entry{.key = &key.key, .broker_name = key.broker_name};
    const auto own = overrides.find(std::string(key.key.name));
    const std::string broker_name(key.broker_name);
    if (own != overrides.end()) {
      entry.value = own->second;
      entry.source = ConfigSource::kTopic;
    } else {
      entry.value = broker.effective.at(broker_name);
      if (broker.given.contains(broker_name)) entry.source = ConfigSource::kStaticBroker;
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace highwater::broker
