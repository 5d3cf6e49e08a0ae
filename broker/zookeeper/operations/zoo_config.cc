#include "broker/zookeeper/operations/zoo_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "broker/server/config_value.h"
#include "broker/zookeeper/tree/znode.h"
#include "core/nearest_name.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

constexpr std::string_view kTrueOrFalse = "true,false";
constexpr std::string_view kYesOrNo = "yes,no,true,false";

// What means something here.
constexpr std::array kKeys = {
    ConfigKey{.name = "tickTime",
              .type = ConfigType::kInt,
              .default_value = "3000",
              .min = 1,
              .max = kMaxInt},
    ConfigKey{.name = "dataDir", .type = ConfigType::kString},
    ConfigKey{.name = "dataLogDir", .type = ConfigType::kString},
    ConfigKey{.name = "clientPort", .type = ConfigType::kInt, .max = 65535},
    ConfigKey{.name = "clientPortAddress", .type = ConfigType::kString},
    ConfigKey{
        .name = "maxClientCnxns", .type = ConfigType::kInt, .default_value = "60", .max = kMaxInt},
    ConfigKey{.name = "minSessionTimeout",
              .type = ConfigType::kInt,
              .default_value = "-1",
              .min = -1,
              .max = kMaxInt},
    ConfigKey{.name = "maxSessionTimeout",
              .type = ConfigType::kInt,
              .default_value = "-1",
              .min = -1,
              .max = kMaxInt},
    ConfigKey{.name = "autopurge.snapRetainCount",
              .type = ConfigType::kInt,
              .default_value = "3",
              .max = kMaxInt},
    ConfigKey{.name = "autopurge.purgeInterval",
              .type = ConfigType::kInt,
              .default_value = "0",
              .max = kMaxInt},
    ConfigKey{.name = "snapCount", .type = ConfigType::kLong, .default_value = "100000"},
    ConfigKey{.name = "snapSizeLimitInKb",
              .type = ConfigType::kLong,
              .default_value = "4194304",
              .min = -1,
              .max = int64_t{1} << 50},
    ConfigKey{.name = "globalOutstandingLimit",
              .type = ConfigType::kInt,
              .default_value = "1000",
              .min = 1,
              .max = kMaxInt},
    ConfigKey{.name = "jute.maxbuffer",
              .type = ConfigType::kInt,
              .default_value = "1048575",
              .min = 1,
              .max = kMaxInt / 2},
    ConfigKey{.name = "extendedTypesEnabled",
              .type = ConfigType::kString,
              .default_value = "false",
              .choices = kTrueOrFalse},
    ConfigKey{.name = "4lw.commands.whitelist", .type = ConfigType::kList, .default_value = "srvr"},
    ConfigKey{.name = "initLimit", .type = ConfigType::kInt, .default_value = "0", .max = kMaxInt},
    ConfigKey{.name = "syncLimit", .type = ConfigType::kInt, .default_value = "0", .max = kMaxInt},
    ConfigKey{.name = "standaloneEnabled",
              .type = ConfigType::kString,
              .default_value = "true",
              .choices = kTrueOrFalse},
    ConfigKey{.name = "forceSync",
              .type = ConfigType::kString,
              .default_value = "yes",
              .choices = kYesOrNo},
};

// What Apache's server knows and what changes nothing here.
constexpr std::array<std::string_view, 22> kPassedOver = {"admin.enableServer",
                                                          "admin.serverPort",
                                                          "admin.serverAddress",
                                                          "admin.commandURL",
                                                          "preAllocSize",
                                                          "fsync.warningthresholdms",
                                                          "electionAlg",
                                                          "leaderServes",
                                                          "syncEnabled",
                                                          "peerType",
                                                          "localSessionsEnabled",
                                                          "localSessionsUpgradingEnabled",
                                                          "reconfigEnabled",
                                                          "quorumListenOnAllIPs",
                                                          "connectToLearnerMasterLimit",
                                                          "cnxTimeout",
                                                          "clientPortListenBacklog",
                                                          "dynamicConfigFile",
                                                          "snapshot.trust.empty",
                                                          "snapshot.compression.method",
                                                          "maxCnxns",
                                                          "readonlymode.enabled"};
// And whole families of names.
constexpr std::array<std::string_view, 6> kPassedOverPrefixes = {
    "metricsProvider.", "authProvider.", "ssl.", "quorum.", "jvm.pause.", "multiAddress."};

struct Given {
  std::string value;
  int line = 0;
};

const ConfigKey* FindKey(std::string_view name) {
  const auto* found = std::find_if(kKeys.begin(), kKeys.end(),
                                   [&](const ConfigKey& key) { return key.name == name; });
  return found == kKeys.end() ? nullptr : found;
}

