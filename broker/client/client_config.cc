#include "broker/client/client_config.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>

#include "core/nearest_name.h"
#include "core/status_macros.h"

namespace highwater::broker::client {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxLong = std::numeric_limits<int64_t>::max();

absl::Status Invalid(std::string message) {
  return absl::InvalidArgumentError(absl::string_view(message.data(), message.size()));
}

// One setting: its name and how its text gets into a config.
template <typename Config>
struct Setting {
  std::string_view name;
  std::function<absl::Status(std::string_view, Config&)> read;
};

template <typename Config>
using Table = std::vector<Setting<Config>>;

absl::StatusOr<int64_t> ReadInteger(std::string_view text, int64_t low, int64_t high) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &value)) {
    return Invalid(fmt::format("expected a whole number, got \"{}\"", text));
  }
  if (value < low || value > high) {
    return Invalid(fmt::format("expected {} to {}, got {}", low, high, value));
  }
  return value;
}

template <typename Config, typename Owner>
Setting<Config> Integer(std::string_view name, int64_t Owner::* field, int64_t low, int64_t high) {
  return {name, [=](std::string_view text, Config& config) -> absl::Status {
            HW_ASSIGN_OR_RETURN(config.*field, ReadInteger(text, low, high));
            return absl::OkStatus();
          }};
}

template <typename Config, typename Owner>
Setting<Config> Millis(std::string_view name, absl::Duration Owner::* field,
                       int64_t high = kMaxLong) {
  return {name, [=](std::string_view text, Config& config) -> absl::Status {
            HW_ASSIGN_OR_RETURN(const int64_t ms, ReadInteger(text, 0, high));
            config.*field = ms == kMaxLong ? absl::InfiniteDuration() : absl::Milliseconds(ms);
            return absl::OkStatus();
          }};
}

template <typename Config, typename Owner>
Setting<Config> Bool(std::string_view name, bool Owner::* field) {
  return {name, [=](std::string_view text, Config& config) -> absl::Status {
            if (text != "true" && text != "false") {
              return Invalid(fmt::format("expected true or false, got \"{}\"", text));
            }
            config.*field = text == "true";
            return absl::OkStatus();
          }};
}

template <typename Config, typename Owner, typename Value>
Setting<Config> Choice(std::string_view name, Value Owner::* field,
                       std::vector<std::pair<std::string_view, Value>> choices) {
  return {name, [=](std::string_view text, Config& config) -> absl::Status {
            std::string expected;
            for (const auto& [word, value] : choices) {
              if (word == text) {
                config.*field = value;
                return absl::OkStatus();
              }
              expected += fmt::format("{}{}", expected.empty() ? "" : ", ", word);
            }
            return Invalid(fmt::format("expected one of {}, got \"{}\"", expected, text));
          }};
}

absl::Status ReadServers(std::string_view text, std::vector<core::Endpoint>& servers) {
  servers.clear();
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view one = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    if (one.empty()) continue;
    const size_t colon = one.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
      return Invalid(fmt::format("expected host:port, got \"{}\"", one));
    }
    std::string_view host = one.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
      host = host.substr(1, host.size() - 2);
    }
    HW_ASSIGN_OR_RETURN(const int64_t port, ReadInteger(one.substr(colon + 1), 1, 65535));
    servers.push_back({std::string(host), static_cast<uint16_t>(port)});
  }
  return absl::OkStatus();
}

template <typename Config>
Table<Config> CommonSettings() {
  return {
      {"bootstrap.servers",
       [](std::string_view text, Config& config) {
         return ReadServers(text, config.bootstrap_servers);
       }},
      {"client.id",
       [](std::string_view text, Config& config) {
         config.client_id = std::string(text);
         return absl::OkStatus();
       }},
      Millis<Config>("request.timeout.ms", &ClientConfig::request_timeout, kMaxInt),
      Millis<Config>("retry.backoff.ms", &ClientConfig::retry_backoff),
      Millis<Config>("metadata.max.age.ms", &ClientConfig::metadata_max_age),
      Millis<Config>("reconnect.backoff.ms", &ClientConfig::reconnect_backoff),
      Millis<Config>("reconnect.backoff.max.ms", &ClientConfig::reconnect_backoff_max),
      Millis<Config>("socket.connection.setup.timeout.ms", &ClientConfig::connection_setup_timeout),
      Millis<Config>("socket.connection.setup.timeout.max.ms",
                     &ClientConfig::connection_setup_timeout_max),
  };
}

constexpr int64_t kMostIdempotentInFlight = 5;

// [D60] Which setting rules idempotence out, and why; "" if none does.
std::string_view WhyNotIdempotent(const ProducerConfig& config) {
  if (config.acks != Acks::kAll) return "acks must be all";
  if (config.retries == 0) return "retries must not be 0";
  if (config.max_in_flight > kMostIdempotentInFlight) {
    return "max.in.flight.requests.per.connection must be at most 5";
  }
  return "";
}

Table<ProducerConfig> ProducerSettings() {
  using C = ProducerConfig;
  Table<C> table = CommonSettings<C>();
  const Table<C> own = {
      Choice<C>(
          "acks", &C::acks,
          std::vector<std::pair<std::string_view, Acks>>{
              {"all", Acks::kAll}, {"-1", Acks::kAll}, {"0", Acks::kNone}, {"1", Acks::kLeader}}),
      Millis<C>("linger.ms", &C::linger),
      Integer<C>("batch.size", &C::batch_size, 0, kMaxInt),
      Integer<C>("buffer.memory", &C::buffer_memory, 0, kMaxLong),
      Integer<C>("max.request.size", &C::max_request_size, 0, kMaxInt),
      Integer<C>("retries", &C::retries, 0, kMaxInt),
      Integer<C>("max.in.flight.requests.per.connection", &C::max_in_flight, 1, kMaxInt),
      Millis<C>("delivery.timeout.ms", &C::delivery_timeout, kMaxInt),
      Millis<C>("max.block.ms", &C::max_block),
      Choice<C>("compression.type", &C::compression,
                std::vector<std::pair<std::string_view, CompressionType>>{
                    {"none", CompressionType::kNone},
                    {"gzip", CompressionType::kGzip},
                    {"snappy", CompressionType::kSnappy},
                    {"lz4", CompressionType::kLz4},
                    {"zstd", CompressionType::kZstd}}),
      Bool<C>("enable.idempotence", &C::enable_idempotence),
  };
  table.insert(table.end(), own.begin(), own.end());
  return table;
}

