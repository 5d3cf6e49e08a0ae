#pragma once

// ProducerStateRules: what a leader decides of a batch with a producer id, as replaceable functions
// [I2-I6].
//
//   const ProducerVerdict verdict = Judge(rules, entry, append);
//   if (verdict.error != ErrorCode::NONE) refuse; if (verdict.duplicate) answer as it was answered;
//
// Pure. Only what clients append is judged: what a leader has written its followers take as it is.
//
// The default snapshot keeps every remembered batch, one row each, in the layout that Kafka has for
// one: Kafka's reader takes a producer's last row, ours all of them. With one batch alone, as 3.2.3
// writes it [W12], a producer that resends five after a crash behind a roll is told
// OUT_OF_ORDER_SEQUENCE_NUMBER for batches that are in the log, and writes them again.

#include <cstdint>
#include <optional>

#include "broker/protocol/error_code.h"
#include "broker/storage/producer_state_entry.h"

namespace highwater::broker::storage {

struct ProducerStateRules {
  // [I2] The remembered batch that `append` repeats; nullptr if it is none.
  const ProducerBatchMetadata* (*FindDuplicate)(const ProducerStateEntry& entry,
                                                const ProducerAppend& append);
  // [I3]
  protocol::ErrorCode (*CheckEpoch)(const ProducerStateEntry& entry, const ProducerAppend& append);
  // [I4, I5]
  protocol::ErrorCode (*CheckSequence)(const ProducerStateEntry& entry,
                                       const ProducerAppend& append);
  // [I6]
  protocol::ErrorCode (*CheckTransaction)(const ProducerStateEntry& entry,
                                          const ProducerAppend& append);
  // What is judged from: the state with what was admitted, or only what was written. Between
  // admission and write a retry may come over another connection.
  bool (*CountsAdmitted)();
  // [I11] How many of its batches, counted from the last, a snapshot keeps.
  size_t (*BatchesInSnapshot)(const ProducerStateEntry& entry);
  // [I13, I16] Whether a log that is opened, or was cut, reads the state from its files.
  bool (*RebuildsState)();

  ProducerStateRules();  // the safe rules
  [[nodiscard]] static ProducerStateRules Kafka323();
};

struct ProducerVerdict {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  std::optional<ProducerBatchMetadata> duplicate;  // it was written before, here
};

// What a client's batch is told. `entry` may be unknown [I5].
[[nodiscard]] ProducerVerdict Judge(const ProducerStateRules& rules,
                                    const ProducerStateEntry& entry, const ProducerAppend& append);

}  // namespace highwater::broker::storage
