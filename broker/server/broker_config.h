#pragma once

// BrokerConfig: a broker's settings, under Kafka's property names, read once at start.
//
//   HW_ASSIGN_OR_RETURN(BrokerConfig config, BrokerConfig::FromProperties("server.properties",
//   text)); auto config = BrokerConfig::FromMap({{"broker.id", "1"}, {"log.dirs", "data"},
//   {"listeners", "PLAINTEXT://b1:9092"}});
//
// Names, types, defaults and ranges are Kafka 3.2's [D1-D23, D30-D36], but for what Kafka does not
// have: those names begin with `highwater.`. An unknown name, a value out of range and a name given
// twice are errors that say the line, what was expected and what was perhaps meant.
//
// Not responsible for: settings of topics (topic_config.h), whose defaults it carries; changing
// settings at run time.

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/server/topic_config.h"
#include "broker/types.h"
#include "core/network.h"

namespace highwater::broker {

inline constexpr std::string_view kRackAwareReplicaSelector =
    "org.apache.kafka.common.replica.RackAwareReplicaSelector";

struct BrokerConfig {
  BrokerId broker_id{0};
  std::string rack;  // broker.rack; "" is none
  std::vector<std::string> log_dirs;
  core::Endpoint listener;  // where it listens; host "" is every address
  core::Endpoint
      advertised_listener;  // where clients are told to go; port 0: the listener's real one

  int32_t num_partitions = 0;
  int32_t default_replication_factor = 0;
  bool auto_create_topics_enable = false;
  bool delete_topic_enable = false;
  int64_t fetch_max_bytes = 0;

  int64_t socket_request_max_bytes = 0;
  int64_t max_connections = 0;
  int64_t max_connections_per_ip = 0;
  std::map<std::string, int64_t> max_connections_per_ip_overrides;
  absl::Duration connections_max_idle;  // infinite: never closed
  int64_t queued_max_requests = 0;
  int64_t queued_max_request_bytes = 0;  // -1 is no limit

  absl::Duration retention_check_interval;
  absl::Duration flush_scheduler_interval;  // log.flush.scheduler.interval.ms
  absl::Duration flush_offset_checkpoint_interval;
  absl::Duration flush_start_offset_checkpoint_interval;
  absl::Duration high_watermark_checkpoint_interval;
  int64_t recovery_threads_per_data_dir = 0;
  absl::Duration request_timeout;         // request.timeout.ms
  absl::Duration producer_id_expiration;  // transactional.id.expiration.ms

  // Of a cluster; without zookeeper.connect this broker is its own controller.
  std::string zookeeper_connect;
  absl::Duration zookeeper_session_timeout;
  absl::Duration zookeeper_connection_timeout;
  int64_t zookeeper_max_in_flight_requests = 0;
  bool controlled_shutdown_enable = false;
  int64_t controlled_shutdown_max_retries = 0;
  absl::Duration controlled_shutdown_retry_backoff;
  bool auto_leader_rebalance_enable = false;
  absl::Duration leader_imbalance_check_interval;
  int32_t leader_imbalance_per_broker_percentage = 0;
  absl::Duration controller_socket_timeout;
  int32_t num_replica_fetchers = 1;
  absl::Duration replica_fetch_backoff;
  int32_t replica_fetch_max_bytes = 0;
  int32_t replica_fetch_min_bytes = 0;
  int32_t replica_fetch_response_max_bytes = 0;
  absl::Duration replica_fetch_wait_max;
  absl::Duration replica_lag_time_max;
  bool rack_aware_reads = false;  // replica.selector.class
  absl::Duration replica_socket_timeout;

  // Where the program that runs this broker serves its metrics over HTTP; nullopt: nowhere.
  std::optional<core::Endpoint> metrics_listener;

  TopicConfig topic_defaults;

  // Every property with its effective value as text (given or default), sorted by name; and those
  // that were given.
  std::map<std::string, std::string> effective;
  std::map<std::string, std::string> given;

  // Reads the text of a .properties file; `name` stands before the line in errors:
  // "server.properties:7: ...".
  [[nodiscard]] static absl::StatusOr<BrokerConfig> FromProperties(std::string_view name,
                                                                   std::string_view text);
  // Errors name the property. Scenario settings come this way.
  [[nodiscard]] static absl::StatusOr<BrokerConfig> FromMap(
      const std::map<std::string, std::string>& properties);
};

// All broker properties, sorted by name.
[[nodiscard]] absl::Span<const ConfigKey> BrokerConfigKeys();
[[nodiscard]] const ConfigKey* FindBrokerConfigKey(std::string_view name);

// Whether a broker may have this setting: OK, or what is wrong and what was perhaps meant. For
// scenario files, which know the place themselves.
[[nodiscard]] absl::Status ValidateBrokerConfig(std::string_view name, std::string_view value);

// The settings as a .properties file with what each is for; `--print-config`.
[[nodiscard]] std::string PrintConfig(const BrokerConfig& config);

}  // namespace highwater::broker
