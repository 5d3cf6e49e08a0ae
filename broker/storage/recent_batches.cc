#include "broker/storage/recent_batches.h"

namespace highwater::broker::storage {

void RecentBatches::Add(Offset segment_base, const BatchPosition& batch) {
  if (count_ == ring_.size()) {
    if (ring_.size() < kCapacity) {
      std::vector<Entry> larger(ring_.empty() ? 4 : ring_.size() * 2);
      for (size_t i = 0; i < count_; ++i) larger[i] = (*this)[i];
      ring_ = std::move(larger);
      first_ = 0;
    } else {
      first_ = (first_ + 1) & (ring_.size() - 1);
      --count_;
    }
  }
  ring_[(first_ + count_) & (ring_.size() - 1)] = {segment_base, batch};
  ++count_;
}

void RecentBatches::TruncateTo(Offset offset) {
  while (count_ > 0 && (*this)[count_ - 1].batch.last_offset >= offset) --count_;
}

void RecentBatches::DropSegmentsBelow(Offset segment_base) {
  while (count_ > 0 && (*this)[0].segment_base < segment_base) {
    first_ = (first_ + 1) & (ring_.size() - 1);
    --count_;
  }
}

void RecentBatches::Clear() {
  first_ = 0;
  count_ = 0;
}

std::optional<size_t> RecentBatches::Find(Offset offset) const {
  if (count_ == 0 || offset < (*this)[0].batch.base_offset) return std::nullopt;
  size_t low = 0;
  size_t high = count_;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if ((*this)[middle].batch.last_offset >= offset) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low == count_) return std::nullopt;
  return low;
}

}  // namespace highwater::broker::storage
