#pragma once

// The small text files beside and inside logs: offset checkpoints, the leader-epoch checkpoint,
// partition.metadata and meta.properties [K6, K7, K16, L1]. Pure: text to values and back; the
// callers read, and write by core::WriteFileAtomically.
//
// Anything that Kafka would not have written is an error (InvalidArgument) that names the line.

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <string>
#include <string_view>
#include <vector>

#include "broker/protocol/uuid.h"
#include "broker/storage/leader_epoch_cache.h"
#include "broker/types.h"

namespace highwater::broker::storage {

struct OffsetCheckpointEntry {
  TopicPartition partition;
  Offset offset;
  friend bool operator==(const OffsetCheckpointEntry&, const OffsetCheckpointEntry&) = default;
};

[[nodiscard]] std::string PrintOffsetCheckpoint(absl::Span<const OffsetCheckpointEntry> entries);
[[nodiscard]] absl::StatusOr<std::vector<OffsetCheckpointEntry>> ParseOffsetCheckpoint(
    std::string_view text);

[[nodiscard]] std::string PrintEpochCheckpoint(absl::Span<const EpochEntry> entries);
[[nodiscard]] absl::StatusOr<std::vector<EpochEntry>> ParseEpochCheckpoint(std::string_view text);

// "version: 0\ntopic_id: <22 characters>"
[[nodiscard]] std::string PrintPartitionMetadata(const protocol::Uuid& topic_id);
[[nodiscard]] absl::StatusOr<protocol::Uuid> ParsePartitionMetadata(std::string_view text);

struct MetaProperties {
  BrokerId broker_id = kNoBroker;
  std::string cluster_id;  // "" if absent
  friend bool operator==(const MetaProperties&, const MetaProperties&) = default;
};
[[nodiscard]] std::string PrintMetaProperties(const MetaProperties& properties);
[[nodiscard]] absl::StatusOr<MetaProperties> ParseMetaProperties(std::string_view text);

}  // namespace highwater::broker::storage
