// The part of KafkaController that answers requests of brokers: AlterPartition, ControlledShutdown,
// AllocateProducerIds; and the waiting for an answer that all requests share.

#include <limits>
#include <memory>
#include <utility>

#include "broker/controller/kafka_controller.h"
#include "broker/controller/kafka_controller_asking.h"
#include "broker/controller/kafka_controller_impl.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;

namespace {

std::vector<BrokerId> ToBrokers(const std::vector<int32_t>& numbers) {
  std::vector<BrokerId> ids;
  for (const int32_t number : numbers) ids.emplace_back(number);
  return ids;
}

std::vector<int32_t> ToNumbers(const std::vector<BrokerId>& ids) {
  std::vector<int32_t> numbers;
  for (const BrokerId id : ids) numbers.push_back(id.value());
  return numbers;
}

constexpr int64_t kProducerIdBlockSize = 1000;

}  // namespace

std::optional<absl::Status> KafkaController::RunActive(const char* name,
                                                       core::MonotonicTime deadline,
                                                       absl::AnyInvocable<absl::Status()> work) {
  const absl::Status moved = absl::AbortedError("this broker is not the controller");
  return Ask<absl::Status>(
      name, deadline,
      [this, moved, work = std::move(work)]() mutable {
        if (!IsActive()) return moved;
        const absl::Status status = work();
        Handle(status);
        return status;
      },
      moved);
}

// ---- AlterPartition.

struct KafkaController::IsrChange {
  using Answer = protocol::AlterPartitionResponse::PartitionData;
  TopicPartition partition;
  LeaderIsrAndControllerEpoch wanted;
  Answer* answer;

  void Succeed(const LeaderAndIsr& state) const {
    answer->leader_id = state.leader.value();
    answer->leader_epoch = state.leader_epoch.value();
    answer->isr = ToNumbers(state.isr);
    answer->leader_recovery_state = static_cast<int8_t>(state.recovery);
    answer->partition_epoch = state.partition_epoch.value();
    answer->eligible_replicas = ToNumbers(state.eligible);
  }
};

std::optional<protocol::AlterPartitionResponse> KafkaController::AlterPartition(
    protocol::AlterPartitionRequest request, core::MonotonicTime deadline) {
  // [W17] Kafka lets the sender run into its time-out.
  std::optional<protocol::AlterPartitionResponse> preempted;
  if (rules_.answers_dropped_requests()) {
    preempted.emplace().error_code = ErrorCode::NOT_CONTROLLER;
  }
  return Ask<protocol::AlterPartitionResponse>(
      "AlterPartitionReceived", deadline,
      [this, request = std::move(request)] { return ProcessAlterPartition(request); },
      std::move(preempted));
}

// [C70]-[C75]
protocol::AlterPartitionResponse KafkaController::ProcessAlterPartition(
    const protocol::AlterPartitionRequest& request) {
  protocol::AlterPartitionResponse response;
  const ControllerContext& context = parts_.context;
  const BrokerId requester(request.broker_id);
  if (!IsActive()) {
    response.error_code = ErrorCode::NOT_CONTROLLER;
    return response;
  }
  const auto broker = context.brokers.find(requester);
  if (broker == context.brokers.end() || broker->second.epoch.value() != request.broker_epoch) {
    HW_MARK("alter_partition_of_a_stale_broker");
    response.error_code = ErrorCode::STALE_BROKER_EPOCH;
    return response;
  }
  response.topics.reserve(request.topics.size());
  std::vector<IsrChange> changes;
  for (const auto& topic : request.topics) {
    auto& answers = response.topics.emplace_back();
    answers.name = topic.name;
    answers.partitions.reserve(topic.partitions.size());  // their addresses stay
    for (const auto& proposal : topic.partitions) {
      auto& answer = answers.partitions.emplace_back();
      answer.partition_index = proposal.partition_index;
      const TopicPartition id{topic.name, PartitionIndex(proposal.partition_index)};
      const PartitionContext* partition = context.Find(id);
      if (partition == nullptr || !partition->leadership || context.IsQueuedForDeletion(id.topic)) {
        answer.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        continue;
      }
      const LeaderAndIsr& known = partition->leadership->leader_and_isr;
      LeaderAndIsr proposed{
          .leader = requester,
          .leader_epoch = LeaderEpoch(proposal.leader_epoch),
          .isr = ToBrokers(proposal.new_isr),
          .recovery = static_cast<zk::LeaderRecoveryState>(proposal.leader_recovery_state),
          .partition_epoch = PartitionEpoch(proposal.partition_epoch)};
      const AlterPartitionVerdict verdict =
          rules_.check_alter_partition({.requester = requester,
                                        .proposed = proposed,
                                        .known = known,
                                        .replicas = partition->assignment.replicas,
                                        .live = context.LiveBrokers()});
      answer.error_code = verdict.error;
      if (verdict.error != ErrorCode::NONE) continue;
      if (!verdict.already_so) {
        proposed.eligible =
            rules_.eligible_after(known, proposed.isr, parts_.MinInsync(topic.name));
        proposed.unclean = UncleanAfter(known, proposed.eligible);
      }
      const LeaderAndIsr& result = verdict.already_so ? known : proposed;
      IsrChange change{id, {.leader_and_isr = result, .controller_epoch = context.epoch}, &answer};
      if (verdict.already_so) {
        change.Succeed(known);
      } else {
        changes.push_back(std::move(change));
      }
    }
  }
  const absl::Status status = WriteIsrChanges(changes);
  if (!status.ok()) {
    // [C4] The loop goes on: the watch, or the next write, tells that the role is over.
    response.topics.clear();
    response.error_code = ErrorCode::UNKNOWN_SERVER_ERROR;
    if (zk::IsControllerMoved(status) && rules_.answers_dropped_requests()) {
      response.error_code = ErrorCode::NOT_CONTROLLER;
    }
    Handle(status);
  }
  return response;
}

