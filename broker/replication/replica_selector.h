#pragma once

// ReplicaSelector: to which replica a consumer is sent (KIP-392): the one in its own rack, so that
// its bytes cross no zone. Pure.
//
//   const BrokerId best = SelectRackAware("az-b", leader, HoldersOf(partition.leader(), offset,
//   ...)); if (best != leader.broker) ...  // answered with preferred_read_replica, without records
//
// Follows replication fact P19: a candidate's log holds the offset as far as its leader knows; it
// need not be in sync. The property is replica.selector.class, under the name of Kafka's own class;
// by default every consumer reads from the leader. Not responsible for: how far a follower lets
// consumers read [P7], and when the consumer comes back (broker/client, [N32]).

#include <absl/time/time.h>
#include <absl/types/span.h>

#include <string_view>
#include <vector>

#include "broker/replication/partition_leader.h"
#include "broker/types.h"
#include "core/monotonic_time.h"

namespace highwater::broker {

struct ReplicaView {
  BrokerId broker = kNoBroker;
  std::string_view rack;  // "" is none
  Offset log_end_offset = kNoOffset;
  absl::Duration since_caught_up;  // infinite: never in this leader epoch
};

// The remote replicas whose logs hold `from`; their racks are not filled in.
[[nodiscard]] std::vector<ReplicaView> HoldersOf(const PartitionLeader& leader, Offset from,
                                                 core::MonotonicTime now);

// [P19] The leader if it stands in the client's rack, or if nobody does. Otherwise who holds most
// there, then who was caught up last, then the greatest id. `others`: without the leader.
[[nodiscard]] BrokerId SelectRackAware(std::string_view client_rack, const ReplicaView& leader,
                                       absl::Span<const ReplicaView> others);

}  // namespace highwater::broker
