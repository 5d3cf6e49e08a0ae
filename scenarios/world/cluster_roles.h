#pragma once

// ClusterRoles: who plays which role now, as the servers themselves have reported it. For faults
// that aim at a role; outside of the world.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/types.h"
#include "faults/injector.h"
#include "scenarios/scenario.h"

namespace highwater::scenarios {

class ClusterRoles final : public faults::Roles {
 public:
  void BecameController(int32_t broker) { controller_ = broker; }
  void BecameLeader(const broker::TopicPartition& partition, int32_t broker);
  void BecameFollower(const broker::TopicPartition& partition, int32_t broker);
  void NoLongerHosted(const broker::TopicPartition& partition, int32_t broker);
  void BecameZooKeeperLeader(int32_t server) { zookeeper_leader_ = server; }

  [[nodiscard]] std::optional<int32_t> Controller() const override { return controller_; }
  [[nodiscard]] std::optional<int32_t> LeaderOf(std::string_view topic,
                                                int32_t partition) const override;
  [[nodiscard]] std::vector<int32_t> ReplicasOf(std::string_view topic,
                                                int32_t partition) const override;
  [[nodiscard]] std::optional<int32_t> ZooKeeperLeader() const override {
    return zookeeper_leader_;
  }

 private:
  struct Replicas {
    std::optional<int32_t> leader;
    std::set<int32_t> all;
  };
  [[nodiscard]] const Replicas* Find(std::string_view topic, int32_t partition) const;

  std::optional<int32_t> controller_;
  std::optional<int32_t> zookeeper_leader_;
  std::map<broker::TopicPartition, Replicas> partitions_;
};

}  // namespace highwater::scenarios
