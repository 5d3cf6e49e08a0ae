#pragma once

// StoredBatch: one record batch as the log holds it: its bytes, and the header fields that the log needs of them.
//
// The bytes are a 61-byte header slice and the shared body; giving a batch its base offset and leader epoch makes a new header
// slice and leaves the body alone [V1].

#include <cstdint>

#include "broker/types.h"
#include "core/bytes.h"

namespace highwater::broker::storage {

struct StoredBatch {
  core::ByteChain bytes;  // the whole batch
  Offset base_offset{0};
  Offset last_offset{0};
  LeaderEpoch leader_epoch{-1};
  int64_t first_timestamp = -1;  // base timestamp, or the delete horizon after compaction
  int64_t max_timestamp = -1;

  [[nodiscard]] uint64_t size() const { return bytes.size(); }
};

// What a log keeps of a batch that it has written.
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
