#include "broker/zk/zk_data.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/status_macros.h"

namespace highwater::broker::zk {

namespace {

using Json = nlohmann::ordered_json;

// A JSON object that is read field by field. The first error stays; what is read after it is a
// default.
class Reader {
 public:
  Reader(std::string_view what, std::string_view text)
      : what_(what), json_(Json::parse(text, nullptr, /*allow_exceptions=*/false)) {
    if (json_.is_discarded() || !json_.is_object()) Fail("expected a JSON object");
  }
  Reader(std::string_view what, Json json) : what_(what), json_(std::move(json)) {
    if (!json_.is_object()) Fail("expected a JSON object");
  }

  [[nodiscard]] bool Has(const char* key) const {
    return status_.ok() && json_.contains(key) && !json_.at(key).is_null();
  }
  // Numbers may come as text, as Kafka's own readers take them.
  template <typename Number>
  Number Int(const char* key) {
    const Json* field = Field(key);
    if (field == nullptr) return {};
    if (field->is_number_integer()) {
      const auto value = field->get<int64_t>();
      if (value >= std::numeric_limits<Number>::min() &&
          value <= std::numeric_limits<Number>::max()) {
        return static_cast<Number>(value);
      }
    } else if (field->is_string()) {
      const std::string& text = field->get_ref<const std::string&>();
      Number value{};
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error == std::errc() && end == text.data() + text.size()) return value;
    }
    Fail(fmt::format("{} is not a number of its range", key));
    return {};
  }
  std::string Text(const char* key) {
    const Json* field = Field(key);
    if (field == nullptr) return "";
    if (field->is_string()) return field->get<std::string>();
    Fail(fmt::format("{} is not a string", key));
    return "";
  }
  const Json& Object(const char* key) {
    const Json* field = Field(key);
    if (field != nullptr && field->is_object()) return *field;
    if (field != nullptr) Fail(fmt::format("{} is not an object", key));
    return EmptyObject();
  }
  const Json& Array(const char* key) {
    const Json* field = Field(key);
    if (field != nullptr && field->is_array()) return *field;
    if (field != nullptr) Fail(fmt::format("{} is not an array", key));
    return EmptyObject();
  }
  std::vector<BrokerId> Brokers(const char* key) { return ToBrokers(Array(key), key); }
  std::vector<BrokerId> ToBrokers(const Json& array, std::string_view key) {
    std::vector<BrokerId> brokers;
    if (!array.is_array() && !array.empty()) Fail(fmt::format("{} is not an array", key));
    for (const Json& id : array) {
      if (!id.is_number_integer()) {
        Fail(fmt::format("{} holds something that is not a broker id", key));
        return {};
      }
      brokers.emplace_back(id.get<int32_t>());
    }
    return brokers;
  }
  void Fail(std::string_view why) {
    status_.Update(absl::DataLossError(fmt::format("{} znode: {}", what_, why)));
  }
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  const Json* Field(const char* key) {
    if (!status_.ok()) return nullptr;
    const auto found = json_.find(key);
    if (found == json_.end()) {
      Fail(fmt::format("{} is missing", key));
      return nullptr;
    }
    return &*found;
  }
  static const Json& EmptyObject() {
    static const Json empty = Json::object();
    return empty;
  }

  std::string what_;
  Json json_;
  absl::Status status_;
};

Json ToJson(const std::vector<BrokerId>& brokers) {
  Json array = Json::array();
  for (const BrokerId id : brokers) array.push_back(id.value());
  return array;
}

// What stands in znodes that another program wrote may not be UTF-8: it goes out as it can.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

constexpr std::string_view kProtocolNames[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

std::string ToText(const BrokerEndpoint& endpoint) {
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  return v6 ? fmt::format("{}://[{}]:{}", endpoint.listener, endpoint.host, endpoint.port)
            : fmt::format("{}://{}:{}", endpoint.listener, endpoint.host, endpoint.port);
}

std::optional<BrokerEndpoint> ParseEndpoint(std::string_view text) {
  const size_t scheme = text.find("://");
  const size_t colon = text.rfind(':');
  if (scheme == std::string_view::npos || colon <= scheme + 2) return std::nullopt;
  std::string_view host = text.substr(scheme + 3, colon - scheme - 3);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view port = text.substr(colon + 1);
  BrokerEndpoint endpoint{.listener = std::string(text.substr(0, scheme)),
                          .host = std::string(host)};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  return endpoint;
}

}  // namespace

std::string_view NameOf(SecurityProtocol protocol) {
  return kProtocolNames[static_cast<size_t>(protocol)];
}

std::optional<SecurityProtocol> FindSecurityProtocol(std::string_view name) {
  for (size_t i = 0; i < std::size(kProtocolNames); ++i) {
    if (kProtocolNames[i] == name) return static_cast<SecurityProtocol>(i);
  }
  return std::nullopt;
}

std::string EncodeControllerZnode(const ControllerZnode& controller) {
  Json json;
  json["version"] = 1;
  json["brokerid"] = controller.broker.value();
  json["timestamp"] = std::to_string(controller.timestamp_ms);
  return Dump(json);
}

absl::StatusOr<ControllerZnode> DecodeControllerZnode(std::string_view text) {
  Reader reader("controller", text);
  ControllerZnode controller{.broker = BrokerId(reader.Int<int32_t>("brokerid"))};
  if (reader.Has("timestamp")) controller.timestamp_ms = reader.Int<int64_t>("timestamp");
  HW_RETURN_IF_ERROR(reader.status());
  return controller;
}

std::string EncodeControllerEpoch(ControllerEpoch epoch) { return fmt::format("{}", epoch); }

absl::StatusOr<ControllerEpoch> DecodeControllerEpoch(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return absl::DataLossError("controller_epoch znode: expected a decimal number");
  }
  return ControllerEpoch(value);
}

