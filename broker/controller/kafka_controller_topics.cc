// The part of KafkaController about topics: made, grown, deleted, configured.

#include <absl/strings/numbers.h>

#include <algorithm>
#include <utility>

#include "broker/controller/kafka_controller.h"
#include "broker/controller/kafka_controller_impl.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

// Reads topics into the context. [Z25] Those without an id get one.
absl::Status KafkaController::LoadTopics(const std::vector<std::string>& names) {
  for (const std::string& name : names) WatchTopic(name);
  HW_ASSIGN_OR_RETURN(auto znodes, zk_.GetTopics(names));
  HW_ASSIGN_OR_RETURN(const auto configs, zk_.GetConfigs(zk::ConfigKind::kTopics));
  for (auto& [name, znode] : znodes) {
    if (znode.id.is_zero()) {
      while (protocol::IsReservedUuid(znode.id)) {
        znode.id.high = env_.random.Next();
        znode.id.low = env_.random.Next();
      }
      HW_RETURN_IF_ERROR(zk_.SetTopic(name, znode, parts_.context.fence));
    }
    TopicContext& topic = parts_.context.topics[name];
    topic.id = znode.id;
    for (const auto& [index, assignment] : znode.partitions) {
      topic.partitions[index].assignment = assignment;
      if (!assignment.IsBeingReassigned()) continue;
      parts_.context.being_reassigned.insert({name, index});
    }
  }
  for (const auto& [name, znode] : znodes) {
    if (configs.contains(name)) HW_RETURN_IF_ERROR(LoadConfig(name));
  }
  return absl::OkStatus();
}

absl::Status KafkaController::LoadConfig(const std::string& name) {
  const auto found = parts_.context.topics.find(name);
  if (found == parts_.context.topics.end()) return absl::OkStatus();
  HW_ASSIGN_OR_RETURN(const auto entries, zk_.GetConfig(zk::ConfigKind::kTopics, name));
  TopicContext& topic = found->second;
  topic.unclean_leader_election.reset();
  topic.min_insync_replicas.reset();
  if (const auto entry = entries.find("unclean.leader.election.enable"); entry != entries.end()) {
    topic.unclean_leader_election = entry->second == "true";
  }
  int32_t number = 0;
  if (const auto entry = entries.find("min.insync.replicas");
      entry != entries.end() && absl::SimpleAtoi(entry->second, &number)) {
    topic.min_insync_replicas = number;
  }
  return absl::OkStatus();
}

absl::Status KafkaController::LoadStates(const std::vector<TopicPartition>& partitions) {
  HW_ASSIGN_OR_RETURN(const auto states, zk_.GetStates(partitions));
  for (size_t i = 0; i < partitions.size(); ++i) {
    if (absl::IsNotFound(states[i].status())) continue;
    HW_RETURN_IF_ERROR(states[i].status());
    parts_.Remember(partitions[i], *states[i]);
  }
  return absl::OkStatus();
}

void KafkaController::WatchTopic(const std::string& topic) {
  std::string path = zk::TopicPath(topic);
  if (path_handlers_.contains(path)) return;
  auto handler = std::make_unique<PathHandler>(path, [this, topic] {
    PutIfActive("PartitionModifications",
                [this, topic] { return ProcessPartitionModifications(topic); });
  });
  zk_.client().RegisterZNodeChangeHandler(*handler);
  path_handlers_[std::move(path)] = std::move(handler);
}

void KafkaController::ForgetTopic(const std::string& topic) {
  Unwatch(zk::TopicPath(topic));
  for (const TopicPartition& id : parts_.context.PartitionsOf(topic)) {
    Unwatch(zk::StatePath(id));
    comparisons_.Forget(id);
  }
}

