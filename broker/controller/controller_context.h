#pragma once

// ControllerContext: all that the active controller knows: brokers, topics, who leads what, and the
// state of each partition and replica. A value; empty while this broker is not the controller.
//
// Follows [C10], [C33], Apache Kafka's ControllerContext.
//
// Invariants:
//   1. A partition of the context belongs to a topic of the context.
//   2. Every replica state belongs to a replica that is assigned, or is on its way out.
//   3. Everything is kept and walked in the order of names and ids.
//
// Not responsible for: deciding anything, ZooKeeper.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/controller/partition_states.h"
#include "broker/protocol/uuid.h"
#include "broker/types.h"
#include "broker/zk/broker_registration.h"
#include "broker/zk/kafka_zk_client.h"
#include "broker/zk/leader_and_isr.h"
#include "broker/zk/replica_assignment.h"

namespace highwater::broker::controller {

using zk::LeaderIsrAndControllerEpoch;
using zk::ReplicaAssignment;

struct PartitionReplica {
  TopicPartition partition;
  BrokerId broker;
  friend auto operator<=>(const PartitionReplica& a, const PartitionReplica& b) {
    return std::tie(a.partition, a.broker) <=> std::tie(b.partition, b.broker);
  }
  friend bool operator==(const PartitionReplica&, const PartitionReplica&) = default;
};

struct PartitionContext {
  ReplicaAssignment assignment;
  std::optional<LeaderIsrAndControllerEpoch> leadership;
  PartitionState state = PartitionState::kNonExistent;
  std::map<BrokerId, ReplicaState> replicas;
};

struct TopicContext {
  protocol::Uuid id;
  std::map<PartitionIndex, PartitionContext> partitions;
  // What its config says; see Unclean and MinInsync.
  std::optional<bool> unclean_leader_election;
  std::optional<int32_t> min_insync_replicas;
};

class ControllerContext {
 public:
  ControllerEpoch epoch{0};
  zk::FenceVersion fence{0};

  // ---- Brokers.
  // Registered ones; those in controlled shutdown too.
  std::map<BrokerId, zk::BrokerRegistration> brokers;
  std::set<BrokerId> shutting_down;
  // Replicas that answered KAFKA_STORAGE_ERROR [C65].
  std::set<PartitionReplica> on_offline_directory;

  // ---- Topics.
  std::map<std::string, TopicContext, std::less<>> topics;
  std::set<TopicPartition> being_reassigned;
  std::set<std::string> to_be_deleted;
  std::set<std::string> deletion_started;
  std::set<std::string> deletion_ineligible;

  // Forgets all but the epoch and the fence [Z55].
  void Clear();

  // [C33] Live: not shutting down.
  [[nodiscard]] bool IsLive(BrokerId id) const {
    return brokers.contains(id) && !shutting_down.contains(id);
  }
  [[nodiscard]] bool IsLiveOrShuttingDown(BrokerId id) const { return brokers.contains(id); }
  [[nodiscard]] std::vector<BrokerId> LiveBrokers() const;
  [[nodiscard]] std::vector<BrokerId> LiveOrShuttingDownBrokers() const;
  [[nodiscard]] bool IsReplicaOnline(const TopicPartition& partition, BrokerId id) const {
    return IsLive(id) && !on_offline_directory.contains({partition, id});
  }

  // nullptr if there is none.
  [[nodiscard]] PartitionContext* Find(const TopicPartition& partition);
  [[nodiscard]] const PartitionContext* Find(const TopicPartition& partition) const;
  [[nodiscard]] std::vector<TopicPartition> AllPartitions() const;
  [[nodiscard]] std::vector<TopicPartition> PartitionsOf(const std::string& topic) const;
  [[nodiscard]] std::vector<TopicPartition> PartitionsIn(
      const std::set<PartitionState>& states) const;
  // All replicas that are assigned, of the topic; on these brokers.
  [[nodiscard]] std::vector<PartitionReplica> ReplicasOf(const std::string& topic) const;
  [[nodiscard]] std::vector<PartitionReplica> ReplicasOn(const std::set<BrokerId>& brokers) const;
  [[nodiscard]] std::vector<PartitionReplica> ReplicasIn(const std::string& topic,
                                                         ReplicaState state) const;
  [[nodiscard]] ReplicaState StateOf(const PartitionReplica& replica) const;

  [[nodiscard]] bool IsQueuedForDeletion(const std::string& topic) const {
    return to_be_deleted.contains(topic);
  }
};

}  // namespace highwater::broker::controller
