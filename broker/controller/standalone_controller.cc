#include "broker/controller/standalone_controller.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/storage/checkpoint_file.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace highwater::broker {

using protocol::ErrorCode;

namespace {

TopicResult Refusal(std::string name, ErrorCode error, std::string message) {
  return {.error = error, .message = std::move(message), .name = std::move(name)};
}

// The cluster id that a directory's meta.properties names; "" if none does.
std::string ClusterIdOfDirectories(core::FileSystem& files, const std::vector<std::string>& dirs) {
  for (const std::string& directory : dirs) {
    const auto text = core::ReadWholeFile(files, directory + "/meta.properties");
    if (!text.ok()) continue;
    const auto properties = storage::ParseMetaProperties(*text);
    if (properties.ok() && !properties->cluster_id.empty()) return properties->cluster_id;
  }
  return "";
}

}  // namespace

StandaloneController::StandaloneController(core::Environment& env, const BrokerConfig& config,
                                           ReplicaManager& replicas, Observer& observer)
    : env_(env),
      config_(config),
      replicas_(replicas),
      observer_(observer),
      changing_(env.fibers),
      changes_(env.fibers) {}

absl::Status StandaloneController::Load() {
  HW_ASSIGN_OR_RETURN(stored_, TopicStore::Load(env_.files, config_.log_dirs));
  for (const auto& [name, topic] : stored_.topics) {
    auto config = TopicConfig::Resolve(config_.topic_defaults, topic.overrides);
    if (!config.ok()) {
      return absl::FailedPreconditionError(
          fmt::format("topic {} was stored with {}", name, std::string(config.status().message())));
    }
    replicas_.ExpectConfig(name, config->log);
  }
  cluster_id_ = ClusterIdOfDirectories(env_.files, config_.log_dirs);
  if (cluster_id_.empty()) {
    if (stored_.cluster_id.is_zero()) stored_.cluster_id = DrawId();
    cluster_id_ = stored_.cluster_id.ToString();
  } else if (const auto id = protocol::Uuid::Parse(cluster_id_)) {
    stored_.cluster_id = *id;
  }
  return absl::OkStatus();
}

absl::Status StandaloneController::Start(storage::LogManager& logs) {
  logs_ = &logs;
  std::vector<std::string> deleting;
  for (const auto& [name, topic] : stored_.topics) {
    if (topic.deleting) deleting.push_back(name);
  }
  for (const std::string& name : deleting) HW_RETURN_IF_ERROR(FinishDeletion(name));
  HW_RETURN_IF_ERROR(AdoptStrayLogs());
  ++stored_.starts;
  HW_RETURN_IF_ERROR(Save());
  for (const auto& [name, topic] : stored_.topics) HW_RETURN_IF_ERROR(LeadTopic(name, topic));
  return absl::OkStatus();
}

// Logs whose topic no file names: the file was lost, or they were brought here. They are data, so
// they become topics again.
absl::Status StandaloneController::AdoptStrayLogs() {
  bool adopted = false;
  for (const storage::LogManager::LogInfo& info : logs_->List()) {
    const TopicPartition& id = info.partition;
    auto [topic, is_new] = stored_.topics.try_emplace(id.topic);
    const int32_t count = std::max(topic->second.partitions, id.partition.value() + 1);
    if (is_new) topic->second.id = info.topic_id.is_zero() ? DrawId() : info.topic_id;
    adopted = adopted || is_new || count != topic->second.partitions;
    topic->second.partitions = count;
  }
  return adopted ? Save() : absl::OkStatus();
}

absl::Status StandaloneController::LeadTopic(const std::string& name, const StoredTopic& topic) {
  TopicSettings settings{
      .id = topic.id, .partitions = topic.partitions, .overrides = topic.overrides};
  HW_ASSIGN_OR_RETURN(settings.config,
                      TopicConfig::Resolve(config_.topic_defaults, topic.overrides));
  // A log that is missing was never made: the topic was announced only afterwards. But where a
  // directory is offline it may lie there, and LogManager refuses to make another one [M95].
  const absl::Status status = CreateLogs(name, settings, storage::IsNew::kNo);
  if (!status.ok() && logs_->OfflineDirectories().empty()) return status;
  names_by_id_[settings.id] = name;
  announced_[name] = std::move(settings);
  return absl::OkStatus();
}

