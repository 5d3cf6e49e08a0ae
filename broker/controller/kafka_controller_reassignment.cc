// The part of KafkaController about reassignments (KIP-455) [C90]-[C95].

#include <algorithm>
#include <utility>

#include "broker/controller/kafka_controller.h"
#include "broker/controller/kafka_controller_asking.h"
#include "broker/controller/kafka_controller_impl.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;

namespace {

std::vector<PartitionReplica> On(const TopicPartition& id, const std::vector<BrokerId>& brokers) {
  std::vector<PartitionReplica> replicas;
  for (const BrokerId broker : brokers) replicas.push_back({id, broker});
  return replicas;
}

std::vector<int32_t> ToNumbers(const std::vector<BrokerId>& ids) {
  std::vector<int32_t> numbers;
  for (const BrokerId id : ids) numbers.push_back(id.value());
  return numbers;
}

}  // namespace

// ---- Requests.

std::optional<protocol::AlterPartitionReassignmentsResponse> KafkaController::AlterReassignments(
    protocol::AlterPartitionReassignmentsRequest request, core::MonotonicTime deadline) {
  protocol::AlterPartitionReassignmentsResponse moved;
  moved.error_code = ErrorCode::NOT_CONTROLLER;
  return Ask<protocol::AlterPartitionReassignmentsResponse>(
      "ApiPartitionReassignment", deadline,
      [this, request = std::move(request), moved] {
        if (!IsActive()) return moved;
        auto response = ProcessAlterReassignments(request);
        if (response.ok()) return *std::move(response);
        Handle(response.status());
        return moved;
      },
      moved);
}

std::optional<protocol::ListPartitionReassignmentsResponse> KafkaController::ListReassignments(
    protocol::ListPartitionReassignmentsRequest request, core::MonotonicTime deadline) {
  protocol::ListPartitionReassignmentsResponse moved;
  moved.error_code = ErrorCode::NOT_CONTROLLER;
  return Ask<protocol::ListPartitionReassignmentsResponse>(
      "ListPartitionReassignments", deadline,
      [this, request = std::move(request), moved] {
        return IsActive() ? ProcessListReassignments(request) : moved;
      },
      moved);
}

absl::StatusOr<protocol::AlterPartitionReassignmentsResponse>
KafkaController::ProcessAlterReassignments(
    const protocol::AlterPartitionReassignmentsRequest& request) {
  protocol::AlterPartitionReassignmentsResponse response;
  response.error_message = std::nullopt;
  for (const auto& topic : request.topics) {
    auto& answers = response.responses.emplace_back();
    answers.name = topic.name;
    for (const auto& entry : topic.partitions) {
      const TopicPartition id{topic.name, PartitionIndex(entry.partition_index)};
      std::optional<std::vector<BrokerId>> target;
      if (entry.replicas) {
        target.emplace();
        for (const int32_t replica : *entry.replicas) target->emplace_back(replica);
      }
      // The latest one wins, also over the znode's.
      HW_RETURN_IF_ERROR(RemoveFromReassignmentZnode(id));
      HW_ASSIGN_OR_RETURN(const ReassignResult result, TryReassign(id, target));
      auto& answer = answers.partitions.emplace_back();
      answer.partition_index = entry.partition_index;
      answer.error_code = result.error;
      answer.error_message = std::nullopt;
      if (!result.message.empty()) answer.error_message = result.message;
    }
  }
  return response;
}

