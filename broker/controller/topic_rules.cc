#include "broker/controller/topic_rules.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <algorithm>

namespace highwater::broker {

using protocol::ErrorCode;

namespace {

constexpr size_t kLongestName = 249;
// Far above any sensible topic, and what one request may not exceed in memory and files.
constexpr int32_t kMostPartitions = 100'000;

CheckedTopic Refuse(ErrorCode error, std::string message) {
  return {.error = error, .message = std::move(message)};
}

bool IsAlive(const ClusterFacts& cluster, BrokerId broker) {
  return std::find(cluster.brokers.begin(), cluster.brokers.end(), broker) != cluster.brokers.end();
}

// "" or what is wrong.
std::string WhyIllegalAssignment(const NewTopic& topic, const ClusterFacts& cluster) {
  int32_t expected = 0;
  const size_t replicas = topic.assignments.begin()->second.size();
  for (const auto& [index, brokers] : topic.assignments) {
    if (index != expected++) return "partitions should be a consecutive 0-based integer sequence";
    if (brokers.empty()) return "an assignment names no broker";
    if (brokers.size() != replicas) return "all partitions should have the same number of replicas";
    std::vector<BrokerId> sorted = brokers;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
      return "an assignment names a broker twice";
    }
    for (const BrokerId broker : sorted) {
      if (!IsAlive(cluster, broker)) return fmt::format("unknown broker {}", broker);
    }
  }
  return "";
}

CheckedTopic CheckPlacement(const NewTopic& topic, const ClusterFacts& cluster) {
  CheckedTopic result;
  TopicSettings& settings = result.settings;
  if (!topic.assignments.empty()) {
    if (topic.partitions != -1 || topic.replication_factor != -1) {
      return Refuse(ErrorCode::INVALID_REQUEST,
                    "both partitions or replication factor and an assignment were given; "
                    "both cannot be used at the same time");
    }
    if (std::string why = WhyIllegalAssignment(topic, cluster); !why.empty()) {
      return Refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why);
    }
    settings.partitions = static_cast<int32_t>(topic.assignments.size());
    settings.replication_factor = static_cast<int32_t>(topic.assignments.begin()->second.size());
    return result;
  }
  settings.partitions = topic.partitions == -1 ? cluster.default_partitions : topic.partitions;
  settings.replication_factor = topic.replication_factor == -1 ? cluster.default_replication_factor
                                                               : topic.replication_factor;
  if (settings.partitions < 1) {
    return Refuse(ErrorCode::INVALID_PARTITIONS, "number of partitions must be larger than 0");
  }
  if (settings.partitions > kMostPartitions) {
    return Refuse(ErrorCode::INVALID_PARTITIONS,
                  fmt::format("number of partitions must be at most {}", kMostPartitions));
  }
  if (settings.replication_factor < 1) {
    return Refuse(ErrorCode::INVALID_REPLICATION_FACTOR,
                  "replication factor must be larger than 0");
  }
  if (settings.replication_factor > static_cast<int32_t>(cluster.brokers.size())) {
    return Refuse(ErrorCode::INVALID_REPLICATION_FACTOR,
                  fmt::format("replication factor {} is larger than available brokers: {}",
                              settings.replication_factor, cluster.brokers.size()));
  }
  return result;
}

}  // namespace

std::string WhyIllegalTopicName(std::string_view name) {
  if (name.empty()) return "topic name is illegal, it can't be empty";
  if (name == "." || name == "..") return "topic name cannot be \".\" or \"..\"";
  if (name.size() > kLongestName) {
    return fmt::format("topic name is illegal, it can't be longer than {} characters",
                       kLongestName);
  }
  for (const char c : name) {
    const bool legal =
        absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
    if (!legal) {
      return "topic name is illegal, it contains a character other than ASCII alphanumerics, "
             "'.', '_' and '-'";
    }
  }
  return "";
}

bool TopicNamesCollide(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) { return (x == '.' ? '_' : x) == (y == '.' ? '_' : y); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

bool IsInternalTopic(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state";
}

CheckedTopic CheckNewTopic(const NewTopic& topic, const ClusterFacts& cluster) {
  if (std::string why = WhyIllegalTopicName(topic.name); !why.empty()) {
    return Refuse(ErrorCode::INVALID_TOPIC_EXCEPTION, why);
  }
  for (const std::string& existing : cluster.topics) {
    if (existing == topic.name) {
      return Refuse(ErrorCode::TOPIC_ALREADY_EXISTS,
                    fmt::format("topic '{}' already exists", topic.name));
    }
  }
  for (const std::string& existing : cluster.topics) {
    if (TopicNamesCollide(existing, topic.name)) {
      return Refuse(
          ErrorCode::INVALID_TOPIC_EXCEPTION,
          fmt::format("topic '{}' collides with existing topic '{}'", topic.name, existing));
    }
  }
  CheckedTopic result = CheckPlacement(topic, cluster);
  if (result.error != ErrorCode::NONE) return result;
  for (const auto& [name, value] : topic.configs) {
    if (!value.has_value()) {
      return Refuse(ErrorCode::INVALID_REQUEST,
                    fmt::format("null value not supported for topic configs: {}", name));
    }
    result.settings.overrides[name] = *value;
  }
  auto config = TopicConfig::Resolve(cluster.defaults, result.settings.overrides);
  if (!config.ok()) {
    return Refuse(ErrorCode::INVALID_CONFIG, std::string(config.status().message()));
  }
  result.settings.config = *std::move(config);
  return result;
}

}  // namespace highwater::broker
