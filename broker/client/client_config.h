#pragma once

// ProducerConfig, ConsumerConfig, AdminConfig: the settings of clients, under the reference
// client's names, read once.
//
//   HW_ASSIGN_OR_RETURN(auto config, ProducerConfig::FromMap({{"bootstrap.servers", "b0:9092"},
//   {"acks", "all"}}));
//
// Names, defaults and ranges are those of the 3.2 clients ([D40]-[D48]). An unknown name and a
// value out of range are errors that say what was expected and what was perhaps meant. Values may
// also be set directly on a default object.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/network.h"

namespace highwater::broker::client {

using Properties = std::map<std::string, std::string>;

struct ClientConfig {
  std::vector<core::Endpoint> bootstrap_servers;
  std::string client_id = "highwater";
  absl::Duration request_timeout = absl::Seconds(30);
  absl::Duration retry_backoff = absl::Milliseconds(100);
  absl::Duration metadata_max_age = absl::Minutes(5);
  absl::Duration reconnect_backoff = absl::Milliseconds(50);
  absl::Duration reconnect_backoff_max = absl::Seconds(1);
  absl::Duration connection_setup_timeout = absl::Seconds(10);
  absl::Duration connection_setup_timeout_max = absl::Seconds(30);
  bool allow_auto_create_topics = true;
};

enum class Acks : int16_t { kAll = -1, kNone = 0, kLeader = 1 };

// As they stand in a batch's attributes.
enum class CompressionType : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

struct ProducerConfig : ClientConfig {
  Acks acks = Acks::kAll;
  absl::Duration linger;
  int64_t batch_size = 16384;
  int64_t buffer_memory = 33554432;
  int64_t max_request_size = 1048576;
  int64_t retries = 2147483647;
  int64_t max_in_flight = 5;  // per connection
  absl::Duration delivery_timeout = absl::Minutes(2);
  absl::Duration max_block = absl::Minutes(1);
  CompressionType compression = CompressionType::kNone;
  bool enable_idempotence = true;

  // [D60] Asked for, and possible with the other settings.
  [[nodiscard]] bool IsIdempotent() const;
  // [D60] Settings that rule idempotence out switch it off, unless it was asked for by name: then
  // they are an error.
  [[nodiscard]] static absl::StatusOr<ProducerConfig> FromMap(const Properties& properties);
};

enum class OffsetReset : uint8_t { kLatest, kEarliest, kNone };
enum class IsolationLevel : int8_t { kReadUncommitted = 0, kReadCommitted = 1 };

struct ConsumerConfig : ClientConfig {
  int64_t fetch_min_bytes = 1;
  absl::Duration fetch_max_wait = absl::Milliseconds(500);
  int64_t fetch_max_bytes = 52428800;
  int64_t max_partition_fetch_bytes = 1048576;
  int64_t max_poll_records = 500;
  OffsetReset auto_offset_reset = OffsetReset::kLatest;
  IsolationLevel isolation_level = IsolationLevel::kReadUncommitted;
  bool check_crcs = true;
  std::string client_rack;  // empty: always fetch from leaders
  absl::Duration default_api_timeout = absl::Minutes(1);

  [[nodiscard]] static absl::StatusOr<ConsumerConfig> FromMap(const Properties& properties);
};

struct AdminConfig : ClientConfig {
  absl::Duration default_api_timeout = absl::Minutes(1);

  [[nodiscard]] static absl::StatusOr<AdminConfig> FromMap(const Properties& properties);
};

// Whether a producer may have all these settings together.
[[nodiscard]] absl::Status ValidateProducerConfigs(const Properties& properties);

// Whether a client may have this setting: OK, or what is wrong and what was perhaps meant. For
// scenario files, which know the place themselves.
[[nodiscard]] absl::Status ValidateProducerConfig(std::string_view name, std::string_view value);
[[nodiscard]] absl::Status ValidateConsumerConfig(std::string_view name, std::string_view value);

}  // namespace highwater::broker::client
