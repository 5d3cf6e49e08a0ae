#include "broker/controller/partition_state_machine.h"

#include <absl/algorithm/container.h>

#include <utility>

#include "core/check.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;

absl::Status PartitionStateMachine::Startup() {
  ControllerContext& context = parts_.context;
  for (auto& [name, topic] : context.topics) {
    for (auto& [index, partition] : topic.partitions) {
      if (!partition.leadership) {
        partition.state = PartitionState::kNew;
      } else {
        const BrokerId leader = partition.leadership->leader_and_isr.leader;
        const TopicPartition id{name, index};
        parts_.SetState(id, partition,
                        context.IsReplicaOnline(id, leader) ? PartitionState::kOnline
                                                            : PartitionState::kOffline);
      }
    }
  }
  return TriggerOnline();
}

absl::Status PartitionStateMachine::TriggerOnline() {
  std::vector<TopicPartition> waiting;
  for (TopicPartition& id :
       parts_.context.PartitionsIn({PartitionState::kNew, PartitionState::kOffline})) {
    if (!parts_.context.IsQueuedForDeletion(id.topic)) waiting.push_back(std::move(id));
  }
  return ToOnline(waiting, ElectionKind::kOffline).status();
}

void PartitionStateMachine::Change(const std::vector<TopicPartition>& partitions,
                                   PartitionState to) {
  HW_CHECK(to != PartitionState::kOnline, "an election takes a partition online");
  for (const TopicPartition& id : partitions) {
    PartitionContext* partition = parts_.context.Find(id);
    if (partition != nullptr && MayBecome(partition->state, to)) {
      parts_.SetState(id, *partition, to);
    }
  }
}

absl::StatusOr<PartitionStateMachine::Results> PartitionStateMachine::ToOnline(
    const std::vector<TopicPartition>& partitions, ElectionKind kind) {
  Results results;
  std::vector<TopicPartition> first;
  std::vector<TopicPartition> next;
  for (const TopicPartition& id : partitions) {
    const PartitionContext* partition = parts_.context.Find(id);
    if (partition == nullptr || !MayBecome(partition->state, PartitionState::kOnline)) {
      results[id] = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
      continue;
    }
    (partition->state == PartitionState::kNew ? first : next).push_back(id);
  }
  HW_RETURN_IF_ERROR(MakeFirstLeaders(first, results));
  HW_RETURN_IF_ERROR(Elect(std::move(next), kind, results));
  parts_.SendBatch();
  return results;
}

namespace {

// [Z41] The znode is there because an earlier try was applied and its answer lost: what stands in
// it is this controller's own decision, and `state` becomes it. Kafka 3.2.3 takes it for somebody
// else's, and the partition has no leader until the next controller reads it.
absl::StatusOr<bool> ReadOwn(ControllerParts& parts, const TopicPartition& id,
                             LeaderIsrAndControllerEpoch& state) {
  HW_ASSIGN_OR_RETURN(const auto stored, parts.zk.GetStates({id}));
  if (!stored[0].ok() || stored[0]->controller_epoch != parts.context.epoch) return false;
  HW_MARK("first_leader_already_applied");
  state = *stored[0];
  return true;
}

}  // namespace

// [C23]
absl::Status PartitionStateMachine::MakeFirstLeaders(const std::vector<TopicPartition>& partitions,
                                                     Results& results) {
  zk::KafkaZkClient::PartitionStates states;
  for (const TopicPartition& id : partitions) {
    const PartitionContext& partition = *parts_.context.Find(id);
    LeaderAndIsr state;
    for (const BrokerId replica : partition.assignment.replicas) {
      if (parts_.context.IsReplicaOnline(id, replica)) state.isr.push_back(replica);
    }
    if (state.isr.empty()) {
      results[id] = ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE;
      continue;
    }
    state.leader = state.isr.front();
    states.emplace_back(id, LeaderIsrAndControllerEpoch{.leader_and_isr = std::move(state),
                                                        .controller_epoch = parts_.context.epoch});
  }
  if (states.empty()) return absl::OkStatus();
  HW_ASSIGN_OR_RETURN(const auto created, parts_.zk.CreateStates(states, parts_.context.fence));
  for (size_t i = 0; i < states.size(); ++i) {
    auto& [id, state] = states[i];
    HW_ASSIGN_OR_RETURN(const bool made, created[i].ok() ? true : ReadOwn(parts_, id, state));
    if (!made) {
      // Somebody has made it: the next election reads it.
      HW_MARK("first_leader_already_made");
      results[id] = ErrorCode::UNKNOWN_SERVER_ERROR;
      continue;
    }
    PartitionContext* partition = parts_.context.Find(id);
    if (partition == nullptr) continue;
    const std::vector<BrokerId> isr = state.leader_and_isr.isr;
    parts_.Report(id, state, ControllerParts::Cause::kOther);
    partition->leadership = std::move(state);
    partition->state = PartitionState::kOnline;
    results[id] = ErrorCode::NONE;
    parts_.batch.AddLeaderAndIsr(parts_.context, isr, id, IsNew::kYes);
  }
  return absl::OkStatus();
}