// [C72]
absl::Status KafkaController::WriteIsrChanges(std::vector<IsrChange>& changes) {
  if (changes.empty()) return absl::OkStatus();
  zk::KafkaZkClient::PartitionStates states;
  for (const IsrChange& change : changes) states.emplace_back(change.partition, change.wanted);
  HW_ASSIGN_OR_RETURN(const auto written, zk_.UpdateStates(states, parts_.context.fence));
  std::vector<TopicPartition> done;
  for (size_t i = 0; i < changes.size(); ++i) {
    IsrChange& change = changes[i];
    if (written[i].ok()) {
      change.wanted.leader_and_isr.partition_epoch = *written[i];
    } else {
      change.answer->error_code = ErrorCode::INVALID_UPDATE_VERSION;
      if (!absl::IsFailedPrecondition(written[i].status()) || !rules_.rereads_after_conflict()) {
        continue;
      }
      const TopicPartition wanted[] = {change.partition};
      HW_ASSIGN_OR_RETURN(const auto stored, zk_.GetStates(wanted));
      if (!stored.front().ok()) continue;
      if (!rules_.was_applied(*stored.front(), change.wanted)) {
        parts_.Remember(change.partition, *stored.front());
        continue;
      }
      HW_MARK("alter_partition_was_applied");
      change.wanted = *stored.front();
      change.answer->error_code = ErrorCode::NONE;
    }
    change.Succeed(change.wanted.leader_and_isr);
    parts_.Report(change.partition, change.wanted, ControllerParts::Cause::kOther);
    parts_.Remember(change.partition, change.wanted);
    done.push_back(change.partition);
  }
  // [C73] The leader learns by the answer, everybody else here.
  if (!done.empty()) SendMetadata(parts_.context.LiveOrShuttingDownBrokers(), done);
  for (const TopicPartition& id : done) {
    if (!parts_.context.being_reassigned.contains(id)) continue;
    PutIfActive("PartitionReassignmentIsrChange",
                [this, id] { return ProcessReassignmentIsrChange(id); });
  }
  return absl::OkStatus();
}

// ---- ControlledShutdown.

std::optional<protocol::ControlledShutdownResponse> KafkaController::ControlledShutdown(
    protocol::ControlledShutdownRequest request, core::MonotonicTime deadline) {
  protocol::ControlledShutdownResponse moved;
  moved.error_code = ErrorCode::NOT_CONTROLLER;
  return Ask<protocol::ControlledShutdownResponse>(
      "ControlledShutdown", deadline,
      [this, request, moved] {
        if (!IsActive()) return moved;
        auto response = ProcessControlledShutdown(request);
        if (response.ok()) return *std::move(response);
        Handle(response.status());
        protocol::ControlledShutdownResponse failed;
        failed.error_code = zk::IsControllerMoved(response.status())
                                ? ErrorCode::NOT_CONTROLLER
                                : ErrorCode::UNKNOWN_SERVER_ERROR;
        return failed;
      },
      moved);
}

