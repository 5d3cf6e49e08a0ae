#pragma once

// ProducerStateEntry: what a partition remembers of one producer id [I1].
//
// A value. Not responsible for judging what comes next (producer_state_rules.h).
//
// Invariants: 1. The batches are those of `epoch`, in the order in which they were written, at most
// kRememberedBatches. 2. An entry without epoch (kNoProducerEpoch) is unknown and holds nothing.

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <optional>

#include "broker/protocol/record_batch.h"
#include "broker/types.h"

namespace highwater::broker::storage {

// What a batch says of its producer.
struct ProducerAppend {
  ProducerId producer_id = kNoProducerId;
  int16_t epoch = protocol::kNoProducerEpoch;
  int32_t first_sequence = protocol::kNoSequence;
  int32_t last_sequence = protocol::kNoSequence;
  Offset first_offset{0};
  Offset last_offset{0};
  int64_t timestamp = protocol::kNoTimestamp;
  bool transactional = false;
  bool control = false;

  [[nodiscard]] static ProducerAppend Of(const protocol::RecordBatchHeader& header);
};

// A batch that was written.
struct ProducerBatchMetadata {
  int32_t last_sequence = protocol::kNoSequence;
  Offset last_offset{-1};
  int32_t offset_delta = 0;
  int64_t timestamp = protocol::kNoTimestamp;

  // Sequences wrap from 2^31 - 1 to 0 [V5].
  [[nodiscard]] int32_t first_sequence() const;
  [[nodiscard]] Offset first_offset() const { return last_offset - offset_delta; }

  friend bool operator==(const ProducerBatchMetadata&, const ProducerBatchMetadata&) = default;
};

struct ProducerStateEntry {
  // As many as an idempotent producer may have in flight [N1].
  static constexpr size_t kRememberedBatches = 5;

  ProducerId producer_id = kNoProducerId;
  int16_t epoch = protocol::kNoProducerEpoch;
  int32_t coordinator_epoch = -1;
  int64_t last_timestamp = protocol::kNoTimestamp;                         // of a batch or marker
  std::optional<Offset> open_transaction;                                  // its first offset
  absl::InlinedVector<ProducerBatchMetadata, kRememberedBatches> batches;  // the oldest first

  [[nodiscard]] bool known() const { return epoch != protocol::kNoProducerEpoch; }
  // kNoSequence if there are no batches.
  [[nodiscard]] int32_t last_sequence() const {
    return batches.empty() ? protocol::kNoSequence : batches.back().last_sequence;
  }
  // Takes note of a batch. Another epoch forgets the batches of the one before. [I6, I7] The first
  // transactional batch opens a transaction, a marker closes it.
  void Add(const ProducerAppend& append);

  friend bool operator==(const ProducerStateEntry&, const ProducerStateEntry&) = default;
};

}  // namespace highwater::broker::storage
