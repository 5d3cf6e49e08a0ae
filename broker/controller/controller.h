#pragma once

// Controller: who owns topics. Creates and deletes them, and knows which broker leads which
// partition.
//
// A single broker without zookeeper.connect is its own controller (StandaloneController); a cluster
// elects one.
//
// Errors are Kafka's codes with a message for the client, since they go to clients as they are.

#include <absl/functional/function_ref.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/protocol/error_code.h"
#include "broker/protocol/uuid.h"
#include "broker/server/topic_config.h"
#include "broker/types.h"
#include "core/monotonic_time.h"
#include "core/network.h"

namespace highwater::broker {

struct BrokerAddress {
  BrokerId id;
  core::Endpoint endpoint;
  std::string rack;  // "" is none
};

struct PartitionDescription {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  PartitionIndex index;
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> isr;
  std::vector<BrokerId> offline_replicas;
};

struct TopicDescription {
  std::string name;
  protocol::Uuid id;
  bool internal = false;
  std::vector<PartitionDescription> partitions;  // by index
};

// What a topic was created with, for those who do not need the state of its partitions.
struct TopicSettings {
  protocol::Uuid id;
  int32_t partitions = 0;
  int32_t replication_factor = 1;
  TopicOverrides overrides;
  TopicConfig config;  // resolved
};

struct NewTopic {
  std::string name;
  int32_t partitions = -1;          // -1: the broker's num.partitions
  int32_t replication_factor = -1;  // -1: the broker's default.replication.factor
  std::map<int32_t, std::vector<BrokerId>>
      assignments;  // by partition; empty: the controller decides
  std::map<std::string, std::optional<std::string>> configs;
};

struct TopicResult {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  std::string message;  // "" if there is nothing to say
  std::string name;
  protocol::Uuid id;
};

enum class CreateMode : uint8_t { kCreate, kValidateOnly };

class Controller {
 public:
  virtual ~Controller() = default;

  // ---- What is known of the cluster. Never waits.
  [[nodiscard]] virtual const std::string& cluster_id() const = 0;
  [[nodiscard]] virtual BrokerId controller_id() const = 0;
  [[nodiscard]] virtual std::vector<BrokerAddress> Brokers() const = 0;
  // Sorted by name.
  [[nodiscard]] virtual std::vector<std::string> TopicNames() const = 0;
  // nullopt: no such topic.
  [[nodiscard]] virtual std::optional<TopicDescription> Describe(std::string_view topic) const = 0;
  // nullptr: no such topic. Valid until the next wait.
  [[nodiscard]] virtual const TopicSettings* FindTopic(std::string_view topic) const = 0;
  // "" if there is none.
  [[nodiscard]] virtual std::string NameOf(const protocol::Uuid& id) const = 0;

  // ---- Changes. REQUIRES: on a fiber. REQUEST_TIMED_OUT at the deadline: the change goes on.
  [[nodiscard]] virtual std::vector<TopicResult> CreateTopics(std::vector<NewTopic> topics,
                                                              CreateMode mode,
                                                              core::MonotonicTime deadline) = 0;
  [[nodiscard]] virtual std::vector<TopicResult> DeleteTopics(std::vector<std::string> names,
                                                              core::MonotonicTime deadline) = 0;
  // Makes topics that a client has only named, with the settings' numbers of partitions and
  // replicas; also where this broker is not the controller, which is then asked. `names` differ.
  [[nodiscard]] virtual std::vector<TopicResult> AutoCreateTopics(
      const std::vector<std::string>& names, core::MonotonicTime deadline) {
    std::vector<NewTopic> topics;
    for (const std::string& name : names) topics.push_back({.name = name});
    return CreateTopics(std::move(topics), CreateMode::kCreate, deadline);
  }
};

}  // namespace highwater::broker
