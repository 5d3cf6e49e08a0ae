#include "broker/controller/request_batch.h"

#include <algorithm>

#include "core/check.h"

namespace highwater::broker::controller {

using protocol::LeaderAndIsrRequest;
using protocol::OffsetForLeaderEpochRequest;
using protocol::StopReplicaRequest;
using protocol::UpdateMetadataRequest;

namespace {

std::vector<int32_t> Numbers(const std::vector<BrokerId>& ids) {
  std::vector<int32_t> numbers;
  numbers.reserve(ids.size());
  for (const BrokerId id : ids) numbers.push_back(id.value());
  return numbers;
}

// The entry of `topic` at the end of `topics`, made if it is not the last: partitions come sorted.
template <typename Topics>
auto& TopicEntry(Topics& topics, const std::string& topic) {
  if (topics.empty() || topics.back().topic_name != topic) topics.emplace_back().topic_name = topic;
  return topics.back();
}

template <typename Request>
void SetSender(Request& request, const ControllerContext& context, BrokerId controller,
               BrokerEpoch to_epoch) {
  request.controller_id = controller.value();
  request.controller_epoch = context.epoch.value();
  request.broker_epoch = to_epoch.value();
}

// [C62]
LeaderAndIsrRequest BuildLeaderAndIsr(const ControllerContext& context,
                                      const std::map<TopicPartition, IsNew>& partitions) {
  LeaderAndIsrRequest request;
  std::set<BrokerId> leaders;
  for (const auto& [id, is_new] : partitions) {
    const PartitionContext* partition = context.Find(id);
    if (partition == nullptr || !partition->leadership) continue;
    const zk::LeaderAndIsr& state = partition->leadership->leader_and_isr;
    auto& topic = TopicEntry(request.topic_states, id.topic);
    topic.topic_id = context.topics.find(id.topic)->second.id;
    topic.partition_states.push_back(
        {.partition_index = id.partition.value(),
         .controller_epoch = partition->leadership->controller_epoch.value(),
         .leader = state.leader.value(),
         .leader_epoch = state.leader_epoch.value(),
         .isr = Numbers(state.isr),
         .zk_version = state.partition_epoch.value(),
         .replicas = Numbers(partition->assignment.replicas),
         .adding_replicas = Numbers(partition->assignment.adding),
         .removing_replicas = Numbers(partition->assignment.removing),
         .is_new = is_new == IsNew::kYes,
         .leader_recovery_state = static_cast<int8_t>(state.recovery),
         .eligible_replicas = Numbers(state.eligible)});
    leaders.insert(state.leader);
  }
  for (const auto& [id, broker] : context.brokers) {
    if (!leaders.contains(id) || broker.endpoints.empty()) continue;
    request.live_leaders.push_back({.broker_id = id.value(),
                                    .host_name = broker.endpoints.front().host,
                                    .port = broker.endpoints.front().port});
  }
  return request;
}

// [C63]
UpdateMetadataRequest BuildUpdateMetadata(const ControllerContext& context,
                                          const std::set<TopicPartition>& partitions) {
  UpdateMetadataRequest request;
  for (const TopicPartition& id : partitions) {
    const PartitionContext* partition = context.Find(id);
    if (partition == nullptr || !partition->leadership) continue;
    const zk::LeaderAndIsr& state = partition->leadership->leader_and_isr;
    auto& topic = TopicEntry(request.topic_states, id.topic);
    topic.topic_id = context.topics.find(id.topic)->second.id;
    auto& entry = topic.partition_states.emplace_back();
    const bool deleted = context.IsQueuedForDeletion(id.topic);
    entry.partition_index = id.partition.value();
    entry.controller_epoch = partition->leadership->controller_epoch.value();
    entry.leader = deleted ? zk::kLeaderDuringDelete.value() : state.leader.value();
    entry.leader_epoch = deleted ? 0 : state.leader_epoch.value();
    entry.isr = Numbers(state.isr);
    entry.zk_version = deleted ? 0 : state.partition_epoch.value();
    entry.replicas = Numbers(partition->assignment.replicas);
    for (const BrokerId replica : partition->assignment.replicas) {
      if (!context.IsReplicaOnline(id, replica)) entry.offline_replicas.push_back(replica.value());
    }
  }
  for (const auto& [id, broker] : context.brokers) {
    auto& live = request.live_brokers.emplace_back();
    live.id = id.value();
    for (const zk::BrokerEndpoint& endpoint : broker.endpoints) {
      live.endpoints.push_back({.port = endpoint.port,
                                .host = endpoint.host,
                                .listener = endpoint.listener,
                                .security_protocol = static_cast<int16_t>(endpoint.protocol)});
    }
    live.rack = std::nullopt;
    if (!broker.rack.empty()) live.rack = broker.rack;
  }
  return request;
}

}  // namespace

void ControllerRequestBatch::AddLeaderAndIsr(const ControllerContext& context,
                                             const std::vector<BrokerId>& brokers,
                                             const TopicPartition& partition, IsNew is_new) {
  for (const BrokerId id : brokers) {
    if (id.value() < 0) continue;
    IsNew& added = leader_and_isr_[id].try_emplace(partition, IsNew::kNo).first->second;
    if (is_new == IsNew::kYes) added = IsNew::kYes;
  }
  AddUpdateMetadata(context.LiveOrShuttingDownBrokers(), {partition});
}

void ControllerRequestBatch::AddUpdateMetadata(const std::vector<BrokerId>& brokers,
                                               const std::vector<TopicPartition>& partitions) {
  for (const BrokerId id : brokers) {
    if (id.value() >= 0) metadata_brokers_.insert(id);
  }
  metadata_partitions_.insert(partitions.begin(), partitions.end());
}

void ControllerRequestBatch::AddStopReplica(const ControllerContext& context,
                                            const std::vector<BrokerId>& brokers,
                                            const TopicPartition& partition,
                                            DeletePartition delete_partition,
                                            std::optional<LeaderEpoch> epoch) {
  if (context.IsQueuedForDeletion(partition.topic)) {
    epoch = kEpochDuringDelete;
  } else if (!epoch) {
    const PartitionContext* found = context.Find(partition);
    epoch = found != nullptr && found->leadership ? found->leadership->leader_and_isr.leader_epoch
                                                  : kNoLeaderEpoch;
  }
  for (const BrokerId id : brokers) {
    if (id.value() < 0) continue;
    const bool deletes = delete_partition == DeletePartition::kYes;
    auto [stop, is_new] = stop_replica_[id].try_emplace(
        partition, Stop{.epoch = *epoch, .delete_partition = deletes});
    // Within one batch "delete" wins.
    if (!is_new && (deletes || !stop->second.delete_partition)) {
      stop->second = {.epoch = *epoch, .delete_partition = deletes};
    }
  }
}

std::vector<Outgoing> ControllerRequestBatch::Build(const ControllerContext& context,
                                                    BrokerId controller,
                                                    const InterBrokerVersions& versions) {
  std::vector<Outgoing> requests;
  const auto send = [&](BrokerId to, auto request, int16_t version) {
    const BrokerEpoch epoch = context.brokers.at(to).epoch;
    SetSender(request, context, controller, epoch);
    requests.push_back(
        {.to = to, .to_epoch = epoch, .request = std::move(request), .version = version});
  };
  const UpdateMetadataRequest metadata = BuildUpdateMetadata(context, metadata_partitions_);
  for (const auto& [id, partitions] : leader_and_isr_) {
    if (!context.IsLiveOrShuttingDown(id)) continue;
    send(id, BuildLeaderAndIsr(context, partitions), versions.leader_and_isr);
  }
  for (const BrokerId id : metadata_brokers_) {
    if (context.IsLiveOrShuttingDown(id)) send(id, metadata, versions.update_metadata);
  }
  for (const auto& [id, stops] : stop_replica_) {
    if (!context.IsLiveOrShuttingDown(id)) continue;
    StopReplicaRequest request;
    for (const auto& [partition, stop] : stops) {
      TopicEntry(request.topic_states, partition.topic)
          .partition_states.push_back({.partition_index = partition.partition.value(),
                                       .leader_epoch = stop.epoch.value(),
                                       .delete_partition = stop.delete_partition});
    }
    send(id, std::move(request), versions.stop_replica);
  }
  *this = {};
  return requests;
}

OffsetForLeaderEpochRequest AskForLogEnds(const std::vector<TopicPartition>& partitions) {
  OffsetForLeaderEpochRequest request;
  request.replica_id = kAskingReplica;
  for (const TopicPartition& id : partitions) {
    if (request.topics.empty() || request.topics.back().topic != id.topic) {
      request.topics.emplace_back().topic = id.topic;
    }
    auto& entry = request.topics.back().partitions.emplace_back();
    entry.partition = id.partition.value();
    entry.current_leader_epoch = -1;
    entry.leader_epoch = kLastEpochOfLog;
  }
  return request;
}

}  // namespace highwater::broker::controller
