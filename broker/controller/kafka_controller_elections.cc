// The part of KafkaController about elections that somebody asks for: an admin, a znode, the timer.

#include <utility>

#include "broker/controller/kafka_controller.h"
#include "broker/controller/kafka_controller_asking.h"
#include "broker/controller/kafka_controller_impl.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;

std::optional<protocol::ElectLeadersResponse> KafkaController::ElectLeaders(
    protocol::ElectLeadersRequest request, core::MonotonicTime deadline) {
  protocol::ElectLeadersResponse moved;
  moved.error_code = ErrorCode::NOT_CONTROLLER;
  return Ask<protocol::ElectLeadersResponse>(
      "ReplicaLeaderElection", deadline,
      [this, request = std::move(request), moved] {
        if (!IsActive()) return moved;
        auto response = ProcessElectLeaders(request);
        if (response.ok()) return *std::move(response);
        Handle(response.status());
        return moved;
      },
      moved);
}

absl::StatusOr<protocol::ElectLeadersResponse> KafkaController::ProcessElectLeaders(
    const protocol::ElectLeadersRequest& request) {
  const bool unclean = request.election_type == 1;
  std::vector<TopicPartition> partitions;
  if (request.topic_partitions) {
    for (const auto& topic : *request.topic_partitions) {
      for (const int32_t index : topic.partitions) {
        partitions.push_back({topic.topic, PartitionIndex(index)});
      }
    }
  } else {
    partitions = parts_.context.AllPartitions();
  }
  HW_ASSIGN_OR_RETURN(
      const auto results,
      ElectAsked(partitions, unclean ? ElectionKind::kUncleanOffline : ElectionKind::kPreferred));
  protocol::ElectLeadersResponse response;
  for (const auto& [id, error] : results) {
    // Who asks for all does not want to hear of those that need nothing.
    if (!request.topic_partitions && error == ErrorCode::ELECTION_NOT_NEEDED) continue;
    auto& topics = response.replica_election_results;
    if (topics.empty() || topics.back().topic != id.topic) topics.emplace_back().topic = id.topic;
    auto& entry = topics.back().partition_result.emplace_back();
    entry.partition_id = id.partition.value();
    entry.error_code = error;
    entry.error_message = std::nullopt;
  }
  return response;
}

absl::StatusOr<PartitionStateMachine::Results> KafkaController::ElectAsked(
    const std::vector<TopicPartition>& partitions, ElectionKind kind) {
  const ControllerContext& context = parts_.context;
  PartitionStateMachine::Results results;
  std::vector<TopicPartition> electable;
  for (const TopicPartition& id : partitions) {
    const PartitionContext* partition = context.Find(id);
    if (partition == nullptr) {
      results[id] = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
      continue;
    }
    if (context.IsQueuedForDeletion(id.topic)) {
      results[id] = ErrorCode::INVALID_TOPIC_EXCEPTION;
      continue;
    }
    const BrokerId leader =
        partition->leadership ? partition->leadership->leader_and_isr.leader : kNoBroker;
    const bool needed =
        kind == ElectionKind::kPreferred
            ? partition->assignment.replicas.empty() ||
                  leader != partition->assignment.replicas.front()
            // A partition with a leader has nothing to gain from an unclean election.
            : !context.IsReplicaOnline(id, leader);
    if (needed) {
      electable.push_back(id);
    } else {
      results[id] = ErrorCode::ELECTION_NOT_NEEDED;
    }
  }
  HW_ASSIGN_OR_RETURN(const auto elected, partitions_.ToOnline(electable, kind));
  for (const auto& [id, error] : elected) results[id] = error;
  return results;
}

absl::Status KafkaController::ProcessPreferredElectionZnode() {
  HW_RETURN_IF_ERROR(zk_.Exists(zk::kPreferredElectionPath).status());
  const auto asked = zk_.GetPreferredElection();
  if (absl::IsDataLoss(asked.status())) {
    return zk_.DeletePreferredElection(parts_.context.fence);
  }
  HW_RETURN_IF_ERROR(asked.status());
  if (asked->empty()) return absl::OkStatus();
  HW_RETURN_IF_ERROR(ElectAsked(*asked, ElectionKind::kPreferred).status());
  HW_RETURN_IF_ERROR(zk_.DeletePreferredElection(parts_.context.fence));
  return zk_.Exists(zk::kPreferredElectionPath).status();  // sets the watch again
}

// [C110]
absl::Status KafkaController::ProcessAutoRebalance() {
  const ControllerContext& context = parts_.context;
  if (!context.being_reassigned.empty()) return absl::OkStatus();
  std::map<BrokerId, std::vector<TopicPartition>> preferred;
  std::map<BrokerId, std::vector<TopicPartition>> not_led;
  for (const TopicPartition& id : context.AllPartitions()) {
    const PartitionContext& partition = *context.Find(id);
    if (context.IsQueuedForDeletion(id.topic) || partition.assignment.replicas.empty()) continue;
    const BrokerId first = partition.assignment.replicas.front();
    preferred[first].push_back(id);
    if (!partition.leadership || partition.leadership->leader_and_isr.leader == first) continue;
    not_led[first].push_back(id);
  }
  for (const auto& [broker, partitions] : not_led) {
    const size_t percent = partitions.size() * 100 / preferred[broker].size();
    if (percent <= static_cast<size_t>(config_.leader_imbalance_per_broker_percentage)) continue;
    std::vector<TopicPartition> candidates;
    for (const TopicPartition& id : partitions) {
      const bool in_sync = zk::Contains(context.Find(id)->leadership->leader_and_isr.isr, broker);
      if (in_sync && context.IsReplicaOnline(id, broker)) candidates.push_back(id);
    }
    if (candidates.empty()) continue;
    HW_MARK("leaders_rebalanced");
    HW_RETURN_IF_ERROR(partitions_.ToOnline(candidates, ElectionKind::kPreferred).status());
  }
  return absl::OkStatus();
}

}  // namespace highwater::broker::controller
