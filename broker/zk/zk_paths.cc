#include "broker/zk/zk_paths.h"

#include <fmt/format.h>

#include <charconv>

namespace highwater::broker::zk {

namespace {

constexpr std::string_view kKindNames[] = {"topics", "brokers", "clients", "users", "ips"};

constexpr std::string_view kBasePaths[] = {
    "/consumers",      kBrokerIdsPath,        kTopicsPath,       kConfigChangesPath,
    kDeleteTopicsPath, kBrokerSequenceIdPath, kIsrChangesPath,   kProducerIdBlockPath,
    kLogDirEventsPath, "/config/topics",      "/config/clients", "/config/users",
    "/config/brokers", "/config/ips",
};

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string_view NameOf(ConfigKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

std::optional<ConfigKind> FindConfigKind(std::string_view name) {
  for (size_t i = 0; i < std::size(kKindNames); ++i) {
    if (kKindNames[i] == name) return static_cast<ConfigKind>(i);
  }
  return std::nullopt;
}

std::string BrokerIdPath(BrokerId id) { return fmt::format("{}/{}", kBrokerIdsPath, id); }
std::string TopicPath(std::string_view topic) { return fmt::format("{}/{}", kTopicsPath, topic); }
std::string PartitionsPath(std::string_view topic) { return TopicPath(topic) + "/partitions"; }
std::string PartitionPath(const TopicPartition& partition) {
  return fmt::format("{}/{}", PartitionsPath(partition.topic), partition.partition);
}
std::string StatePath(const TopicPartition& partition) {
  return PartitionPath(partition) + "/state";
}
std::string DeleteTopicPath(std::string_view topic) {
  return fmt::format("{}/{}", kDeleteTopicsPath, topic);
}
std::string ConfigKindPath(ConfigKind kind) { return fmt::format("/config/{}", NameOf(kind)); }
std::string ConfigPath(ConfigKind kind, std::string_view entity) {
  return fmt::format("/config/{}/{}", NameOf(kind), entity);
}
std::string ConfigChangePrefix() { return fmt::format("{}/config_change_", kConfigChangesPath); }
std::string LogDirEventPrefix() { return fmt::format("{}/log_dir_event_", kLogDirEventsPath); }
std::string IsrChangePrefix() { return fmt::format("{}/isr_change_", kIsrChangesPath); }

std::optional<int64_t> SequenceNumber(std::string_view name) {
  const size_t underscore = name.rfind('_');
  if (underscore == std::string_view::npos) return std::nullopt;
  return ParseNumber<int64_t>(name.substr(underscore + 1));
}

std::optional<int32_t> ParseId(std::string_view text) { return ParseNumber<int32_t>(text); }

std::optional<TopicPartition> ParseStatePath(std::string_view path) {
  if (BaseName(path) != "state") return std::nullopt;
  const std::string_view partition = ParentOf(path);
  const std::string_view partitions = ParentOf(partition);
  const std::string_view topic = ParentOf(partitions);
  const auto index = ParseId(BaseName(partition));
  if (!index || BaseName(partitions) != "partitions" || ParentOf(topic) != kTopicsPath) {
    return std::nullopt;
  }
  return TopicPartition{std::string(BaseName(topic)), PartitionIndex(*index)};
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string_view ParentOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

absl::Span<const std::string_view> BasePaths() { return kBasePaths; }

}  // namespace highwater::broker::zk
