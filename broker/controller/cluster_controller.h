#pragma once

// ClusterController: the Controller of a broker that is a member of a cluster. What is known comes
// from this broker's own view of the cluster [C114]; changes are made where this broker is the
// active controller, and answered with NOT_CONTROLLER elsewhere, but for topics that a client has
// only named: the controller is asked for these. Settings can be changed at any broker.
//
//   ClusterController controller(env, config, view, zk, configs, kafka_controller);
//   Services services{..., controller, ...};
//
// Follows [Z26] (how a topic is made), [C100]-[C102], [Z13], [Z14]; placement.h.
//
// Invariants:
//   1. A topic's config stands before the topic [Z26].
//   2. A topic's znode is changed only in the controller's own loop, behind its fence: so no growth
//      crosses a reassignment.
//
// Not responsible for: what becomes of the znodes (kafka_controller.h).

#include <absl/functional/any_invocable.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/controller/auto_topic_creation_manager.h"
#include "broker/controller/config_change_listener.h"
#include "broker/controller/controller.h"
#include "broker/controller/kafka_controller.h"
#include "broker/protocol/alter_configs.h"
#include "broker/protocol/create_partitions.h"
#include "broker/protocol/incremental_alter_configs.h"
#include "broker/server/broker_config.h"
#include "broker/zk/kafka_zk_client.h"
#include "core/environment.h"

namespace highwater::broker::controller {

class ClusterController final : public Controller {
 public:
  // All outlive it. `view` is what this broker was told: its own changes are never asked for.
  ClusterController(core::Environment& env, const BrokerConfig& config, const Controller& view,
                    zk::KafkaZkClient& zk, const ConfigChangeListener& configs,
                    KafkaController& kafka)
      : env_(env),
        config_(config),
        view_(view),
        zk_(zk),
        configs_(configs),
        kafka_(kafka),
        creation_(env, config, view) {}

  [[nodiscard]] KafkaController& kafka() { return kafka_; }

  [[nodiscard]] const std::string& cluster_id() const override { return view_.cluster_id(); }
  [[nodiscard]] BrokerId controller_id() const override { return view_.controller_id(); }
  [[nodiscard]] std::vector<BrokerAddress> Brokers() const override { return view_.Brokers(); }
  [[nodiscard]] std::vector<std::string> TopicNames() const override { return view_.TopicNames(); }
  [[nodiscard]] std::optional<TopicDescription> Describe(std::string_view topic) const override {
    return view_.Describe(topic);
  }
  // With the settings of the topic's config.
  [[nodiscard]] const TopicSettings* FindTopic(std::string_view topic) const override;
  [[nodiscard]] std::string NameOf(const protocol::Uuid& id) const override {
    return view_.NameOf(id);
  }
  // Wait until this broker has heard of all leaders, or that the topics are gone.
  [[nodiscard]] std::vector<TopicResult> CreateTopics(std::vector<NewTopic> topics, CreateMode mode,
                                                      core::MonotonicTime deadline) override;
  [[nodiscard]] std::vector<TopicResult> DeleteTopics(std::vector<std::string> names,
                                                      core::MonotonicTime deadline) override;
  [[nodiscard]] std::vector<TopicResult> AutoCreateTopics(const std::vector<std::string>& names,
                                                          core::MonotonicTime deadline) override;

  // ---- Requests that only a cluster has. REQUIRES: on a fiber.
  [[nodiscard]] protocol::CreatePartitionsResponse CreatePartitions(
      const protocol::CreatePartitionsRequest& request, core::MonotonicTime deadline);
  [[nodiscard]] protocol::AlterConfigsResponse AlterConfigs(
      const protocol::AlterConfigsRequest& request);
  [[nodiscard]] protocol::IncrementalAlterConfigsResponse IncrementalAlterConfigs(
      const protocol::IncrementalAlterConfigsRequest& request);

 private:
  struct Outcome {
    protocol::ErrorCode error = protocol::ErrorCode::NONE;
    std::string message;
  };
  struct Growth {
    std::string topic;
    int32_t count = 0;
    // Of the new partitions; nullopt: the controller places them.
    std::optional<std::vector<std::vector<BrokerId>>> assignments;
    bool validate_only = false;
  };

  TopicResult CreateTopic(const NewTopic& topic, CreateMode mode,
                          const std::vector<std::string>& existing);
  absl::StatusOr<Outcome> Grow(const Growth& growth);
  absl::StatusOr<zk::TopicZnode> Extend(zk::TopicZnode znode, const Growth& growth,
                                        Outcome& outcome) const;
  Outcome CheckConfig(int8_t resource_type, const std::string& name,
                      const zk::ConfigEntries& entries);
  Outcome AlterIncrementally(
      const protocol::IncrementalAlterConfigsRequest::AlterConfigsResource& resource,
      bool validate_only);
  // `status` is of the write; tells all brokers of it.
  Outcome ConfigWritten(const std::string& name, absl::Status status);
  // Lets time pass until `done`; false at the deadline.
  bool Await(core::MonotonicTime deadline, absl::AnyInvocable<bool()> done);
  [[nodiscard]] bool HasLeaders(const std::string& topic) const;

  core::Environment& env_;
  const BrokerConfig& config_;
  const Controller& view_;
  zk::KafkaZkClient& zk_;
  const ConfigChangeListener& configs_;
  KafkaController& kafka_;
  AutoTopicCreationManager creation_;
  mutable TopicSettings found_;  // by the last FindTopic
};

}  // namespace highwater::broker::controller
