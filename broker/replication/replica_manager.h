#pragma once

// ReplicaManager: the replicas that this broker hosts, the roles that the controller gives them,
// and how a directory's failure or a topic's end reaches them.
//
//   ReplicaManager replicas(env, self, options, observer);
//   replicas.JoinCluster({logs, metadata, channel, defaults});     // in a cluster
//   auto response = replicas.BecomeLeaderOrFollower(request);      // LeaderAndIsr
//   auto status = replicas.StartLeading(logs, id, ...);            // alone
//
// Follows replication facts 3.1 (R1-R9, R15-R26, R28), H11, K8 and P3. Invariants:
//   1. Requests of the controller are handled one at a time [R3].
//   2. The controller epoch never goes back; what comes with a smaller one, or with a smaller
//   broker epoch, changes nothing [R1, R2].
//   3. A partition's epoch never goes back while the process lives [R5, R6].
//
// Not responsible for: which partitions there should be (the controller), files
// (storage::LogManager), fetching (ReplicaFetcherManager).

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/metadata/metadata_cache.h"
#include "broker/observer.h"
#include "broker/protocol/leader_and_isr.h"
#include "broker/protocol/stop_replica.h"
#include "broker/protocol/update_metadata.h"
#include "broker/replication/alter_partition_manager.h"
#include "broker/replication/partition.h"
#include "broker/replication/replica_fetcher_manager.h"
#include "broker/storage/log_manager.h"
#include "core/environment.h"
#include "core/mutex.h"
#include "core/wait_group.h"

namespace highwater::broker {

struct ReplicaManagerOptions {
  ReplicationRules rules;
  absl::Duration lag_max = absl::Seconds(30);  // replica.lag.time.max.ms
  ReplicaFetcherOptions fetchers;
};

class ReplicaManager final : public storage::LogManagerListener, public PartitionHost {
 public:
  // What a replica needs of its cluster. All outlive the manager's Stop.
  struct Cluster {
    storage::LogManager& logs;
    MetadataCache& metadata;
    ControllerChannel& channel;
    TopicConfig defaults;                // of topics without settings of their own
    std::string listener = "PLAINTEXT";  // of the brokers among themselves
    // Tells the settings of a topic, by SetTopicConfig, before its first partition is hosted here:
    // a topic is created without a word to the brokers about them [Z26]. May wait; an error is a
    // session that is over, and the partition is not hosted.
    std::function<absl::Status(const std::string& topic)> read_config = nullptr;
  };

  // All outlive it.
  ReplicaManager(core::Environment& env, BrokerId self, const ReplicaManagerOptions& options,
                 Observer& observer);
  ~ReplicaManager() override;
  ReplicaManager(const ReplicaManager&) = delete;
  ReplicaManager& operator=(const ReplicaManager&) = delete;

  // ---- Alone.

  // Opens or makes the partition's log and leads it, under an epoch greater than any in the log
  // and not below `at_least`, with itself as the only replica. After an error the partition is
  // known as offline. REQUIRES: on a fiber; not hosted yet.
  [[nodiscard]] absl::Status StartLeading(storage::LogManager& logs, const TopicPartition& id,
                                          const protocol::Uuid& topic_id, const TopicConfig& config,
                                          storage::IsNew is_new, LeaderEpoch at_least);
  // Tells everybody who waits, forgets the partition and deletes its log. OK if there is none.
  // REQUIRES: on a fiber.
  [[nodiscard]] absl::Status Delete(storage::LogManager& logs, const TopicPartition& id);
  // Tells everybody who waits that the broker stops.
  void ResignAll();

  // ---- In a cluster (replica_manager_cluster.cc).

  void JoinCluster(const Cluster& cluster);
  [[nodiscard]] bool in_cluster() const { return cluster_ != nullptr; }
  // [R1] The broker's own epoch: greater after each registration; kNoBrokerEpoch before the first.
  void SetBrokerEpoch(BrokerEpoch epoch);
  [[nodiscard]] BrokerEpoch broker_epoch() const { return broker_epoch_; }
  // [R2] The greatest that was seen; 0 at start.
  [[nodiscard]] ControllerEpoch controller_epoch() const { return controller_epoch_; }

