#include "broker/server/broker_config_keys.h"

#include <algorithm>

#include "broker/server/broker_config.h"

namespace highwater::broker {

namespace {

using enum ConfigType;
constexpr std::string_view kNever = "9223372036854775807";

// Sorted by name. Types, defaults and ranges of Kafka 3.2 ([D1]-[D36]).
constexpr ConfigKey kKeys[] = {
    {.name = "advertised.listeners", .type = kString,
     .about = "Where clients are told to connect; empty: as listeners."},
    {.name = "auto.create.topics.enable", .type = kBool, .default_value = "true",
     .about = "Whether a client that asks for an unknown topic makes it exist."},
    {.name = "broker.id", .type = kInt, .default_value = "0", .max = kMaxInt,
     .about = "This broker's id in its cluster."},
    {.name = "broker.rack", .type = kString, .about = "The zone that this broker stands in."},
    {.name = "compression.type", .type = kString, .default_value = "producer",
     .choices = "producer", .about = "The codec of stored batches; producer: as it came."},
    {.name = "connections.max.idle.ms", .type = kMillis, .default_value = "600000", .min = -1,
     .about = "A connection without a request for so long is closed; -1: never."},
    {.name = "default.replication.factor", .type = kInt, .default_value = "1", .min = 1,
     .max = 32767, .about = "Replicas of a topic that is created without saying how many."},
    {.name = "delete.topic.enable", .type = kBool, .default_value = "true",
     .about = "Whether topics may be deleted."},
    {.name = "fetch.max.bytes", .type = kInt, .default_value = "57671680", .min = 1024,
     .max = kMaxInt, .about = "The most bytes that one Fetch answer carries."},
    {.name = "listeners", .type = kString, .default_value = "PLAINTEXT://:9092",
     .about = "Where this broker listens: PLAINTEXT://host:port."},
    {.name = "log.cleaner.delete.retention.ms", .type = kMillis, .default_value = "86400000",
     .about = "Without effect: no compaction yet."},
    {.name = "log.cleaner.max.compaction.lag.ms", .type = kMillis, .default_value = kNever,
     .min = 1, .about = "Without effect: no compaction yet."},
    {.name = "log.cleaner.min.cleanable.ratio", .type = kDouble, .default_value = "0.5",
     .about = "Without effect: no compaction yet."},
    {.name = "log.cleaner.min.compaction.lag.ms", .type = kMillis, .default_value = "0",
     .about = "Without effect: no compaction yet."},
    {.name = "log.cleanup.policy", .type = kList, .default_value = "delete", .choices = "delete",
     .about = "What is done with old segments; only delete is supported yet."},
    {.name = "log.dir", .type = kString, .default_value = "highwater-logs",
     .about = "The directory of the logs, where log.dirs is not given."},
    {.name = "log.dirs", .type = kList,
     .about = "The directories of the logs, separated by commas."},
    {.name = "log.flush.interval.messages", .type = kLong, .default_value = kNever, .min = 1,
     .about = "After how many records a log is synced to disk. 1: before each answer."},
    {.name = "log.flush.interval.ms", .type = kMillis, .default_value = kNever,
     .about = "The longest time that a record stays unsynced."},
    {.name = "log.flush.offset.checkpoint.interval.ms", .type = kMillis, .default_value = "60000",
     .about = "How often recovery points are written."},
    {.name = "log.flush.scheduler.interval.ms", .type = kMillis, .default_value = kNever,
     .about = "How often it is checked whether a log is to be synced."},
    {.name = "log.flush.start.offset.checkpoint.interval.ms", .type = kMillis,
     .default_value = "60000", .about = "How often log start offsets are written."},
    {.name = "log.index.interval.bytes", .type = kInt, .default_value = "4096", .max = kMaxInt,
     .about = "An index entry is made after this many bytes of log."},
    {.name = "log.index.size.max.bytes", .type = kInt, .default_value = "10485760", .min = 4,
     .max = kMaxInt, .about = "The largest size of a segment's indexes."},
    {.name = "log.message.downconversion.enable", .type = kBool, .default_value = "false",
     .choices = "false", .about = "Older message formats are never made for old consumers."},
    {.name = "log.message.timestamp.difference.max.ms", .type = kMillis, .default_value = kNever,
     .about = "How far a record's time may be from the broker's clock."},
    {.name = "log.message.timestamp.type", .type = kString, .default_value = "CreateTime",
     .choices = "CreateTime,LogAppendTime",
     .about = "Whose time a record carries: its producer's, or that of its append."},
    {.name = "log.preallocate", .type = kBool, .default_value = "false", .choices = "false",
     .about = "Segment files are never preallocated."},
    {.name = "log.retention.bytes", .type = kLong, .default_value = "-1", .min = -1,
     .about = "The size of a partition past which old segments go; -1: no limit."},
    {.name = "log.retention.check.interval.ms", .type = kMillis, .default_value = "300000",
     .min = 1, .about = "How often old segments are looked for."},
    {.name = "log.retention.hours", .type = kInt, .default_value = "168", .min = -1,
     .max = kMaxInt, .about = "As log.retention.ms, in hours."},
    {.name = "log.retention.minutes", .type = kInt, .default_value = "10080", .min = -1,
     .max = kMaxInt, .about = "As log.retention.ms, in minutes."},
    {.name = "log.retention.ms", .type = kMillis, .default_value = "604800000", .min = -1,
     .about = "The age past which old segments go; -1: no limit."},
    {.name = "log.roll.hours", .type = kInt, .default_value = "168", .min = 1, .max = kMaxInt,
     .about = "As log.roll.ms, in hours."},
    {.name = "log.roll.jitter.hours", .type = kInt, .default_value = "0", .max = kMaxInt,
     .about = "As log.roll.jitter.ms, in hours."},
    {.name = "log.roll.jitter.ms", .type = kMillis, .default_value = "0",
     .about = "How much earlier than log.roll.ms a segment may end, at random."},
    {.name = "log.roll.ms", .type = kMillis, .default_value = "604800000", .min = 1,
     .about = "The age at which a new segment begins."},
    {.name = "log.segment.bytes", .type = kInt, .default_value = "1073741824", .min = 14,
     .max = kMaxInt, .about = "The size at which a new segment begins."},
    {.name = "log.segment.delete.delay.ms", .type = kMillis, .default_value = "60000",
     .about = "How long a removed segment's files stay before they are unlinked."},
    {.name = "max.connections", .type = kInt, .default_value = "2147483647", .max = kMaxInt,
     .about = "How many connections there may be at once."},
    {.name = "max.connections.per.ip", .type = kInt, .default_value = "2147483647", .max = kMaxInt,
     .about = "How many connections there may be from one address."},
    {.name = "max.connections.per.ip.overrides", .type = kList,
     .about = "Other limits for some addresses: address:count,..."},
    {.name = "message.max.bytes", .type = kInt, .default_value = "1048588", .max = kMaxInt,
     .about = "The largest record batch that is accepted."},
    {.name = "min.insync.replicas", .type = kInt, .default_value = "1", .min = 1, .max = kMaxInt,
     .about = "How many in-sync replicas a write with acks=all needs."},
    {.name = "num.io.threads", .type = kInt, .default_value = "8", .min = 1, .max = kMaxInt,
     .about = "Without effect: requests are served by fibers."},
    {.name = "num.network.threads", .type = kInt, .default_value = "3", .min = 1, .max = kMaxInt,
     .about = "Without effect: requests are served by fibers."},
    {.name = "num.partitions", .type = kInt, .default_value = "1", .min = 1, .max = kMaxInt,
     .about = "Partitions of a topic that is created without saying how many."},
    {.name = "num.recovery.threads.per.data.dir", .type = kInt, .default_value = "1", .min = 1,
     .max = kMaxInt, .about = "How many logs of a directory are recovered at once."},
    {.name = "queued.max.request.bytes", .type = kLong, .default_value = "-1", .min = -1,
     .about = "The most bytes of requests at work at once; -1: a quarter of a GiB."},
    {.name = "queued.max.requests", .type = kInt, .default_value = "500", .min = 1, .max = kMaxInt,
     .about = "The most requests at work at once, waiting fetches not counted."},
    {.name = "replica.high.watermark.checkpoint.interval.ms", .type = kMillis,
     .default_value = "5000", .about = "How often high watermarks are written."},
    {.name = "request.timeout.ms", .type = kInt, .default_value = "30000", .min = 1,
     .max = kMaxInt, .about = "Without effect: there are no other brokers to wait for yet."},
    {.name = "socket.request.max.bytes", .type = kInt, .default_value = "104857600", .min = 1,
     .max = kMaxInt, .about = "The largest request; a greater one closes its connection."},
    {.name = "unclean.leader.election.enable", .type = kBool, .default_value = "false",
     .about = "Whether a replica out of sync may lead when no other is left."},
    {.name = "zookeeper.connect", .type = kString,
     .about = "Must be empty: a single broker is its own controller."},
};

}  // namespace

absl::Span<const ConfigKey> BrokerConfigKeys() { return kKeys; }

const ConfigKey* FindBrokerConfigKey(std::string_view name) {
  const auto* found =
      std::lower_bound(std::begin(kKeys), std::end(kKeys), name,
                       [](const ConfigKey& key, std::string_view n) { return key.name < n; });
  return found != std::end(kKeys) && found->name == name ? found : nullptr;
}

void internal::SetFields(BrokerConfig& config) {
  const auto text = [&](const char* name) -> const std::string& {
    return config.effective.at(name);
  };
  const auto number = [&](const char* name) { return ReadInteger(text(name)); };
  const auto millis = [&](const char* name) { return ReadMillis(text(name)); };
  config.broker_id = BrokerId(static_cast<int32_t>(number("broker.id")));
  config.rack = text("broker.rack");
  config.log_dirs = ReadList(text("log.dirs"));
  config.num_partitions = static_cast<int32_t>(number("num.partitions"));
  config.default_replication_factor = static_cast<int32_t>(number("default.replication.factor"));
  config.auto_create_topics_enable = ReadBool(text("auto.create.topics.enable"));
  config.delete_topic_enable = ReadBool(text("delete.topic.enable"));
  config.fetch_max_bytes = number("fetch.max.bytes");
  config.socket_request_max_bytes = number("socket.request.max.bytes");
  config.max_connections = number("max.connections");
  config.max_connections_per_ip = number("max.connections.per.ip");
  config.connections_max_idle = millis("connections.max.idle.ms");
  config.queued_max_requests = number("queued.max.requests");
  config.queued_max_request_bytes = number("queued.max.request.bytes");
  config.retention_check_interval = millis("log.retention.check.interval.ms");
  config.flush_scheduler_interval = millis("log.flush.scheduler.interval.ms");
  config.flush_offset_checkpoint_interval = millis("log.flush.offset.checkpoint.interval.ms");
  config.flush_start_offset_checkpoint_interval =
      millis("log.flush.start.offset.checkpoint.interval.ms");
  config.high_watermark_checkpoint_interval =
      millis("replica.high.watermark.checkpoint.interval.ms");
  config.recovery_threads_per_data_dir = number("num.recovery.threads.per.data.dir");
}

}  // namespace highwater::broker