absl::Status StandaloneController::CreateLogs(const std::string& name,
                                              const TopicSettings& settings,
                                              storage::IsNew is_new) {
  absl::Status first_error;
  for (int32_t i = 0; i < settings.partitions; ++i) {
    const TopicPartition id{name, PartitionIndex(i)};
    if (replicas_.Find(name, id.partition) != nullptr) continue;
    const int64_t starts = is_new == storage::IsNew::kYes ? 0 : stored_.starts - 1;
    first_error.Update(replicas_.StartLeading(*logs_, id, settings.id, settings.config, is_new,
                                              LeaderEpoch(static_cast<int32_t>(starts))));
  }
  return first_error;
}

void StandaloneController::Stop() { changes_.Wait(); }

absl::Status StandaloneController::Save() {
  ++stored_.serial;
  return TopicStore::Save(env_.files, logs_->OnlineDirectories(), stored_);
}

ClusterFacts StandaloneController::Facts() const {
  ClusterFacts facts{.brokers = {config_.broker_id},
                     .default_partitions = config_.num_partitions,
                     .default_replication_factor = config_.default_replication_factor,
                     .defaults = config_.topic_defaults};
  // A topic whose deletion is not complete still owns its name.
  for (const auto& [name, topic] : stored_.topics) facts.topics.push_back(name);
  return facts;
}

protocol::Uuid StandaloneController::DrawId() {
  protocol::Uuid id;
  do {
    id.high = env_.random.Next();
    id.low = env_.random.Next();
  } while (protocol::IsReservedUuid(id));
  return id;
}

std::vector<TopicResult> StandaloneController::RunChange(std::vector<std::string> names,
                                                         core::MonotonicTime deadline, Work work) {
  struct Shared {
    std::vector<TopicResult> results;
    bool done = false;
    core::WaitQueue waiter;
  };
  auto shared = std::make_shared<Shared>();
  changes_.Add();
  env_.fibers.Spawn("topic change", [this, shared, work = std::move(work)]() mutable {
    {
      core::MutexLock lock(changing_);
      shared->results = work();
    }
    shared->done = true;
    shared->waiter.WakeAll();
    changes_.Done();
  });
  while (!shared->done) {
    if (shared->waiter.Wait(env_.fibers, "a topic change", deadline) == core::Wake::kSignaled) {
      continue;
    }
    std::vector<TopicResult> results;
    for (std::string& name : names) {
      results.push_back(Refusal(std::move(name), ErrorCode::REQUEST_TIMED_OUT,
                                "the request timed out; the change may still happen"));
    }
    return results;
  }
  return std::move(shared->results);
}

std::vector<TopicResult> StandaloneController::CreateTopics(std::vector<NewTopic> topics,
                                                            CreateMode mode,
                                                            core::MonotonicTime deadline) {
  if (mode == CreateMode::kValidateOnly) {
    std::vector<TopicResult> results;
    const ClusterFacts facts = Facts();
    for (const NewTopic& topic : topics) {
      CheckedTopic checked = CheckNewTopic(topic, facts);
      results.push_back(Refusal(topic.name, checked.error, std::move(checked.message)));
    }
    return results;
  }
  std::vector<std::string> names;
  for (const NewTopic& topic : topics) names.push_back(topic.name);
  return RunChange(std::move(names), deadline, [this, topics = std::move(topics)] {
    std::vector<TopicResult> results;
    for (const NewTopic& topic : topics) results.push_back(CreateTopic(topic));
    return results;
  });
}

TopicResult StandaloneController::CreateTopic(const NewTopic& topic) {
  CheckedTopic checked = CheckNewTopic(topic, Facts());
  if (checked.error != ErrorCode::NONE) {
    return Refusal(topic.name, checked.error, std::move(checked.message));
  }
  TopicSettings& settings = checked.settings;
  settings.id = DrawId();
  stored_.topics[topic.name] = {
      .id = settings.id, .partitions = settings.partitions, .overrides = settings.overrides};
  if (absl::Status status = Save(); !status.ok()) {
    stored_.topics.erase(
        topic.name);  // a disk that is full now may have room when it is asked again
    return Refusal(topic.name, ErrorCode::KAFKA_STORAGE_ERROR, std::string(status.message()));
  }
  const absl::Status status = CreateLogs(topic.name, settings, storage::IsNew::kYes);
  if (!status.ok()) {
    // It is in the file: the next start, or a deletion, takes it from here.
    return Refusal(topic.name, ErrorCode::KAFKA_STORAGE_ERROR, std::string(status.message()));
  }
  TopicResult result{.name = topic.name, .id = settings.id};
  const int32_t partitions = settings.partitions;
  names_by_id_[settings.id] = topic.name;
  announced_[topic.name] = std::move(settings);
  observer_.OnTopicCreated(config_.broker_id, topic.name, partitions);
  return result;
}