// [C100]
absl::Status KafkaController::ProcessTopicChange() {
  ControllerContext& context = parts_.context;
  HW_ASSIGN_OR_RETURN(const auto names, zk_.GetTopicNames());
  std::vector<std::string> added;
  for (const std::string& name : names) {
    if (!context.topics.contains(name)) added.push_back(name);
  }
  std::vector<std::string> gone;
  for (const auto& [name, topic] : context.topics) {
    if (!std::binary_search(names.begin(), names.end(), name)) gone.push_back(name);
  }
  for (const std::string& name : gone) {
    ForgetTopic(name);
    context.topics.erase(name);
    context.to_be_deleted.erase(name);
    context.deletion_started.erase(name);
    context.deletion_ineligible.erase(name);
    std::erase_if(context.being_reassigned,
                  [&](const TopicPartition& id) { return id.topic == name; });
  }
  if (added.empty()) return absl::OkStatus();
  HW_RETURN_IF_ERROR(LoadTopics(added));
  std::vector<TopicPartition> partitions;
  for (const std::string& name : added) {
    const auto of_topic = context.PartitionsOf(name);
    partitions.insert(partitions.end(), of_topic.begin(), of_topic.end());
  }
  return OnNewPartitions(partitions);
}

absl::Status KafkaController::OnNewPartitions(const std::vector<TopicPartition>& partitions) {
  ControllerContext& context = parts_.context;
  std::vector<PartitionReplica> replicas;
  for (const TopicPartition& id : partitions) {
    for (const BrokerId replica : context.Find(id)->assignment.replicas) {
      replicas.push_back({id, replica});
    }
  }
  // A controller before us may have made the leaders already.
  HW_RETURN_IF_ERROR(LoadStates(partitions));
  partitions_.Change(partitions, PartitionState::kNew);
  for (const TopicPartition& id : partitions) {
    if (context.Find(id)->leadership) partitions_.Change({id}, PartitionState::kOffline);
  }
  HW_RETURN_IF_ERROR(replicas_.Change(replicas, ReplicaState::kNew));
  HW_RETURN_IF_ERROR(partitions_.ToOnline(partitions, ElectionKind::kOffline).status());
  return replicas_.Change(replicas, ReplicaState::kOnline);
}

// [C101]
absl::Status KafkaController::ProcessPartitionModifications(const std::string& name) {
  ControllerContext& context = parts_.context;
  const auto known = context.topics.find(name);
  if (known == context.topics.end()) return absl::OkStatus();
  HW_ASSIGN_OR_RETURN(const auto znodes, zk_.GetTopics({&name, 1}));
  const auto znode = znodes.find(name);
  if (znode == znodes.end()) return absl::OkStatus();
  std::vector<TopicPartition> added;
  for (const auto& [index, assignment] : znode->second.partitions) {
    if (!known->second.partitions.contains(index)) added.push_back({name, index});
  }
  if (added.empty()) return absl::OkStatus();
  if (context.IsQueuedForDeletion(name)) {
    // The partitions would outlive their topic: the znode is put back.
    HW_MARK("partitions_added_to_a_deleted_topic");
    zk::TopicZnode restored{.id = known->second.id};
    for (const auto& [index, partition] : known->second.partitions) {
      restored.partitions[index] = partition.assignment;
    }
    return zk_.SetTopic(name, restored, context.fence);
  }
  for (const TopicPartition& id : added) {
    known->second.partitions[id.partition].assignment = znode->second.partitions.at(id.partition);
  }
  return OnNewPartitions(added);
}

// [C102]
absl::Status KafkaController::ProcessTopicDeletion() {
  ControllerContext& context = parts_.context;
  HW_ASSIGN_OR_RETURN(const auto asked, zk_.GetTopicDeletions());
  std::set<std::string> topics;
  std::vector<std::string> unknown;
  for (const std::string& topic : asked) {
    if (context.topics.contains(topic)) {
      topics.insert(topic);
    } else {
      unknown.push_back(topic);
    }
  }
  // A topic that was made a moment ago may not be known yet, but its own event comes before this
  // one is worth anything.
  HW_ASSIGN_OR_RETURN(const auto names, zk_.GetTopicNames());
  std::erase_if(unknown, [&](const std::string& topic) {
    return std::binary_search(names.begin(), names.end(), topic);
  });
  HW_RETURN_IF_ERROR(zk_.DeleteTopicDeletions(unknown, context.fence));
  if (topics.size() + unknown.size() != asked.size()) {
    HW_RETURN_IF_ERROR(ProcessTopicChange());
    for (const std::string& topic : asked) {
      if (context.topics.contains(topic)) topics.insert(topic);
    }
  }
  if (!config_.delete_topic_enable) {
    const std::vector<std::string> refused(topics.begin(), topics.end());
    return zk_.DeleteTopicDeletions(refused, context.fence);
  }
  if (topics.empty()) return absl::OkStatus();
  for (const TopicPartition& id : context.being_reassigned) {
    if (topics.contains(id.topic)) context.deletion_ineligible.insert(id.topic);
  }
  return deletions_.Enqueue(topics);
}

