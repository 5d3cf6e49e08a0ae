#pragma once

// ExtentMap: the sparse content of a file as slices of shared blocks, ordered by offset.
//
//   map.Write(4096, chain);                      // keeps the caller's slices, copies nothing
//   ByteChain part = map.Read(4000, 200, zeros); // shares them; holes read as zeros
//
// Invariants:
//   1. Extents are not empty, do not overlap and end at or before end(); covered() is the sum of
//      their lengths.
//   2. An append and a read at any place cost O(log extents).
//   3. Memory stays proportional to covered(): runs of tiny slices are copied together, and blocks
//      of which little is still in use are let go, at amortised constant cost.
//
// Not responsible for: a file's size, what is durable (FileContent).

#include <absl/container/btree_map.h>

#include <cstdint>
#include <vector>

#include "core/bytes.h"

namespace highwater::sim {

// Where zeros come from: one shared block, made when first needed.
class ZeroBlock {
 public:
  static constexpr size_t kSize = 64 << 10;
  // REQUIRES: n <= kSize.
  [[nodiscard]] core::Bytes Get(size_t n) {
    if (block_.empty()) block_ = core::Bytes::Zeros(kSize);
    return block_.Slice(0, n);
  }

 private:
  core::Bytes block_;
};

struct Extent {
  uint64_t offset = 0;
  core::Bytes bytes;
  [[nodiscard]] uint64_t end() const { return offset + bytes.size(); }
};

class ExtentMap {
 public:
  [[nodiscard]] bool empty() const { return extents_.empty(); }
  // The end of the last extent.
  [[nodiscard]] uint64_t end() const { return end_; }
  [[nodiscard]] uint64_t covered() const { return covered_; }
  [[nodiscard]] size_t extent_count() const { return extents_.size(); }

  void Write(uint64_t offset, const core::ByteChain& data) {
    for (const core::Bytes& slice : data.slices()) {
      Write(offset, slice);
      offset += slice.size();
    }
  }
  void Write(uint64_t offset, core::Bytes slice);
  // [offset, offset + length) becomes a hole.
  void Erase(uint64_t offset, uint64_t length);
  void Clear();

  // Exactly `length` bytes.
  [[nodiscard]] core::ByteChain Read(uint64_t offset, uint64_t length, ZeroBlock& zeros) const;
  // The extents inside [offset, offset + length), clipped to it.
  [[nodiscard]] std::vector<Extent> Collect(uint64_t offset, uint64_t length) const;
  // How many bytes of [offset, offset + length) are not in a hole.
  [[nodiscard]] uint64_t CoveredIn(uint64_t offset, uint64_t length) const;

 private:
  using Map = absl::btree_map<uint64_t, core::Bytes>;

  // The first extent that ends after `offset`.
  [[nodiscard]] Map::const_iterator FirstAfter(uint64_t offset) const;
  void Carve(uint64_t offset, uint64_t length);
  void Compact(size_t copy_below);
  void CompactIfNeeded();

  Map extents_;
  uint64_t end_ = 0;
  uint64_t covered_ = 0;
  uint64_t trimmed_ = 0;  // bytes cut from extents that stayed in part: blocks still hold them
  uint64_t compact_at_ = 64;
};

}  // namespace highwater::sim
