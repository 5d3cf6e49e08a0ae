#pragma once

// RecentBatches: where the last batches of a log lie, so that a read near the end needs neither
// index nor file.
//
// Bounded: beyond kCapacity the oldest is forgotten. Batches are entered in the order of their
// offsets.

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/storage/batch_position.h"
#include "broker/types.h"

namespace highwater::broker::storage {

class RecentBatches {
 public:
  static constexpr size_t kCapacity = 64;  // a power of two
  struct Entry {
    Offset segment_base{0};
    BatchPosition batch;
  };

  void Add(Offset segment_base, const BatchPosition& batch);
  // Forgets batches that reach `offset` or lie above it.
  void TruncateTo(Offset offset);
  // Forgets the batches of segments below `segment_base`.
  void DropSegmentsBelow(Offset segment_base);
  void Clear();

  // The place of the first batch whose last offset is at or above `offset`; nullopt if all are
  // below, or if it may be one that was forgotten.
  [[nodiscard]] std::optional<size_t> Find(Offset offset) const;
  [[nodiscard]] size_t size() const { return count_; }
  // The `i`th oldest.
  [[nodiscard]] const Entry& operator[](size_t i) const {
    return ring_[(first_ + i) & (ring_.size() - 1)];
  }

 private:
  std::vector<Entry> ring_;  // empty, or a power of two
  size_t first_ = 0;
  size_t count_ = 0;
};

}  // namespace highwater::broker::storage
