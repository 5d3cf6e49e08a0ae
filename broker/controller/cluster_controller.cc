#include "broker/controller/cluster_controller.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "broker/controller/placement.h"
#include "broker/controller/topic_rules.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;

namespace {

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(10);

TopicResult Refusal(std::string name, ErrorCode error, std::string message) {
  return {.error = error, .message = std::move(message), .name = std::move(name)};
}

TopicResult NotController(std::string name) {
  return Refusal(std::move(name), ErrorCode::NOT_CONTROLLER,
                 "this is not the correct controller for this cluster");
}

std::vector<PlacedBroker> ToPlaced(const std::vector<BrokerAddress>& brokers) {
  std::vector<PlacedBroker> placed;
  for (const BrokerAddress& broker : brokers) placed.push_back({broker.id, broker.rack});
  std::sort(placed.begin(), placed.end(),
            [](const PlacedBroker& a, const PlacedBroker& b) { return a.id < b.id; });
  return placed;
}

// "" or what is wrong with the replicas of one partition.
std::string WhyIllegalReplicas(const std::vector<BrokerId>& replicas, size_t expected,
                               const std::vector<PlacedBroker>& brokers) {
  if (replicas.size() != expected) return "all partitions must have the same number of replicas";
  std::set<BrokerId> seen;
  for (const BrokerId id : replicas) {
    if (!seen.insert(id).second) return fmt::format("broker {} is named twice", id);
    const bool known = std::any_of(brokers.begin(), brokers.end(),
                                   [&](const PlacedBroker& broker) { return broker.id == id; });
    if (!known) return fmt::format("unknown broker {}", id);
  }
  return "";
}

}  // namespace

const TopicSettings* ClusterController::FindTopic(std::string_view topic) const {
  const TopicSettings* known = view_.FindTopic(topic);
  if (known == nullptr) return nullptr;
  found_ = *known;
  found_.overrides = configs_.Find(zk::ConfigKind::kTopics, std::string(topic));
  const auto config = TopicConfig::Resolve(config_.topic_defaults, found_.overrides);
  // What another version of us wrote and we cannot read leaves the defaults.
  found_.config = config.ok() ? *config : config_.topic_defaults;
  return &found_;
}

bool ClusterController::Await(core::MonotonicTime deadline, absl::AnyInvocable<bool()> done) {
  while (!done()) {
    if (env_.fibers.Now() >= deadline) return false;
    const core::MonotonicTime next = std::min(env_.fibers.Now() + kBetweenLooks, deadline);
    if (env_.fibers.SleepUntil(next) == core::Wake::kCancelled) return false;
  }
  return true;
}

bool ClusterController::HasLeaders(const std::string& topic) const {
  const auto description = view_.Describe(topic);
  if (!description || description->partitions.empty()) return false;
  return std::all_of(
      description->partitions.begin(), description->partitions.end(),
      [](const PartitionDescription& partition) { return partition.leader != kNoBroker; });
}

std::vector<TopicResult> ClusterController::CreateTopics(std::vector<NewTopic> topics,
                                                         CreateMode mode,
                                                         core::MonotonicTime deadline) {
  std::vector<TopicResult> results;
  auto existing = zk_.GetTopicNames();
  for (const NewTopic& topic : topics) {
    if (!kafka_.IsActive()) {
      results.push_back(NotController(topic.name));
    } else if (!existing.ok()) {
      results.push_back(
          Refusal(topic.name, ErrorCode::UNKNOWN_SERVER_ERROR, existing.status().ToString()));
    } else {
      results.push_back(CreateTopic(topic, mode, *existing));
      if (results.back().error == ErrorCode::NONE) existing->push_back(topic.name);
    }
  }
  if (mode == CreateMode::kValidateOnly) return results;
  for (TopicResult& result : results) {
    if (result.error != ErrorCode::NONE) continue;
    if (Await(deadline, [&] { return HasLeaders(result.name); })) continue;
    result.error = ErrorCode::REQUEST_TIMED_OUT;
    result.message = "the topic was made, but its leaders are not known yet";
  }
  return results;
}

std::vector<TopicResult> ClusterController::AutoCreateTopics(const std::vector<std::string>& names,
                                                             core::MonotonicTime deadline) {
  if (kafka_.IsActive()) return Controller::AutoCreateTopics(names, deadline);
  std::vector<TopicResult> results = creation_.CreateTopics(names, deadline);
  for (TopicResult& result : results) {
    if (result.error != ErrorCode::NONE) continue;
    // The controller heard of the leaders before we do.
    if (Await(deadline, [&] { return HasLeaders(result.name); })) continue;
    result.error = ErrorCode::REQUEST_TIMED_OUT;
  }
  return results;
}

