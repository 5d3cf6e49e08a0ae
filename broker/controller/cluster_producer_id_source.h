#pragma once

// ClusterProducerIdSource: blocks of producer ids from the active controller [X45].
//
//   ClusterProducerIdSource source(self, channel, [&] { return replicas.broker_epoch(); });
//   ProducerIdManager producer_ids(env, source);
//
// The controller writes each block into ZooKeeper before it answers [C113], so a request that is
// sent twice costs a block and gives no id twice. Not responsible for: which broker is the
// controller and asking again when it has moved (ControllerChannel), what else goes wrong
// (ProducerIdManager).

#include <functional>
#include <utility>

#include "broker/controller/producer_id_block_source.h"
#include "broker/replication/controller_channel.h"

namespace highwater::broker {

class ClusterProducerIdSource final : public ProducerIdBlockSource {
 public:
  // `channel` outlives it; `broker_epoch` tells the epoch of the broker's last registration [R1].
  ClusterProducerIdSource(BrokerId self, ControllerChannel& channel,
                          std::function<BrokerEpoch()> broker_epoch)
      : self_(self), channel_(channel), broker_epoch_(std::move(broker_epoch)) {}

  // COORDINATOR_NOT_AVAILABLE once the channel is closed.
  [[nodiscard]] Result Allocate(core::MonotonicTime deadline) override;

 private:
  BrokerId self_;
  ControllerChannel& channel_;
  std::function<BrokerEpoch()> broker_epoch_;
};

}  // namespace highwater::broker
