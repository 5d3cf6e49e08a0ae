// The part of KafkaZkClient about topics and the states of their partitions.

#include <algorithm>

#include "broker/zk/kafka_zk_client.h"
#include "core/status_macros.h"

namespace highwater::broker::zk {

using zookeeper::CreateRequest;
using zookeeper::DeleteRequest;
using zookeeper::SetDataRequest;
using zookeeper::StatResponse;

namespace {

std::optional<core::Bytes> Data(std::string_view text) { return core::Bytes::Copy(text); }

CreateRequest Create(std::string path, std::optional<core::Bytes> data) {
  return {.path = std::move(path), .data = std::move(data), .acl = zookeeper::OpenAcl()};
}

}  // namespace

absl::StatusOr<std::vector<std::string>> KafkaZkClient::GetTopicNames() {
  return Children(kTopicsPath);
}

absl::StatusOr<std::map<std::string, TopicZnode>> KafkaZkClient::GetTopics(
    absl::Span<const std::string> names) {
  std::vector<std::string> paths;
  for (const std::string& name : names) paths.push_back(TopicPath(name));
  HW_ASSIGN_OR_RETURN(const auto znodes, ReadAll(paths));
  std::map<std::string, TopicZnode> topics;
  for (size_t i = 0; i < names.size(); ++i) {
    if (absl::IsNotFound(znodes[i].status())) continue;
    HW_RETURN_IF_ERROR(znodes[i].status());
    HW_ASSIGN_OR_RETURN(topics[names[i]], DecodeTopicZnode(znodes[i]->text));
  }
  return topics;
}

absl::Status KafkaZkClient::CreateTopic(std::string_view name, const TopicZnode& topic) {
  const std::string path = TopicPath(name);
  return ToStatus(Call(Create(path, Data(EncodeTopicZnode(topic)))).error, path);
}

absl::Status KafkaZkClient::SetTopicUnfenced(std::string_view name, const TopicZnode& topic) {
  const std::string path = TopicPath(name);
  return ToStatus(Call(SetDataRequest{.path = path, .data = Data(EncodeTopicZnode(topic))}).error,
                  path);
}

absl::Status KafkaZkClient::SetTopic(std::string_view name, const TopicZnode& topic,
                                     FenceVersion fence) {
  return RunOneFenced(
      SetDataRequest{.path = TopicPath(name), .data = Data(EncodeTopicZnode(topic))}, fence);
}

absl::StatusOr<KafkaZkClient::States> KafkaZkClient::GetStates(
    absl::Span<const TopicPartition> partitions) {
  std::vector<std::string> paths;
  for (const TopicPartition& partition : partitions) paths.push_back(StatePath(partition));
  HW_ASSIGN_OR_RETURN(const auto znodes, ReadAll(paths));
  States states;
  for (const auto& znode : znodes) {
    if (!znode.ok()) {
      states.emplace_back(znode.status());
    } else {
      states.push_back(DecodeState(znode->text, PartitionEpoch(znode->stat.version)));
    }
  }
  return states;
}

absl::StatusOr<std::vector<absl::Status>> KafkaZkClient::CreateStates(const PartitionStates& states,
                                                                      FenceVersion fence) {
  // Parents first; the same `partitions` znode only once. Those that exist do not matter.
  std::vector<MultiOp> parents;
  std::vector<std::string> topics;
  for (const auto& [partition, state] : states) topics.push_back(partition.topic);
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  for (const std::string& topic : topics) {
    parents.emplace_back(Create(PartitionsPath(topic), std::nullopt));
  }
  for (const auto& [partition, state] : states) {
    parents.emplace_back(Create(PartitionPath(partition), std::nullopt));
  }
  HW_RETURN_IF_ERROR(RunFenced(std::move(parents), fence).status());
  std::vector<MultiOp> ops;
  for (const auto& [partition, state] : states) {
    ops.emplace_back(Create(StatePath(partition), Data(EncodeState(state))));
  }
  HW_ASSIGN_OR_RETURN(const auto results, RunFenced(std::move(ops), fence));
  std::vector<absl::Status> created;
  for (size_t i = 0; i < results.size(); ++i) {
    created.push_back(ToStatus(results[i].error, StatePath(states[i].first)));
  }
  return created;
}

absl::StatusOr<std::vector<absl::StatusOr<PartitionEpoch>>> KafkaZkClient::UpdateStates(
    const PartitionStates& states, FenceVersion fence) {
  std::vector<MultiOp> ops;
  for (const auto& [partition, state] : states) {
    ops.emplace_back(SetDataRequest{.path = StatePath(partition),
                                    .data = Data(EncodeState(state)),
                                    .version = state.leader_and_isr.partition_epoch.value()});
  }
  HW_ASSIGN_OR_RETURN(const auto results, RunFenced(std::move(ops), fence));
  std::vector<absl::StatusOr<PartitionEpoch>> written;
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].error != ErrorCode::kOk) {
      written.emplace_back(ToStatus(results[i].error, StatePath(states[i].first)));
    } else {
      written.emplace_back(PartitionEpoch(std::get<StatResponse>(results[i].body).stat.version));
    }
  }
  return written;
}

// ---- Deleting topics.

absl::StatusOr<std::vector<std::string>> KafkaZkClient::GetTopicDeletions() {
  return Children(kDeleteTopicsPath);
}

absl::Status KafkaZkClient::CreateTopicDeletion(std::string_view topic) {
  const std::string path = DeleteTopicPath(topic);
  return ToStatus(Call(Create(path, std::nullopt)).error, path);
}

absl::Status KafkaZkClient::DeleteTopicDeletions(absl::Span<const std::string> topics,
                                                 FenceVersion fence) {
  std::vector<std::string> paths;
  for (const std::string& topic : topics) paths.push_back(DeleteTopicPath(topic));
  return DeleteFenced(paths, fence);
}

absl::StatusOr<std::vector<std::string>> KafkaZkClient::Subtree(std::string_view path) {
  std::vector<std::string> paths;
  HW_ASSIGN_OR_RETURN(const auto children, Children(path));
  for (const std::string& child : children) {
    HW_ASSIGN_OR_RETURN(auto below, Subtree(std::string(path) + "/" + child));
    std::move(below.begin(), below.end(), std::back_inserter(paths));
  }
  paths.emplace_back(path);
  return paths;
}

absl::Status KafkaZkClient::DeleteTopic(std::string_view topic, FenceVersion fence) {
  HW_RETURN_IF_ERROR(DeleteFenced({ConfigPath(ConfigKind::kTopics, topic)}, fence));
  HW_ASSIGN_OR_RETURN(const auto paths, Subtree(TopicPath(topic)));
  HW_RETURN_IF_ERROR(DeleteFenced(paths, fence));
  return DeleteFenced({DeleteTopicPath(topic)}, fence);
}

absl::Status KafkaZkClient::DeleteFenced(const std::vector<std::string>& paths,
                                         FenceVersion fence) {
  if (paths.empty()) return absl::OkStatus();
  std::vector<MultiOp> ops;
  for (const std::string& path : paths) ops.emplace_back(DeleteRequest{.path = path});
  HW_ASSIGN_OR_RETURN(const auto results, RunFenced(std::move(ops), fence));
  for (size_t i = 0; i < results.size(); ++i) {
    // [Z41] Deleting twice is deleting once.
    if (results[i].error == ErrorCode::kNoNode) continue;
    HW_RETURN_IF_ERROR(ToStatus(results[i].error, paths[i]));
  }
  return absl::OkStatus();
}

}  // namespace highwater::broker::zk