TopicResult ClusterController::CreateTopic(const NewTopic& topic, CreateMode mode,
                                           const std::vector<std::string>& existing) {
  const std::vector<PlacedBroker> brokers = ToPlaced(view_.Brokers());
  ClusterFacts facts{.default_partitions = config_.num_partitions,
                     .default_replication_factor = config_.default_replication_factor,
                     .defaults = config_.topic_defaults,
                     .topics = existing};
  for (const PlacedBroker& broker : brokers) facts.brokers.push_back(broker.id);
  const CheckedTopic checked = CheckNewTopic(topic, facts);
  if (checked.error != ErrorCode::NONE) {
    return Refusal(topic.name, checked.error, checked.message);
  }
  TopicResult result{.name = topic.name};
  // Legal, but worth a word.
  result.message = WhyFragile(brokers, checked.settings.replication_factor,
                              checked.settings.config.min_insync_replicas);
  if (mode == CreateMode::kValidateOnly) return result;
  zk::TopicZnode znode;
  while (protocol::IsReservedUuid(znode.id)) {
    znode.id.high = env_.random.Next();
    znode.id.low = env_.random.Next();
  }
  if (topic.assignments.empty()) {
    for (auto& [index, replicas] : PlaceReplicas(brokers, 0, checked.settings.partitions,
                                                 checked.settings.replication_factor)) {
      znode.partitions[index].replicas = std::move(replicas);
    }
  } else {
    for (const auto& [index, replicas] : topic.assignments) {
      znode.partitions[PartitionIndex(index)].replicas = replicas;
    }
  }
  // [Z26] The config first: whoever sees the topic sees its settings. A crash in between leaves a
  // config without a topic, which a topic of this name would inherit; it is written also if empty.
  absl::Status status =
      zk_.SetOrCreateConfig(zk::ConfigKind::kTopics, topic.name, checked.settings.overrides);
  if (status.ok()) status = zk_.CreateTopic(topic.name, znode);
  if (absl::IsAlreadyExists(status)) {
    return Refusal(topic.name, ErrorCode::TOPIC_ALREADY_EXISTS,
                   fmt::format("topic '{}' already exists", topic.name));
  }
  if (status.ok()) status = zk_.CreateConfigChange(zk::ConfigKind::kTopics, topic.name);
  if (!status.ok()) {
    return Refusal(topic.name, ErrorCode::UNKNOWN_SERVER_ERROR, status.ToString());
  }
  result.id = znode.id;
  return result;
}

std::vector<TopicResult> ClusterController::DeleteTopics(std::vector<std::string> names,
                                                         core::MonotonicTime deadline) {
  std::vector<TopicResult> results;
  for (const std::string& name : names) {
    if (!kafka_.IsActive()) {
      results.push_back(NotController(name));
      continue;
    }
    if (!config_.delete_topic_enable) {
      results.push_back(
          Refusal(name, ErrorCode::TOPIC_DELETION_DISABLED, "topic deletion is disabled"));
      continue;
    }
    const auto existing = zk_.GetTopics({&name, 1});
    if (!existing.ok()) {
      results.push_back(
          Refusal(name, ErrorCode::UNKNOWN_SERVER_ERROR, existing.status().ToString()));
      continue;
    }
    if (existing->empty()) {
      results.push_back(Refusal(name, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                                "this server does not host this topic-partition"));
      continue;
    }
    const absl::Status status = zk_.CreateTopicDeletion(name);
    // Somebody else has asked for it already.
    if (!status.ok() && !absl::IsAlreadyExists(status)) {
      results.push_back(Refusal(name, ErrorCode::UNKNOWN_SERVER_ERROR, status.ToString()));
      continue;
    }
    results.push_back({.name = name, .id = existing->begin()->second.id});
  }
  for (TopicResult& result : results) {
    if (result.error != ErrorCode::NONE) continue;
    if (Await(deadline, [&] { return !view_.Describe(result.name).has_value(); })) continue;
    result.error = ErrorCode::REQUEST_TIMED_OUT;
    result.message = "the topic will be deleted when all of its replicas can be";
  }
  return results;
}

// ---- Growth.

