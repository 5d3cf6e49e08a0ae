#pragma once

// ProducerStateManager: what a partition knows of its idempotent producers: which batches it has,
// and so which one may come next.
//
//   const ProducerVerdict verdict = producers.Check(append);     // of a client's batch
//   if (verdict.error == NONE && !verdict.duplicate) producers.Admit(append);
//   ... once the batch is written:    producers.Apply(append);
//
// Pure: no clock, file or fiber; Log drives it. Follows replication facts [I1]-[I8], [I14], [I16].
//
// Invariants:
//   1. The state moves by Apply only, after the write [I8]: a write that fails leaves no trace
//   [M104].
//   2. What is admitted and not yet applied counts when the next batch is judged, and nowhere else.
//   3. An entry outlives its records: neither retention nor a higher log start removes it [M102].
//
// Not responsible for: snapshot files (producer_snapshot.h), high watermarks, whether a transaction
// is known to a coordinator.

#include <absl/container/btree_map.h>
#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/storage/producer_state_entry.h"
#include "broker/storage/producer_state_rules.h"
#include "broker/types.h"

namespace highwater::broker::storage {

class ProducerStateManager {
 public:
  explicit ProducerStateManager(const ProducerStateRules& rules = {}) : rules_(rules) {}

  // What a client's batch is to be told. REQUIRES: it has a producer id.
  [[nodiscard]] ProducerVerdict Check(const ProducerAppend& append) const;
  // The batch is on its way into the log.
  void Admit(const ProducerAppend& append);
  // The batch stands in the log: written by a leader, replicated, or read at load. Batches come in
  // the order of their offsets.
  void Apply(const ProducerAppend& append);

  void Clear() { states_.clear(); }
  // Replaces everything by what a snapshot holds.
  void Load(absl::Span<const ProducerStateEntry> entries);
  // What was applied, by producer id.
  [[nodiscard]] std::vector<ProducerStateEntry> Entries() const;
  // Unknown if nothing was applied.
  [[nodiscard]] ProducerStateEntry Find(ProducerId id) const;
  // [I14] Forgets producers without an open transaction whose last record is `expiration_ms` old.
  void RemoveExpired(int64_t now_ms, int64_t expiration_ms);

  [[nodiscard]] size_t size() const { return states_.size(); }
  [[nodiscard]] const ProducerStateRules& rules() const { return rules_; }

 private:
  struct State {
    ProducerStateEntry applied;
    std::optional<ProducerStateEntry> admitted;  // applied, and what is on its way
    uint32_t pending = 0;                        // batches on their way
  };

  ProducerStateRules rules_;
  absl::btree_map<ProducerId, State> states_;
};

}  // namespace highwater::broker::storage
