#pragma once

// ProducerRules: decisions of a producer that can be replaced one by one.
//
// The defaults of MayPipeline and DenialIsProof are stricter than the reference client: see there.
// Kafka323() is the original.

#include <cstddef>
#include <cstdint>

namespace highwater::broker::client {

struct ProducerBatch;

struct ProducerRules {
  // [N1] Whether one more batch of a partition may be sent when `since_first` were from its first
  // unacknowledged one on, that one and acknowledged ones included. `established`: one of this
  // producer epoch was. Until then the broker may not know the producer, and takes any sequence of
  // one that it does not know [I5]: if the first batch of several is refused and the second is not,
  // the second stands in the log behind a gap, and whatever closes the gap later writes it twice or
  // in the wrong order. Counted for a partition, not for a connection: the broker remembers five
  // batches, also behind a change of its leader.
  bool (*MayPipeline)(uint64_t since_first, bool established);
  // [N4] Whether a batch that is sent again stands in front of `other` in its partition's queue.
  bool (*GoesBefore)(const ProducerBatch& again, const ProducerBatch& other);

  // [N5] Whether a broker proves that a batch is nowhere by saying that it misses the one before
  // it, or does not know its producer; `maybe_written`: an earlier attempt may have been. A leader
  // that was replaced and does not know it yet says the same of a batch that its successor has;
  // numbered anew that batch stands in the log twice. The safe rule asks again under the old
  // numbers, of whoever leads by then, until delivery.timeout.ms: after a real loss the partition
  // waits so long.
  bool (*DenialIsProof)(bool maybe_written);

  ProducerRules();  // the safe rules
  [[nodiscard]] static ProducerRules Kafka323();
};

}  // namespace highwater::broker::client
