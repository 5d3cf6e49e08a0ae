#pragma once

// The paths of Kafka's data in ZooKeeper, and what can be read from a path.
//
//   StatePath({"orders", PartitionIndex(3)})       // /brokers/topics/orders/partitions/3/state
//
// Follows [Z1]-[Z19], [Z23]. Not responsible for what stands in the znodes (zk_data.h).

#include <absl/types/span.h>

#include <optional>
#include <string>
#include <string_view>

#include "broker/types.h"

namespace highwater::broker::zk {

inline constexpr std::string_view kControllerPath = "/controller";
inline constexpr std::string_view kControllerEpochPath = "/controller_epoch";
inline constexpr std::string_view kBrokerIdsPath = "/brokers/ids";
inline constexpr std::string_view kTopicsPath = "/brokers/topics";
inline constexpr std::string_view kBrokerSequenceIdPath = "/brokers/seqid";
inline constexpr std::string_view kIsrChangesPath = "/isr_change_notification";
inline constexpr std::string_view kLogDirEventsPath = "/log_dir_event_notification";
inline constexpr std::string_view kDeleteTopicsPath = "/admin/delete_topics";
inline constexpr std::string_view kReassignPartitionsPath = "/admin/reassign_partitions";
inline constexpr std::string_view kPreferredElectionPath = "/admin/preferred_replica_election";
inline constexpr std::string_view kConfigChangesPath = "/config/changes";
inline constexpr std::string_view kProducerIdBlockPath = "/latest_producer_id_block";
inline constexpr std::string_view kFeaturePath = "/feature";
inline constexpr std::string_view kClusterIdPath = "/cluster/id";

// "1.0" of a config: the default of all entities of its kind [Z13].
inline constexpr std::string_view kDefaultEntity = "<default>";

// The kinds of entities that have a config [Z13].
enum class ConfigKind : uint8_t { kTopics, kBrokers, kClients, kUsers, kIps };
[[nodiscard]] std::string_view NameOf(ConfigKind kind);
[[nodiscard]] std::optional<ConfigKind> FindConfigKind(std::string_view name);

[[nodiscard]] std::string BrokerIdPath(BrokerId id);
[[nodiscard]] std::string TopicPath(std::string_view topic);
[[nodiscard]] std::string PartitionsPath(std::string_view topic);
[[nodiscard]] std::string PartitionPath(const TopicPartition& partition);
[[nodiscard]] std::string StatePath(const TopicPartition& partition);
[[nodiscard]] std::string DeleteTopicPath(std::string_view topic);
[[nodiscard]] std::string ConfigKindPath(ConfigKind kind);
[[nodiscard]] std::string ConfigPath(ConfigKind kind, std::string_view entity);
// The prefixes under which sequential notifications are made.
[[nodiscard]] std::string ConfigChangePrefix();
[[nodiscard]] std::string LogDirEventPrefix();
[[nodiscard]] std::string IsrChangePrefix();

// The number at the end of a sequential znode's name; nullopt if it has none.
[[nodiscard]] std::optional<int64_t> SequenceNumber(std::string_view name);
// A decimal number and nothing else.
[[nodiscard]] std::optional<int32_t> ParseId(std::string_view text);
// The partition whose state znode this is.
[[nodiscard]] std::optional<TopicPartition> ParseStatePath(std::string_view path);
// The last part of a path.
[[nodiscard]] std::string_view BaseName(std::string_view path);
// The path without its last part; "" of a path of one part.
[[nodiscard]] std::string_view ParentOf(std::string_view path);

// [Z23] The persistent znodes without data that every broker makes at start if they are missing,
// parents first.
[[nodiscard]] absl::Span<const std::string_view> BasePaths();

}  // namespace highwater::broker::zk
