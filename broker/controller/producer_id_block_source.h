#pragma once

// ProducerIdBlockSource: where a broker gets blocks of producer ids from. A broker that is its own
// controller writes them down (StandaloneProducerIdSource); in a cluster the controller gives them
// (AllocateProducerIds).

#include "broker/protocol/error_code.h"
#include "broker/types.h"
#include "core/monotonic_time.h"

namespace highwater::broker {

struct ProducerIdBlock {
  ProducerId first{0};
  int64_t size = 0;

  [[nodiscard]] ProducerId end() const { return first + size; }
  friend bool operator==(const ProducerIdBlock&, const ProducerIdBlock&) = default;
};

class ProducerIdBlockSource {
 public:
  static constexpr int64_t kBlockSize = 1000;  // [X45, C113]

  struct Result {
    protocol::ErrorCode error = protocol::ErrorCode::NONE;
    ProducerIdBlock block;  // if there is no error
  };

  virtual ~ProducerIdBlockSource() = default;
  // A block that nobody was given before nor will be again, whatever crashes and loses its power.
  // It may take as long as the disk does or a controller is sought; `deadline` is for a source that
  // would wait for one particular answer. Nobody waits longer for it than for an id: Generate has
  // the caller's deadline. REQUIRES: on a fiber; the one before has returned. STALE_BROKER_EPOCH
  // and BROKER_ID_NOT_REGISTERED are asked again at once: they must have taken the time of a
  // question to the controller.
  [[nodiscard]] virtual Result Allocate(core::MonotonicTime deadline) = 0;
};

}  // namespace highwater::broker
