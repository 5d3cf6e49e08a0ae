#include "broker/client/transaction_manager.h"

#include <algorithm>
#include <limits>

#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::client {

using protocol::AdvanceSequence;
using protocol::ErrorCode;

namespace {

int32_t EndOf(const SequencedBatch& batch) {
  return AdvanceSequence(batch.base_sequence, batch.records);
}

// Whether `a` comes after `b`, where both are less than half a cycle apart.
bool IsLater(int32_t a, int32_t b) {
  constexpr uint32_t kCycle = uint32_t{1} << 31;
  const uint32_t distance = (static_cast<uint32_t>(a) - static_cast<uint32_t>(b)) % kCycle;
  return distance != 0 && distance < kCycle / 2;
}

}  // namespace

TransactionManager::Partition& TransactionManager::PartitionOf(PartitionSlot slot) {
  if (slot >= partitions_.size()) partitions_.resize(size_t{slot} + 1);
  return partitions_[slot];
}

void TransactionManager::OnProducerId(ProducerIdAndEpoch producer) {
  HW_CHECK(producer.valid() && !producer_.valid());
  producer_ = producer;
  for (Partition& partition : partitions_) Settle(partition);
}

bool TransactionManager::MaySend(PartitionSlot slot, const SequencedBatch& front) const {
  if (slot >= partitions_.size()) return producer_.valid();
  const Partition& partition = partitions_[slot];
  if (front.numbered()) {
    // [N4] Sent again one after the other: nothing overtakes the first. Before another epoch begins
    // only what may have been written is asked for under the old one.
    return partition.unacknowledged.front() == &front && (!partition.needs_epoch || front.open);
  }
  if (!producer_.valid() || partition.unresolved || partition.needs_epoch) return false;
  // What was sent under the old epoch ends first, or a 0 of the new one could pass it.
  if (partition.producer != producer_ && !partition.unacknowledged.empty()) return false;
  const uint64_t since_first =
      partition.unacknowledged.empty()
          ? 0
          : partition.next_ordinal - partition.unacknowledged.front()->ordinal;
  return rules_.MayPipeline(since_first, partition.last_acked.has_value());
}

void TransactionManager::Number(SequencedBatch& batch, PartitionSlot slot, int32_t records) {
  HW_CHECK(MaySend(slot, batch) && !batch.numbered() && records > 0);
  Partition& partition = PartitionOf(slot);
  if (partition.producer != producer_) BeginEpoch(partition);
  batch = {.slot = slot,
           .producer = producer_,
           .base_sequence = partition.next_sequence,
           .records = records,
           .ordinal = partition.next_ordinal++};
  partition.next_sequence = EndOf(batch);
  partition.unacknowledged.push_back(&batch);
}

void TransactionManager::Remove(Partition& partition, const SequencedBatch& batch) {
  const auto found =
      std::find(partition.unacknowledged.begin(), partition.unacknowledged.end(), &batch);
  HW_CHECK(found != partition.unacknowledged.end(), "a batch ended twice");
  partition.unacknowledged.erase(found);
}

void TransactionManager::OnAcknowledged(SequencedBatch& batch) {
  Partition& partition = PartitionOf(batch.slot);
  batch.on_wire = false;
  Remove(partition, batch);
  const int32_t last = AdvanceSequence(batch.base_sequence, batch.records - 1);
  if (!partition.last_acked || IsLater(last, *partition.last_acked)) partition.last_acked = last;
  Settle(partition);
}

bool TransactionManager::DeniesBatch(ErrorCode error) {
  return error == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER ||
         error == ErrorCode::UNKNOWN_PRODUCER_ID;
}

