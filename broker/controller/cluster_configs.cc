// The part of ClusterController about settings [Z13], [Z14]: any broker writes them.

#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "broker/controller/cluster_controller.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;

namespace {

constexpr int8_t kTopicResource = 2;

// IncrementalAlterConfigs' operations.
constexpr int8_t kSet = 0;
constexpr int8_t kDelete = 1;
constexpr int8_t kAppend = 2;
constexpr int8_t kSubtract = 3;

// Who always finds the settings changed meanwhile gives up after so many tries.
constexpr int kMostTriesToAlter = 20;

std::vector<std::string> Items(const std::string& list) {
  return absl::StrSplit(list, ',', absl::SkipWhitespace());
}

// "" or what is wrong. Lists grow and shrink from what the topic has, or would have by default.
std::string Apply(int8_t operation, const std::string& name,
                  const std::optional<std::string>& value, const std::string& standard,
                  zk::ConfigEntries& entries) {
  if (operation == kDelete) {
    entries.erase(name);
    return "";
  }
  if (!value) return fmt::format("null value not supported for {}", name);
  if (operation == kSet) {
    entries[name] = *value;
    return "";
  }
  if (operation != kAppend && operation != kSubtract) {
    return fmt::format("unknown operation {} for {}", operation, name);
  }
  const TopicConfigKey* key = FindTopicConfigKey(name);
  if (key == nullptr || key->key.type != ConfigType::kList) {
    return fmt::format("config value append or subtract is not allowed for {}", name);
  }
  const auto current = entries.find(name);
  std::vector<std::string> items = Items(current == entries.end() ? standard : current->second);
  for (const std::string& item : Items(*value)) {
    const auto found = std::find(items.begin(), items.end(), item);
    if (operation == kAppend && found == items.end()) items.push_back(item);
    if (operation == kSubtract && found != items.end()) items.erase(found);
  }
  entries[name] = absl::StrJoin(items, ",");
  return "";
}

template <typename Result>
void Answer(Result& result, ErrorCode error, const std::string& message) {
  result.error_code = error;
  result.error_message = std::nullopt;
  if (!message.empty()) result.error_message = message;
}

}  // namespace

ClusterController::Outcome ClusterController::CheckConfig(int8_t resource_type,
                                                          const std::string& name,
                                                          const zk::ConfigEntries& entries) {
  if (resource_type != kTopicResource) {
    return {ErrorCode::INVALID_REQUEST, "only settings of topics can be changed while it runs"};
  }
  if (view_.FindTopic(name) == nullptr) {
    return {ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            fmt::format("the topic '{}' does not exist", name)};
  }
  const auto resolved = TopicConfig::Resolve(config_.topic_defaults, entries);
  if (!resolved.ok()) {
    return {ErrorCode::INVALID_CONFIG, std::string(resolved.status().message())};
  }
  return {};
}

ClusterController::Outcome ClusterController::ConfigWritten(const std::string& name,
                                                            absl::Status status) {
  if (status.ok()) status = zk_.CreateConfigChange(zk::ConfigKind::kTopics, name);
  if (!status.ok()) return {ErrorCode::UNKNOWN_SERVER_ERROR, status.ToString()};
  return {};
}

protocol::AlterConfigsResponse ClusterController::AlterConfigs(
    const protocol::AlterConfigsRequest& request) {
  protocol::AlterConfigsResponse response;
  for (const auto& resource : request.resources) {
    auto& result = response.responses.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    zk::ConfigEntries entries;
    std::string wrong;
    for (const auto& config : resource.configs) {
      if (!config.value) wrong = fmt::format("null value not supported for {}", config.name);
      entries[config.name] = config.value.value_or("");
    }
    if (!wrong.empty()) {
      Answer(result, ErrorCode::INVALID_REQUEST, wrong);
      continue;
    }
    // Replaces all settings of the resource.
    const std::string& name = resource.resource_name;
    Outcome outcome = CheckConfig(resource.resource_type, name, entries);
    if (outcome.error == ErrorCode::NONE && !request.validate_only) {
      outcome = ConfigWritten(name, zk_.SetOrCreateConfig(zk::ConfigKind::kTopics, name, entries));
    }
    Answer(result, outcome.error, outcome.message);
  }
  return response;
}

// Two that change different settings at the same time must not undo each other: what was read is
// written back only if nobody wrote meanwhile. (Kafka 3.2.3 writes in any case.)
ClusterController::Outcome ClusterController::AlterIncrementally(
    const protocol::IncrementalAlterConfigsRequest::AlterConfigsResource& resource,
    bool validate_only) {
  const std::string& name = resource.resource_name;
  absl::Status status;
  for (int tries = 0; tries < kMostTriesToAlter; ++tries) {
    auto config = zk_.GetVersionedConfig(zk::ConfigKind::kTopics, name);
    if (!config.ok()) return {ErrorCode::UNKNOWN_SERVER_ERROR, config.status().ToString()};
    std::set<std::string> named;
    for (const auto& change : resource.configs) {
      if (!named.insert(change.name).second) {
        return {ErrorCode::INVALID_REQUEST, fmt::format("{} is named twice", change.name)};
      }
      const TopicConfigKey* key = FindTopicConfigKey(change.name);
      std::string standard;
      if (key != nullptr) {
        const auto effective = config_.effective.find(std::string(key->broker_name));
        if (effective != config_.effective.end()) standard = effective->second;
      }
      std::string wrong =
          Apply(change.config_operation, change.name, change.value, standard, config->entries);
      if (!wrong.empty()) return {ErrorCode::INVALID_REQUEST, std::move(wrong)};
    }
    Outcome checked = CheckConfig(resource.resource_type, name, config->entries);
    if (checked.error != ErrorCode::NONE || validate_only) return checked;
    status = zk_.SetConfigIf(zk::ConfigKind::kTopics, name, *config);
    if (!absl::IsFailedPrecondition(status)) break;
    HW_MARK("config_changed_meanwhile");
  }
  return ConfigWritten(name, status);
}

protocol::IncrementalAlterConfigsResponse ClusterController::IncrementalAlterConfigs(
    const protocol::IncrementalAlterConfigsRequest& request) {
  protocol::IncrementalAlterConfigsResponse response;
  for (const auto& resource : request.resources) {
    auto& result = response.responses.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    const Outcome outcome = AlterIncrementally(resource, request.validate_only);
    Answer(result, outcome.error, outcome.message);
  }
  return response;
}

}  // namespace highwater::broker::controller