protocol::ListPartitionReassignmentsResponse KafkaController::ProcessListReassignments(
    const protocol::ListPartitionReassignmentsRequest& request) {
  protocol::ListPartitionReassignmentsResponse response;
  response.error_message = std::nullopt;
  std::set<TopicPartition> asked = parts_.context.being_reassigned;
  if (request.topics) {
    asked.clear();
    for (const auto& topic : *request.topics) {
      for (const int32_t index : topic.partition_indexes) {
        asked.insert({topic.name, PartitionIndex(index)});
      }
    }
  }
  for (const TopicPartition& id : asked) {
    const PartitionContext* partition = parts_.context.Find(id);
    if (partition == nullptr || !partition->assignment.IsBeingReassigned()) continue;
    if (response.topics.empty() || response.topics.back().name != id.topic) {
      response.topics.emplace_back().name = id.topic;
    }
    auto& entry = response.topics.back().partitions.emplace_back();
    entry.partition_index = id.partition.value();
    entry.replicas = ToNumbers(partition->assignment.replicas);
    entry.adding_replicas = ToNumbers(partition->assignment.adding);
    entry.removing_replicas = ToNumbers(partition->assignment.removing);
  }
  return response;
}

// [C90] Checks it and begins it. Null: cancel.
absl::StatusOr<KafkaController::ReassignResult> KafkaController::TryReassign(
    const TopicPartition& id, const std::optional<std::vector<BrokerId>>& target) {
  const ControllerContext& context = parts_.context;
  const PartitionContext* partition = context.Find(id);
  if (partition == nullptr) {
    return ReassignResult{ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "the partition does not exist"};
  }
  if (context.IsQueuedForDeletion(id.topic)) {
    return ReassignResult{ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "the topic is being deleted"};
  }
  const ReplicaAssignment& current = partition->assignment;
  const auto refuse = [](std::string why) {
    return ReassignResult{ErrorCode::INVALID_REPLICA_ASSIGNMENT, std::move(why)};
  };
  const auto drops_too_many = [&](const ReplicaAssignment& next) {
    if (!partition->leadership || zk::Without(current.replicas, next.replicas).empty())
      return false;
    const LeaderAndIsr& state = partition->leadership->leader_and_isr;
    if (rules_.may_drop_others(state, next.replicas, parts_.MinInsync(id.topic))) return false;
    HW_MARK("reassignment_would_drop_the_in_sync");
    return true;
  };
  if (!target) {
    if (!current.IsBeingReassigned()) return ReassignResult{ErrorCode::NO_REASSIGNMENT_IN_PROGRESS};
    const ReplicaAssignment back = current.ReassignTo(current.Origin());
    if (drops_too_many(back)) return refuse("too few of the former replicas are in sync");
    HW_RETURN_IF_ERROR(Reassign(id, back));
    return ReassignResult{};
  }
  std::vector<BrokerId> sorted = *target;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.empty()) return refuse("the replica list must not be empty");
  if (sorted.front().value() < 0) return refuse("a broker id is negative");
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    return refuse("a broker is named twice");
  }
  const ReplicaAssignment next = current.ReassignTo(*target);
  for (const BrokerId added : next.adding) {
    if (!context.IsLive(added)) return refuse(fmt::format("broker {} is not alive", added));
  }
  if (drops_too_many(next)) return refuse("too few of the replicas that stay are in sync");
  HW_RETURN_IF_ERROR(Reassign(id, next));
  return ReassignResult{};
}

// [Z11] What the old admin command asks for.
absl::Status KafkaController::ProcessReassignmentZnode() {
  HW_RETURN_IF_ERROR(zk_.Exists(zk::kReassignPartitionsPath).status());
  auto asked = zk_.GetReassignments();
  if (absl::IsDataLoss(asked.status())) {
    return zk_.SetOrDeleteReassignments({}, parts_.context.fence);
  }
  HW_RETURN_IF_ERROR(asked.status());
  for (const auto& [id, target] : *asked) {
    const PartitionContext* partition = parts_.context.Find(id);
    const bool under_way = partition != nullptr && partition->assignment.Target() == target &&
                           partition->assignment.IsBeingReassigned();
    if (under_way) continue;
    HW_ASSIGN_OR_RETURN(const ReassignResult result, TryReassign(id, target));
    if (result.error != ErrorCode::NONE) HW_RETURN_IF_ERROR(RemoveFromReassignmentZnode(id));
  }
  return absl::OkStatus();
}