ElectionFacts PartitionStateMachine::FactsOf(const TopicPartition& id,
                                             const PartitionContext& partition,
                                             const LeaderAndIsr& state) const {
  const ControllerContext& context = parts_.context;
  ElectionFacts facts{.state = state,
                      .replicas = partition.assignment.replicas,
                      .target = partition.assignment.Target(),
                      .min_insync_replicas = parts_.MinInsync(id.topic)};
  for (const BrokerId replica : facts.replicas) {
    if (context.IsReplicaOnline(id, replica)) facts.live.push_back(replica);
    const bool on_offline_directory = context.on_offline_directory.contains({id, replica});
    if (context.IsLiveOrShuttingDown(replica) && !on_offline_directory) {
      facts.live_or_shutting_down.push_back(replica);
    }
    if (context.shutting_down.contains(replica)) facts.shutting_down.push_back(replica);
  }
  return facts;
}

Elected PartitionStateMachine::Decide(const TopicPartition& id, const PartitionContext& partition,
                                      const LeaderAndIsr& state, ElectionKind kind) const {
  ElectionFacts facts = FactsOf(id, partition, state);
  switch (kind) {
    case ElectionKind::kOffline:
      facts.unclean_allowed = parts_.AllowsUnclean(id.topic);
      return parts_.rules.elect_offline(facts);
    case ElectionKind::kUncleanOffline:
      facts.unclean_allowed = true;
      return parts_.rules.elect_offline(facts);
    case ElectionKind::kReassigned:
      return parts_.rules.elect_reassigned(facts);
    case ElectionKind::kPreferred:
      return parts_.rules.elect_preferred(facts);
    case ElectionKind::kAtShutdown:
      return parts_.rules.elect_at_shutdown(facts);
  }
  HW_UNREACHABLE();
}

void PartitionStateMachine::WentOnline(const TopicPartition& id,
                                       const std::vector<BrokerId>& recipients) {
  if (PartitionContext* partition = parts_.context.Find(id); partition != nullptr) {
    parts_.SetState(id, *partition, PartitionState::kOnline);
    parts_.batch.AddLeaderAndIsr(parts_.context, recipients, id, IsNew::kNo);
  }
}