protocol::CreatePartitionsResponse ClusterController::CreatePartitions(
    const protocol::CreatePartitionsRequest& request, core::MonotonicTime deadline) {
  protocol::CreatePartitionsResponse response;
  std::map<std::string_view, int> named;
  for (const auto& topic : request.topics) ++named[topic.name];
  for (const auto& topic : request.topics) {
    auto& result = response.results.emplace_back();
    result.name = topic.name;
    if (named[topic.name] > 1) {
      result.error_code = ErrorCode::INVALID_REQUEST;
      result.error_message = "duplicate topic name";
      continue;
    }
    Growth growth{
        .topic = topic.name, .count = topic.count, .validate_only = request.validate_only};
    if (topic.assignments) {
      growth.assignments.emplace();
      for (const auto& assignment : *topic.assignments) {
        auto& replicas = growth.assignments->emplace_back();
        for (const int32_t id : assignment.broker_ids) replicas.emplace_back(id);
      }
    }
    // The loop may come to it after we have given up.
    auto outcome = std::make_shared<Outcome>();
    const auto status =
        kafka_.RunActive("CreatePartitions", deadline, [this, growth, outcome]() -> absl::Status {
          HW_ASSIGN_OR_RETURN(*outcome, Grow(growth));
          return absl::OkStatus();
        });
    if (!status) {
      *outcome = {ErrorCode::REQUEST_TIMED_OUT, "the request timed out; it may still happen"};
    } else if (zk::IsControllerMoved(*status)) {
      *outcome = {ErrorCode::NOT_CONTROLLER, "this is not the correct controller"};
    } else if (!status->ok()) {
      *outcome = {ErrorCode::UNKNOWN_SERVER_ERROR, status->ToString()};
    }
    result.error_code = outcome->error;
    if (!outcome->message.empty()) result.error_message = outcome->message;
    if (outcome->error != ErrorCode::NONE || request.validate_only) continue;
    const bool known = Await(deadline, [&] {
      const auto description = view_.Describe(topic.name);
      return description && static_cast<int32_t>(description->partitions.size()) >= topic.count &&
             HasLeaders(topic.name);
    });
    if (!known) result.error_code = ErrorCode::REQUEST_TIMED_OUT;
  }
  return response;
}

absl::StatusOr<ClusterController::Outcome> ClusterController::Grow(const Growth& growth) {
  if (kafka_.context().IsQueuedForDeletion(growth.topic)) {
    return Outcome{ErrorCode::INVALID_TOPIC_EXCEPTION, "the topic is being deleted"};
  }
  HW_ASSIGN_OR_RETURN(const auto znodes, zk_.GetTopics({&growth.topic, 1}));
  if (znodes.empty()) {
    return Outcome{ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "the topic does not exist"};
  }
  Outcome outcome;
  HW_ASSIGN_OR_RETURN(const auto grown, Extend(znodes.begin()->second, growth, outcome));
  if (outcome.error != ErrorCode::NONE || growth.validate_only) return outcome;
  HW_RETURN_IF_ERROR(zk_.SetTopic(growth.topic, grown, kafka_.context().fence));
  return outcome;
}

absl::StatusOr<zk::TopicZnode> ClusterController::Extend(zk::TopicZnode znode, const Growth& growth,
                                                         Outcome& outcome) const {
  const auto refuse = [&](ErrorCode error, std::string message) {
    outcome = {error, std::move(message)};
    return znode;
  };
  for (const auto& [index, assignment] : znode.partitions) {
    if (assignment.IsBeingReassigned()) {
      return refuse(ErrorCode::REASSIGNMENT_IN_PROGRESS, "a partition is being reassigned");
    }
  }
  const auto existing = static_cast<int32_t>(znode.partitions.size());
  if (growth.count <= existing) {
    return refuse(ErrorCode::INVALID_PARTITIONS,
                  fmt::format("topic currently has {} partitions, which is not less than the "
                              "requested {}",
                              existing, growth.count));
  }
  const std::vector<PlacedBroker> brokers = ToPlaced(view_.Brokers());
  const size_t factor = znode.partitions.begin()->second.replicas.size();
  if (!growth.assignments) {
    if (factor > brokers.size()) {
      return refuse(ErrorCode::INVALID_REPLICATION_FACTOR, "not enough brokers are alive");
    }
    for (auto& [index, replicas] :
         PlaceReplicas(brokers, existing, growth.count - existing, static_cast<int32_t>(factor))) {
      znode.partitions[index].replicas = std::move(replicas);
    }
    return znode;
  }
  if (static_cast<int32_t>(growth.assignments->size()) != growth.count - existing) {
    return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                  fmt::format("{} assignments for {} new partitions", growth.assignments->size(),
                              growth.count - existing));
  }
  int32_t index = existing;
  for (const std::vector<BrokerId>& replicas : *growth.assignments) {
    if (std::string why = WhyIllegalReplicas(replicas, factor, brokers); !why.empty()) {
      return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, std::move(why));
    }
    znode.partitions[PartitionIndex(index++)].replicas = replicas;
  }
  return znode;
}

}  // namespace highwater::broker::controller
