#include "broker/storage/log_config.h"

#include <fmt/format.h>

#include <charconv>

namespace highwater::broker::storage {
namespace {

struct NumberSetting {
  std::string_view name;
  int64_t LogConfig::* field;
  int64_t min;
  int64_t max;
};

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxLong = std::numeric_limits<int64_t>::max();

constexpr NumberSetting kNumbers[] = {
    {"segment.bytes", &LogConfig::segment_bytes, 14, kMaxInt},
    {"segment.ms", &LogConfig::segment_ms, 1, kMaxLong},
    {"segment.jitter.ms", &LogConfig::segment_jitter_ms, 0, kMaxLong},
    {"segment.index.bytes", &LogConfig::segment_index_bytes, 4, kMaxInt},
    {"index.interval.bytes", &LogConfig::index_interval_bytes, 0, kMaxInt},
    {"retention.bytes", &LogConfig::retention_bytes, -1, kMaxLong},
    {"retention.ms", &LogConfig::retention_ms, -1, kMaxLong},
    {"flush.messages", &LogConfig::flush_messages, 1, kMaxLong},
    {"flush.ms", &LogConfig::flush_ms, 0, kMaxLong},
    {"file.delete.delay.ms", &LogConfig::file_delete_delay_ms, 0, kMaxLong},
    {"max.message.bytes", &LogConfig::max_message_bytes, 0, kMaxInt},
    {"message.timestamp.difference.max.ms", &LogConfig::message_timestamp_difference_max_ms, 0,
     kMaxLong},
};

absl::Status SetCleanupPolicy(LogConfig& config, std::string_view value) {
  bool to_delete = false;
  bool to_compact = false;
  size_t start = 0;
  while (start <= value.size()) {
    const size_t comma = std::min(value.find(',', start), value.size());
    std::string_view word = value.substr(start, comma - start);
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
    if (word == "delete") {
      to_delete = true;
    } else if (word == "compact") {
      to_compact = true;
    } else {
      return absl::InvalidArgumentError(
          fmt::format("cleanup.policy: \"{}\" is neither delete nor compact", word));
    }
    start = comma + 1;
  }
  config.cleanup_delete = to_delete;
  config.cleanup_compact = to_compact;
  return absl::OkStatus();
}

}  // namespace

absl::Status LogConfig::Set(std::string_view name, std::string_view value) {
  if (name == "cleanup.policy") return SetCleanupPolicy(*this, value);
  if (name == "message.timestamp.type") {
    if (value == "CreateTime") {
      message_timestamp_type = protocol::TimestampType::kCreateTime;
    } else if (value == "LogAppendTime") {
      message_timestamp_type = protocol::TimestampType::kLogAppendTime;
    } else {
      return absl::InvalidArgumentError(
          fmt::format("{}: \"{}\" is neither CreateTime nor LogAppendTime", name, value));
    }
    return absl::OkStatus();
  }
  for (const NumberSetting& setting : kNumbers) {
    if (setting.name != name) continue;
    int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || number < setting.min ||
        number > setting.max) {
      return absl::InvalidArgumentError(fmt::format("{}: \"{}\" is not a number from {} to {}",
                                                    name, value, setting.min, setting.max));
    }
    this->*setting.field = number;
    return absl::OkStatus();
  }
  return absl::NotFoundError(fmt::format("a log has no setting \"{}\"", name));
}

absl::Status LogConfig::Validate() const {
  for (const NumberSetting& setting : kNumbers) {
    const int64_t value = this->*setting.field;
    if (value < setting.min || value > setting.max) {
      return absl::InvalidArgumentError(fmt::format("{}: {} is not from {} to {}", setting.name,
                                                    value, setting.min, setting.max));
    }
  }
  if (!cleanup_delete && !cleanup_compact) {
    return absl::InvalidArgumentError("cleanup.policy: expected delete, compact or both");
  }
  return absl::OkStatus();
}

}  // namespace highwater::broker::storage