std::string EncodeBrokerRegistration(const BrokerRegistration& broker) {
  const BrokerEndpoint* plaintext = nullptr;
  Json endpoints = Json::array();
  Json protocols = Json::object();
  for (const BrokerEndpoint& endpoint : broker.endpoints) {
    if (plaintext == nullptr && endpoint.protocol == SecurityProtocol::kPlaintext) {
      plaintext = &endpoint;
    }
    endpoints.push_back(ToText(endpoint));
    protocols[endpoint.listener] = std::string(NameOf(endpoint.protocol));
  }
  Json json;
  json["version"] = 5;
  json["host"] = plaintext == nullptr ? Json() : Json(plaintext->host);
  json["port"] = plaintext == nullptr ? -1 : plaintext->port;
  json["endpoints"] = std::move(endpoints);
  json["jmx_port"] = broker.jmx_port;
  json["timestamp"] = std::to_string(broker.timestamp_ms);
  json["listener_security_protocol_map"] = std::move(protocols);
  if (!broker.rack.empty()) json["rack"] = broker.rack;
  json["features"] = Json::object();
  if (broker.unclean_start) json["unclean_start"] = true;
  return Dump(json);
}

absl::StatusOr<BrokerRegistration> DecodeBrokerRegistration(BrokerId id, BrokerEpoch epoch,
                                                            std::string_view text) {
  Reader reader("broker", text);
  BrokerRegistration broker{.id = id, .epoch = epoch};
  if (!reader.Has("endpoints")) {
    // Version 1: a single plaintext endpoint.
    broker.endpoints.push_back({.host = reader.Text("host"), .port = reader.Int<int32_t>("port")});
  } else {
    const Json protocols = reader.Has("listener_security_protocol_map")
                               ? reader.Object("listener_security_protocol_map")
                               : Json::object();
    for (const Json& entry : reader.Array("endpoints")) {
      auto endpoint = entry.is_string() ? ParseEndpoint(entry.get<std::string>()) : std::nullopt;
      if (!endpoint) {
        reader.Fail("endpoints holds something that is not an endpoint");
        break;
      }
      // Before version 4 the listener's name is the protocol's.
      const auto mapped = protocols.find(endpoint->listener);
      const std::string name = mapped != protocols.end() && mapped->is_string()
                                   ? mapped->get<std::string>()
                                   : endpoint->listener;
      const auto protocol = FindSecurityProtocol(name);
      if (!protocol) reader.Fail(fmt::format("unknown security protocol {}", name));
      endpoint->protocol = protocol.value_or(SecurityProtocol::kPlaintext);
      broker.endpoints.push_back(*std::move(endpoint));
    }
  }
  if (reader.Has("rack")) broker.rack = reader.Text("rack");
  if (reader.Has("jmx_port")) broker.jmx_port = reader.Int<int32_t>("jmx_port");
  if (reader.Has("timestamp")) broker.timestamp_ms = reader.Int<int64_t>("timestamp");
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_object()) {
    const auto unclean = json.find("unclean_start");
    broker.unclean_start = unclean != json.end() && *unclean == Json(true);
  }
  HW_RETURN_IF_ERROR(reader.status());
  return broker;
}

