#include "broker/server/broker_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "broker/server/broker_config_keys.h"
#include "broker/zookeeper/client/connect_string.h"
#include "core/nearest_name.h"
#include "core/status_macros.h"

namespace highwater::broker {

namespace {

struct Given {
  std::string value;
  int line = 0;
};
using Properties = std::map<std::string, Given>;

// Where an error is: "server.properties:7: " or "" for a map.
class Place {
 public:
  explicit Place(std::string_view file) : file_(file) {}
  absl::Status Error(int line, std::string_view message) const {
    if (file_.empty()) return absl::InvalidArgumentError(fmt::format("{}", message));
    if (line == 0) return absl::InvalidArgumentError(fmt::format("{}: {}", file_, message));
    return absl::InvalidArgumentError(fmt::format("{}:{}: {}", file_, line, message));
  }
  absl::Status Error(int line, const absl::Status& status) const {
    return Error(line, std::string_view(status.message().data(), status.message().size()));
  }

 private:
  std::string_view file_;
};

std::vector<std::string_view> Names() {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : BrokerConfigKeys()) names.push_back(key.name);
  return names;
}

// What a listener begins with, and why nothing else.
struct Scheme {
  std::string_view text;
  std::string_view otherwise;
};
constexpr Scheme kPlaintext{"PLAINTEXT://",
                            "only the security protocol PLAINTEXT is supported yet"};
constexpr Scheme kHttp{"http://", "metrics are served over HTTP only"};

// "PLAINTEXT://host:port", host perhaps empty or in brackets.
absl::StatusOr<core::Endpoint> ParseListener(std::string_view text,
                                             const Scheme& scheme = kPlaintext) {
  const auto error = [&](std::string_view what) {
    return absl::InvalidArgumentError(
        fmt::format("expected {}host:port, got \"{}\": {}", scheme.text, text, what));
  };
  if (text.find(',') != text.npos) return error("only one listener is supported yet");
  if (text.substr(0, scheme.text.size()) != scheme.text) return error(scheme.otherwise);
  std::string_view rest = text.substr(scheme.text.size());
  const size_t colon = rest.rfind(':');
  if (colon == rest.npos) return error("the port is missing");
  std::string_view host = rest.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  constexpr ConfigKey kPort{.name = "port", .type = ConfigType::kInt, .max = 65535};
  if (!ValidateValue(kPort, rest.substr(colon + 1)).ok()) return error("bad port");
  core::Endpoint endpoint;
  endpoint.host = host;
  endpoint.port = static_cast<uint16_t>(ReadInteger(rest.substr(colon + 1)));
  return endpoint;
}

absl::Status SetListeners(BrokerConfig& config) {
  HW_ASSIGN_OR_RETURN(config.listener, ParseListener(config.effective["listeners"]));
  const std::string& advertised = config.effective["advertised.listeners"];
  if (advertised.empty()) {
    config.advertised_listener = config.listener;
    if (config.listener.host.empty() || config.listener.host == "0.0.0.0") {
      // Clients cannot dial "every address".
      config.advertised_listener.host = "localhost";
    }
    return absl::OkStatus();
  }
  HW_ASSIGN_OR_RETURN(config.advertised_listener, ParseListener(advertised));
  if (config.advertised_listener.host.empty() || config.advertised_listener.host == "0.0.0.0") {
    return absl::InvalidArgumentError("advertised.listeners: clients need a host to connect to");
  }
  return absl::OkStatus();
}

absl::Status SetMetricsListener(BrokerConfig& config) {
  const std::string& text = config.effective["highwater.metrics.listener"];
  if (text.empty()) return absl::OkStatus();
  HW_ASSIGN_OR_RETURN(config.metrics_listener, ParseListener(text, kHttp));
  return absl::OkStatus();
}

absl::Status SetIpOverrides(BrokerConfig& config) {
  for (const std::string& pair : ReadList(config.effective["max.connections.per.ip.overrides"])) {
    const size_t colon = pair.rfind(':');
    constexpr ConfigKey kCount{.name = "count", .type = ConfigType::kInt, .max = kMaxInt};
    if (colon == pair.npos || !ValidateValue(kCount, pair.substr(colon + 1)).ok()) {
      return absl::InvalidArgumentError(fmt::format(
          "max.connections.per.ip.overrides: expected host:count,..., got \"{}\"", pair));
    }
    config.max_connections_per_ip_overrides[pair.substr(0, colon)] =
        ReadInteger(std::string_view(pair).substr(colon + 1));
  }
  return absl::OkStatus();
}

// One time under several names: the finest unit that was given wins, as in Kafka.
void ResolveUnits(BrokerConfig& config, std::string_view ms_name,
                  std::initializer_list<std::pair<std::string_view, int64_t>> coarser) {
  const std::string ms(ms_name);
  if (config.given.contains(ms)) return;
  for (const auto& [name, factor] : coarser) {
    const auto given = config.given.find(std::string(name));
    if (given == config.given.end()) continue;
    const int64_t value = ReadInteger(given->second);
    config.effective[ms] = value < 0 ? "-1" : fmt::format("{}", value * factor);
    return;
  }
}

absl::Status CheckTogether(const BrokerConfig& config) {
  if (config.log_dirs.empty()) {
    return absl::InvalidArgumentError("log.dirs: expected at least one directory, got none");
  }
  std::vector<std::string> sorted = config.log_dirs;
  std::sort(sorted.begin(), sorted.end());
  if (const auto twin = std::adjacent_find(sorted.begin(), sorted.end()); twin != sorted.end()) {
    return absl::InvalidArgumentError(fmt::format("log.dirs: \"{}\" stands there twice", *twin));
  }
  return absl::OkStatus();
}

absl::StatusOr<BrokerConfig> Build(const Place& place, const Properties& properties) {
  BrokerConfig config;
  for (const ConfigKey& key : BrokerConfigKeys()) {
    config.effective.emplace(key.name, key.default_value);
  }
  for (const auto& [name, given] : properties) {
    if (absl::Status status = ValidateBrokerConfig(name, given.value); !status.ok()) {
      return place.Error(given.line, status);
    }
    config.given[name] = given.value;
    config.effective[name] = given.value;
  }
  ResolveUnits(config, "log.retention.ms",
               {{"log.retention.minutes", 60'000}, {"log.retention.hours", 3'600'000}});
  ResolveUnits(config, "log.roll.ms", {{"log.roll.hours", 3'600'000}});
  ResolveUnits(config, "log.roll.jitter.ms", {{"log.roll.jitter.hours", 3'600'000}});
  // Without log.flush.interval.ms the scheduler's interval counts, which is never by default.
  if (!config.given.contains("log.flush.interval.ms")) {
    config.effective["log.flush.interval.ms"] = config.effective["log.flush.scheduler.interval.ms"];
  }
  if (!config.given.contains("log.dirs")) {
    config.effective["log.dirs"] = config.effective["log.dir"];
  }
  internal::SetFields(config);
  TopicOverrides topic;
  for (const TopicConfigKey& key : TopicConfigKeys()) {
    topic.emplace(key.key.name, config.effective[std::string(key.broker_name)]);
  }
  const auto fail = [&](std::string_view name, const absl::Status& status) {
    const auto given = properties.find(std::string(name));
    return place.Error(given == properties.end() ? 0 : given->second.line, status);
  };
  auto topic_defaults = TopicConfig::Resolve(TopicConfig{}, topic);
  if (!topic_defaults.ok()) return fail("", topic_defaults.status());
  config.topic_defaults = *std::move(topic_defaults);
  if (absl::Status status = SetListeners(config); !status.ok()) {
    const bool advertised = status.message().substr(0, 10) == "advertised";
    return fail(advertised ? "advertised.listeners" : "listeners", status);
  }
  if (absl::Status status = SetMetricsListener(config); !status.ok()) {
    return fail("highwater.metrics.listener", status);
  }
  if (absl::Status status = SetIpOverrides(config); !status.ok()) {
    return fail("max.connections.per.ip.overrides", status);
  }
  if (absl::Status status = CheckTogether(config); !status.ok()) return fail("log.dirs", status);
  return config;
}

}  // namespace

absl::StatusOr<BrokerConfig> BrokerConfig::FromProperties(std::string_view name,
                                                          std::string_view text) {
  const Place place(name);
  Properties properties;
  int line = 0;
  while (!text.empty()) {
    ++line;
    const size_t end = text.find('\n');
    const std::string_view content = Trim(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    if (content.empty() || content.front() == '#' || content.front() == '!') continue;
    const size_t equals = content.find('=');
    if (equals == content.npos) {
      return place.Error(line, fmt::format("expected name=value, got \"{}\"", content));
    }
    const std::string key(Trim(content.substr(0, equals)));
    const std::string value(Trim(content.substr(equals + 1)));
    const auto [twin, inserted] = properties.emplace(key, Given{value, line});
    if (!inserted) {
      return place.Error(line,
                         fmt::format("{} was already given in line {}", key, twin->second.line));
    }
  }
  return Build(place, properties);
}

absl::StatusOr<BrokerConfig> BrokerConfig::FromMap(
    const std::map<std::string, std::string>& properties) {
  Properties given;
  for (const auto& [name, value] : properties) given[name] = Given{value, 0};
  return Build(Place(""), given);
}

absl::Status ValidateBrokerConfig(std::string_view name, std::string_view value) {
  const ConfigKey* key = FindBrokerConfigKey(name);
  if (key == nullptr) {
    std::string hint;
    if (const TopicConfigKey* topic = FindTopicConfigKey(name)) {
      hint = fmt::format("; that is a topic's setting, a broker's is \"{}\"", topic->broker_name);
    } else if (const std::string_view close = core::NearestName(name, Names()); !close.empty()) {
      hint = fmt::format("; did you mean \"{}\"?", close);
    }
    return absl::InvalidArgumentError(fmt::format("unknown property \"{}\"{}", name, hint));
  }
  if (absl::Status status = ValidateValue(*key, value); !status.ok()) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", name, std::string(status.message())));
  }
  if (name == "listeners" || (name == "advertised.listeners" && !value.empty())) {
    if (auto endpoint = ParseListener(value); !endpoint.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: {}", name, std::string(endpoint.status().message())));
    }
  }
  if (name == "highwater.metrics.listener" && !value.empty()) {
    if (auto endpoint = ParseListener(value, kHttp); !endpoint.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: {}", name, std::string(endpoint.status().message())));
    }
  }
  if (name == "zookeeper.connect" && !value.empty()) {
    if (const auto where = zookeeper::ParseConnectString(value); !where.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: {}", name, std::string(where.status().message())));
    }
  }
  return absl::OkStatus();
}

std::string PrintConfig(const BrokerConfig& config) {
  std::string text;
  for (const ConfigKey& key : BrokerConfigKeys()) {
    const auto& value = config.effective.at(std::string(key.name));
    const bool given = config.given.contains(std::string(key.name));
    text += fmt::format("# {}{}\n{}{}={}\n\n", key.about, given ? "" : " (default)",
                        given ? "" : "#", key.name, value);
  }
  return text;
}

}  // namespace highwater::broker
