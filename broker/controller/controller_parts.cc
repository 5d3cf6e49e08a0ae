#include "broker/controller/controller_parts.h"

#include "core/status_macros.h"

namespace highwater::broker::controller {

absl::StatusOr<std::vector<absl::Status>> ControllerParts::Write(std::vector<Change> changes) {
  zk::KafkaZkClient::PartitionStates states;
  for (const Change& change : changes) {
    LeaderIsrAndControllerEpoch state{.leader_and_isr = change.next,
                                      .controller_epoch = context.epoch};
    state.leader_and_isr.leader_epoch = rules.next_leader_epoch(change.next.leader_epoch);
    states.emplace_back(change.partition, std::move(state));
  }
  HW_ASSIGN_OR_RETURN(const auto written, zk.UpdateStates(states, context.fence));
  std::vector<absl::Status> results;
  for (size_t i = 0; i < changes.size(); ++i) {
    results.push_back(written[i].status());
    if (!written[i].ok()) continue;
    auto& [partition, state] = states[i];
    state.leader_and_isr.partition_epoch = *written[i];
    Report(partition, state, changes[i].cause);
    Remember(partition, std::move(state));
  }
  return results;
}

void ControllerParts::SetState(const TopicPartition& partition, PartitionContext& found,
                               PartitionState to) {
  const auto counts = [&](PartitionState state) {
    return state == PartitionState::kOffline && !context.IsQueuedForDeletion(partition.topic);
  };
  const bool offline = counts(to);
  // What a topic was before its deletion began is not known any more: it is taken back in any case.
  const bool was_offline = found.state == PartitionState::kOffline;
  found.state = to;
  if (offline != was_offline) observer.OnPartitionOffline(config.broker_id, partition, offline);
}

void ControllerParts::Report(const TopicPartition& partition,
                             const LeaderIsrAndControllerEpoch& state, Cause cause) {
  const LeaderAndIsr& value = state.leader_and_isr;
  const std::vector<BrokerId> live = context.LiveBrokers();
  observer.OnPartitionStateWritten(config.broker_id, {.partition = partition,
                                                      .controller_epoch = state.controller_epoch,
                                                      .leader = value.leader,
                                                      .leader_epoch = value.leader_epoch,
                                                      .isr = value.isr,
                                                      .partition_epoch = value.partition_epoch,
                                                      .unclean = cause == Cause::kUncleanElection,
                                                      .live = live,
                                                      .eligible = value.eligible,
                                                      .unclean_replicas = value.unclean});
}

}  // namespace highwater::broker::controller