std::string EncodeTopicZnode(const TopicZnode& topic) {
  Json partitions = Json::object();
  Json adding = Json::object();
  Json removing = Json::object();
  for (const auto& [index, assignment] : topic.partitions) {
    const std::string key = fmt::format("{}", index);
    partitions[key] = ToJson(assignment.replicas);
    if (!assignment.adding.empty()) adding[key] = ToJson(assignment.adding);
    if (!assignment.removing.empty()) removing[key] = ToJson(assignment.removing);
  }
  Json json;
  json["version"] = 3;
  json["partitions"] = std::move(partitions);
  json["adding_replicas"] = std::move(adding);
  json["removing_replicas"] = std::move(removing);
  if (!topic.id.is_zero()) json["topic_id"] = topic.id.ToString();
  return Dump(json);
}

absl::StatusOr<TopicZnode> DecodeTopicZnode(std::string_view text) {
  Reader reader("topic", text);
  TopicZnode topic;
  const auto read = [&](const char* key, std::vector<BrokerId> ReplicaAssignment::* list) {
    const Json& lists = reader.Object(key);
    for (auto entry = lists.begin(); entry != lists.end(); ++entry) {
      int32_t index = -1;
      const std::string& name = entry.key();
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
      if (error != std::errc() || end != name.data() + name.size() || index < 0) {
        reader.Fail(fmt::format("{} holds a partition \"{}\"", key, name));
        return;
      }
      topic.partitions[PartitionIndex(index)].*list = reader.ToBrokers(entry.value(), key);
    }
  };
  read("partitions", &ReplicaAssignment::replicas);
  const size_t assigned = topic.partitions.size();
  if (reader.Has("adding_replicas")) read("adding_replicas", &ReplicaAssignment::adding);
  if (reader.Has("removing_replicas")) read("removing_replicas", &ReplicaAssignment::removing);
  if (topic.partitions.size() != assigned) reader.Fail("reassigns a partition that it lacks");
  if (reader.Has("topic_id")) {
    const auto id = protocol::Uuid::Parse(reader.Text("topic_id"));
    if (!id) reader.Fail("topic_id is not an id");
    topic.id = id.value_or(protocol::Uuid{});
  }
  HW_RETURN_IF_ERROR(reader.status());
  return topic;
}

std::string EncodeState(const LeaderIsrAndControllerEpoch& state) {
  const LeaderAndIsr& value = state.leader_and_isr;
  Json json;
  json["controller_epoch"] = state.controller_epoch.value();
  json["leader"] = value.leader.value();
  json["version"] = 1;
  json["leader_epoch"] = value.leader_epoch.value();
  json["isr"] = ToJson(value.isr);
  if (value.recovery == LeaderRecoveryState::kRecovering) json["leader_recovery_state"] = 1;
  if (!value.eligible.empty()) json["eligible_leader_replicas"] = ToJson(value.eligible);
  if (!value.unclean.empty()) json["unclean_replicas"] = ToJson(value.unclean);
  return Dump(json);
}

absl::StatusOr<LeaderIsrAndControllerEpoch> DecodeState(std::string_view text,
                                                        PartitionEpoch partition_epoch) {
  Reader reader("state", text);
  LeaderIsrAndControllerEpoch state;
  LeaderAndIsr& value = state.leader_and_isr;
  state.controller_epoch = ControllerEpoch(reader.Int<int32_t>("controller_epoch"));
  value.leader = BrokerId(reader.Int<int32_t>("leader"));
  value.leader_epoch = LeaderEpoch(reader.Int<int32_t>("leader_epoch"));
  value.isr = reader.Brokers("isr");
  value.partition_epoch = partition_epoch;
  if (reader.Has("leader_recovery_state") && reader.Int<int32_t>("leader_recovery_state") == 1) {
    value.recovery = LeaderRecoveryState::kRecovering;
  }
  if (reader.Has("eligible_leader_replicas")) {
    value.eligible = reader.Brokers("eligible_leader_replicas");
  }
  if (reader.Has("unclean_replicas")) value.unclean = reader.Brokers("unclean_replicas");
  HW_RETURN_IF_ERROR(reader.status());
  return state;
}

std::string EncodePartitions(absl::Span<const TopicPartition> partitions) {
  Json list = Json::array();
  for (const TopicPartition& partition : partitions) {
    Json entry;
    entry["topic"] = partition.topic;
    entry["partition"] = partition.partition.value();
    list.push_back(std::move(entry));
  }
  Json json;
  json["version"] = 1;
  json["partitions"] = std::move(list);
  return Dump(json);
}

