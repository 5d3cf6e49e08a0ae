#pragma once

// LeaderEpochCache: which leader epoch wrote from which offset on, per partition [K1-K3, K5]. Pure:
// the Log writes it to `leader-epoch-checkpoint` after each change.
//
// Invariants:
//   1. Entries are strictly increasing in epoch and in start offset [K1].
//   2. Epochs and offsets are not negative [K2].

#include <absl/types/span.h>

#include <optional>
#include <vector>

#include "broker/types.h"

namespace highwater::broker::storage {

struct EpochEntry {
  LeaderEpoch epoch;
  Offset start_offset;
  friend bool operator==(const EpochEntry&, const EpochEntry&) = default;
};

struct EpochEndOffset {
  LeaderEpoch epoch;
  Offset end_offset;
  friend bool operator==(const EpochEndOffset&, const EpochEndOffset&) = default;
};

class LeaderEpochCache {
 public:
  LeaderEpochCache() = default;
  // The entries of a checkpoint file, put in one by one by Assign, so that a file of any content
  // gives a valid cache.
  explicit LeaderEpochCache(absl::Span<const EpochEntry> entries);

  // [K2] Each returns whether the entries changed and so have to be written.
  bool Assign(LeaderEpoch epoch, Offset start_offset);
  bool TruncateFromEnd(Offset end_offset);      // [K3]
  bool TruncateFromStart(Offset start_offset);  // [K3]
  bool Clear();

  // [K5] The largest epoch not above `epoch` and where it ends; nullopt where Kafka says undefined.
  [[nodiscard]] std::optional<EpochEndOffset> EndOffsetFor(LeaderEpoch epoch,
                                                           Offset log_end_offset) const;
  [[nodiscard]] std::optional<LeaderEpoch> latest() const;
  // The epoch of the record at `offset`; nullopt below the first entry.
  [[nodiscard]] std::optional<LeaderEpoch> EpochOf(Offset offset) const;
  [[nodiscard]] absl::Span<const EpochEntry> entries() const { return entries_; }

 private:
  std::vector<EpochEntry> entries_;
};

}  // namespace highwater::broker::storage
