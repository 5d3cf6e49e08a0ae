#pragma once

// ControllerRequestBatch: the LeaderAndIsr, UpdateMetadata and StopReplica requests that one step
// of the controller sends, collected and built. Pure.
//
//   ControllerRequestBatch batch;
//   batch.AddLeaderAndIsr(context, {BrokerId(2)}, partition, IsNew::kNo);
//   for (Outgoing& request : batch.Build(context, config)) channels.Send(std::move(request));
//
// Follows [C60], [C62]-[C64], [C66].
//
// Invariants:
//   1. To each broker: LeaderAndIsr, then UpdateMetadata, then StopReplica; at most one of each.
//   2. Every partition that goes into a LeaderAndIsr goes into the UpdateMetadata to all brokers.
//   3. What a request says is what the context says when it is built, but for the epoch of a stop,
//      which is the one that it was added with.

#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "broker/controller/controller_context.h"
#include "broker/protocol/leader_and_isr.h"
#include "broker/protocol/offset_for_leader_epoch.h"
#include "broker/protocol/stop_replica.h"
#include "broker/protocol/update_metadata.h"
#include "broker/types.h"

namespace highwater::broker::controller {

enum class IsNew : uint8_t { kNo, kYes };
enum class DeletePartition : uint8_t { kNo, kYes };

// [C66] What inter.broker.protocol.version allows.
struct InterBrokerVersions {
  int16_t leader_and_isr = 6;
  int16_t update_metadata = 7;
  int16_t stop_replica = 3;
};

using ControllerRequest =
    std::variant<protocol::LeaderAndIsrRequest, protocol::UpdateMetadataRequest,
                 protocol::StopReplicaRequest, protocol::OffsetForLeaderEpochRequest>;

struct Outgoing {
  BrokerId to;
  BrokerEpoch to_epoch;
  ControllerRequest request;
  int16_t version = 0;
};

// [C64] In place of a leader epoch.
inline constexpr LeaderEpoch kEpochDuringDelete{-2};

class ControllerRequestBatch {
 public:
  [[nodiscard]] bool empty() const {
    return leader_and_isr_.empty() && metadata_brokers_.empty() && stop_replica_.empty();
  }

  // REQUIRES: the partition has leadership.
  void AddLeaderAndIsr(const ControllerContext& context, const std::vector<BrokerId>& brokers,
                       const TopicPartition& partition, IsNew is_new);
  // Live brokers, and these partitions.
  void AddUpdateMetadata(const std::vector<BrokerId>& brokers,
                         const std::vector<TopicPartition>& partitions);
  // [C64] `epoch` nullopt: the context's at this moment.
  void AddStopReplica(const ControllerContext& context, const std::vector<BrokerId>& brokers,
                      const TopicPartition& partition, DeletePartition delete_partition,
                      std::optional<LeaderEpoch> epoch = std::nullopt);

  // The requests in the order of sending; the batch is empty afterwards.
  [[nodiscard]] std::vector<Outgoing> Build(const ControllerContext& context, BrokerId controller,
                                            const InterBrokerVersions& versions);

 private:
  struct Stop {
    LeaderEpoch epoch;
    bool delete_partition = false;
  };

  std::map<BrokerId, std::map<TopicPartition, IsNew>> leader_and_isr_;
  std::set<BrokerId> metadata_brokers_;
  std::set<TopicPartition> metadata_partitions_;
  std::map<BrokerId, std::map<TopicPartition, Stop>> stop_replica_;
};

// [W1] Asks a broker for the end of its logs, leader or not: an OffsetForLeaderEpoch v4 of a
// debugging replica (-2) for the greatest epoch that there is. The broker answers with the epoch of
// its last record and its log end offset. Kafka's own brokers answer with an error, which counts as
// silence.
inline constexpr int32_t kAskingReplica = -2;
inline constexpr int32_t kLastEpochOfLog = 0x7fffffff;
[[nodiscard]] protocol::OffsetForLeaderEpochRequest AskForLogEnds(
    const std::vector<TopicPartition>& partitions);

}  // namespace highwater::broker::controller