// [C80]-[C83]
absl::StatusOr<protocol::ControlledShutdownResponse> KafkaController::ProcessControlledShutdown(
    const protocol::ControlledShutdownRequest& request) {
  protocol::ControlledShutdownResponse response;
  ControllerContext& context = parts_.context;
  const BrokerId id(request.broker_id);
  const auto broker = context.brokers.find(id);
  if (broker == context.brokers.end()) {
    response.error_code = ErrorCode::BROKER_NOT_AVAILABLE;
    return response;
  }
  if (request.broker_epoch != -1 && request.broker_epoch < broker->second.epoch.value()) {
    response.error_code = ErrorCode::STALE_BROKER_EPOCH;
    return response;
  }
  context.shutting_down.insert(id);
  std::vector<TopicPartition> led;
  std::vector<PartitionReplica> followed;
  for (const PartitionReplica& replica : context.ReplicasOn({id})) {
    const PartitionContext& partition = *context.Find(replica.partition);
    if (partition.assignment.replicas.size() < 2 || !partition.leadership) continue;
    if (context.IsQueuedForDeletion(replica.partition.topic)) continue;
    if (partition.leadership->leader_and_isr.leader == id) {
      led.push_back(replica.partition);
    } else {
      followed.push_back(replica);
    }
  }
  HW_RETURN_IF_ERROR(partitions_.ToOnline(led, ElectionKind::kAtShutdown).status());
  // [W9] It leaves the ISR first; the stop then carries the epoch of that, which it heeds.
  HW_RETURN_IF_ERROR(replicas_.Change(followed, ReplicaState::kOffline));
  for (const TopicPartition& partition : led) {
    const PartitionContext* now = context.Find(partition);
    if (now == nullptr || !now->leadership) continue;
    if (now->leadership->leader_and_isr.leader != id) continue;
    response.remaining_partitions.push_back(
        {.topic_name = partition.topic, .partition_index = partition.partition.value()});
  }
  return response;
}

// ---- AllocateProducerIds.

std::optional<protocol::AllocateProducerIdsResponse> KafkaController::AllocateProducerIds(
    protocol::AllocateProducerIdsRequest request, core::MonotonicTime deadline) {
  protocol::AllocateProducerIdsResponse moved;
  moved.error_code = ErrorCode::NOT_CONTROLLER;
  std::optional<protocol::AllocateProducerIdsResponse> preempted;
  if (rules_.answers_dropped_requests()) preempted = moved;
  return Ask<protocol::AllocateProducerIdsResponse>(
      "AllocateProducerIds", deadline,
      [this, request, moved] {
        if (!IsActive()) return moved;
        auto response = ProcessAllocateProducerIds(request);
        if (response.ok()) return *std::move(response);
        Handle(response.status());
        protocol::AllocateProducerIdsResponse failed;
        failed.error_code = zk::IsControllerMoved(response.status())
                                ? ErrorCode::NOT_CONTROLLER
                                : ErrorCode::UNKNOWN_SERVER_ERROR;
        return failed;
      },
      std::move(preempted));
}

// [C113]
absl::StatusOr<protocol::AllocateProducerIdsResponse> KafkaController::ProcessAllocateProducerIds(
    const protocol::AllocateProducerIdsRequest& request) {
  protocol::AllocateProducerIdsResponse response;
  const BrokerId id(request.broker_id);
  const auto broker = parts_.context.brokers.find(id);
  if (broker == parts_.context.brokers.end()) {
    response.error_code = ErrorCode::BROKER_ID_NOT_REGISTERED;
    return response;
  }
  if (broker->second.epoch.value() != request.broker_epoch) {
    response.error_code = ErrorCode::STALE_BROKER_EPOCH;
    return response;
  }
  for (;;) {
    HW_ASSIGN_OR_RETURN(const auto last, zk_.GetProducerIdBlock());
    const int64_t used = last.block ? last.block->last : -1;
    if (used > std::numeric_limits<int64_t>::max() - kProducerIdBlockSize) {
      response.error_code = ErrorCode::UNKNOWN_SERVER_ERROR;
      return response;
    }
    const zk::ProducerIdBlock block{
        .broker = id, .first = used + 1, .last = used + kProducerIdBlockSize};
    const absl::Status status = zk_.SetProducerIdBlock(block, last.version, parts_.context.fence);
    // [Z41] A block that was written by a try whose answer got lost is left unused.
    if (absl::IsFailedPrecondition(status)) continue;
    HW_RETURN_IF_ERROR(status);
    response.producer_id_start = block.first;
    response.producer_id_len = static_cast<int32_t>(kProducerIdBlockSize);
    return response;
  }
}

}  // namespace highwater::broker::controller
