// What a ReplicaManager does for the controller of its cluster [R1-R9, R15-R26, R28].

#include <algorithm>

#include "broker/replication/replica_manager.h"
#include "core/check.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker {

using protocol::ErrorCode;
using protocol::LeaderAndIsrRequest;
using protocol::LeaderAndIsrResponse;
using protocol::StopReplicaRequest;
using protocol::StopReplicaResponse;

namespace {

constexpr absl::Duration kBetweenConfigReads = absl::Milliseconds(200);

std::vector<BrokerId> Ids(const std::vector<int32_t>& numbers) {
  std::vector<BrokerId> ids;
  ids.reserve(numbers.size());
  for (const int32_t number : numbers) ids.emplace_back(number);
  return ids;
}

ErrorCode FromStorage(const absl::Status& status) {
  if (status.ok()) return ErrorCode::NONE;
  // Stopped while the topic's settings could not be read: no disk has failed.
  if (absl::IsAborted(status)) return ErrorCode::UNKNOWN_SERVER_ERROR;
  // [K15] The log of another topic of that name.
  if (absl::IsFailedPrecondition(status)) return ErrorCode::INCONSISTENT_TOPIC_ID;
  return ErrorCode::KAFKA_STORAGE_ERROR;
}

}  // namespace

void ReplicaManager::JoinCluster(const Cluster& cluster) {
  HW_CHECK(cluster_ == nullptr, "joins a cluster twice");
  cluster_ = std::make_unique<Cluster>(cluster);
  fetchers_ = std::make_unique<ReplicaFetcherManager>(env_, options_.fetchers);
  isr_changes_ = std::make_unique<AlterPartitionManager>(env_, self_, cluster.channel);
  isr_changes_->SetBrokerEpoch(broker_epoch_);
}

void ReplicaManager::SetBrokerEpoch(BrokerEpoch epoch) {
  broker_epoch_ = epoch;
  if (isr_changes_ != nullptr) isr_changes_->SetBrokerEpoch(epoch);
}

// [R4] Whoever sends it: the numbers count.
ErrorCode ReplicaManager::CheckEpochs(BrokerEpoch broker_epoch, ControllerEpoch controller_epoch) {
  // [R1] A greater one: the controller saw our registration before we did.
  if (broker_epoch != kNoBrokerEpoch && broker_epoch < broker_epoch_) {
    HW_MARK("stale_broker_epoch");
    return ErrorCode::STALE_BROKER_EPOCH;
  }
  if (controller_epoch < controller_epoch_) {  // [R2]
    HW_MARK("stale_controller_epoch");
    return ErrorCode::STALE_CONTROLLER_EPOCH;
  }
  controller_epoch_ = controller_epoch;
  return ErrorCode::NONE;
}

ErrorCode ReplicaManager::CheckRole(const TopicPartition& id, const protocol::Uuid& topic_id,
                                    const PartitionState& state) const {
  if (offline_.contains(id)) return ErrorCode::KAFKA_STORAGE_ERROR;
  const std::optional<protocol::Uuid> known = cluster_->logs.TopicIdOf(id);
  const bool has_id = known.has_value() && !known->is_zero();
  if (has_id && !topic_id.is_zero() && *known != topic_id) {
    HW_MARK("leader_and_isr_of_another_topic");
    return ErrorCode::INCONSISTENT_TOPIC_ID;
  }
  const auto partition = Find(id.topic, id.partition);
  const LeaderEpoch local = partition == nullptr ? kNoLeaderEpoch : partition->leader_epoch();
  if (!options_.rules.MayChangeRole(LeaderEpoch(state.leader_epoch), local)) {
    return ErrorCode::STALE_CONTROLLER_EPOCH;
  }
  const bool assigned = std::find(state.replicas.begin(), state.replicas.end(), self_.value()) !=
                        state.replicas.end();
  return assigned ? ErrorCode::NONE : ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
}

