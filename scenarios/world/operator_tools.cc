#include "scenarios/world/operator_tools.h"

#include <algorithm>

#include "core/random.h"

namespace highwater::scenarios {
namespace {

using broker::PartitionIndex;
using broker::TopicPartition;
using broker::protocol::ErrorCode;
using Role = faults::Aim::Role;
namespace client = broker::client;

// Whether a topic of this name exists for a broker, as `before` or as another one of that name.
bool IsAnother(const std::optional<client::TopicDescription>& now,
               const std::optional<client::TopicDescription>& before) {
  return now.has_value() && (!before.has_value() || now->topic_id != before->topic_id);
}

// Creates it unless it is there as something else than `before`, which is on its way out.
bool CreateAnew(OperatorShift& shift, const TopicSpec& topic,
                const std::optional<client::TopicDescription>& before, core::MonotonicTime until) {
  const client::NewTopic wanted[] = {NewTopicOf(topic)};
  return shift.Retry(until, [&] {
    const auto results = shift.admin().CreateTopics(wanted, until);
    if (!results.ok() || results->empty()) return false;
    if (results->front().error == ErrorCode::NONE) return true;
    // It may be our own work, whose answer was lost.
    return results->front().error == ErrorCode::TOPIC_ALREADY_EXISTS &&
           IsAnother(shift.DescribeTopic(topic.name), before);
  });
}

// Whether every partition of it has a leader.
bool IsLed(const std::optional<client::TopicDescription>& topic, int32_t partitions) {
  if (!topic.has_value() || static_cast<int32_t>(topic->partitions.size()) < partitions) {
    return false;
  }
  return std::all_of(topic->partitions.begin(), topic->partitions.end(),
                     [](const auto& partition) { return partition.leader != broker::kNoBroker; });
}

// OK, or the first error of a call for one resource.
template <typename Results>
bool Succeeded(const absl::StatusOr<Results>& results) {
  return results.ok() && !results->empty() && results->front().error == ErrorCode::NONE;
}

}  // namespace

OperatorShift::OperatorShift(core::Environment& env, WorkloadContext& context,
                             const faults::FaultOrder& order, OperationReport report,
                             std::string_view name)
    : env_(env),
      context_(context),
      order_(order),
      report_(std::move(report)),
      load_end_(env.clock.Now() + (context.load_end - context.now())),
      run_end_(load_end_ + context.scenario.run.heal),
      admin_(env, AdminConfigOf(context, name)) {}

bool OperatorShift::Retry(core::MonotonicTime until, const std::function<bool()>& step) {
  absl::Duration pause = absl::Milliseconds(50);
  while (env_.clock.Now() < until) {
    if (step()) return true;
    if (env_.fibers.SleepFor(pause) == core::Wake::kCancelled) return false;
    pause = std::min(pause * 2, absl::Milliseconds(400));
  }
  return false;
}

void OperatorShift::WaitItsLength() {
  const core::MonotonicTime over = env_.clock.Now() + order_.length;
  static_cast<void>(env_.fibers.SleepUntil(std::min(over, load_end_)));
}

uint64_t OperatorShift::Draw(std::string_view name, uint64_t limit) const {
  return core::KeyedRandom(core::MixName(name, order_.key)).Below(limit);
}

const TopicSpec& OperatorShift::Topic() const {
  const auto& topics = context_.scenario.topics;
  for (const TopicSpec& topic : topics) {
    if (order_.aim.role != Role::kAnyTopic && topic.name == order_.aim.name) return topic;
  }
  return topics[Draw("topic", topics.size())];
}

TopicPartition OperatorShift::Partition() const {
  if (order_.aim.role == Role::kPartition) {
    return {order_.aim.name, PartitionIndex(order_.aim.number)};
  }
  std::vector<std::string> names;
  for (const TopicSpec& topic : context_.scenario.topics) names.push_back(topic.name);
  const std::vector<TopicPartition> all = context_.layout.PartitionsOf(names);
  return all[Draw("partition", all.size())];
}

std::optional<client::ClusterDescription> OperatorShift::Describe(
    const std::vector<std::string>& topics) {
  auto cluster = admin_.Describe(topics, env_.clock.Now() + absl::Seconds(3));
  if (!cluster.ok()) return std::nullopt;
  return *std::move(cluster);
}

std::optional<client::TopicDescription> OperatorShift::DescribeTopic(const std::string& topic) {
  const auto cluster = Describe({topic});
  if (!cluster.has_value() || cluster->topics.empty()) return std::nullopt;
  const client::TopicDescription& found = cluster->topics.front();
  if (found.error != ErrorCode::NONE || found.partitions.empty()) return std::nullopt;
  return found;
}

void AlterConfig(OperatorShift& shift) {
  using Resource = client::ConfigResource;
  const TopicSpec& topic = shift.Topic();
  const auto [name, value] = SplitSetting(shift.order().Choice("set"));
  const Resource resource{.type = Resource::Type::kTopic, .name = topic.name};
  client::ConfigChange change{.name = std::string(name), .value = std::string(value)};
  const auto alter = [&](core::MonotonicTime until) {
    const client::ConfigChanges changes[] = {{.resource = resource, .changes = {change}}};
    return shift.Retry(
        until, [&] { return Succeeded(shift.admin().IncrementalAlterConfigs(changes, until)); });
  };
  const auto is_set = [&] {
    const Resource resources[] = {resource};
    const auto described = shift.admin().DescribeConfigs(resources, shift.run_end());
    if (!Succeeded(described)) return false;
    const auto& entries = described->front().entries;
    return std::any_of(entries.begin(), entries.end(), [&](const client::ConfigEntry& entry) {
      return entry.name == name && entry.value == value;
    });
  };
  // Brokers may take it from now on, whatever becomes of the answer.
  shift.context().recorder.TopicSettingChanged(topic.name, name, value);
  if (alter(shift.load_end())) {
    shift.report().applied(fmt::format("an operator sets {}={} for {}", name, value, topic.name));
    if (shift.Retry(shift.load_end(), is_set)) shift.report().observed();
    shift.WaitItsLength();
  }
  const std::string* original = FindSetting(topic.settings, name);
  change.operation = original == nullptr ? client::ConfigChange::Operation::kDelete
                                         : client::ConfigChange::Operation::kSet;
  change.value = original == nullptr ? std::nullopt : std::optional(*original);
  if (alter(shift.run_end())) {
    shift.context().recorder.Tell("", fmt::format("an operator changes {} back", name));
  }
}

void CreatePartitions(OperatorShift& shift) {
  const std::string& topic = shift.Topic().name;
  int32_t count = 0;
  const bool created = shift.Retry(shift.load_end(), [&] {
    const auto before = shift.DescribeTopic(topic);
    if (!before.has_value()) return false;
    if (count == 0) {
      const int64_t more = shift.order().Number("count");
      count = static_cast<int32_t>(before->partitions.size()) + static_cast<int32_t>(more);
    }
    // It may be our own work, whose answer was lost.
    if (static_cast<int32_t>(before->partitions.size()) >= count) return true;
    return Succeeded(shift.admin().CreatePartitions({{topic, count}}, shift.load_end()));
  });
  if (!created) return;
  shift.report().applied(fmt::format("an operator gives {} {} partitions", topic, count));
  TopicLayout& layout = shift.context().layout;
  if (layout.PartitionsOf(topic) < count) layout.Set(topic, count);
  if (shift.Retry(shift.run_end(), [&] { return IsLed(shift.DescribeTopic(topic), count); })) {
    shift.report().observed();
  }
}

void CreateTopic(OperatorShift& shift) {
  const TopicSpec& topic = shift.Topic();
  if (!CreateAnew(shift, topic, std::nullopt, shift.run_end())) return;
  shift.report().applied(fmt::format("an operator creates {}", topic.name));
  const auto is_led = [&] { return IsLed(shift.DescribeTopic(topic.name), topic.partitions); };
  if (shift.Retry(shift.run_end(), is_led)) shift.report().observed();
}

void DeleteTopic(OperatorShift& shift) {
  const TopicSpec& topic = shift.Topic();
  const std::string names[] = {topic.name};
  std::optional<client::TopicDescription> before;
  const auto describe = [&] { return (before = shift.DescribeTopic(topic.name)).has_value(); };
  if (!shift.Retry(shift.load_end(), describe)) return;
  // Brokers may delete it from now on, whatever becomes of the answer.
  shift.context().recorder.TopicGone(topic.name);
  const bool deleted = shift.Retry(shift.run_end(), [&] {
    const auto results = shift.admin().DeleteTopics(names, shift.run_end());
    return results.ok() && !results->empty() &&
           (results->front().error == ErrorCode::NONE ||
            results->front().error == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  });
  if (!deleted) return;
  shift.report().applied(fmt::format("an operator deletes {}", topic.name));
  shift.WaitItsLength();
  shift.context().layout.Set(topic.name, topic.partitions);
  if (!CreateAnew(shift, topic, before, shift.run_end())) return;
  shift.report().observed();
  shift.context().recorder.Tell("", fmt::format("an operator has created {} anew", topic.name));
}

void ElectLeaders(OperatorShift& shift) {
  const std::string& topic = shift.Topic().name;
  const auto preferred = [&](PartitionIndex index) {
    const auto now = shift.DescribeTopic(topic);
    if (!now.has_value()) return false;
    const auto partition =
        std::find_if(now->partitions.begin(), now->partitions.end(),
                     [&](const auto& candidate) { return candidate.partition == index; });
    return partition != now->partitions.end() && !partition->replicas.empty() &&
           partition->leader == partition->replicas.front();
  };
  std::vector<TopicPartition> elected;
  const bool any = shift.Retry(shift.load_end(), [&] {
    const auto before = shift.DescribeTopic(topic);
    if (!before.has_value()) return false;
    std::vector<TopicPartition> all;
    for (const auto& partition : before->partitions) all.push_back({topic, partition.partition});
    const auto results =
        shift.admin().ElectLeaders(client::ElectionType::kPreferred, all, shift.load_end());
    if (!results.ok()) return false;
    for (const client::PartitionResult& result : *results) {
      if (result.error == ErrorCode::NONE) elected.push_back(result.partition);
    }
    return !elected.empty();  // else it is done already, or a preferred leader is not in sync yet
  });
  if (!any) return;
  shift.report().applied(fmt::format(
      "an operator has the preferred leaders of {} elected: {} change", topic, elected.size()));
  const auto index = elected.front().partition;
  if (shift.Retry(shift.run_end(), [&] { return preferred(index); })) shift.report().observed();
}

}  // namespace highwater::scenarios
