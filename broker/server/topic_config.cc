#include "broker/server/topic_config.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/nearest_name.h"
#include "core/status_macros.h"

namespace highwater::broker {

namespace {

using enum ConfigType;

// Sorted by name. Types, defaults and ranges of Kafka 3.2's topic settings.
constexpr TopicConfigKey kKeys[] = {
    {{.name = "cleanup.policy",
      .type = kList,
      .default_value = "delete",
      .choices = "delete",
      .about = "What is done with old segments; only delete is supported yet."},
     "log.cleanup.policy"},
    {{.name = "compression.type",
      .type = kString,
      .default_value = "producer",
      .choices = "producer",
      .about = "The codec of stored batches; only producer (as it came) is supported yet."},
     "compression.type"},
    {{.name = "delete.retention.ms",
      .type = kMillis,
      .default_value = "86400000",
      .about = "How long a compacted topic keeps tombstones. Without effect: no compaction yet."},
     "log.cleaner.delete.retention.ms"},
    {{.name = "file.delete.delay.ms",
      .type = kMillis,
      .default_value = "60000",
      .about = "How long a removed segment's files stay before they are unlinked."},
     "log.segment.delete.delay.ms"},
    {{.name = "flush.messages",
      .type = kLong,
      .default_value = "9223372036854775807",
      .min = 1,
      .about = "After how many records a log is synced to disk. 1: before each answer."},
     "log.flush.interval.messages"},
    {{.name = "flush.ms",
      .type = kMillis,
      .default_value = "9223372036854775807",
      .about = "The longest time that a record stays unsynced."},
     "log.flush.interval.ms"},
    {{.name = "index.interval.bytes",
      .type = kInt,
      .default_value = "4096",
      .max = kMaxInt,
      .about = "An index entry is made after this many bytes of log."},
     "log.index.interval.bytes"},
    {{.name = "max.compaction.lag.ms",
      .type = kMillis,
      .default_value = "9223372036854775807",
      .min = 1,
      .about = "Without effect: no compaction yet."},
     "log.cleaner.max.compaction.lag.ms"},
    {{.name = "max.message.bytes",
      .type = kInt,
      .default_value = "1048588",
      .max = kMaxInt,
      .about = "The largest record batch that is accepted."},
     "message.max.bytes"},
    {{.name = "message.downconversion.enable",
      .type = kBool,
      .default_value = "false",
      .choices = "false",
      .about = "Older message formats are never made for old consumers."},
     "log.message.downconversion.enable"},
    {{.name = "message.timestamp.difference.max.ms",
      .type = kMillis,
      .default_value = "9223372036854775807",
      .about = "How far a record's time may be from the broker's clock."},
     "log.message.timestamp.difference.max.ms"},
    {{.name = "message.timestamp.type",
      .type = kString,
      .default_value = "CreateTime",
      .choices = "CreateTime,LogAppendTime",
      .about = "Whose time a record carries: its producer's, or that of its append."},
     "log.message.timestamp.type"},
    {{.name = "min.cleanable.dirty.ratio",
      .type = kDouble,
      .default_value = "0.5",
      .about = "Without effect: no compaction yet."},
     "log.cleaner.min.cleanable.ratio"},
    {{.name = "min.compaction.lag.ms",
      .type = kMillis,
      .default_value = "0",
      .about = "Without effect: no compaction yet."},
     "log.cleaner.min.compaction.lag.ms"},
    {{.name = "min.insync.replicas",
      .type = kInt,
      .default_value = "1",
      .min = 1,
      .max = kMaxInt,
      .about = "How many in-sync replicas a write with acks=all needs."},
     "min.insync.replicas"},
    {{.name = "preallocate",
      .type = kBool,
      .default_value = "false",
      .choices = "false",
      .about = "Segment files are never preallocated."},
     "log.preallocate"},
    {{.name = "retention.bytes",
      .type = kLong,
      .default_value = "-1",
      .min = -1,
      .about = "The size of a partition past which old segments go; -1 is no limit."},
     "log.retention.bytes"},
    {{.name = "retention.ms",
      .type = kMillis,
      .default_value = "604800000",
      .min = -1,
      .about = "The age past which old segments go; -1 is no limit."},
     "log.retention.ms"},
    {{.name = "segment.bytes",
      .type = kInt,
      .default_value = "1073741824",
      .min = 14,
      .max = kMaxInt,
      .about = "The size at which a new segment begins."},
     "log.segment.bytes"},
    {{.name = "segment.index.bytes",
      .type = kInt,
      .default_value = "10485760",
      .min = 4,
      .max = kMaxInt,
      .about = "The largest size of a segment's indexes."},
     "log.index.size.max.bytes"},
    {{.name = "segment.jitter.ms",
      .type = kMillis,
      .default_value = "0",
      .about = "How much earlier than segment.ms a segment may end, at random."},
     "log.roll.jitter.ms"},
    {{.name = "segment.ms",
      .type = kMillis,
      .default_value = "604800000",
      .min = 1,
      .about = "The age at which a new segment begins."},
     "log.roll.ms"},
    {{.name = "unclean.leader.election.enable",
      .type = kBool,
      .default_value = "false",
      .about = "Whether a replica out of sync may lead when no other is left."},
     "unclean.leader.election.enable"},
};

std::vector<std::string_view> Names() {
  std::vector<std::string_view> names;
  for (const TopicConfigKey& key : kKeys) names.push_back(key.key.name);
  return names;
}

// Sets the field that `name` stands for; names without effect have none. REQUIRES: a valid value.
absl::Status Set(TopicConfig& config, std::string_view name, std::string_view value) {
  if (name == "min.insync.replicas") {
    config.min_insync_replicas = ReadInteger(value);
  } else if (name == "unclean.leader.election.enable") {
    config.unclean_leader_election_enable = ReadBool(value);
  } else if (absl::Status status = config.log.Set(name, value); !absl::IsNotFound(status)) {
    return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TopicConfig> TopicConfig::Resolve(const TopicConfig& defaults,
                                                 const TopicOverrides& overrides) {
  TopicConfig config = defaults;
  for (const auto& [name, value] : overrides) {
    HW_RETURN_IF_ERROR(ValidateTopicConfig(name, value));
    HW_RETURN_IF_ERROR(Set(config, name, value));
  }
  HW_RETURN_IF_ERROR(config.log.Validate());
  return config;
}

absl::Span<const TopicConfigKey> TopicConfigKeys() { return kKeys; }

const TopicConfigKey* FindTopicConfigKey(std::string_view name) {
  const auto* found = std::lower_bound(
      std::begin(kKeys), std::end(kKeys), name,
      [](const TopicConfigKey& key, std::string_view n) { return key.key.name < n; });
  return found != std::end(kKeys) && found->key.name == name ? found : nullptr;
}

absl::Status ValidateTopicConfig(std::string_view name, std::string_view value) {
  const TopicConfigKey* key = FindTopicConfigKey(name);
  if (key == nullptr) {
    const std::string_view close = core::NearestName(name, Names());
    return absl::InvalidArgumentError(
        fmt::format("unknown topic setting \"{}\"{}", name,
                    close.empty() ? "" : fmt::format("; did you mean \"{}\"?", close)));
  }
  for (const char c : value) {
    // Settings are kept in a text file, a line each.
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      return absl::InvalidArgumentError(fmt::format("{}: a control character", name));
    }
  }
  if (absl::Status status = ValidateValue(key->key, value); !status.ok()) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", name, std::string(status.message())));
  }
  return absl::OkStatus();
}

}  // namespace highwater::broker
