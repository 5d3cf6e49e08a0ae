#pragma once

// TransactionManager: the numbers of an idempotent producer: which batch gets which sequence, which
// may be sent now, and what an error means for the sequences behind it.
//
//   if (manager.MaySend(slot, batch)) { if (!batch.numbered()) manager.Number(batch, slot,
//   records);
//                                       manager.OnSent(batch); }
//   manager.OnAcknowledged(batch)  or  if (manager.OnError(batch, error, open)) send again
//                                      else manager.OnFailed(batch);
//
// Pure: no clock, fiber or connection. Follows [N1], [N2], [N5]-[N7] and KIP-360. Not responsible
// for back-off, time-outs and the order of the queue (record_accumulator.h), nor yet for
// transactions.
//
// Invariants:
//   1. A batch is numbered when it is first sent and keeps its numbers; they change only while
//   nothing
//      of its partition is on the wire, together with the epoch, so that a copy that is still on
//      its way is fenced.
//   2. The numbers of a partition's unacknowledged batches are contiguous and end at the next
//      sequence, but for batches that were given up: a client never sends a gap [N7].
//   3. From a partition's first unacknowledged batch on at most kMostUnacknowledged are numbered,
//      acknowledged ones among them included: the broker remembers so many, and must still know the
//      first when it comes again.
//   4. Behind a batch that was given up with an open outcome nothing new is sent until it is known
//      what became of it, or the epoch is another one [N6].

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/client/producer_rules.h"
#include "broker/protocol/error_code.h"
#include "broker/protocol/record_batch.h"
#include "broker/types.h"

namespace highwater::broker::client {

// A partition's place in the accumulator, dense from 0.
using PartitionSlot = uint32_t;

struct ProducerIdAndEpoch {
  ProducerId id = kNoProducerId;
  int16_t epoch = protocol::kNoProducerEpoch;

  [[nodiscard]] bool valid() const { return id != kNoProducerId; }
  friend bool operator==(const ProducerIdAndEpoch&, const ProducerIdAndEpoch&) = default;
};

// The numbers of one batch. Its owner keeps it where it is while it is numbered and not finished.
struct SequencedBatch {
  PartitionSlot slot = 0;
  ProducerIdAndEpoch producer;
  int32_t base_sequence = protocol::kNoSequence;
  int32_t records = 0;
  uint64_t ordinal = 0;  // of its partition's batches; the parts of one that was split share it
  bool on_wire = false;
  bool open = false;  // an attempt with these numbers may have been written

  [[nodiscard]] bool numbered() const { return producer.valid(); }
};

class TransactionManager {
 public:
  static constexpr size_t kMostUnacknowledged = 5;

  explicit TransactionManager(const ProducerRules& rules = {}) : rules_(rules) {}
  TransactionManager(const TransactionManager&) = delete;
  TransactionManager& operator=(const TransactionManager&) = delete;

  // ---- The producer id. Nothing is numbered without one.
  [[nodiscard]] bool NeedsProducerId() const { return !producer_.valid(); }
  [[nodiscard]] const ProducerIdAndEpoch& producer() const { return producer_; }
  void OnProducerId(ProducerIdAndEpoch producer);

  // ---- Sending. `front` is the first batch in its partition's queue.
  [[nodiscard]] bool MaySend(PartitionSlot slot, const SequencedBatch& front) const;
  // REQUIRES: MaySend; not numbered.
  void Number(SequencedBatch& batch, PartitionSlot slot, int32_t records);
  void OnSent(SequencedBatch& batch) { batch.on_wire = true; }

  // ---- What became of it. REQUIRES: numbered.
  void OnAcknowledged(SequencedBatch& batch);
  // The attempt ended with this error; `maybe_written`: without proof that nothing was written.
  // Whether the batch is to be sent again, if its time and attempts allow it. Its numbers may have
  // changed.
  [[nodiscard]] bool OnError(SequencedBatch& batch, protocol::ErrorCode error, bool maybe_written);
  // [N5] The broker says that it does not have the batch, nor can take it. It may be a former
  // leader: metadata is to be asked for.
  [[nodiscard]] static bool DeniesBatch(protocol::ErrorCode error);
  // It is given up, and not on the wire.
  void OnFailed(SequencedBatch& batch);
  // It is given up while its answer is still to come: OnAcknowledged or OnFailed ends it then.
  void OnAbandoned(SequencedBatch& batch);
  // Its records stand in `parts` from now on, which take its place and its numbers. REQUIRES: not
  // open.
  void OnSplit(SequencedBatch& batch, const std::vector<SequencedBatch*>& parts);

 private:
  struct Partition {
    ProducerIdAndEpoch producer;  // whose sequences these are
    int32_t next_sequence = 0;
    uint64_t next_ordinal = 0;
    std::optional<int32_t> last_acked;
    // In the order of their sequences: on the wire, or waiting to be sent again.
    std::vector<SequencedBatch*> unacknowledged;
    bool unresolved = false;   // [N6] a batch was given up with an open outcome
    bool needs_epoch = false;  // goes on with another epoch, from 0
  };

  Partition& PartitionOf(PartitionSlot slot);
  void Remove(Partition& partition, const SequencedBatch& batch);
  // Does what had to wait until nothing is on the wire.
  void Settle(Partition& partition);
  void BeginEpoch(Partition& partition);

  ProducerRules rules_;
  ProducerIdAndEpoch producer_;
  std::vector<Partition> partitions_;  // by slot
};

}  // namespace highwater::broker::client
