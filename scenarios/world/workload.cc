#include "scenarios/world/workload.h"

#include "broker/client/admin.h"
#include "broker/client/consumer.h"
#include "broker/client/producer.h"

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

// The loader has validated every setting.
template <typename Config>
Config ConfigOf(const client::Properties& properties, const WorkloadContext& context,
                std::string_view name) {
  absl::StatusOr<Config> config = Config::FromMap(properties);
  HW_CHECK(config.ok(), "client settings of {}: {}", name, std::string(config.status().message()));
  config->bootstrap_servers = context.bootstrap;
  config->client_id = std::string(name);
  return *std::move(config);
}

// The harness's own clients do not wait for Kafka's 30 s where a broker has silently gone.
template <typename Config>
Config HarnessConfigOf(const client::Properties& properties, const WorkloadContext& context,
                       std::string_view name) {
  auto config = ConfigOf<Config>(properties, context, name);
  config.request_timeout = absl::Seconds(2);
  return config;
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

invariants::JumpReason ReasonOf(client::ResetReason reason) {
  switch (reason) {
    case client::ResetReason::kNoPosition:
      return invariants::JumpReason::kAsked;
    case client::ResetReason::kOutOfRange:
      return invariants::JumpReason::kOutOfRange;
    case client::ResetReason::kTruncation:
      return invariants::JumpReason::kTruncation;
  }
  HW_UNREACHABLE();
}

std::vector<std::string> AllTopics(const Scenario& scenario) {
  std::vector<std::string> result;
  for (const TopicSpec& topic : scenario.topics) result.push_back(topic.name);
  return result;
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
  ++context.producers_at_work;
  const ClientSpec& spec = *named.spec;
  const auto config = ConfigOf<client::ProducerConfig>(PropertiesOf(spec), context, named.name);
  client::Producer producer(env, config, context.producer_rules);
  uint64_t layout = context.layout.version();
  std::vector<TopicPartition> partitions = context.layout.PartitionsOf(spec.topics);
  const absl::Duration interval = spec.rate.period / spec.rate.count;
  core::MonotonicTime next = env.clock.Now();
  uint64_t count = 0;
  while (context.now() < context.load_end) {
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
  --context.producers_at_work;
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

void ReadAtRest(core::Environment& env, const WorkloadContext& context, absl::Duration deadline,
                const std::function<void(std::vector<invariants::PartitionAtRest>)>& done) {
  const std::vector<TopicPartition> partitions =
      context.layout.PartitionsOf(AllTopics(context.scenario));
  const core::MonotonicTime until = env.clock.Now() + (deadline - context.now());
  const core::MonotonicTime patience = env.clock.Now() + (deadline - context.now()) / 2;
  while (context.producers_at_work > 0 && env.clock.Now() < patience) {
    static_cast<void>(env.fibers.SleepFor(absl::Milliseconds(10)));
  }
  const absl::Duration as_of = context.now();
  std::vector<invariants::PartitionAtRest> found;
  for (const TopicPartition& partition : partitions) {
    found.push_back({.partition = partition, .obstacle = "no broker answered", .as_of = as_of});
  }
  client::Admin admin(env, AdminConfigOf(context, "reader"));
  auto list = [&](int64_t timestamp, Offset invariants::PartitionAtRest::* field) {
    std::vector<bool> known(found.size());
    while (env.clock.Now() < until) {
      const auto offsets = admin.ListOffsets(partitions, timestamp, until);
      if (offsets.ok()) {
        bool all = true;
        for (size_t i = 0; i < found.size(); ++i) {
          const client::ListedOffset& listed = (*offsets)[i];
          known[i] = listed.error == broker::protocol::ErrorCode::NONE;
          if (known[i]) found[i].*field = listed.offset;
          if (!known[i]) {
            found[i].obstacle =
                fmt::format("error {} to ListOffsets", static_cast<int>(listed.error));
            all = false;
          }
        }
        if (all) return true;
      } else {
        for (auto& rest : found) rest.obstacle = std::string(offsets.status().message());
      }
      static_cast<void>(env.fibers.SleepFor(absl::Milliseconds(200)));
    }
    return false;
  };
  if (!list(client::kEarliestTimestamp, &invariants::PartitionAtRest::log_start) ||
      !list(client::kLatestTimestamp, &invariants::PartitionAtRest::log_end)) {
    return done(std::move(found));
  }
  client::Consumer consumer(env, HarnessConfigOf<client::ConsumerConfig>(
                                     {{"auto.offset.reset", "earliest"}}, context, "reader"));
  consumer.Assign(partitions);
  for (const TopicPartition& partition : partitions) consumer.SeekToBeginning(partition);
  auto at_end = [&](const invariants::PartitionAtRest& rest) {
    const std::optional<Offset> position = consumer.Position(rest.partition);
    return rest.log_start == rest.log_end || (position.has_value() && *position >= rest.log_end);
  };
  for (uint64_t poll = 1; env.clock.Now() < until; ++poll) {
    bool all = true;
    for (const auto& rest : found) all = all && at_end(rest);
    if (all) break;
    const client::PollResult polled = consumer.Poll(until);
    for (const client::PositionReset& reset : polled.resets) {
      context.recorder.PositionJumped("reader", reset.partition, reset.from,
                                      ReasonOf(reset.reason));
    }
    for (const client::PolledPartition& batch : polled.partitions) {
      const auto place = std::find(partitions.begin(), partitions.end(), batch.partition);
      invariants::PartitionAtRest& rest = found[static_cast<size_t>(place - partitions.begin())];
      for (const client::ConsumerRecord& record : batch.records) {
        const core::Bytes value = record.value.value_or(core::Bytes());
        context.recorder.Consumed("reader", batch.partition, record.offset, value, poll);
        if (const auto id = invariants::ParseValue(value))
          rest.records.emplace_back(record.offset, *id);
      }
    }
    for (const client::ConsumerError& error : polled.errors) {
      const auto place = std::find(partitions.begin(), partitions.end(), error.partition);
      found[static_cast<size_t>(place - partitions.begin())].obstacle =
          fmt::format("offset {}: {}", error.position, error.message);
    }
  }
  for (auto& rest : found) rest.readable = at_end(rest);
  // Retention goes on while the reader reads: what it took since is not lost.
  (void)list(client::kEarliestTimestamp, &invariants::PartitionAtRest::log_start);
  done(std::move(found));
}

}  // namespace highwater::scenarios
