#include "sim/disk/extent_map.h"

#include <algorithm>

#include "core/check.h"

namespace highwater::sim {
namespace {

using core::ByteChain;
using core::Bytes;

constexpr size_t kTinySlice = 256;  // runs of smaller ones are copied together
constexpr uint64_t kTrimmedAllowed = 64 << 10;
constexpr size_t kMergedBlock = 16 << 10;

uint64_t EndOf(uint64_t offset, uint64_t length) {
  uint64_t end;
  return __builtin_add_overflow(offset, length, &end) ? ~uint64_t{0} : end;
}

}  // namespace

ExtentMap::Map::const_iterator ExtentMap::FirstAfter(uint64_t offset) const {
  auto it = extents_.upper_bound(offset);
  if (it == extents_.begin()) return it;
  auto previous = std::prev(it);
  return previous->first + previous->second.size() > offset ? previous : it;
}

void ExtentMap::Write(uint64_t offset, Bytes slice) {
  if (slice.empty()) return;
  const uint64_t length = slice.size();
  if (offset >= end_) {
    extents_.emplace_hint(extents_.end(), offset, std::move(slice));
    end_ = offset + length;
  } else {
    Carve(offset, length);
    extents_.emplace(offset, std::move(slice));
    end_ = std::max(end_, offset + length);
  }
  covered_ += length;
  if (extents_.size() >= compact_at_ || trimmed_ > covered_ + kTrimmedAllowed) [[unlikely]] {
    CompactIfNeeded();
  }
}

void ExtentMap::Erase(uint64_t offset, uint64_t length) {
  Carve(offset, length);
  if (trimmed_ > covered_ + kTrimmedAllowed) CompactIfNeeded();
}

void ExtentMap::Clear() { *this = ExtentMap(); }

// Removes what lies in the range and keeps the parts of extents that reach out of it.
void ExtentMap::Carve(uint64_t offset, uint64_t length) {
  const uint64_t stop = EndOf(offset, length);
  if (offset >= end_ || length == 0) return;
  const auto found = FirstAfter(offset);
  if (found == extents_.end() || found->first >= stop) return;
  auto it = extents_.find(found->first);
  Bytes tail;
  if (it->first < offset) {
    const uint64_t head = offset - it->first;
    const uint64_t extent_end = it->first + it->second.size();
    if (extent_end > stop) tail = it->second.Slice(stop - it->first, extent_end - stop);
    const uint64_t removed = std::min(extent_end, stop) - offset;
    it->second = std::move(it->second).Slice(0, head);
    covered_ -= removed;
    trimmed_ += removed;
    ++it;
  }
  auto last = it;
  while (last != extents_.end() && last->first < stop) {
    const uint64_t extent_end = last->first + last->second.size();
    const uint64_t removed = std::min(extent_end, stop) - last->first;
    covered_ -= removed;
    if (extent_end > stop) {
      tail = last->second.Slice(removed, extent_end - stop);
      trimmed_ += removed;
    }
    ++last;
  }
  extents_.erase(it, last);
  if (!tail.empty()) extents_.emplace(stop, std::move(tail));
  if (extents_.empty()) {
    end_ = 0;
  } else {
    const auto& final_extent = *extents_.rbegin();
    end_ = final_extent.first + final_extent.second.size();
  }
}

ByteChain ExtentMap::Read(uint64_t offset, uint64_t length, ZeroBlock& zeros) const {
  ByteChain result;
  uint64_t at = offset;
  const uint64_t stop = offset + length;
  const auto fill = [&](uint64_t until) {
    while (at < until) {
      const uint64_t n = std::min<uint64_t>(until - at, ZeroBlock::kSize);
      result.Append(zeros.Get(n));
      at += n;
    }
  };
  for (auto it = FirstAfter(offset); it != extents_.end() && it->first < stop; ++it) {
    fill(it->first);
    const uint64_t skip = at - it->first;
    const uint64_t n = std::min(stop, it->first + it->second.size()) - at;
    result.Append(skip == 0 && n == it->second.size() ? it->second : it->second.Slice(skip, n));
    at += n;
  }
  fill(stop);
  return result;
}

std::vector<Extent> ExtentMap::Collect(uint64_t offset, uint64_t length) const {
  std::vector<Extent> result;
  const uint64_t stop = EndOf(offset, length);
  for (auto it = FirstAfter(offset); it != extents_.end() && it->first < stop; ++it) {
    const uint64_t from = std::max(offset, it->first);
    const uint64_t until = std::min(stop, it->first + it->second.size());
    result.push_back({from, it->second.Slice(from - it->first, until - from)});
  }
  return result;
}

uint64_t ExtentMap::CoveredIn(uint64_t offset, uint64_t length) const {
  const uint64_t stop = EndOf(offset, length);
  if (offset >= end_) return 0;
  uint64_t covered = 0;
  for (auto it = FirstAfter(offset); it != extents_.end() && it->first < stop; ++it) {
    covered += std::min(stop, it->first + it->second.size()) - std::max(offset, it->first);
  }
  return covered;
}

void ExtentMap::CompactIfNeeded() {
  if (trimmed_ > covered_ + kTrimmedAllowed) {
    Compact(kMergedBlock);
    trimmed_ = 0;
  } else {
    Compact(kTinySlice);
  }
  compact_at_ = std::max<uint64_t>(64, extents_.size() * 2);
}

// Copies each run of two and more adjoining extents shorter than `copy_below` into blocks of their
// own. A single one is copied only when the aim is to let go of dead blocks.
void ExtentMap::Compact(size_t copy_below) {
  const bool release = copy_below > kTinySlice;
  Map compacted;
  auto it = extents_.begin();
  while (it != extents_.end()) {
    const uint64_t start = it->first;
    uint64_t stop = start;
    auto last = it;
    size_t run = 0;
    while (last != extents_.end() && last->first == stop && last->second.size() < copy_below &&
           stop - start < kMergedBlock) {
      stop += last->second.size();
      ++last;
      ++run;
    }
    if (run > 1 || (run == 1 && release)) {
      core::BytesBuilder builder(stop - start);
      for (; it != last; ++it) builder.Append(it->second.view());
      compacted.emplace_hint(compacted.end(), start, std::move(builder).Freeze());
    } else {
      compacted.emplace_hint(compacted.end(), start, std::move(it->second));
      ++it;
    }
  }
  extents_ = std::move(compacted);
}

}  // namespace highwater::sim