absl::StatusOr<std::vector<TopicPartition>> DecodePartitions(std::string_view text) {
  Reader reader("partitions", text);
  std::vector<TopicPartition> partitions;
  for (const Json& entry : reader.Array("partitions")) {
    Reader fields("partitions", entry);
    const int32_t index = fields.Int<int32_t>("partition");
    partitions.push_back({fields.Text("topic"), PartitionIndex(index)});
    HW_RETURN_IF_ERROR(fields.status());
  }
  HW_RETURN_IF_ERROR(reader.status());
  return partitions;
}

std::string EncodeLogDirEvent(BrokerId broker) {
  Json json;
  json["version"] = 1;
  json["broker"] = broker.value();
  json["event"] = 1;
  return Dump(json);
}

absl::StatusOr<BrokerId> DecodeLogDirEvent(std::string_view text) {
  Reader reader("log_dir_event", text);
  const BrokerId broker(reader.Int<int32_t>("broker"));
  HW_RETURN_IF_ERROR(reader.status());
  return broker;
}

std::string EncodeReassignments(const Reassignments& reassignments) {
  Json list = Json::array();
  for (const auto& [partition, replicas] : reassignments) {
    Json entry;
    entry["topic"] = partition.topic;
    entry["partition"] = partition.partition.value();
    entry["replicas"] = ToJson(replicas);
    list.push_back(std::move(entry));
  }
  Json json;
  json["version"] = 1;
  json["partitions"] = std::move(list);
  return Dump(json);
}

absl::StatusOr<Reassignments> DecodeReassignments(std::string_view text) {
  Reader reader("reassign_partitions", text);
  Reassignments reassignments;
  for (const Json& entry : reader.Array("partitions")) {
    Reader fields("reassign_partitions", entry);
    const TopicPartition partition{fields.Text("topic"),
                                   PartitionIndex(fields.Int<int32_t>("partition"))};
    reassignments[partition] = fields.Brokers("replicas");
    HW_RETURN_IF_ERROR(fields.status());
  }
  HW_RETURN_IF_ERROR(reader.status());
  return reassignments;
}

std::string EncodeConfig(const ConfigEntries& entries) {
  Json config = Json::object();
  for (const auto& [name, value] : entries) config[name] = value;
  Json json;
  json["version"] = 1;
  json["config"] = std::move(config);
  return Dump(json);
}

absl::StatusOr<ConfigEntries> DecodeConfig(std::string_view text) {
  Reader reader("config", text);
  ConfigEntries entries;
  const Json& config = reader.Object("config");
  for (auto entry = config.begin(); entry != config.end(); ++entry) {
    if (!entry.value().is_string()) {
      reader.Fail(fmt::format("{} is not a string", entry.key()));
      break;
    }
    entries[entry.key()] = entry.value().get<std::string>();
  }
  HW_RETURN_IF_ERROR(reader.status());
  return entries;
}

std::string EncodeConfigChange(std::string_view entity_path) {
  Json json;
  json["version"] = 2;
  json["entity_path"] = std::string(entity_path);
  return Dump(json);
}

absl::StatusOr<std::string> DecodeConfigChange(std::string_view text) {
  Reader reader("config_change", text);
  std::string path = reader.Text("entity_path");
  HW_RETURN_IF_ERROR(reader.status());
  return path;
}

std::string EncodeProducerIdBlock(const ProducerIdBlock& block) {
  Json json;
  json["version"] = 1;
  json["broker"] = block.broker.value();
  json["block_start"] = std::to_string(block.first);
  json["block_end"] = std::to_string(block.last);
  return Dump(json);
}

absl::StatusOr<ProducerIdBlock> DecodeProducerIdBlock(std::string_view text) {
  Reader reader("latest_producer_id_block", text);
  ProducerIdBlock block{.broker = BrokerId(reader.Int<int32_t>("broker"))};
  block.first = reader.Int<int64_t>("block_start");
  block.last = reader.Int<int64_t>("block_end");
  HW_RETURN_IF_ERROR(reader.status());
  return block;
}

std::string EncodeFeature() {
  Json json;
  json["version"] = 1;
  json["status"] = 1;
  json["features"] = Json::object();
  return Dump(json);
}

std::string EncodeClusterId(std::string_view id) {
  Json json;
  json["version"] = "1";
  json["id"] = std::string(id);
  return Dump(json);
}

absl::StatusOr<std::string> DecodeClusterId(std::string_view text) {
  Reader reader("cluster id", text);
  std::string id = reader.Text("id");
  HW_RETURN_IF_ERROR(reader.status());
  return id;
}

}  // namespace highwater::broker::zk