absl::Status KafkaController::RemoveFromReassignmentZnode(const TopicPartition& id) {
  auto asked = zk_.GetReassignments();
  HW_RETURN_IF_ERROR(asked.status());
  if (asked->erase(id) == 0) return absl::OkStatus();
  HW_RETURN_IF_ERROR(zk_.SetOrDeleteReassignments(*asked, parts_.context.fence));
  return zk_.Exists(zk::kReassignPartitionsPath).status();  // sets the watch again
}

absl::Status KafkaController::ResumeReassignments(
    absl::AnyInvocable<bool(const TopicPartition&, const ReplicaAssignment&)> which) {
  const std::set<TopicPartition> all = parts_.context.being_reassigned;
  for (const TopicPartition& id : all) {
    const PartitionContext* partition = parts_.context.Find(id);
    if (partition == nullptr || !which(id, partition->assignment)) continue;
    const ReplicaAssignment assignment = partition->assignment;
    HW_RETURN_IF_ERROR(Reassign(id, assignment));
  }
  return absl::OkStatus();
}

// ---- The steps.

// [C92] Begins, goes on with, or finishes the reassignment `to`. Safe to repeat from any point:
// what is done stands in ZooKeeper or is done again.
absl::Status KafkaController::Reassign(const TopicPartition& id, const ReplicaAssignment& to) {
  // While a reassignment is under way its topic is not deleted.
  deletions_.MarkIneligible({id.topic});
  HW_RETURN_IF_ERROR(UpdateReassignment(id, to));
  HW_ASSIGN_OR_RETURN(const bool complete, IsComplete(id, to));
  if (complete) return FinishReassignment(id, to);
  HW_RETURN_IF_ERROR(BumpEpochAndSend(id, to.replicas));
  return replicas_.Change(On(id, to.adding), ReplicaState::kNew);
}

absl::Status KafkaController::UpdateReassignment(const TopicPartition& id,
                                                 const ReplicaAssignment& to) {
  PartitionContext& partition = *parts_.context.Find(id);
  const ReplicaAssignment before = partition.assignment;
  if (before != to) {
    HW_RETURN_IF_ERROR(WriteAssignment(id, to));
    partition.assignment = to;
    // What the reassignment before had begun to add may be wanted no more.
    const auto unneeded = zk::Without(before.replicas, to.replicas);
    if (!unneeded.empty()) {
      HW_MARK("reassignment_cancelled");
      // [W15] Those would ignore a stop of the epoch that they have.
      if (rules_.moves_epoch_before_cancel()) HW_RETURN_IF_ERROR(BumpEpochAndSend(id, to.replicas));
      HW_RETURN_IF_ERROR(StopRemoved(id, unneeded));
    }
  }
  parts_.context.being_reassigned.insert(id);
  const std::string path = zk::StatePath(id);
  if (!path_handlers_.contains(path)) {
    auto handler = std::make_unique<PathHandler>(path, [this, id] {
      PutIfActive("PartitionReassignmentIsrChange",
                  [this, id] { return ProcessReassignmentIsrChange(id); });
    });
    zk_.client().RegisterZNodeChangeHandler(*handler);
    path_handlers_[path] = std::move(handler);
  }
  return absl::OkStatus();
}

// [C91]
absl::StatusOr<bool> KafkaController::IsComplete(const TopicPartition& id,
                                                 const ReplicaAssignment& assignment) {
  if (!assignment.IsBeingReassigned()) return true;
  const TopicPartition wanted[] = {id};
  HW_ASSIGN_OR_RETURN(const auto states, zk_.GetStates(wanted));
  if (!states.front().ok()) return false;
  const LeaderAndIsr& state = states.front()->leader_and_isr;
  for (const BrokerId replica : assignment.Target()) {
    if (!zk::Contains(state.isr, replica) || zk::Contains(state.unclean, replica)) return false;
  }
  return true;
}

