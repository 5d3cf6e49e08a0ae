#pragma once

// ClusterMembership: what makes a broker a member of a cluster: its session with ZooKeeper, the
// settings kept there, its registration, its part in electing the controller.
//
//   ClusterMembership member(env, config, replicas, metadata, rules, observer);
//   HW_RETURN_IF_ERROR(member.Connect());                  // member.cluster_id()
//   ... logs are loaded, the listener is bound ...
//   HW_RETURN_IF_ERROR(member.Join(advertised, clean));    // registered; perhaps the controller
//   member.HandOver();                                     // a clean stop begins
//   member.Leave();                                        // ... and ends
//
// Follows [S1], [S3] (order), [Z23], [Z30]-[Z34], [Z44] (sessions), [Z13], [Z14] (settings), [C80]-
// [C83] (handing over). Not responsible for: what the controller decides (broker/controller), what
// replicas do (replica_manager.h).

#include <absl/status/status.h>

#include <memory>
#include <string>

#include "broker/controller/broker_registrar.h"
#include "broker/controller/cluster_controller.h"
#include "broker/controller/config_change_listener.h"
#include "broker/controller/kafka_controller.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/observer.h"
#include "broker/replication/replica_manager.h"
#include "broker/server/broker_config.h"
#include "broker/zk/kafka_zk_client.h"
#include "core/environment.h"

namespace highwater::broker {

class ClusterMembership {
 public:
  // All outlive it.
  ClusterMembership(core::Environment& env, const BrokerConfig& config, ReplicaManager& replicas,
                    const MetadataCache& metadata, const controller::ControllerRules& rules,
                    Observer& observer);
  ~ClusterMembership();
  ClusterMembership(const ClusterMembership&) = delete;
  ClusterMembership& operator=(const ClusterMembership&) = delete;

  // Opens the session, makes Kafka's base paths, learns the cluster's id. REQUIRES: on a fiber.
  [[nodiscard]] absl::Status Connect();
  // REQUIRES: Connect said OK.
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }

  // Reads the topics' settings, registers, takes part in elections. `view`: what this broker knows
  // of its cluster; it outlives this. `clean`: every log directory had its clean-shutdown marker.
  // AlreadyExists: another broker with this id is alive. REQUIRES: on a fiber.
  [[nodiscard]] absl::Status Join(const Controller& view, const core::Endpoint& advertised,
                                  bool clean);
  // REQUIRES: Join was called.
  [[nodiscard]] controller::ClusterController& controller() { return *cluster_controller_; }
  // Tells the replica manager the settings of a topic. Unavailable: the session is over.
  [[nodiscard]] absl::Status ReadTopicConfig(const std::string& topic);
  // A controller addressed the registration with this epoch [W1].
  void ControllerSpoke(BrokerEpoch epoch) {
    if (registrar_ != nullptr) registrar_->ControllerSpoke(epoch);
  }

  // Whether a controller has heard how this broker's logs were opened [W1].
  [[nodiscard]] bool controller_has_spoken() const {
    return registrar_ != nullptr && !registrar_->unclean_start();
  }

  // [C80-C83] Asks the controller to take leadership away, as often as the settings say.
  void HandOver();
  // [S3] Gives up the role and closes the session: the registration goes last.
  void Leave();

 private:
  absl::Status Register(const core::Endpoint& advertised, bool clean);
  void OnConfigChange(zk::ConfigKind kind, const std::string& entity,
                      const zk::ConfigEntries& entries);
  [[nodiscard]] controller::ControllerConfig ControllerConfigOf() const;

  core::Environment& env_;
  const BrokerConfig& config_;
  ReplicaManager& replicas_;
  const MetadataCache& metadata_;
  const controller::ControllerRules rules_;
  Observer& observer_;
  std::string cluster_id_;
  std::unique_ptr<zookeeper::ZooKeeperClient> client_;
  std::unique_ptr<zk::KafkaZkClient> zk_;
  std::unique_ptr<controller::ConfigChangeListener> configs_;
  std::unique_ptr<controller::BrokerRegistrar> registrar_;
  std::unique_ptr<controller::KafkaController> kafka_;
  std::unique_ptr<controller::ClusterController> cluster_controller_;
};

}  // namespace highwater::broker
