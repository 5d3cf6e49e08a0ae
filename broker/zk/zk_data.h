#pragma once

// ZkData: the text of Kafka's znodes, to values and back.
//
//   EncodeControllerZnode({BrokerId(1), 1700000000000})
//       // {"version":1,"brokerid":1,"timestamp":"1700000000000"}
//   HW_ASSIGN_OR_RETURN(TopicZnode topic, DecodeTopicZnode(data));
//
// Encoding is exact: [Z1]-[Z17], [Z30]; one form for one value, byte for byte. Decoding takes any
// order of keys, ignores unknown ones and reads older versions; what is missing or of another type
// is an error, with the znode's kind in the message.
//
// Not responsible for versions of znodes and where they stand (zk_paths.h).

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/protocol/uuid.h"
#include "broker/types.h"
#include "broker/zk/broker_registration.h"
#include "broker/zk/leader_and_isr.h"
#include "broker/zk/replica_assignment.h"

namespace highwater::broker::zk {

// [Z1]
struct ControllerZnode {
  BrokerId broker;
  int64_t timestamp_ms = 0;
  friend bool operator==(const ControllerZnode&, const ControllerZnode&) = default;
};
[[nodiscard]] std::string EncodeControllerZnode(const ControllerZnode& controller);
[[nodiscard]] absl::StatusOr<ControllerZnode> DecodeControllerZnode(std::string_view text);

// [Z2] Plain decimal text.
[[nodiscard]] std::string EncodeControllerEpoch(ControllerEpoch epoch);
[[nodiscard]] absl::StatusOr<ControllerEpoch> DecodeControllerEpoch(std::string_view text);

// [Z3], [Z30] Version 5. Id and epoch are not in the text.
[[nodiscard]] std::string EncodeBrokerRegistration(const BrokerRegistration& broker);
[[nodiscard]] absl::StatusOr<BrokerRegistration> DecodeBrokerRegistration(BrokerId id,
                                                                          BrokerEpoch epoch,
                                                                          std::string_view text);

// [Z4] Without an id: a topic from before IBP 2.8.
struct TopicZnode {
  protocol::Uuid id;
  std::map<PartitionIndex, ReplicaAssignment> partitions;
  friend bool operator==(const TopicZnode&, const TopicZnode&) = default;
};
[[nodiscard]] std::string EncodeTopicZnode(const TopicZnode& topic);
[[nodiscard]] absl::StatusOr<TopicZnode> DecodeTopicZnode(std::string_view text);

// [Z7]
[[nodiscard]] std::string EncodeState(const LeaderIsrAndControllerEpoch& state);
[[nodiscard]] absl::StatusOr<LeaderIsrAndControllerEpoch> DecodeState(
    std::string_view text, PartitionEpoch partition_epoch);

// [Z8], [Z12] A list of partitions.
[[nodiscard]] std::string EncodePartitions(absl::Span<const TopicPartition> partitions);
[[nodiscard]] absl::StatusOr<std::vector<TopicPartition>> DecodePartitions(std::string_view text);

// [Z9]
[[nodiscard]] std::string EncodeLogDirEvent(BrokerId broker);
[[nodiscard]] absl::StatusOr<BrokerId> DecodeLogDirEvent(std::string_view text);

// [Z11]
using Reassignments = std::map<TopicPartition, std::vector<BrokerId>>;
[[nodiscard]] std::string EncodeReassignments(const Reassignments& reassignments);
[[nodiscard]] absl::StatusOr<Reassignments> DecodeReassignments(std::string_view text);

// [Z13]
using ConfigEntries = std::map<std::string, std::string>;
[[nodiscard]] std::string EncodeConfig(const ConfigEntries& entries);
[[nodiscard]] absl::StatusOr<ConfigEntries> DecodeConfig(std::string_view text);

// [Z14] "topics/orders"
[[nodiscard]] std::string EncodeConfigChange(std::string_view entity_path);
[[nodiscard]] absl::StatusOr<std::string> DecodeConfigChange(std::string_view text);

// [Z15] Both ends are inclusive.
struct ProducerIdBlock {
  BrokerId broker;
  int64_t first = 0;
  int64_t last = -1;
  friend bool operator==(const ProducerIdBlock&, const ProducerIdBlock&) = default;
};
[[nodiscard]] std::string EncodeProducerIdBlock(const ProducerIdBlock& block);
[[nodiscard]] absl::StatusOr<ProducerIdBlock> DecodeProducerIdBlock(std::string_view text);

// [Z16] Without features: the only ones that Kafka 3.2 has in this mode.
[[nodiscard]] std::string EncodeFeature();

// [Z17]
[[nodiscard]] std::string EncodeClusterId(std::string_view id);
[[nodiscard]] absl::StatusOr<std::string> DecodeClusterId(std::string_view text);

}  // namespace highwater::broker::zk
