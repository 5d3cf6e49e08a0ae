#pragma once

// LeaderAndIsr: who leads a partition and which replicas are in sync, as a partition's state znode
// says it [Z7].
//
// Beside Kafka's fields stand two of ours, which carry the safe rule for the last replica standing
// (W1; shaped after KIP-966). Kafka's own readers ignore them, and they are written only when they
// are not empty:
//
//   eligible: replicas outside the ISR which hold every committed record, because they left the ISR
//     when fewer than min.insync.replicas stayed behind, so that nothing has been committed since.
//   unclean: members of the ISR, or eligible ones, whose broker came back without its
//     clean-shutdown marker: they may have lost the end of their log. In the ISR only a partition
//     without any clean member has such: otherwise they leave at once, and stay eligible at most.
//     Where all in both lists are unclean it stays offline until the logs of all were compared.

#include <algorithm>
#include <vector>

#include "broker/types.h"

namespace highwater::broker::zk {

// A partition whose leader could not be chosen has none; one whose topic is being deleted is
// announced with a leader of its own kind [C63].
inline constexpr BrokerId kLeaderDuringDelete{-2};

enum class LeaderRecoveryState : int8_t { kRecovered = 0, kRecovering = 1 };

struct LeaderAndIsr {
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch{0};
  std::vector<BrokerId> isr;
  LeaderRecoveryState recovery = LeaderRecoveryState::kRecovered;
  PartitionEpoch partition_epoch{0};  // the znode's version; not part of its data
  std::vector<BrokerId> eligible;
  std::vector<BrokerId> unclean;

  friend bool operator==(const LeaderAndIsr&, const LeaderAndIsr&) = default;
};

struct LeaderIsrAndControllerEpoch {
  LeaderAndIsr leader_and_isr;
  ControllerEpoch controller_epoch{0};

  friend bool operator==(const LeaderIsrAndControllerEpoch&,
                         const LeaderIsrAndControllerEpoch&) = default;
};

[[nodiscard]] inline bool Contains(const std::vector<BrokerId>& brokers, BrokerId id) {
  return std::find(brokers.begin(), brokers.end(), id) != brokers.end();
}

// `brokers` without those of `removed`, in order.
[[nodiscard]] inline std::vector<BrokerId> Without(std::vector<BrokerId> brokers,
                                                   const std::vector<BrokerId>& removed) {
  std::erase_if(brokers, [&](BrokerId id) { return Contains(removed, id); });
  return brokers;
}

}  // namespace highwater::broker::zk
