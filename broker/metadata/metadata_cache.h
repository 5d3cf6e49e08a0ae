#pragma once

// MetadataCache: what this broker knows of the cluster: the live brokers, and who leads which
// partition, as the last UpdateMetadata requests told. Pure: no clock, no I/O.
//
//   cache.Update(request);                          // UpdateMetadata
//   if (cache.IsAlive(leader)) ...                  // LeaderAndIsr [R24]
//   const MetadataCache::Topic* topic = cache.Find("orders");
//
// Follows replication facts R7, C63, C114, S2. Invariants:
//   1. The live brokers are those of the last request, as a whole [R7].
//   2. The last request that named a partition wins: there is no epoch check here [R7, W6].
//   3. A topic has a name and at most one id; both find it.
//
// Not responsible for: whether the sender is the controller, and the controller epoch (the replica
// manager, R2).

#include <absl/container/btree_map.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/protocol/update_metadata.h"
#include "broker/protocol/uuid.h"
#include "broker/types.h"
#include "core/network.h"

namespace highwater::broker {

class MetadataCache {
 public:
  struct Listener {
    std::string name;
    int16_t security_protocol = 0;
    core::Endpoint endpoint;
  };
  struct LiveBroker {
    BrokerId id;
    std::vector<Listener> listeners;
    std::string rack;  // "" is none

    // nullptr: it has no such listener [C114].
    [[nodiscard]] const core::Endpoint* Find(std::string_view listener) const;
  };
  struct Partition {
    BrokerId leader = kNoBroker;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    PartitionEpoch partition_epoch;
    std::vector<BrokerId> replicas;
    std::vector<BrokerId> isr;
    std::vector<BrokerId> offline_replicas;
  };
  struct Topic {
    protocol::Uuid id;  // zero if it is not told
    absl::btree_map<PartitionIndex, Partition> partitions;
  };

  // [R7] `version`: which of the request's forms is filled in.
  void Update(const protocol::UpdateMetadataRequest& request);

  // Who sent the last request [S4]; kNoBroker before the first.
  [[nodiscard]] BrokerId controller() const { return controller_; }
  [[nodiscard]] bool IsAlive(BrokerId broker) const { return brokers_.contains(broker); }
  [[nodiscard]] const absl::btree_map<BrokerId, LiveBroker>& brokers() const { return brokers_; }
  // nullptr: not alive, or without this listener. Valid until the next update.
  [[nodiscard]] const core::Endpoint* EndpointOf(BrokerId broker, std::string_view listener) const;

  // nullptr: unknown. Valid until the next update.
  [[nodiscard]] const Topic* Find(std::string_view topic) const;
  [[nodiscard]] const Partition* Find(std::string_view topic, PartitionIndex index) const;
  // "" if there is none.
  [[nodiscard]] std::string_view NameOf(const protocol::Uuid& id) const;
  [[nodiscard]] const absl::btree_map<std::string, Topic, std::less<>>& topics() const {
    return topics_;
  }

 private:
  void UpdateTopic(std::string_view name, const protocol::Uuid& id);
  void UpdatePartition(std::string_view topic, const protocol::Uuid& id,
                       const protocol::UpdateMetadataRequest::UpdateMetadataPartitionState& state);

  BrokerId controller_ = kNoBroker;
  absl::btree_map<BrokerId, LiveBroker> brokers_;
  absl::btree_map<std::string, Topic, std::less<>> topics_;
  absl::btree_map<protocol::Uuid, std::string> names_;
};

}  // namespace highwater::broker
