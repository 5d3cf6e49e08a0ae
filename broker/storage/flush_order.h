#pragma once

// Flush order: which files a flush syncs, in which order, and when the recovery point may move [L6,
// M82]. Pure.

#include <absl/types/span.h>

#include <cstdint>
#include <vector>

#include "broker/types.h"

namespace highwater::broker::storage {

struct FlushStep {
  enum class Kind : uint8_t { kLog, kOffsetIndex, kTimeIndex, kTransactionIndex, kDirectory };
  Kind kind;
  size_t segment = 0;  // index among the segments; 0 for kDirectory
  friend bool operator==(const FlushStep&, const FlushStep&) = default;
};

struct FlushableSegment {
  Offset base{0};
  bool has_transaction_index = false;
};

struct FlushRequest {
  Offset recovery_point{0};
  Offset target{0};  // the recovery point once every step succeeded
  Offset log_end_offset{0};
  bool directory_changed = false;  // a segment's name appeared since the directory was last synced
  bool include_empty_active = false;  // at a clean stop
};

// The steps, in order. The recovery point moves to `target` only after all of them succeeded; none
// of them: nothing is to do.
[[nodiscard]] std::vector<FlushStep> FlushOrder(absl::Span<const FlushableSegment> segments,
                                                const FlushRequest& request);

}  // namespace highwater::broker::storage
