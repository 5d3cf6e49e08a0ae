#pragma once

// FollowerLag: how many records the furthest follower was ever behind its leader's log end, whether
// it was slow or down; outside of the world.
//
// A broker counts as a follower from when it has opened its log until it stops following.

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <map>
#include <string_view>

#include "broker/types.h"

namespace highwater::scenarios {

class FollowerLag {
 public:
  // The log of `broker` ends at `end` now; `leads`: from now on the others are measured by it.
  void LogEnds(const broker::TopicPartition& partition, broker::BrokerId broker,
               broker::Offset end);
  void Leads(const broker::TopicPartition& partition, broker::BrokerId broker, broker::Offset end);
  // It holds no replica any more.
  void ReplicaRemoved(const broker::TopicPartition& partition, broker::BrokerId broker);
  void TopicDeleted(std::string_view topic);

  [[nodiscard]] uint64_t greatest() const { return greatest_; }

 private:
  struct Replica {
    broker::BrokerId broker;
    broker::Offset end;
  };
  struct Partition {
    broker::BrokerId leader = broker::kNoBroker;
    absl::InlinedVector<Replica, 4> replicas;
  };
  static Replica& ReplicaOf(Partition& partition, broker::BrokerId broker);
  void Measure(const Partition& partition);

  std::map<broker::TopicPartition, Partition> partitions_;
  uint64_t greatest_ = 0;
};

}  // namespace highwater::scenarios
