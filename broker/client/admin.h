#pragma once

// Admin: topics and offsets as an operator sees them.
//
//   Admin admin(env, config);
//   HW_ASSIGN_OR_RETURN(auto results, admin.CreateTopics({{.name = "orders", .partitions = 6}},
//   deadline));
//
// A call retries on lost connections and retriable errors until its deadline; the status says that
// no broker answered in time (DeadlineExceeded, Cancelled), a broker's refusal is an error code in
// the result. A create or delete whose answer was lost is asked again, so it may report
// TOPIC_ALREADY_EXISTS or UNKNOWN_TOPIC_OR_PARTITION for what it did itself.
//
// Creating and deleting topics, creating partitions, electing leaders and reassignments go to the
// controller; after NOT_CONTROLLER it is looked for again. Configurations of a broker go to that
// broker, everything else to any.

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <absl/types/span.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/client/client_config.h"
#include "broker/protocol/error_code.h"
#include "broker/protocol/uuid.h"
#include "broker/types.h"
#include "core/environment.h"

namespace highwater::broker::client {

struct NewTopic {
  std::string name;
  int32_t partitions = -1;          // -1: the broker's default
  int16_t replication_factor = -1;  // -1: the broker's default
  std::map<std::string, std::string> settings;
};

struct TopicResult {
  std::string name;
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  std::string message;
};

struct BrokerDescription {
  BrokerId id;
  core::Endpoint endpoint;
  std::string rack;
};

struct PartitionDescription {
  PartitionIndex partition;
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> isr;
};

struct TopicDescription {
  std::string name;
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  protocol::Uuid topic_id;
  std::vector<PartitionDescription> partitions;  // by partition
};

struct ClusterDescription {
  std::string cluster_id;
  BrokerId controller = kNoBroker;
  std::vector<BrokerDescription> brokers;  // by id
  std::vector<TopicDescription> topics;    // by name
};

// What a configuration belongs to.
struct ConfigResource {
  enum class Type : int8_t { kTopic = 2, kBroker = 4, kBrokerLogger = 8 };
  Type type = Type::kTopic;
  std::string name;  // of the topic, or the broker's id; "": the default of all brokers

  friend bool operator==(const ConfigResource&, const ConfigResource&) = default;
};

struct ConfigEntry {
  std::string name;
  std::optional<std::string> value;  // none if it is a secret
  bool read_only = false;
  bool is_sensitive = false;
  int8_t source = -1;
};

struct ConfigDescription {
  ConfigResource resource;
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  std::string message;
  std::vector<ConfigEntry> entries;
};

struct ConfigChange {
  enum class Operation : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };
  std::string name;
  Operation operation = Operation::kSet;
  std::optional<std::string> value;  // none to delete
};

struct ConfigChanges {
  ConfigResource resource;
  std::vector<ConfigChange> changes;
};

struct ConfigResult {
  ConfigResource resource;
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  std::string message;
};

enum class ElectionType : int8_t { kPreferred = 0, kUnclean = 1 };

struct PartitionResult {
  TopicPartition partition;
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  std::string message;
};

struct NewReplicas {
  TopicPartition partition;
  std::optional<std::vector<BrokerId>> replicas;  // none: end the reassignment under way
};

struct OngoingReassignment {
  TopicPartition partition;
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> adding;
  std::vector<BrokerId> removing;
};

struct ListedOffset {
  TopicPartition partition;
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  Offset offset = kNoOffset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  absl::Time timestamp = absl::InfinitePast();  // of the record found; InfinitePast if none
};

// ListOffsets' special timestamps.
inline constexpr int64_t kLatestTimestamp = -1;
inline constexpr int64_t kEarliestTimestamp = -2;
inline constexpr int64_t kMaxTimestamp = -3;

class Admin {
 public:
  Admin(core::Environment& env, AdminConfig config);
  // Does not wait.
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  [[nodiscard]] absl::StatusOr<std::vector<TopicResult>> CreateTopics(
      absl::Span<const NewTopic> topics, core::MonotonicTime deadline);
  [[nodiscard]] absl::StatusOr<std::vector<TopicResult>> DeleteTopics(
      absl::Span<const std::string> names, core::MonotonicTime deadline);
  // The topic shall have `count` partitions.
  [[nodiscard]] absl::StatusOr<std::vector<TopicResult>> CreatePartitions(
      const std::map<std::string, int32_t>& counts, core::MonotonicTime deadline);
  // In the order asked; each broker's own resources are asked of that broker.
  [[nodiscard]] absl::StatusOr<std::vector<ConfigDescription>> DescribeConfigs(
      absl::Span<const ConfigResource> resources, core::MonotonicTime deadline);
  // In the order asked. A call that is asked again after a lost answer may append or subtract
  // twice.
  [[nodiscard]] absl::StatusOr<std::vector<ConfigResult>> IncrementalAlterConfigs(
      absl::Span<const ConfigChanges> changes, core::MonotonicTime deadline);
  // Of these partitions, or of all if there are none; then only those are in the result where there
  // was something to do. ELECTION_NOT_NEEDED: it is led as it should be.
  [[nodiscard]] absl::StatusOr<std::vector<PartitionResult>> ElectLeaders(
      ElectionType type, absl::Span<const TopicPartition> partitions, core::MonotonicTime deadline);
  [[nodiscard]] absl::StatusOr<std::vector<PartitionResult>> AlterPartitionReassignments(
      absl::Span<const NewReplicas> reassignments, core::MonotonicTime deadline);
  // Of these partitions, or of all if there are none.
  [[nodiscard]] absl::StatusOr<std::vector<OngoingReassignment>> ListPartitionReassignments(
      absl::Span<const TopicPartition> partitions, core::MonotonicTime deadline);
  // Brokers and controller, without topics. Of brokers that lack the API Metadata is asked.
  [[nodiscard]] absl::StatusOr<ClusterDescription> DescribeCluster(core::MonotonicTime deadline);
  // These topics, or all if `names` is empty.
  [[nodiscard]] absl::StatusOr<ClusterDescription> Describe(absl::Span<const std::string> names,
                                                            core::MonotonicTime deadline);
  // `timestamp_ms`: a record's time, or one of the special ones above. In the order asked.
  [[nodiscard]] absl::StatusOr<std::vector<ListedOffset>> ListOffsets(
      absl::Span<const TopicPartition> partitions, int64_t timestamp_ms,
      core::MonotonicTime deadline);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace highwater::broker::client
