#include "broker/storage/producer_state_entry.h"

namespace highwater::broker::storage {

ProducerAppend ProducerAppend::Of(const protocol::RecordBatchHeader& header) {
  return {.producer_id = header.producer_id,
          .epoch = header.producer_epoch,
          .first_sequence = header.base_sequence,
          .last_sequence = header.last_sequence(),
          .first_offset = header.base_offset,
          .last_offset = header.last_offset(),
          .timestamp = header.max_timestamp_ms,
          .transactional = header.is_transactional(),
          .control = header.is_control()};
}

int32_t ProducerBatchMetadata::first_sequence() const {
  constexpr int64_t kCycle = int64_t{1} << 31;
  if (last_sequence < 0) return protocol::kNoSequence;
  return static_cast<int32_t>((int64_t{last_sequence} - offset_delta + kCycle) % kCycle);
}

void ProducerStateEntry::Add(const ProducerAppend& append) {
  producer_id = append.producer_id;
  if (epoch != append.epoch) {
    epoch = append.epoch;
    batches.clear();
  }
  last_timestamp = append.timestamp;
  if (append.control) {
    open_transaction.reset();
    return;
  }
  if (batches.size() == kRememberedBatches) batches.erase(batches.begin());
  batches.push_back({.last_sequence = append.last_sequence,
                     .last_offset = append.last_offset,
                     .offset_delta = static_cast<int32_t>(append.last_offset - append.first_offset),
                     .timestamp = append.timestamp});
  if (append.transactional && !open_transaction) open_transaction = append.first_offset;
}

}  // namespace highwater::broker::storage
