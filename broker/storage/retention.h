#pragma once

// Retention: which of a log's oldest segments may go [T1-T3]. Pure.

#include <absl/types/span.h>

#include <cstdint>
#include <string_view>

#include "broker/storage/log_config.h"
#include "broker/types.h"

namespace highwater::broker::storage {

struct RetentionSegment {
  Offset base{0};
  uint64_t size = 0;  // bytes
  int64_t largest_timestamp =
      -1;  // of a record, or the file's modification time if no record has one; milliseconds
};

struct RetentionState {
  Offset high_watermark{0};
  Offset log_start_offset{0};
  Offset log_end_offset{0};
  int64_t now_ms = 0;
};

struct RetentionVerdict {
  size_t segments = 0;  // so many of the oldest go
  bool roll_first =
      false;  // the active one is among them: an empty one has to begin at log end first
};

// [T2] Oldest first and contiguous; only segments whose successor's base (log end for the last) is
// at or below the high watermark.
[[nodiscard]] RetentionVerdict ApplyRetentionRules(absl::Span<const RetentionSegment> segments,
                                                   const RetentionState& state,
                                                   const LogConfig& config);

}  // namespace highwater::broker::storage