bool IsPassedOver(std::string_view name) {
  return std::find(kPassedOver.begin(), kPassedOver.end(), name) != kPassedOver.end() ||
         std::any_of(kPassedOverPrefixes.begin(), kPassedOverPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// "host:port" or "[address]:port", from the front of `text`.
absl::StatusOr<std::string> TakeHost(std::string_view& text) {
  const bool bracket = text.starts_with('[');
  const size_t end = bracket ? text.find("]:") : text.find(':');
  if (end == text.npos) return absl::InvalidArgumentError("a host without a port");
  std::string host(bracket ? text.substr(1, end - 1) : text.substr(0, end));
  if (host.empty()) return absl::InvalidArgumentError("no host");
  text.remove_prefix(end + (bracket ? 2 : 1));
  return host;
}

absl::StatusOr<uint16_t> TakePort(std::string_view& text) {
  const size_t end = text.find(':');
  const std::string_view digits = text.substr(0, end);
  constexpr ConfigKey kPort{.name = "port", .type = ConfigType::kInt, .min = 1, .max = 65535};
  if (!ValidateValue(kPort, digits).ok()) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is no port", digits));
  }
  text = end == text.npos ? std::string_view() : text.substr(end + 1);
  return static_cast<uint16_t>(ReadInteger(digits));
}

absl::StatusOr<QuorumServer> ParseQuorumServer(std::string_view text) {
  QuorumServer server;
  const size_t semicolon = text.find(';');
  if (semicolon != text.npos) server.client = std::string(Trim(text.substr(semicolon + 1)));
  text = Trim(text.substr(0, semicolon));
  HW_ASSIGN_OR_RETURN(server.peer.host, TakeHost(text));
  HW_ASSIGN_OR_RETURN(server.peer.port, TakePort(text));
  server.election.host = server.peer.host;
  HW_ASSIGN_OR_RETURN(server.election.port, TakePort(text));
  if (text == "observer") {
    server.observer = true;
  } else if (!text.empty() && text != "participant") {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is neither participant nor observer", text));
  }
  return server;
}

class Parser {
 public:
  Parser(std::string_view file, ZooConfig& config) : file_(file), config_(config) {}

  absl::Status ReadLines(std::string_view text) {
    for (int line = 1; !text.empty(); ++line) {
      const size_t end = text.find('\n');
      const std::string_view content = Trim(text.substr(0, end));
      text = end == text.npos ? std::string_view() : text.substr(end + 1);
      if (content.empty() || content.front() == '#' || content.front() == '!') continue;
      HW_RETURN_IF_ERROR(ReadLine(line, content));
    }
    return absl::OkStatus();
  }

  absl::Status SetFields() {
    for (const std::string_view name : {"dataDir", "clientPort"}) {
      if (!given_.contains(name)) return Error(0, fmt::format("{} is missing", name));
    }
    ServerConfig& server = config_.server;
    server.tick_time_ms = Int("tickTime");
    server.client_address = {.host = Text("clientPortAddress"),
                             .port = static_cast<uint16_t>(Int("clientPort"))};
    // Apache's name for every address.
    if (server.client_address.host == "0.0.0.0") server.client_address.host.clear();
    server.max_client_cnxns = Int("maxClientCnxns");
    server.min_session_timeout_ms = Int("minSessionTimeout");
    server.max_session_timeout_ms = Int("maxSessionTimeout");
    server.global_outstanding_limit = Int("globalOutstandingLimit");
    server.jute_max_buffer = Int("jute.maxbuffer");
    server.extended_types_enabled = Text("extendedTypesEnabled") == "true";
    if (server.MinSessionTimeoutMs() > server.MaxSessionTimeoutMs()) {
      return Error(LineOf("minSessionTimeout"),
                   fmt::format("minSessionTimeout, {}, is greater than maxSessionTimeout, {}",
                               server.MinSessionTimeoutMs(), server.MaxSessionTimeoutMs()));
    }
    config_.data_dir = Text("dataDir");
    config_.data_log_dir = given_.contains("dataLogDir") ? Text("dataLogDir") : config_.data_dir;
    config_.snap_count = ReadInteger(Text("snapCount"));
    const int64_t limit_kib = ReadInteger(Text("snapSizeLimitInKb"));
    config_.snap_size_limit_bytes = limit_kib <= 0 ? 0 : static_cast<uint64_t>(limit_kib) << 10;
    // Apache's server keeps three at least.
    config_.snap_retain_count = std::max(Int("autopurge.snapRetainCount"), 3);
    config_.autopurge = Int("autopurge.purgeInterval") > 0;
    for (std::string& word : ReadList(Text("4lw.commands.whitelist"))) {
      config_.allowed_words.insert(std::move(word));
    }
    config_.standalone_enabled = Text("standaloneEnabled") == "true";
    config_.init_limit = Int("initLimit");
    config_.sync_limit = Int("syncLimit");
    return CheckTogether();
  }

 private:
  absl::Status ReadLine(int line, std::string_view content) {
    const size_t separator = content.find_first_of("=:");
    if (separator == content.npos) {
      return Error(line, fmt::format("expected name=value, got \"{}\"", content));
    }
    const std::string name(Trim(content.substr(0, separator)));
    const std::string value(Trim(content.substr(separator + 1)));
    if (const auto twin = given_.find(name); twin != given_.end()) {
      return Error(line, fmt::format("{} was already given in line {}", name, twin->second.line));
    }
    given_[name] = {value, line};
    if (name.starts_with("server.")) return AddServer(line, name, value);
    if (const ConfigKey* key = FindKey(name)) {
      const absl::Status status = ValidateValue(*key, value);
      if (status.ok() && !value.empty()) return absl::OkStatus();
      return Error(line, fmt::format("{}: {}", name,
                                     value.empty() ? "expected a value, got none"
                                                   : std::string(status.message())));
    }
    if (!IsPassedOver(name)) Warn(line, name);
    return absl::OkStatus();
  }

  absl::Status AddServer(int line, std::string_view name, std::string_view value) {
    constexpr std::string_view kPrefix = "server.";
    constexpr ConfigKey kId{.name = "id", .type = ConfigType::kInt, .max = kMaxServerId};
    const std::string_view id = name.substr(kPrefix.size());
    if (!ValidateValue(kId, id).ok()) {
      return Error(line, fmt::format("{}: expected an id from 0 to {}", name, kMaxServerId));
    }
    const absl::StatusOr<QuorumServer> server = ParseQuorumServer(value);
    if (!server.ok()) {
      return Error(line, fmt::format("{}: expected host:peerPort:electionPort, got \"{}\": {}",
                                     name, value, std::string(server.status().message())));
    }
    config_.servers.emplace(ServerId(ReadInteger(id)), *server);
    return absl::OkStatus();
  }

  absl::Status CheckTogether() {
    if (Text("forceSync") == "no" || Text("forceSync") == "false") {
      config_.warnings.push_back(
          fmt::format("{}:{}: forceSync is not heeded: what is acknowledged is always synced",
                      file_, LineOf("forceSync")));
    }
    if (config_.IsStandalone()) return absl::OkStatus();
    for (const std::string_view name : {"initLimit", "syncLimit"}) {
      if (Int(name) == 0) return Error(0, fmt::format("{} is missing: an ensemble needs it", name));
    }
    return absl::OkStatus();
  }

  void Warn(int line, const std::string& name) {
    std::vector<std::string_view> known(kPassedOver.begin(), kPassedOver.end());
    for (const ConfigKey& key : kKeys) known.push_back(key.name);
    const std::string_view meant = core::NearestName(name, known);
    config_.warnings.push_back(
        fmt::format("{}:{}: unknown setting \"{}\" is not heeded{}", file_, line, name,
                    meant.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", meant)));
  }

  [[nodiscard]] std::string Text(std::string_view name) const {
    const auto found = given_.find(name);
    return found != given_.end() ? found->second.value : std::string(FindKey(name)->default_value);
  }
  [[nodiscard]] int32_t Int(std::string_view name) const {
    return static_cast<int32_t>(ReadInteger(Text(name)));
  }
  [[nodiscard]] int LineOf(std::string_view name) const {
    const auto found = given_.find(name);
    return found == given_.end() ? 0 : found->second.line;
  }
  [[nodiscard]] absl::Status Error(int line, std::string_view message) const {
    if (line == 0) return absl::InvalidArgumentError(fmt::format("{}: {}", file_, message));
    return absl::InvalidArgumentError(fmt::format("{}:{}: {}", file_, line, message));
  }

  std::string_view file_;
  ZooConfig& config_;
  std::map<std::string, Given, std::less<>> given_;
};

}  // namespace

absl::StatusOr<ZooConfig> ZooConfig::Parse(std::string_view file, std::string_view text) {
  ZooConfig config;
  Parser parser(file, config);
  HW_RETURN_IF_ERROR(parser.ReadLines(text));
  HW_RETURN_IF_ERROR(parser.SetFields());
  return config;
}

std::string ZooConfig::PrintConf() const {
  return fmt::format(
      "clientPort={}\nsecureClientPort=-1\ndataDir={}/version-2\ndataLogDir={}/version-2\n"
      "tickTime={}\nmaxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\n"
      "clientPortListenBacklog=-1\nserverId={}\n",
      server.client_address.port, data_dir, data_log_dir, server.tick_time_ms,
      server.max_client_cnxns, server.MinSessionTimeoutMs(), server.MaxSessionTimeoutMs(),
      IsStandalone() ? 0 : server.server_id.value());
}

absl::StatusOr<ServerId> ParseMyId(std::string_view file, std::string_view text) {
  constexpr ConfigKey kId{.name = "myid", .type = ConfigType::kInt, .max = kMaxServerId};
  const std::string_view id = Trim(text);
  if (absl::Status status = ValidateValue(kId, id); !status.ok()) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", file, std::string(status.message())));
  }
  return ServerId(ReadInteger(id));
}

}  // namespace highwater::broker::zookeeper
