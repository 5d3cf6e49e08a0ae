#include "broker/protocol/describe_configs.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/server/handlers/handler.h"
#include "broker/server/handlers/topic_config_entries.h"

namespace highwater::broker {

namespace {

using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::ErrorCode;
using Resource = DescribeConfigsRequest::DescribeConfigsResource;
using Entry = DescribeConfigsResponse::DescribeConfigsResourceResult;
using Result = DescribeConfigsResponse::DescribeConfigsResult;

constexpr int8_t kTopicResource = 2;
constexpr int8_t kBrokerResource = 4;

// Kafka's numbers of types on the wire.
int8_t TypeNumber(ConfigType type) {
  switch (type) {
    case ConfigType::kBool:
      return 1;
    case ConfigType::kString:
      return 2;
    case ConfigType::kInt:
      return 3;
    case ConfigType::kLong:
      return 5;
    case ConfigType::kMillis:
      return 5;
    case ConfigType::kDouble:
      return 6;
    case ConfigType::kList:
      return 7;
  }
  HW_UNREACHABLE();
}

bool IsWanted(const Resource& resource, std::string_view name) {
  if (!resource.configuration_keys.has_value()) return true;
  const auto& keys = *resource.configuration_keys;
  return std::find(keys.begin(), keys.end(), name) != keys.end();
}

Entry MakeEntry(const ConfigKey& key, std::string value, ConfigSource source, bool documented) {
  Entry entry;
  entry.name = std::string(key.name);
  entry.value = std::move(value);
  entry.is_default = source == ConfigSource::kDefault;
  entry.config_source = static_cast<int8_t>(source);
  entry.config_type = TypeNumber(key.type);
  entry.documentation = std::nullopt;
  if (documented) entry.documentation = std::string(key.about);
  return entry;
}

void AddSynonym(Entry& entry, std::string_view name, std::string value, ConfigSource source) {
  entry.synonyms.push_back({.name = std::string(name),
                            .value = std::move(value),
                            .source = static_cast<int8_t>(source)});
}

void DescribeTopic(const Services& services, const DescribeConfigsRequest& request,
                   const Resource& resource, Result& result) {
  const TopicSettings* settings = services.controller.FindTopic(resource.resource_name);
  if (settings == nullptr) {
    result.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    return;
  }
  for (const auto& config : TopicConfigEntries(services.config, settings->overrides)) {
    if (!IsWanted(resource, config.key->name)) continue;
    Entry& entry = result.configs.emplace_back(
        MakeEntry(*config.key, config.value, config.source, request.include_documentation));
    if (!request.include_synonyms) continue;
    if (config.source == ConfigSource::kTopic) {
      AddSynonym(entry, config.key->name, config.value, ConfigSource::kTopic);
    }
    const std::string broker_name(config.broker_name);
    if (const auto given = services.config.given.find(broker_name);
        given != services.config.given.end()) {
      AddSynonym(entry, broker_name, given->second, ConfigSource::kStaticBroker);
    }
    AddSynonym(entry, broker_name, std::string(config.key->default_value), ConfigSource::kDefault);
  }
}

void DescribeBroker(const Services& services, const DescribeConfigsRequest& request,
                    const Resource& resource, Result& result) {
  const BrokerConfig& config = services.config;
  if (resource.resource_name != fmt::format("{}", config.broker_id)) {
    result.error_code = ErrorCode::INVALID_REQUEST;
    result.error_message = fmt::format("unexpected broker id, expected {}, but received {}",
                                       config.broker_id, resource.resource_name);
    return;
  }
  for (const ConfigKey& key : BrokerConfigKeys()) {
    if (!IsWanted(resource, key.name)) continue;
    const std::string name(key.name);
    const bool given = config.given.contains(name);
    const ConfigSource source = given ? ConfigSource::kStaticBroker : ConfigSource::kDefault;
    Entry& entry = result.configs.emplace_back(
        MakeEntry(key, config.effective.at(name), source, request.include_documentation));
    entry.read_only = true;
    if (!request.include_synonyms) continue;
    if (given) AddSynonym(entry, name, config.given.at(name), ConfigSource::kStaticBroker);
    AddSynonym(entry, name, std::string(key.default_value), ConfigSource::kDefault);
  }
}

}  // namespace

absl::StatusOr<Answer> HandleDescribeConfigs(Services& services, const Call& call) {
  // Version 0 alone says it so; later ones give the source instead.
  const bool says_is_default = call.header.api_version == 0;
  return Serve<DescribeConfigsRequest>(call, [&](const DescribeConfigsRequest& request) {
    DescribeConfigsResponse response;
    for (const Resource& resource : request.resources) {
      Result& result = response.results.emplace_back();
      result.resource_type = resource.resource_type;
      result.resource_name = resource.resource_name;
      result.error_message = std::nullopt;
      if (resource.resource_type == kTopicResource) {
        DescribeTopic(services, request, resource, result);
      } else if (resource.resource_type == kBrokerResource) {
        DescribeBroker(services, request, resource, result);
      } else {
        result.error_code = ErrorCode::INVALID_REQUEST;
        result.error_message = "only topics and brokers have settings here";
      }
      for (Entry& entry : result.configs) entry.is_default = entry.is_default && says_is_default;
    }
    return response;
  });
}

}  // namespace highwater::broker
