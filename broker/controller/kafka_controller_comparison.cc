// The part of KafkaController about the last replica standing [W1]: who came back unclean leaves
// the ISRs, and where nobody clean is left the ends of all logs are compared.

#include <utility>

#include "broker/controller/kafka_controller.h"
#include "broker/controller/kafka_controller_impl.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;

namespace {

// Until a comparison that could not be finished is taken up again.
constexpr absl::Duration kComparisonBackoff = absl::Milliseconds(500);

}  // namespace

absl::Status KafkaController::HandleUncleanStarts(
    const std::map<BrokerId, zk::BrokerRegistration>& brokers) {
  for (const auto& [id, broker] : brokers) {
    if (!rules_.may_have_lost_records(broker)) continue;
    HW_MARK("unclean_start_handled");
    std::vector<TopicPartition> partitions;
    for (const PartitionReplica& replica : parts_.context.ReplicasOn({id})) {
      // Nobody is elected for what is being deleted; and a replica that has deleted it already
      // would make it anew on hearing of the change, to find the next topic of that name in its
      // way.
      if (parts_.context.IsQueuedForDeletion(replica.partition.topic)) continue;
      if (parts_.context.Find(replica.partition)->leadership) {
        partitions.push_back(replica.partition);
      }
    }
    HW_RETURN_IF_ERROR(TakeFromIsrs(id, std::move(partitions)));
  }
  return absl::OkStatus();
}

// Also where it is not in the ISR the epoch moves: a leader that still counts what the process
// before had fetched may be about to propose it (KIP-903), and its proposal names the old epoch.
absl::Status KafkaController::TakeFromIsrs(BrokerId broker,
                                           std::vector<TopicPartition> partitions) {
  std::vector<TopicPartition> changed = partitions;
  while (!partitions.empty()) {
    HW_ASSIGN_OR_RETURN(const auto states, zk_.GetStates(partitions));
    std::vector<ControllerParts::Change> changes;
    for (size_t i = 0; i < partitions.size(); ++i) {
      if (!states[i].ok()) continue;
      if (rules_.written_by_newer_controller(states[i]->controller_epoch, parts_.context.epoch)) {
        return absl::AbortedError("a newer controller has written a partition's state");
      }
      changes.push_back(
          {partitions[i], rules_.after_unclean_start(states[i]->leader_and_isr, broker,
                                                     parts_.MinInsync(partitions[i].topic))});
    }
    partitions.clear();
    if (changes.empty()) break;
    HW_ASSIGN_OR_RETURN(const auto written, parts_.Write(changes));
    for (size_t i = 0; i < changes.size(); ++i) {
      if (absl::IsFailedPrecondition(written[i])) partitions.push_back(changes[i].partition);
    }
  }
  for (const TopicPartition& id : changed) {
    PartitionContext* partition = parts_.context.Find(id);
    if (partition == nullptr || !partition->leadership) continue;
    if (partition->leadership->leader_and_isr.leader == kNoBroker) {
      partitions_.Change({id}, PartitionState::kOffline);
    }
    // The broker itself hears of it when it is started up.
    parts_.batch.AddLeaderAndIsr(
        parts_.context, zk::Without(partition->assignment.replicas, {broker}), id, IsNew::kNo);
  }
  parts_.SendBatch();
  return absl::OkStatus();
}

// Whose logs have to be compared is asked as soon as all of them are back; whoever then leads is
// written for all partitions at once.
absl::Status KafkaController::CompareLogs() {
  const ControllerContext& context = parts_.context;
  for (const TopicPartition& id : comparisons_.Partitions()) {
    if (Compared(id).empty()) comparisons_.Forget(id);
  }
  std::map<BrokerId, std::vector<TopicPartition>> asked;
  for (const TopicPartition& id : context.PartitionsIn({PartitionState::kOffline})) {
    const std::vector<BrokerId> compared = Compared(id);
    if (compared.empty()) continue;
    bool all_back = true;
    for (const BrokerId replica : compared) {
      all_back = all_back && context.IsReplicaOnline(id, replica);
    }
    if (!all_back) continue;
    for (const BrokerId broker : comparisons_.Ask(id, compared, context.brokers)) {
      asked[broker].push_back(id);
    }
  }
  for (const auto& [broker, partitions] : asked) {
    HW_MARK("log_ends_asked");
    parts_.channels.Send({.to = broker,
                          .to_epoch = context.brokers.at(broker).epoch,
                          .request = AskForLogEnds(partitions),
                          .version = protocol::OffsetForLeaderEpochRequest::kHighestVersion});
  }
  return ElectCompared(comparisons_.Partitions());
}

// As far as the controller remembers; the election reads it again. Empty: nothing is to be
// compared.
std::vector<BrokerId> KafkaController::Compared(const TopicPartition& id) const {
  const PartitionContext* partition = parts_.context.Find(id);
  if (partition == nullptr || partition->state != PartitionState::kOffline ||
      !partition->leadership || parts_.context.IsQueuedForDeletion(id.topic)) {
    return {};
  }
  return ReplicasToCompare(partition->leadership->leader_and_isr, partition->assignment.replicas);
}

absl::Status KafkaController::OnLogEnds(BrokerId broker, BrokerEpoch epoch,
                                        const protocol::OffsetForLeaderEpochResponse& response) {
  std::vector<TopicPartition> answered;
  for (const auto& topic : response.topics) {
    for (const auto& entry : topic.partitions) {
      const TopicPartition id{topic.topic, PartitionIndex(entry.partition)};
      // It has no such log: its disk was replaced, and it holds nothing.
      const bool has_none = entry.error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
      if (!has_none && (entry.error_code != ErrorCode::NONE || entry.end_offset < 0)) {
        HW_MARK("log_end_refused");
        comparisons_.Refused(id, broker);
        CompareLogsLater();
        continue;
      }
      LogEnd end;
      if (!has_none) end = {LeaderEpoch(entry.leader_epoch), Offset(entry.end_offset)};
      comparisons_.Answered(id, broker, epoch, end);
      answered.push_back(id);
    }
  }
  return ElectCompared(answered);
}

// Elects for those of `partitions` whose ends are all known. What then still has no leader — the
// session ended, somebody else had written — is tried again after a while: perhaps nothing else
// ever happens that would make the controller look.
absl::Status KafkaController::ElectCompared(const std::vector<TopicPartition>& partitions) {
  std::map<TopicPartition, LogComparisons::LogEnds> known;
  for (const TopicPartition& id : partitions) {
    const std::vector<BrokerId> compared = Compared(id);
    if (compared.empty()) continue;
    if (auto ends = comparisons_.EndsOf(id, compared, parts_.context.brokers)) {
      known[id] = *std::move(ends);
    }
  }
  if (known.empty()) return absl::OkStatus();
  const absl::Status status = partitions_.ElectByLogEnds(known);
  bool left = false;
  for (const auto& [id, ends] : known) {
    const PartitionContext* partition = parts_.context.Find(id);
    if (partition != nullptr && partition->state == PartitionState::kOffline) {
      left = true;
    } else {
      comparisons_.Forget(id);
    }
  }
  if (left) CompareLogsLater();
  return status;
}

void KafkaController::CompareLogsLater() {
  if (std::exchange(comparison_planned_, true)) return;
  HW_MARK("log_comparison_retried");
  comparison_timer_ = env_.fibers.Spawn("log comparison", [this] {
    if (env_.fibers.SleepFor(kComparisonBackoff) == core::Wake::kCancelled) return;
    comparison_planned_ = false;
    PutIfActive("CompareLogs", &KafkaController::CompareLogs);
  });
}

}  // namespace highwater::broker::controller