LeaderAndIsrResponse ReplicaManager::BecomeLeaderOrFollower(const LeaderAndIsrRequest& request,
                                                            int16_t version) {
  const core::MutexLock lock(role_changes_);  // [R3]
  LeaderAndIsrResponse response;
  response.error_code =
      CheckEpochs(BrokerEpoch(request.broker_epoch), ControllerEpoch(request.controller_epoch));
  if (response.error_code != ErrorCode::NONE) return response;
  // All answers get their place first: what is done for a partition fills it in.
  struct Asked {
    const std::string& topic;
    protocol::Uuid topic_id;
    const PartitionState& state;
  };
  std::vector<Asked> asked;
  for (const PartitionState& state : request.ungrouped_partition_states) {
    asked.push_back({state.topic_name, protocol::Uuid(), state});
  }
  for (const auto& topic : request.topic_states) {
    for (const PartitionState& state : topic.partition_states) {
      asked.push_back({topic.topic_name, topic.topic_id, state});
    }
  }
  std::vector<ErrorCode> errors(asked.size(), ErrorCode::NONE);
  std::vector<RoleChange> leaders;
  std::vector<RoleChange> followers;
  for (size_t i = 0; i < asked.size(); ++i) {
    const auto& [topic, topic_id, state] = asked[i];
    const TopicPartition id{topic, PartitionIndex(state.partition_index)};
    errors[i] = CheckRole(id, topic_id, state);
    if (errors[i] == ErrorCode::STALE_CONTROLLER_EPOCH) {
      // [R5] The id may be all that is new.
      const auto partition = Find(id.topic, id.partition);
      if (partition != nullptr && state.leader_epoch == partition->leader_epoch().value() &&
          partition->topic_id().is_zero() && !topic_id.is_zero()) {
        errors[i] = FromStorage(
            cluster_->logs.Create(id, ConfigOfTopic(topic).log, topic_id, storage::IsNew::kNo)
                .status());
        if (errors[i] == ErrorCode::NONE) partition->set_topic_id(topic_id);
      }
      continue;
    }
    if (errors[i] != ErrorCode::NONE) continue;
    const bool leads = state.leader == self_.value();
    (leads ? leaders : followers).push_back({id, topic_id, &state, &errors[i]});
  }
  // [R15] No fetcher must append any more, to none of them.
  for (const RoleChange& change : leaders) fetchers_->Remove(change.id);
  for (const RoleChange& change : leaders) MakeLeader(change);
  for (const RoleChange& change : followers) MakeFollower(change);
  StartIsrTask();

  for (size_t i = 0; i < asked.size(); ++i) {
    if (version < 5) {
      response.partition_errors.push_back(
          {asked[i].topic, asked[i].state.partition_index, errors[i]});
      continue;
    }
    if (response.topics.empty() || response.topics.back().topic_id != asked[i].topic_id) {
      response.topics.push_back({.topic_id = asked[i].topic_id});
    }
    response.topics.back().partition_errors.push_back(
        {.partition_index = asked[i].state.partition_index, .error_code = errors[i]});
  }
  return response;
}