// [C95]
absl::Status KafkaController::ProcessReassignmentIsrChange(const TopicPartition& id) {
  if (!parts_.context.being_reassigned.contains(id)) return absl::OkStatus();
  const PartitionContext* partition = parts_.context.Find(id);
  if (partition == nullptr) return absl::OkStatus();
  const ReplicaAssignment assignment = partition->assignment;
  HW_ASSIGN_OR_RETURN(const bool complete, IsComplete(id, assignment));
  return complete ? FinishReassignment(id, assignment) : absl::OkStatus();
}

// [C93]
absl::Status KafkaController::FinishReassignment(const TopicPartition& id,
                                                 const ReplicaAssignment& from) {
  HW_RETURN_IF_ERROR(replicas_.Change(On(id, from.adding), ReplicaState::kOnline));
  const ReplicaAssignment done{.replicas = from.Target()};
  parts_.context.Find(id)->assignment = done;
  HW_RETURN_IF_ERROR(MoveLeaderIfRequired(id, done));
  HW_RETURN_IF_ERROR(StopRemoved(id, from.removing));
  HW_RETURN_IF_ERROR(WriteAssignment(id, done));
  Unwatch(zk::StatePath(id));
  parts_.context.being_reassigned.erase(id);
  HW_RETURN_IF_ERROR(RemoveFromReassignmentZnode(id));
  SendMetadata(parts_.context.LiveOrShuttingDownBrokers(), {id});
  return deletions_.Resume({id.topic});
}

absl::Status KafkaController::MoveLeaderIfRequired(const TopicPartition& id,
                                                   const ReplicaAssignment& to) {
  const PartitionContext& partition = *parts_.context.Find(id);
  if (!partition.leadership) return absl::OkStatus();
  const BrokerId leader = partition.leadership->leader_and_isr.leader;
  if (zk::Contains(to.replicas, leader) && parts_.context.IsReplicaOnline(id, leader)) {
    // So that the leader forgets the replicas that go.
    return BumpEpochAndSend(id, to.replicas);
  }
  return partitions_.ToOnline({id}, ElectionKind::kReassigned).status();
}

absl::Status KafkaController::BumpEpochAndSend(const TopicPartition& id,
                                               const std::vector<BrokerId>& to) {
  const TopicPartition wanted[] = {id};
  for (;;) {
    HW_ASSIGN_OR_RETURN(const auto states, zk_.GetStates(wanted));
    if (!states.front().ok() || rules_.written_by_newer_controller(states.front()->controller_epoch,
                                                                   parts_.context.epoch)) {
      return absl::OkStatus();
    }
    LeaderAndIsr next = rules_.limited_to(states.front()->leader_and_isr, to);
    HW_ASSIGN_OR_RETURN(const auto written, parts_.Write({{id, std::move(next)}}));
    if (absl::IsFailedPrecondition(written.front())) continue;
    if (!written.front().ok()) return absl::OkStatus();
    parts_.batch.AddLeaderAndIsr(parts_.context, to, id, IsNew::kNo);
    parts_.SendBatch();
    return absl::OkStatus();
  }
}

absl::Status KafkaController::StopRemoved(const TopicPartition& id,
                                          const std::vector<BrokerId>& removed) {
  const auto replicas = On(id, removed);
  for (const ReplicaState state : {ReplicaState::kOffline, ReplicaState::kDeletionStarted,
                                   ReplicaState::kDeletionSuccessful, ReplicaState::kNonExistent}) {
    HW_RETURN_IF_ERROR(replicas_.Change(replicas, state));
  }
  return absl::OkStatus();
}

absl::Status KafkaController::WriteAssignment(const TopicPartition& id,
                                              const ReplicaAssignment& assignment) {
  const TopicContext& topic = parts_.context.topics.find(id.topic)->second;
  zk::TopicZnode znode{.id = topic.id};
  for (const auto& [index, partition] : topic.partitions) {
    znode.partitions[index] = index == id.partition ? assignment : partition.assignment;
  }
  return zk_.SetTopic(id.topic, znode, parts_.context.fence);
}

}  // namespace highwater::broker::controller