// [C112]
void KafkaController::TopicConfigChanged(std::string topic) {
  PutIfActive("TopicUncleanLeaderElectionEnable",
              [this, topic = std::move(topic)] { return ProcessConfigChange(topic); });
}

// [W1] Where min.insync.replicas was lowered, who left before it was may soon miss what is
// committed without it; leaders wait for this before they commit.
absl::Status KafkaController::DropStaleEligible(const std::vector<std::string>& topics) {
  const ControllerContext& context = parts_.context;
  const auto kept = [&](const TopicPartition& id, const LeaderAndIsr& state) {
    return rules_.eligible_after(state, state.isr, parts_.MinInsync(id.topic));
  };
  const auto is_stale = [&](const TopicPartition& id, const LeaderAndIsr& state) {
    return state.leader != kNoBroker && !state.eligible.empty() &&
           kept(id, state) != state.eligible;
  };
  std::vector<TopicPartition> stale;
  for (const std::string& topic : topics) {
    const auto found = context.topics.find(topic);
    if (found == context.topics.end() || context.IsQueuedForDeletion(topic)) continue;
    for (const auto& [index, partition] : found->second.partitions) {
      const TopicPartition id{topic, index};
      if (partition.leadership && is_stale(id, partition.leadership->leader_and_isr)) {
        stale.push_back(id);
      }
    }
  }
  while (!stale.empty()) {
    HW_MARK("stale_eligible_replicas_dropped");
    HW_ASSIGN_OR_RETURN(const auto states, zk_.GetStates(stale));
    std::vector<ControllerParts::Change> changes;
    for (size_t i = 0; i < stale.size(); ++i) {
      if (!states[i].ok()) continue;
      if (rules_.written_by_newer_controller(states[i]->controller_epoch, context.epoch)) {
        return absl::AbortedError("a newer controller has written a partition's state");
      }
      LeaderAndIsr next = states[i]->leader_and_isr;
      if (!is_stale(stale[i], next)) {
        parts_.Remember(stale[i], *states[i]);
        continue;
      }
      next.eligible = kept(stale[i], next);
      next.unclean = UncleanAfter(next, next.eligible);
      changes.push_back({stale[i], std::move(next)});
    }
    stale.clear();
    if (changes.empty()) break;
    HW_ASSIGN_OR_RETURN(const auto written, parts_.Write(changes));
    for (size_t i = 0; i < changes.size(); ++i) {
      const TopicPartition& id = changes[i].partition;
      if (absl::IsFailedPrecondition(written[i])) stale.push_back(id);
      const PartitionContext* partition = context.Find(id);
      if (!written[i].ok() || partition == nullptr) continue;
      parts_.batch.AddLeaderAndIsr(context, partition->assignment.replicas, id, IsNew::kNo);
    }
  }
  parts_.SendBatch();
  return absl::OkStatus();
}

absl::Status KafkaController::ProcessConfigChange(const std::string& topic) {
  HW_RETURN_IF_ERROR(LoadConfig(topic));
  const auto found = parts_.context.topics.find(topic);
  if (found == parts_.context.topics.end()) return absl::OkStatus();
  if (parts_.context.IsQueuedForDeletion(topic)) return absl::OkStatus();
  HW_RETURN_IF_ERROR(DropStaleEligible({topic}));
  return parts_.AllowsUnclean(topic) ? partitions_.TriggerOnline() : absl::OkStatus();
}

}  // namespace highwater::broker::controller
