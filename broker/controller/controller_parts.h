#pragma once

// ControllerParts: what the controller's state machines share: its memory, the batch being
// collected, the channels, ZooKeeper, the rules.

#include <string>

#include "broker/controller/controller_channel_manager.h"
#include "broker/controller/controller_config.h"
#include "broker/controller/controller_context.h"
#include "broker/controller/controller_rules.h"
#include "broker/controller/request_batch.h"
#include "broker/observer.h"
#include "broker/zk/kafka_zk_client.h"
#include "core/environment.h"

namespace highwater::broker::controller {

struct ControllerParts {
  core::Environment& env;
  zk::KafkaZkClient& zk;
  const ControllerConfig& config;
  const ControllerRules& rules;
  Observer& observer;
  ControllerContext context;
  ControllerRequestBatch batch;
  ControllerChannelManager channels;

  // [C60] Queues what was collected. Never waits.
  void SendBatch() {
    for (Outgoing& request : batch.Build(context, config.broker_id, config.versions)) {
      channels.Send(std::move(request));
    }
  }

  [[nodiscard]] int32_t MinInsync(const std::string& topic) const {
    const auto found = context.topics.find(topic);
    return found == context.topics.end()
               ? config.min_insync_replicas
               : found->second.min_insync_replicas.value_or(config.min_insync_replicas);
  }
  [[nodiscard]] bool AllowsUnclean(const std::string& topic) const {
    const auto found = context.topics.find(topic);
    return found == context.topics.end() ? config.unclean_leader_election_enable
                                         : found->second.unclean_leader_election.value_or(
                                               config.unclean_leader_election_enable);
  }

  // Writes these states with the next leader epoch and this controller's epoch, fenced and each
  // conditional on its partition epoch [C31]; what was written stands in the context and is
  // reported. Gives a status for each: FailedPrecondition is a conflict, to be read again.
  enum class Cause : uint8_t { kOther, kUncleanElection };
  struct Change {
    TopicPartition partition;
    LeaderAndIsr next;  // with the leader epoch before
    Cause cause = Cause::kOther;
  };
  [[nodiscard]] absl::StatusOr<std::vector<absl::Status>> Write(std::vector<Change> changes);

  // Remembers what a znode says.
  void Remember(const TopicPartition& partition, LeaderIsrAndControllerEpoch leadership) {
    PartitionContext* found = context.Find(partition);
    if (found != nullptr) found->leadership = std::move(leadership);
  }
  void Report(const TopicPartition& partition, const LeaderIsrAndControllerEpoch& state,
              Cause cause);
  // Changes the state of a partition of the context and says so where it means that the partition
  // went offline or came back. A topic that is being deleted is missed by nobody.
  void SetState(const TopicPartition& partition, PartitionContext& found, PartitionState to);
};

}  // namespace highwater::broker::controller
