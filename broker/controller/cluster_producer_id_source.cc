#include "broker/controller/cluster_producer_id_source.h"

namespace highwater::broker {

using protocol::ErrorCode;

// Without regard to the deadline: the channel asks until a controller answers.
ProducerIdBlockSource::Result ClusterProducerIdSource::Allocate(core::MonotonicTime) {
  const auto response = channel_.AllocateProducerIds(
      {.broker_id = self_.value(), .broker_epoch = broker_epoch_().value()});
  if (!response.ok()) return {.error = ErrorCode::COORDINATOR_NOT_AVAILABLE};
  if (response->error_code != ErrorCode::NONE) return {.error = response->error_code};
  return {.block = {.first = ProducerId(response->producer_id_start),
                    .size = response->producer_id_len}};
}

}  // namespace highwater::broker