// [C30], [C31] Until each is done or has failed.
absl::Status PartitionStateMachine::Elect(std::vector<TopicPartition> partitions, ElectionKind kind,
                                          Results& results) {
  while (!partitions.empty()) {
    HW_ASSIGN_OR_RETURN(const auto states, parts_.zk.GetStates(partitions));
    std::vector<ControllerParts::Change> changes;
    std::vector<std::vector<BrokerId>> recipients;
    for (size_t i = 0; i < partitions.size(); ++i) {
      const TopicPartition& id = partitions[i];
      PartitionContext* partition = parts_.context.Find(id);
      if (partition == nullptr || !states[i].ok()) {
        results[id] = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        continue;
      }
      if (parts_.rules.written_by_newer_controller(states[i]->controller_epoch,
                                                   parts_.context.epoch)) {
        HW_MARK("election_fenced_by_newer_state");
        results[id] = ErrorCode::NOT_CONTROLLER;
        continue;
      }
      const LeaderAndIsr& state = states[i]->leader_and_isr;
      Elected elected = Decide(id, *partition, state, kind);
      if (elected.error != ErrorCode::NONE) {
        results[id] = elected.error;
        continue;
      }
      if (kind == ElectionKind::kReassigned) {
        elected.state = parts_.rules.limited_to(elected.state, partition->assignment.replicas);
      }
      if (kind == ElectionKind::kAtShutdown) {
        elected.state.eligible =
            parts_.rules.eligible_after(state, elected.state.isr, parts_.MinInsync(id.topic));
        elected.state.unclean = UncleanAfter(state, elected.state.eligible);
      }
      const bool vouched = zk::Contains(state.isr, elected.state.leader) ||
                           zk::Contains(state.eligible, elected.state.leader);
      const bool suspect = zk::Contains(state.unclean, elected.state.leader);
      changes.push_back({.partition = id,
                         .next = std::move(elected.state),
                         .cause = vouched && !suspect ? ControllerParts::Cause::kOther
                                                      : ControllerParts::Cause::kUncleanElection});
      recipients.push_back(std::move(elected.recipients));
    }
    partitions.clear();
    if (changes.empty()) break;
    HW_ASSIGN_OR_RETURN(const auto written, parts_.Write(changes));
    for (size_t i = 0; i < changes.size(); ++i) {
      const TopicPartition& id = changes[i].partition;
      if (absl::IsFailedPrecondition(written[i])) {
        HW_MARK("election_retried");
        partitions.push_back(id);
        continue;
      }
      results[id] = written[i].ok() ? ErrorCode::NONE : ErrorCode::UNKNOWN_SERVER_ERROR;
      if (written[i].ok()) WentOnline(id, recipients[i]);
    }
  }
  return absl::OkStatus();
}

absl::Status PartitionStateMachine::ElectByLogEnds(
    const std::map<TopicPartition, std::map<BrokerId, LogEnd>>& ends) {
  std::vector<TopicPartition> waiting;
  for (const auto& [id, known] : ends) {
    const PartitionContext* partition = parts_.context.Find(id);
    if (partition != nullptr && MayBecome(partition->state, PartitionState::kOnline)) {
      waiting.push_back(id);
    }
  }
  std::vector<TopicPartition> ordinary;
  while (!waiting.empty()) {
    HW_ASSIGN_OR_RETURN(const auto states, parts_.zk.GetStates(waiting));
    std::vector<ControllerParts::Change> changes;
    std::vector<std::vector<BrokerId>> recipients;
    for (size_t i = 0; i < waiting.size(); ++i) {
      const TopicPartition& id = waiting[i];
      const PartitionContext* partition = parts_.context.Find(id);
      if (partition == nullptr || !states[i].ok()) continue;
      if (parts_.rules.written_by_newer_controller(states[i]->controller_epoch,
                                                   parts_.context.epoch)) {
        continue;
      }
      // What was compared must still be what has to be compared.
      const LeaderAndIsr& state = states[i]->leader_and_isr;
      const auto compared = ReplicasToCompare(state, partition->assignment.replicas);
      const auto& known = ends.at(id);
      if (compared.empty()) ordinary.push_back(id);
      if (compared.empty() ||
          !absl::c_all_of(compared, [&](BrokerId replica) { return known.contains(replica); })) {
        continue;
      }
      Elected elected = ElectByLogEnd(FactsOf(id, *partition, state), known);
      if (elected.error != ErrorCode::NONE) continue;
      changes.push_back({.partition = id, .next = std::move(elected.state)});
      recipients.push_back(std::move(elected.recipients));
    }
    waiting.clear();
    if (changes.empty()) break;
    HW_ASSIGN_OR_RETURN(const auto written, parts_.Write(changes));
    for (size_t i = 0; i < changes.size(); ++i) {
      const TopicPartition& id = changes[i].partition;
      if (written[i].ok()) WentOnline(id, recipients[i]);
      if (absl::IsFailedPrecondition(written[i])) waiting.push_back(id);
    }
  }
  // [Z41] Nothing has to be compared any more: an earlier write was applied and its answer lost.
  return ToOnline(ordinary, ElectionKind::kOffline).status();  // sends all that was collected
}

}  // namespace highwater::broker::controller