bool TransactionManager::OnError(SequencedBatch& batch, ErrorCode error, bool maybe_written) {
  Partition& partition = PartitionOf(batch.slot);
  batch.on_wire = false;
  if (maybe_written) batch.open = true;
  bool again = protocol::IsRetriable(error);
  if (DeniesBatch(error)) {
    again = true;
    if (rules_.DenialIsProof(batch.open)) {
      // The broker looks for a duplicate first: it does not have this batch.
      batch.open = false;
      // [N5] If nothing in front of it is still to come there is a gap: what was acknowledged is
      // gone, or a batch that was given up was never written.
      const bool gap = partition.unacknowledged.front() == &batch;
      if (gap || error == ErrorCode::UNKNOWN_PRODUCER_ID) partition.needs_epoch = true;
    } else {
      HW_MARK("client_denial_not_trusted");
    }
  } else if (error == ErrorCode::INVALID_PRODUCER_EPOCH) {
    batch.open = false;
    partition.needs_epoch = true;
  }
  Settle(partition);
  return again;
}

void TransactionManager::OnFailed(SequencedBatch& batch) {
  Partition& partition = PartitionOf(batch.slot);
  batch.on_wire = false;
  Remove(partition, batch);
  if (batch.open) {
    HW_MARK("client_unresolved_sequence");
    partition.unresolved = true;
  } else if (EndOf(batch) == partition.next_sequence) {
    partition.next_sequence = batch.base_sequence;  // [N7] nothing was numbered behind it
  } else {
    partition.needs_epoch = true;
  }
  Settle(partition);
}

void TransactionManager::OnAbandoned(SequencedBatch& batch) {
  HW_CHECK(batch.on_wire);
  batch.open = true;
  PartitionOf(batch.slot).unresolved = true;
}

void TransactionManager::OnSplit(SequencedBatch& batch, const std::vector<SequencedBatch*>& parts) {
  HW_CHECK(!batch.on_wire && !batch.open);
  std::vector<SequencedBatch*>& all = PartitionOf(batch.slot).unacknowledged;
  const auto place = std::find(all.begin(), all.end(), &batch);
  HW_CHECK(place != all.end());
  int32_t sequence = batch.base_sequence;
  for (SequencedBatch* part : parts) {
    part->slot = batch.slot;
    part->producer = batch.producer;
    part->ordinal = batch.ordinal;
    part->base_sequence = sequence;
    sequence = EndOf(*part);
  }
  HW_CHECK(sequence == EndOf(batch), "a split batch lost numbers");
  all.insert(all.erase(place), parts.begin(), parts.end());
}

void TransactionManager::Settle(Partition& partition) {
  for (const SequencedBatch* batch : partition.unacknowledged) {
    if (batch->on_wire) return;
  }
  if (partition.unresolved && partition.unacknowledged.empty()) {
    // [N6] What was acknowledged last stands behind everything: then it was all written.
    const int32_t expected = partition.last_acked ? AdvanceSequence(*partition.last_acked, 1) : 0;
    if (expected != partition.next_sequence) partition.needs_epoch = true;
    partition.unresolved = false;
  }
  if (!partition.needs_epoch) return;
  // The first may be in the log under its old numbers, and would get there again under new ones. If
  // it is not, none behind it is: the broker takes no gap from a producer that it knows.
  if (!partition.unacknowledged.empty() && partition.unacknowledged.front()->open) return;
  if (partition.producer == producer_) {
    HW_MARK("client_producer_epoch_bumped");
    if (producer_.epoch == std::numeric_limits<int16_t>::max()) {
      producer_ = {};
    } else {
      ++producer_.epoch;
    }
  }
  if (producer_.valid()) BeginEpoch(partition);
}

void TransactionManager::BeginEpoch(Partition& partition) {
  partition.producer = producer_;
  partition.next_sequence = 0;
  partition.last_acked.reset();
  partition.unresolved = false;
  partition.needs_epoch = false;
  for (SequencedBatch* batch : partition.unacknowledged) {
    HW_CHECK(!batch->on_wire, "a batch on the wire would be renumbered");
    batch->producer = producer_;
    batch->base_sequence = partition.next_sequence;
    batch->open = false;
    batch->ordinal = partition.next_ordinal++;
    partition.next_sequence = EndOf(*batch);
  }
}

}  // namespace highwater::broker::client
