#include "broker/protocol/create_topics.h"

#include <map>

#include "broker/server/handlers/handler.h"
#include "broker/server/handlers/topic_config_entries.h"

namespace highwater::broker {

namespace {

using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::ErrorCode;
using Result = CreateTopicsResponse::CreatableTopicResult;

NewTopic ToNewTopic(const CreateTopicsRequest::CreatableTopic& topic) {
  NewTopic result{.name = topic.name,
                  .partitions = topic.num_partitions,
                  .replication_factor = topic.replication_factor};
  for (const auto& assignment : topic.assignments) {
    std::vector<BrokerId> brokers;
    for (const int32_t id : assignment.broker_ids) brokers.emplace_back(id);
    result.assignments.insert_or_assign(assignment.partition_index, std::move(brokers));
  }
  for (const auto& config : topic.configs) {
    result.configs.insert_or_assign(config.name, config.value);
  }
  return result;
}

void AddDetails(const Services& services, const NewTopic& topic, Result& result) {
  const TopicSettings* settings = services.controller.FindTopic(topic.name);
  TopicOverrides overrides;
  if (settings != nullptr) {
    result.num_partitions = settings->partitions;
    result.replication_factor = static_cast<int16_t>(settings->replication_factor);
    overrides = settings->overrides;
  } else {
    // Only validated: what it would have got.
    const bool assigned = !topic.assignments.empty();
    const auto or_default = [](int32_t value, int32_t standard) {
      return value == -1 ? standard : value;
    };
    result.num_partitions = assigned ? static_cast<int32_t>(topic.assignments.size())
                                     : or_default(topic.partitions, services.config.num_partitions);
    result.replication_factor = static_cast<int16_t>(
        assigned ? topic.assignments.begin()->second.size()
                 : static_cast<size_t>(or_default(topic.replication_factor,
                                                  services.config.default_replication_factor)));
    for (const auto& [name, value] : topic.configs) overrides[name] = value.value_or("");
  }
  for (const TopicConfigEntry& entry : TopicConfigEntries(services.config, overrides)) {
    result.configs->push_back({.name = std::string(entry.key->name),
                               .value = entry.value,
                               .read_only = false,
                               .config_source = static_cast<int8_t>(entry.source),
                               .is_sensitive = false});
  }
}

}  // namespace

absl::StatusOr<Answer> HandleCreateTopics(Services& services, const Call& call) {
  return Serve<CreateTopicsRequest>(call, [&](const CreateTopicsRequest& request) {
    std::map<std::string_view, int> named;
    for (const auto& topic : request.topics) ++named[topic.name];
    std::vector<NewTopic> topics;
    for (const auto& topic : request.topics) {
      if (named[topic.name] == 1) topics.push_back(ToNewTopic(topic));
    }
    std::vector<TopicResult> results = services.controller.CreateTopics(
        topics, request.validate_only ? CreateMode::kValidateOnly : CreateMode::kCreate,
        DeadlineAfter(services.env, request.timeout_ms));
    CreateTopicsResponse response;
    size_t next = 0;
    for (const auto& topic : request.topics) {
      Result& result = response.topics.emplace_back();
      result.name = topic.name;
      if (named[topic.name] > 1) {
        result.error_code = ErrorCode::INVALID_REQUEST;
        result.error_message = "duplicate topic name";
        continue;
      }
      const TopicResult& made = results[next];
      const NewTopic& asked = topics[next++];
      result.error_code = made.error;
      result.topic_id = made.id;
      result.error_message = std::nullopt;
      if (!made.message.empty()) result.error_message = made.message;
      if (made.error == ErrorCode::NONE) AddDetails(services, asked, result);
    }
    return response;
  });
}

}  // namespace highwater::broker
