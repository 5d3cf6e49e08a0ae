#pragma once

// BatchPosition: what a log keeps of a batch that it has written: which offsets, and where.

#include <cstdint>

#include "broker/types.h"

namespace highwater::broker::storage {

struct BatchPosition {
  Offset base_offset{0};
  Offset last_offset{0};
  uint64_t position = 0;  // bytes from the start of the segment
  uint32_t size = 0;      // bytes
  LeaderEpoch leader_epoch{-1};
  int64_t max_timestamp = -1;

  friend bool operator==(const BatchPosition&, const BatchPosition&) = default;
};

}  // namespace highwater::broker::storage