  // The controller's requests, in all versions. REQUIRES: on a fiber; JoinCluster was called.
  [[nodiscard]] protocol::LeaderAndIsrResponse BecomeLeaderOrFollower(
      const protocol::LeaderAndIsrRequest& request, int16_t version);
  [[nodiscard]] protocol::StopReplicaResponse StopReplicas(
      const protocol::StopReplicaRequest& request, int16_t version);
  [[nodiscard]] protocol::UpdateMetadataResponse UpdateMetadata(
      const protocol::UpdateMetadataRequest& request);
  // The settings of a topic, for the logs that there are and those to come.
  void SetTopicConfig(const std::string& topic, const TopicConfig& config);
  // Ends fetching and the tasks. REQUIRES: on a fiber; the channel is closed.
  void Stop();

  // ---- Looking up.

  // nullptr: not hosted here.
  [[nodiscard]] std::shared_ptr<Partition> Find(std::string_view topic, PartitionIndex index) const;
  // What to tell a client of a partition that Find does not know [S2].
  [[nodiscard]] protocol::ErrorCode WhyNotHosted(std::string_view topic,
                                                 PartitionIndex index) const;

  // storage::LogManagerListener
  std::optional<Offset> HighWatermarkOf(const TopicPartition& id) override;
  storage::LogConfig ConfigOf(std::string_view topic, const storage::LogConfig& defaults) override;
  void OnDirectoryOffline(std::string_view directory,
                          const std::vector<TopicPartition>& partitions) override;

  // PartitionHost
  bool ProposeIsr(const std::shared_ptr<Partition>& partition,
                  const IsrProposal& proposal) override;

  // Settings for logs that are found at start, before their partitions are led.
  void ExpectConfig(std::string topic, const storage::LogConfig& config) {
    expected_configs_.insert_or_assign(std::move(topic), config);
  }

 private:
  using PartitionState = protocol::LeaderAndIsrRequest::LeaderAndIsrPartitionState;
  // One partition of a LeaderAndIsr request that passed its checks.
  struct RoleChange {
    TopicPartition id;
    protocol::Uuid topic_id;
    const PartitionState* state;
    protocol::ErrorCode* error;
  };

  [[nodiscard]] protocol::ErrorCode CheckEpochs(BrokerEpoch broker_epoch,
                                                ControllerEpoch controller_epoch);
  // [R5]
  [[nodiscard]] protocol::ErrorCode CheckRole(const TopicPartition& id,
                                              const protocol::Uuid& topic_id,
                                              const PartitionState& state) const;
  void MakeLeader(const RoleChange& change);
  void MakeFollower(const RoleChange& change);
  absl::StatusOr<std::shared_ptr<Partition>> Host(storage::LogManager& logs,
                                                  const TopicPartition& id,
                                                  const protocol::Uuid& topic_id,
                                                  const TopicConfig& config, storage::IsNew is_new);
  absl::Status AwaitConfig(const std::string& topic);
  absl::StatusOr<std::shared_ptr<Partition>> HostFor(const RoleChange& change);
  [[nodiscard]] protocol::ErrorCode StopReplica(const TopicPartition& id, LeaderEpoch epoch,
                                                bool delete_log);
  [[nodiscard]] const TopicConfig& ConfigOfTopic(std::string_view topic) const;
  void StartIsrTask();

  core::Environment& env_;
  BrokerId self_;
  ReplicaManagerOptions options_;
  Observer& observer_;
  std::map<std::string, std::map<PartitionIndex, std::shared_ptr<Partition>>, std::less<>> topics_;
  std::set<TopicPartition> offline_;
  std::map<std::string, storage::LogConfig, std::less<>> expected_configs_;

  // In a cluster.
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<ReplicaFetcherManager> fetchers_;
  std::unique_ptr<AlterPartitionManager> isr_changes_;
  std::map<std::string, TopicConfig, std::less<>> configs_;
  core::Mutex role_changes_;
  BrokerEpoch broker_epoch_ = kNoBrokerEpoch;
  ControllerEpoch controller_epoch_{0};
  ControllerEpoch metadata_epoch_{0};  // of the controller that the metadata names
  bool isr_task_running_ = false;
  bool stopping_ = false;
  core::WaitQueue stop_;
  core::WaitGroup tasks_;
};

}  // namespace highwater::broker
