#pragma once

// The names of files and directories of a log, exactly as Kafka lays them out [L1].

#include <optional>
#include <string>
#include <string_view>

#include "broker/protocol/uuid.h"
#include "broker/types.h"

namespace highwater::broker::storage {

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kOffsetIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";
inline constexpr std::string_view kTransactionIndexSuffix = ".txnindex";
inline constexpr std::string_view kProducerSnapshotSuffix = ".snapshot";
inline constexpr std::string_view kDeletedSuffix = ".deleted";
inline constexpr std::string_view kCleanedSuffix = ".cleaned";
inline constexpr std::string_view kSwapSuffix = ".swap";

inline constexpr std::string_view kLeaderEpochCheckpoint = "leader-epoch-checkpoint";
inline constexpr std::string_view kPartitionMetadata = "partition.metadata";
inline constexpr std::string_view kRecoveryPointCheckpoint = "recovery-point-offset-checkpoint";
inline constexpr std::string_view kHighWatermarkCheckpoint = "replication-offset-checkpoint";
inline constexpr std::string_view kLogStartCheckpoint = "log-start-offset-checkpoint";
inline constexpr std::string_view kCleanShutdownMarker = ".kafka_cleanshutdown";
inline constexpr std::string_view kMetaProperties = "meta.properties";
inline constexpr std::string_view kDirectoryLock = ".lock";

// "00000000000000000042.log"
[[nodiscard]] std::string FileNameOf(Offset base, std::string_view suffix);
// The offset of a name made by FileNameOf with this suffix; nullopt for any other name.
[[nodiscard]] std::optional<Offset> OffsetOfFileName(std::string_view name,
                                                     std::string_view suffix);

// "orders-0"
[[nodiscard]] std::string DirectoryNameOf(const TopicPartition& partition);
// The partition of a live log's directory; nullopt for any other name (also "...-delete" and
// "...-future").
[[nodiscard]] std::optional<TopicPartition> PartitionOfDirectoryName(std::string_view name);
// [R9] "orders-0.<32 hex digits>-delete", the topic cut so that the name fits 255 bytes.
[[nodiscard]] std::string DeleteDirectoryNameOf(const TopicPartition& partition,
                                                const protocol::Uuid& unique);
[[nodiscard]] bool IsDeleteDirectoryName(std::string_view name);

}  // namespace highwater::broker::storage
