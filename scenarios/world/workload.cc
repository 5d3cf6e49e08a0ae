#include "scenarios/world/workload.h"

#include "broker/client/admin.h"
#include "broker/client/consumer.h"
#include "broker/client/producer.h"
#include "scenarios/world/client_configs.h"

namespace highwater::scenarios {
namespace {

using broker::Offset;
using broker::PartitionIndex;
using broker::TopicPartition;
namespace client = broker::client;

client::Properties PropertiesOf(const ClientSpec& spec) {
  client::Properties properties;
  for (const Setting& setting : spec.settings) properties[setting.name] = setting.value;
  return properties;
}

invariants::SendOutcome OutcomeOf(client::SendOutcome outcome) {
  switch (outcome) {
    case client::SendOutcome::kAcknowledged:
      return invariants::SendOutcome::kAcked;
    case client::SendOutcome::kFailed:
      return invariants::SendOutcome::kFailed;
    case client::SendOutcome::kUnknown:
      return invariants::SendOutcome::kUnknown;
  }
  HW_UNREACHABLE();
}

// False if the load is over before the topics exist.
bool AwaitTopics(core::Environment& env, const WorkloadContext& context) {
  while (!context.topics_created && context.now() < context.load_end) {
    static_cast<void>(env.fibers.SleepFor(absl::Milliseconds(10)));
  }
  return context.topics_created;
}

// A topic that is created while brokers are missing lies on the others, perhaps all in one zone.
void AwaitBrokers(core::Environment& env, const WorkloadContext& context, client::Admin& admin) {
  const auto all = static_cast<size_t>(context.scenario.cluster.brokers);
  while (context.now() < context.scenario.run.warmup) {
    const auto cluster = admin.DescribeCluster(env.clock.Now() + absl::Seconds(2));
    if (cluster.ok() && cluster->brokers.size() >= all) return;
    static_cast<void>(env.fibers.SleepFor(absl::Milliseconds(100)));
  }
}

}  // namespace

TopicLayout::TopicLayout(const Scenario& scenario) : scenario_(scenario) {
  for (const TopicSpec& topic : scenario.topics) partitions_[topic.name] = topic.partitions;
}

int32_t TopicLayout::PartitionsOf(std::string_view topic) const {
  const auto found = partitions_.find(topic);
  return found == partitions_.end() ? 0 : found->second;
}

std::vector<TopicPartition> TopicLayout::PartitionsOf(
    const std::vector<std::string>& topics) const {
  std::vector<TopicPartition> result;
  for (const TopicSpec& topic : scenario_.topics) {
    if (std::find(topics.begin(), topics.end(), topic.name) == topics.end()) continue;
    for (int32_t i = 0; i < PartitionsOf(topic.name); ++i) {
      result.push_back({topic.name, PartitionIndex(i)});
    }
  }
  return result;
}

std::set<std::string> CreatedLater(const Scenario& scenario) {
  std::set<std::string> topics;
  for (const TimelineFault& fault : scenario.timeline) {
    if (fault.fault.kind == "create_topic") topics.insert(fault.fault.target.name);
  }
  if (scenario.materialised) {
    for (const faults::FaultOrder& order : scenario.materialised->orders) {
      if (order.kind == "create_topic") topics.insert(order.aim.name);
    }
  }
  return topics;
}

client::NewTopic NewTopicOf(const TopicSpec& topic) {
  client::NewTopic wanted{.name = topic.name,
                          .partitions = topic.partitions,
                          .replication_factor = static_cast<int16_t>(topic.replicas)};
  for (const Setting& setting : topic.settings) wanted.settings[setting.name] = setting.value;
  return wanted;
}

client::AdminConfig AdminConfigOf(const WorkloadContext& context, std::string_view name) {
  return HarnessConfigOf<client::AdminConfig>({}, context, name);
}

invariants::ProducerPromises PromisesOf(const ClientSpec& spec) {
  const auto config = client::ProducerConfig::FromMap(PropertiesOf(spec));
  HW_CHECK(config.ok(), "{}", std::string(config.status().message()));
  return {.idempotent = config->IsIdempotent(),
          .ordered = config->IsIdempotent() || config->max_in_flight == 1};
}

void RunProducer(core::Environment& env, WorkloadContext& context, const NamedClient& named,
                 uint32_t producer_id) {
  if (!AwaitTopics(env, context)) return;
  const ClientSpec& spec = *named.spec;
  const auto config = ConfigOf<client::ProducerConfig>(PropertiesOf(spec), context, named.name);
  client::Producer producer(env, config, context.producer_rules);
  uint64_t layout = context.layout.version();
  std::vector<TopicPartition> partitions = context.layout.PartitionsOf(spec.topics);
  const absl::Duration interval = spec.rate.period / spec.rate.count;
  core::MonotonicTime next = env.clock.Now();
  uint64_t count = 0;
  const auto most = static_cast<uint64_t>(
      context.scenario.materialised
          ? context.scenario.materialised->operations.value_or(std::numeric_limits<int64_t>::max())
          : std::numeric_limits<int64_t>::max());
  while (context.now() < context.load_end && count < most) {
    // Arrivals are spread: each interval is drawn between none and twice the mean.
    const int64_t mean = absl::ToInt64Nanoseconds(interval) / context.surges.FactorOf(named.name);
    next = next + absl::Nanoseconds(env.random.Between(0, 2 * mean));
    if (env.fibers.SleepUntil(next) == core::Wake::kCancelled) break;
    if (context.now() >= context.load_end) break;
    if (std::exchange(layout, context.layout.version()) != context.layout.version()) {
      partitions = context.layout.PartitionsOf(spec.topics);
    }
    context.surges.Sent(named.name);
    const TopicPartition to = partitions[count++ % partitions.size()];
    const auto size = static_cast<uint32_t>(env.random.Between(spec.record.low, spec.record.high));
    const auto id =
        context.recorder.Sent(producer_id, to, std::max(size, invariants::kSmallestValue),
                              static_cast<int16_t>(config.acks));
    const core::Bytes value = invariants::MakeValue(id, size);
    std::string key;
    if (spec.keys > 0)
      key = fmt::format("key-{}", env.random.Below(static_cast<uint64_t>(spec.keys)));
    producer.Send({.topic = to.topic,
                   .partition = to.partition,
                   .key = spec.keys > 0 ? std::optional<std::string_view>(key) : std::nullopt,
                   .value = value.view()},
                  [&recorder = context.recorder, id](const client::SendResult& result) {
                    recorder.Completed(id, OutcomeOf(result.outcome), result.partition,
                                       result.offset);
                  });
  }
  producer.Close(env.clock.Now() + context.scenario.run.heal / 2);
}

void RunConsumer(core::Environment& env, const WorkloadContext& context, const NamedClient& named) {
  if (!AwaitTopics(env, context)) return;
  client::Properties properties = PropertiesOf(*named.spec);
  properties.emplace("auto.offset.reset", "earliest");
  client::Consumer consumer(env, ConfigOf<client::ConsumerConfig>(properties, context, named.name),
                            context.consumer_rules);
  uint64_t layout = context.layout.version();
  consumer.Assign(context.layout.PartitionsOf(named.spec->topics));
  for (uint64_t poll = 1; !env.process.StopRequested(); ++poll) {
    if (std::exchange(layout, context.layout.version()) != context.layout.version()) {
      consumer.Assign(context.layout.PartitionsOf(named.spec->topics));
    }
    const client::PollResult polled = consumer.Poll(env.clock.Now() + absl::Seconds(1));
    for (const client::PositionReset& reset : polled.resets) {
      context.recorder.PositionJumped(named.name, reset.partition, reset.from,
                                      ReasonOf(reset.reason));
    }
    for (const client::PolledPartition& partition : polled.partitions) {
      for (const client::ConsumerRecord& record : partition.records) {
        context.recorder.Consumed(named.name, partition.partition, record.offset,
                                  record.value.value_or(core::Bytes()), poll);
      }
    }
    for (const client::ConsumerError& error : polled.errors) {
      context.recorder.Tell(named.name,
                            fmt::format("cannot read {} at offset {}: {}", error.partition,
                                        error.position, error.message));
      context.recorder.PositionJumped(named.name, error.partition, broker::kNoOffset,
                                      invariants::JumpReason::kAsked);
      consumer.SeekToBeginning(error.partition);
    }
  }
}

void CreateTopics(core::Environment& env, WorkloadContext& context) {
  client::Admin admin(env, AdminConfigOf(context, "admin"));
  const std::set<std::string> later = CreatedLater(context.scenario);
  std::vector<client::NewTopic> topics;
  for (const TopicSpec& topic : context.scenario.topics) {
    if (!later.contains(topic.name)) topics.push_back(NewTopicOf(topic));
  }
  AwaitBrokers(env, context, admin);
  while (!topics.empty() && context.now() < context.load_end) {
    const auto results = admin.CreateTopics(topics, env.clock.Now() + absl::Seconds(10));
    if (results.ok()) {
      for (const client::TopicResult& result : *results) {
        using broker::protocol::ErrorCode;
        const bool exists =
            result.error == ErrorCode::NONE || result.error == ErrorCode::TOPIC_ALREADY_EXISTS;
        if (exists) {
          std::erase_if(topics,
                        [&](const client::NewTopic& topic) { return topic.name == result.name; });
        } else {
          context.recorder.Tell("admin",
                                fmt::format("cannot create {}: error {} {}", result.name,
                                            static_cast<int>(result.error), result.message));
        }
      }
    }
    if (!topics.empty()) static_cast<void>(env.fibers.SleepFor(absl::Milliseconds(200)));
  }
  context.topics_created = topics.empty();
}

}  // namespace highwater::scenarios
