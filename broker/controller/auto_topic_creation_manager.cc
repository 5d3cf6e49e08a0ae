#include "broker/controller/auto_topic_creation_manager.h"

#include <absl/cleanup/cleanup.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "broker/client/broker_connection.h"
#include "broker/protocol/create_topics.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;

namespace {

std::vector<TopicResult> AllFail(const std::vector<std::string>& names, ErrorCode error,
                                 const std::string& why) {
  std::vector<TopicResult> results;
  for (const std::string& name : names) {
    results.push_back({.error = error, .message = why, .name = name});
  }
  return results;
}

}  // namespace

std::vector<TopicResult> AutoTopicCreationManager::CreateTopics(
    const std::vector<std::string>& names, core::MonotonicTime deadline) {
  std::vector<std::string> mine;
  for (const std::string& name : names) {
    if (under_way_.insert(name).second) mine.push_back(name);
  }
  // Also where the fiber is unwound.
  const absl::Cleanup over = [this, &mine] {
    for (const std::string& name : mine) under_way_.erase(name);
  };
  std::vector<TopicResult> asked = AskController(mine, deadline);
  std::vector<TopicResult> results =
      AllFail(names, ErrorCode::REQUEST_TIMED_OUT, "the topic is being made");
  for (TopicResult& result : results) {
    const auto answer = std::find_if(asked.begin(), asked.end(), [&](const TopicResult& candidate) {
      return candidate.name == result.name;
    });
    if (answer != asked.end()) result = std::move(*answer);
  }
  return results;
}

std::vector<TopicResult> AutoTopicCreationManager::AskController(
    const std::vector<std::string>& names, core::MonotonicTime deadline) {
  if (names.empty()) return {};
  const std::vector<BrokerAddress> brokers = view_.Brokers();
  const auto controller =
      std::find_if(brokers.begin(), brokers.end(), [&](const BrokerAddress& broker) {
        return broker.id == view_.controller_id() && broker.id != config_.broker_id;
      });
  if (controller == brokers.end()) {
    return AllFail(names, ErrorCode::NOT_CONTROLLER, "the controller is not known");
  }
  protocol::CreateTopicsRequest request;
  request.timeout_ms =
      static_cast<int32_t>(absl::ToInt64Milliseconds(deadline - env_.fibers.Now()));
  for (const std::string& name : names) {
    request.topics.push_back(
        {.name = name,
         .num_partitions = config_.num_partitions,
         .replication_factor = static_cast<int16_t>(config_.default_replication_factor)});
  }
  client::ClientConfig settings;
  settings.client_id = fmt::format("broker-{}-auto-topic-creation", config_.broker_id);
  settings.request_timeout = deadline - env_.fibers.Now();
  const auto connection =
      std::make_shared<client::BrokerConnection>(env_, settings, controller->endpoint, 1);
  auto response = connection->Call(request, deadline);
  connection->Close();
  if (!response.ok()) {
    return AllFail(names, ErrorCode::REQUEST_TIMED_OUT, std::string(response.status().message()));
  }
  std::vector<TopicResult> results;
  for (auto& topic : response->topics) {
    results.push_back({.error = topic.error_code,
                       .message = topic.error_message.value_or(""),
                       .name = std::move(topic.name),
                       .id = topic.topic_id});
  }
  return results;
}

}  // namespace highwater::broker::controller