std::vector<TopicResult> StandaloneController::DeleteTopics(std::vector<std::string> names,
                                                            core::MonotonicTime deadline) {
  return RunChange(names, deadline, [this, names] {
    std::vector<TopicResult> results;
    for (const std::string& name : names) results.push_back(DeleteTopic(name));
    return results;
  });
}

TopicResult StandaloneController::DeleteTopic(const std::string& name) {
  const auto stored = stored_.topics.find(name);
  if (stored == stored_.topics.end()) {
    return Refusal(name, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                   "this server does not host this topic-partition");
  }
  TopicResult result{.name = name, .id = stored->second.id};
  const bool was_announced = announced_.contains(name);
  const bool was_deleting = std::exchange(stored->second.deleting, true);
  absl::Status status = Save();
  if (!status.ok()) {
    stored->second.deleting = was_deleting;
    return Refusal(name, ErrorCode::KAFKA_STORAGE_ERROR, std::string(status.message()));
  }
  names_by_id_.erase(result.id);
  announced_.erase(name);
  status = FinishDeletion(name);
  if (!status.ok()) {
    return Refusal(name, ErrorCode::KAFKA_STORAGE_ERROR, std::string(status.message()));
  }
  if (was_announced) observer_.OnTopicDeleted(config_.broker_id, name);
  return result;
}

absl::Status StandaloneController::FinishDeletion(const std::string& name) {
  const auto stored = stored_.topics.find(name);
  HW_CHECK(stored != stored_.topics.end() && stored->second.deleting);
  for (int32_t i = 0; i < stored->second.partitions; ++i) {
    HW_RETURN_IF_ERROR(replicas_.Delete(*logs_, {name, PartitionIndex(i)}));
  }
  // Logs in a directory that is offline now would come back with it: the name stays taken until
  // they are gone.
  if (!logs_->OfflineDirectories().empty()) return absl::OkStatus();
  stored_.topics.erase(stored);
  return Save();
}

std::vector<std::string> StandaloneController::TopicNames() const {
  std::vector<std::string> names;
  for (const auto& [name, settings] : announced_) names.push_back(name);
  return names;
}

std::optional<TopicDescription> StandaloneController::Describe(std::string_view topic) const {
  const auto found = announced_.find(topic);
  if (found == announced_.end()) return std::nullopt;
  TopicDescription description{
      .name = found->first, .id = found->second.id, .internal = IsInternalTopic(topic)};
  description.partitions.reserve(static_cast<size_t>(found->second.partitions));
  for (int32_t i = 0; i < found->second.partitions; ++i) {
    PartitionDescription partition{.index = PartitionIndex(i), .replicas = {config_.broker_id}};
    const auto hosted = replicas_.Find(topic, partition.index);
    if (hosted != nullptr && hosted->leader().leads()) {
      partition.leader = config_.broker_id;
      partition.leader_epoch = hosted->leader().epoch();
      partition.isr = hosted->leader().isr();
    } else {
      partition.error = ErrorCode::LEADER_NOT_AVAILABLE;
      partition.isr = {config_.broker_id};
      partition.offline_replicas = {config_.broker_id};
    }
    description.partitions.push_back(std::move(partition));
  }
  return description;
}

const TopicSettings* StandaloneController::FindTopic(std::string_view topic) const {
  const auto found = announced_.find(topic);
  return found == announced_.end() ? nullptr : &found->second;
}

std::string StandaloneController::NameOf(const protocol::Uuid& id) const {
  const auto found = names_by_id_.find(id);
  return found == names_by_id_.end() ? "" : found->second;
}

}  // namespace highwater::broker
