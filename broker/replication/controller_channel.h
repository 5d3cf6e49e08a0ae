#pragma once

// ControllerChannel: how a broker asks the current controller for something.
//
//   auto response = channel.AlterPartition(request);   // waits as long as it takes
//
// Follows replication facts S4, H21: one request in flight; after NOT_CONTROLLER or a disconnect
// the controller is looked up again and the same request is sent again, so that it may be applied
// twice. Not responsible for: what any other error means (its caller's).

#include <absl/status/statusor.h>

#include "broker/protocol/allocate_producer_ids.h"
#include "broker/protocol/alter_partition.h"

namespace highwater::broker {

class ControllerChannel {
 public:
  virtual ~ControllerChannel() = default;
  // Each waits for the answer of a broker that says it is the controller. Cancelled: the channel is
  // closed, or the fiber is cancelled. REQUIRES: on a fiber.
  [[nodiscard]] virtual absl::StatusOr<protocol::AlterPartitionResponse> AlterPartition(
      const protocol::AlterPartitionRequest& request) = 0;
  [[nodiscard]] virtual absl::StatusOr<protocol::AllocateProducerIdsResponse> AllocateProducerIds(
      const protocol::AllocateProducerIdsRequest& request) = 0;
  // Another broker is the controller now: what waits for the former one, which may never answer, is
  // sent there. Must not wait.
  virtual void ControllerChanged() {}
};

}  // namespace highwater::broker