Table<ConsumerConfig> ConsumerSettings() {
  using C = ConsumerConfig;
  Table<C> table = CommonSettings<C>();
  const Table<C> own = {
      Integer<C>("fetch.min.bytes", &C::fetch_min_bytes, 0, kMaxInt),
      Millis<C>("fetch.max.wait.ms", &C::fetch_max_wait, kMaxInt),
      Integer<C>("fetch.max.bytes", &C::fetch_max_bytes, 0, kMaxInt),
      Integer<C>("max.partition.fetch.bytes", &C::max_partition_fetch_bytes, 0, kMaxInt),
      Integer<C>("max.poll.records", &C::max_poll_records, 1, kMaxInt),
      Choice<C>("auto.offset.reset", &C::auto_offset_reset,
                std::vector<std::pair<std::string_view, OffsetReset>>{
                    {"latest", OffsetReset::kLatest},
                    {"earliest", OffsetReset::kEarliest},
                    {"none", OffsetReset::kNone}}),
      Choice<C>("isolation.level", &C::isolation_level,
                std::vector<std::pair<std::string_view, IsolationLevel>>{
                    {"read_uncommitted", IsolationLevel::kReadUncommitted},
                    {"read_committed", IsolationLevel::kReadCommitted}}),
      Bool<C>("check.crcs", &C::check_crcs),
      {"client.rack",
       [](std::string_view text, C& config) {
         config.client_rack = std::string(text);
         return absl::OkStatus();
       }},
      Bool<C>("allow.auto.create.topics", &ClientConfig::allow_auto_create_topics),
      Millis<C>("default.api.timeout.ms", &C::default_api_timeout, kMaxInt),
  };
  table.insert(table.end(), own.begin(), own.end());
  return table;
}

Table<AdminConfig> AdminSettings() {
  Table<AdminConfig> table = CommonSettings<AdminConfig>();
  table.push_back(
      Millis<AdminConfig>("default.api.timeout.ms", &AdminConfig::default_api_timeout, kMaxInt));
  return table;
}

template <typename Config>
absl::Status ReadOne(const Table<Config>& table, std::string_view name, std::string_view value,
                     Config& config) {
  std::vector<std::string_view> names;
  for (const Setting<Config>& setting : table) {
    if (setting.name == name) {
      const absl::Status status = setting.read(value, config);
      if (status.ok()) return status;
      return Invalid(fmt::format("{}: {}", name, std::string(status.message())));
    }
    names.push_back(setting.name);
  }
  const std::string_view nearest = core::NearestName(name, names);
  if (nearest.empty()) return Invalid(fmt::format("unknown setting \"{}\"", name));
  return Invalid(fmt::format("unknown setting \"{}\"; did you mean \"{}\"?", name, nearest));
}

template <typename Config>
absl::StatusOr<Config> ReadAll(const Table<Config>& table, const Properties& properties) {
  Config config;
  for (const auto& [name, value] : properties) {
    HW_RETURN_IF_ERROR(ReadOne(table, name, value, config));
  }
  return config;
}

}  // namespace

absl::StatusOr<ProducerConfig> ProducerConfig::FromMap(const Properties& properties) {
  HW_ASSIGN_OR_RETURN(ProducerConfig config, ReadAll(ProducerSettings(), properties));
  // [D42] A delivery timeout that was not asked for grows with what it must contain.
  const absl::Duration least = config.linger + config.request_timeout;
  if (config.delivery_timeout < least) {
    if (properties.contains("delivery.timeout.ms")) {
      return Invalid(
          fmt::format("delivery.timeout.ms: expected at least linger.ms + request.timeout.ms = {}",
                      absl::ToInt64Milliseconds(least)));
    }
    config.delivery_timeout = least;
  }
  const std::string_view obstacle = WhyNotIdempotent(config);
  if (config.enable_idempotence && !obstacle.empty()) {
    if (properties.contains("enable.idempotence")) {
      return Invalid(fmt::format("enable.idempotence: with it {}", obstacle));
    }
    config.enable_idempotence = false;
  }
  return config;
}

bool ProducerConfig::IsIdempotent() const {
  return enable_idempotence && WhyNotIdempotent(*this).empty();
}

absl::Status ValidateProducerConfigs(const Properties& properties) {
  return ProducerConfig::FromMap(properties).status();
}

absl::StatusOr<ConsumerConfig> ConsumerConfig::FromMap(const Properties& properties) {
  return ReadAll(ConsumerSettings(), properties);
}

absl::StatusOr<AdminConfig> AdminConfig::FromMap(const Properties& properties) {
  return ReadAll(AdminSettings(), properties);
}

absl::Status ValidateProducerConfig(std::string_view name, std::string_view value) {
  ProducerConfig config;
  return ReadOne(ProducerSettings(), name, value, config);
}

absl::Status ValidateConsumerConfig(std::string_view name, std::string_view value) {
  ConsumerConfig config;
  return ReadOne(ConsumerSettings(), name, value, config);
}

}  // namespace highwater::broker::client
