#pragma once

// ClusterMetadata: what a client believes of the cluster: brokers, topics, who leads a partition in
// which epoch.
//
//   ClusterMetadata metadata;
//   if (!metadata.Update(response, version).taken) ... ask again
//   const PartitionMetadata* partition = metadata.FindPartition("orders", PartitionIndex(0));
//
// Pure: fed with Metadata responses, asked by everybody else. Invariants:
//   1. [N21] The leader epoch known of a partition never goes back, unless the topic's id changed
//   (it was deleted and created again) or the broker does not speak of epochs.
//   2. [N22] A topic that a response reports with an error keeps no leaders, but its epochs; a
//   partition with an error is taken like any other if its epoch allows, else it stays as it was.
//   3. A leader that is not among the brokers of the response counts as no leader.
//   4. A topic's id, once known, is not forgotten: neither an error nor a broker that does not
//   speak of ids takes it away. Otherwise the next answer with an id would look like another
//   topic's.
//   5. Brokers are never forgotten for an answer that names none: such an answer is not taken.
//
// Not responsible for: when to ask again (network_client.h).

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/client/client_rules.h"
#include "broker/protocol/error_code.h"
#include "broker/protocol/metadata.h"
#include "broker/protocol/uuid.h"
#include "broker/types.h"
#include "core/network.h"

namespace highwater::broker::client {

struct PartitionMetadata {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;  // the last seen
  std::vector<BrokerId> offline_replicas;

  friend bool operator==(const PartitionMetadata&, const PartitionMetadata&) = default;
};

struct TopicMetadata {
  std::string name;
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  protocol::Uuid topic_id;  // zero if unknown
  std::vector<PartitionMetadata> partitions;

  [[nodiscard]] int32_t partition_count() const { return static_cast<int32_t>(partitions.size()); }
};

struct BrokerMetadata {
  BrokerId id;
  core::Endpoint endpoint;
};

class ClusterMetadata {
 public:
  explicit ClusterMetadata(const ClientRules& rules = ClientRules()) : rules_(rules) {}

  struct UpdateResult {
    bool taken = true;       // false: nothing has changed, the answer is of no use
    bool any_error = false;  // something that another refresh may mend
  };
  // Takes in a response of this version. Topics that it does not name are left as they are.
  UpdateResult Update(const protocol::MetadataResponse& response, int16_t version);

  // nullptr if nothing was heard of it.
  [[nodiscard]] const TopicMetadata* FindTopic(std::string_view name) const;
  // nullptr if the topic or the partition is unknown.
  [[nodiscard]] const PartitionMetadata* FindPartition(std::string_view topic,
                                                       PartitionIndex partition) const;
  // Another response told of this epoch: true if it is news, so that the leader must be asked for.
  bool SeenLeaderEpoch(std::string_view topic, PartitionIndex partition, LeaderEpoch epoch);

  [[nodiscard]] const std::vector<BrokerMetadata>& brokers() const { return brokers_; }  // by id
  [[nodiscard]] const core::Endpoint* FindBroker(BrokerId id) const;
  // Whether a replica of the partition can be asked there: the broker is known and the replica not
  // offline.
  [[nodiscard]] bool IsOnline(const PartitionMetadata& partition, BrokerId replica) const;
  [[nodiscard]] BrokerId controller() const { return controller_; }
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }
  // Grows with each update.
  [[nodiscard]] uint64_t version() const { return version_; }

 private:
  bool UpdateTopic(const protocol::MetadataResponse::MetadataResponseTopic& from,
                   bool epochs_reliable);
  void UpdatePartition(PartitionMetadata& partition,
                       const protocol::MetadataResponse::MetadataResponsePartition& from,
                       bool epochs_reliable);
  TopicMetadata& TopicOf(std::string_view name);

  const ClientRules rules_;
  std::vector<BrokerMetadata> brokers_;
  absl::btree_map<std::string, TopicMetadata, std::less<>> topics_;
  BrokerId controller_ = kNoBroker;
  std::string cluster_id_;
  uint64_t version_ = 0;
};

}  // namespace highwater::broker::client