// Without a topic's settings nobody knows what may be acknowledged. A session that was lost comes
// back, so the role waits for them: it is no fault of the disk that they cannot be read.
absl::Status ReplicaManager::AwaitConfig(const std::string& topic) {
  while (cluster_->read_config != nullptr && !topics_.contains(topic)) {
    const absl::Status status = cluster_->read_config(topic);
    if (status.ok()) break;
    HW_MARK("topic_config_read_again");
    if (env_.fibers.SleepFor(kBetweenConfigReads) == core::Wake::kCancelled) {
      return absl::AbortedError(status.message());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Partition>> ReplicaManager::HostFor(const RoleChange& change) {
  if (auto partition = Find(change.id.topic, change.id.partition)) return partition;
  HW_RETURN_IF_ERROR(AwaitConfig(change.id.topic));
  return Host(cluster_->logs, change.id, change.topic_id, ConfigOfTopic(change.id.topic),
              change.state->is_new ? storage::IsNew::kYes : storage::IsNew::kNo);
}

// [R16-R21] The role takes effect once its epoch is on disk: a device that stalls holds up its own
// partitions only, and not the controller.
void ReplicaManager::MakeLeader(const RoleChange& change) {
  const auto partition = HostFor(change);
  *change.error = FromStorage(partition.status());
  if (!partition.ok()) {
    if (*change.error == ErrorCode::KAFKA_STORAGE_ERROR) offline_.insert(change.id);  // [R28]
    return;
  }
  Leadership leadership{.epoch = LeaderEpoch(change.state->leader_epoch),
                        .partition_epoch = PartitionEpoch(change.state->zk_version),
                        .isr = Ids(change.state->isr),
                        .replicas = Ids(change.state->replicas),
                        .others_eligible = !change.state->eligible_replicas.empty()};
  if (std::find(leadership.isr.begin(), leadership.isr.end(), self_) == leadership.isr.end()) {
    // Nobody sends this but a controller with a bug; and a leader is in sync with itself.
    HW_MARK("leader_outside_of_isr");
    leadership.isr.push_back(self_);
  }
  (*partition)->BecomeLeader(std::move(leadership));
}

void ReplicaManager::MakeFollower(const RoleChange& change) {
  const auto hosted = HostFor(change);  // [R24] also if it goes no further
  *change.error = FromStorage(hosted.status());
  if (!hosted.ok()) {
    if (*change.error == ErrorCode::KAFKA_STORAGE_ERROR) offline_.insert(change.id);  // [R28]
    return;
  }
  const std::shared_ptr<Partition>& partition = *hosted;
  const BrokerId leader(change.state->leader);
  const core::Endpoint* endpoint = cluster_->metadata.EndpointOf(leader, cluster_->listener);
  if (endpoint == nullptr) {
    // [R24] The epoch is not taken over: the same request may come again once that leader is known.
    HW_MARK("leader_not_alive");
    if (!options_.rules.GoesOnUnderUnknownLeader()) partition->StopLeading();
    return;
  }
  fetchers_->Remove(change.id);
  partition->BecomeFollower(LeaderEpoch(change.state->leader_epoch),
                            PartitionEpoch(change.state->zk_version), leader);
  fetchers_->Add(partition, leader, *endpoint);
}

StopReplicaResponse ReplicaManager::StopReplicas(const StopReplicaRequest& request,
                                                 int16_t version) {
  const core::MutexLock lock(role_changes_);  // [R3]
  StopReplicaResponse response;
  response.error_code =
      CheckEpochs(BrokerEpoch(request.broker_epoch), ControllerEpoch(request.controller_epoch));
  if (response.error_code != ErrorCode::NONE) return response;
  const auto stop = [&](const std::string& topic, int32_t index, LeaderEpoch epoch,
                        bool delete_log) {
    const TopicPartition id{topic, PartitionIndex(index)};
    response.partition_errors.push_back({topic, index, StopReplica(id, epoch, delete_log)});
  };
  if (version < 1) {
    for (const auto& one : request.ungrouped_partitions) {
      stop(one.topic_name, one.partition_index, kNoLeaderEpoch, request.delete_partitions);
    }
  } else if (version < 3) {
    for (const auto& topic : request.topics) {
      for (const int32_t index : topic.partition_indexes) {
        stop(topic.name, index, kNoLeaderEpoch, request.delete_partitions);
      }
    }
  } else {
    for (const auto& topic : request.topic_states) {
      for (const auto& state : topic.partition_states) {
        stop(topic.topic_name, state.partition_index, LeaderEpoch(state.leader_epoch),
             state.delete_partition);
      }
    }
  }
  return response;
}

// [R8, R9]
ErrorCode ReplicaManager::StopReplica(const TopicPartition& id, LeaderEpoch epoch,
                                      bool delete_log) {
  if (offline_.contains(id)) return ErrorCode::KAFKA_STORAGE_ERROR;
  if (const auto partition = Find(id.topic, id.partition)) {
    if (!options_.rules.MustObeyStop(epoch, partition->leader_epoch())) {
      HW_MARK("stop_replica_fenced");
      return ErrorCode::FENCED_LEADER_EPOCH;
    }
    fetchers_->Remove(id);
    partition->StopFetching();
  }
  // A directory without a partition is one that this broker was away for: it goes too.
  return delete_log ? FromStorage(Delete(cluster_->logs, id)) : ErrorCode::NONE;
}

protocol::UpdateMetadataResponse ReplicaManager::UpdateMetadata(
    const protocol::UpdateMetadataRequest& request) {
  const core::MutexLock lock(role_changes_);  // [R3]
  protocol::UpdateMetadataResponse response;
  response.error_code =
      CheckEpochs(BrokerEpoch(request.broker_epoch), ControllerEpoch(request.controller_epoch));
  if (response.error_code == ErrorCode::NONE) {
    cluster_->metadata.Update(request);
    // Also if it is the same broker: one that died silently, and is elected again, does not know
    // what it was asked before.
    if (std::exchange(metadata_epoch_, controller_epoch_) != controller_epoch_) {
      cluster_->channel.ControllerChanged();
    }
    fetchers_->OnBrokersChanged(cluster_->metadata);
  }
  return response;
}

const TopicConfig& ReplicaManager::ConfigOfTopic(std::string_view topic) const {
  const auto found = configs_.find(topic);
  return found == configs_.end() ? cluster_->defaults : found->second;
}

void ReplicaManager::SetTopicConfig(const std::string& topic, const TopicConfig& config) {
  configs_.insert_or_assign(topic, config);
  ExpectConfig(topic, config.log);
  const auto hosted = topics_.find(topic);
  if (hosted == topics_.end()) return;
  for (const auto& [index, partition] : hosted->second) partition->UpdateConfig(config);
}

bool ReplicaManager::ProposeIsr(const std::shared_ptr<Partition>& partition,
                                const IsrProposal& proposal) {
  if (isr_changes_ == nullptr) return false;
  return isr_changes_->Submit(partition->id(), proposal, [partition](const IsrAnswer& answer) {
    partition->OnIsrAnswer(answer);
  });
}

// [H11] From the first LeaderAndIsr request on.
void ReplicaManager::StartIsrTask() {
  if (isr_task_running_ || stopping_) return;
  isr_task_running_ = true;
  tasks_.Add();
  env_.fibers.Spawn("isr expiration", [this] {
    while (!stopping_) {
      const core::MonotonicTime next = env_.fibers.Now() + options_.lag_max / 2;
      if (stop_.Wait(env_.fibers, "the next check of the ISR", next) != core::Wake::kDeadline) {
        break;
      }
      for (const auto& [name, partitions] : topics_) {
        for (const auto& [index, partition] : partitions) {
          if (partition->leader().leads()) partition->CheckIsr();
        }
      }
    }
    tasks_.Done();
  });
}

void ReplicaManager::Stop() {
  if (cluster_ == nullptr) return;
  stopping_ = true;
  stop_.WakeAll();
  fetchers_->Stop();
  isr_changes_->Stop();
  tasks_.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
}

}  // namespace highwater::broker
