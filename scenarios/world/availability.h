#pragma once

// Availability: for how long partitions had no leader that could serve, and how long it took to get
// one; outside of the world, from what brokers report and what really happens to them.
//
//   availability.Leads(orders0, BrokerId(1), LeaderEpoch(4), now);   // it can serve from now on
//   availability.ProcessEnded(BrokerId(1), now);                     // its leader is lost
//   availability.Leads(orders0, BrokerId(2), LeaderEpoch(5), now);   // that was the time to leader
//
// A partition is available while the broker that has begun to lead it under its newest epoch runs,
// has not given the leadership up, and can be reached. It is not observed before its first leader.
//
// Not responsible for: whether records can be written (too small an ISR, a stalled disk), whether
// clients have noticed: produce latencies tell that.

#include <absl/time/time.h>

#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "broker/types.h"
#include "core/latency_histogram.h"

namespace highwater::scenarios {

class Availability {
 public:
  // `at` never goes back, over all methods.
  void Leads(const broker::TopicPartition& partition, broker::BrokerId broker,
             broker::LeaderEpoch epoch, absl::Duration at);
  // No effect unless it leads under the newest epoch.
  void LeadsNoMore(const broker::TopicPartition& partition, broker::BrokerId broker,
                   absl::Duration at);
  // A process leads nothing until it says so.
  void ProcessEnded(broker::BrokerId broker, absl::Duration at);
  // Whether the broker runs and others reach it: false while it is frozen or cut off. Its
  // leaderships count again once that is over, unless there are newer ones.
  void SetReachable(broker::BrokerId broker, bool reachable, absl::Duration at);
  // Nobody misses its partitions any more.
  void TopicDeleted(std::string_view topic, absl::Duration at);

  // Of each time that a partition's leader was lost, until there was one; those that were still
  // without one are missing.
  [[nodiscard]] const core::LatencyHistogram& time_to_leader() const { return time_to_leader_; }
  // Summed over partitions, until `at`.
  [[nodiscard]] absl::Duration Unavailable(absl::Duration at) const;
  // How many are without a leader now.
  [[nodiscard]] size_t partitions_without_leader() const;

 private:
  struct Partition {
    broker::LeaderEpoch epoch;
    broker::BrokerId leader;  // kNoBroker: none
    std::optional<absl::Duration> lost_at;
    // Who gave the leadership up and may take it again under a new epoch, with nobody between: the
    // partition was not available meanwhile, but no leader was lost.
    broker::BrokerId renews = broker::kNoBroker;
  };

  void Consider(Partition& partition, absl::Duration at);

  std::map<broker::TopicPartition, Partition> partitions_;
  std::set<broker::BrokerId> unreachable_;
  core::LatencyHistogram time_to_leader_;
  absl::Duration unavailable_;
};

}  // namespace highwater::scenarios
