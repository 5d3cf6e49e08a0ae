#pragma once

// Records: what a field of type `records` holds: the opaque bytes of record batches, or null.
//
// The bytes are either in memory (shared slices, never copied on the way) or ranges of files, which
// a Fetch answer sends without passing them through the program. Not responsible for what the bytes
// mean (record_batch.h).
//
// Invariants: 1. Null and empty are different. 2. A decoder only makes null and in-memory records.

#include <absl/types/span.h>

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/network.h"

namespace highwater::broker::protocol {

class Records {
 public:
  // Null.
  Records() = default;
  explicit(false) Records(core::ByteChain bytes) : content_(std::move(bytes)) {}
  explicit(false) Records(core::Bytes bytes) : content_(core::ByteChain(std::move(bytes))) {}
  explicit(false) Records(core::FileRange range) { content_.emplace<Ranges>(1, std::move(range)); }
  explicit(false) Records(std::vector<core::FileRange> ranges) : content_(std::move(ranges)) {}

  [[nodiscard]] static Records Empty() { return Records(core::ByteChain()); }

  [[nodiscard]] bool is_null() const { return content_.index() == 0; }
  [[nodiscard]] bool in_files() const { return content_.index() == 2; }
  // Bytes; 0 if null.
  [[nodiscard]] uint64_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }

  // The bytes in memory; empty if null. REQUIRES: !in_files().
  [[nodiscard]] const core::ByteChain& bytes() const;
  // The file ranges in order; none unless in_files().
  [[nodiscard]] absl::Span<const core::FileRange> files() const;

  // Equal bytes; ranges are equal if they name the same bytes of the same open file in the same
  // cuts.
  friend bool operator==(const Records& a, const Records& b);

 private:
  using Ranges = std::vector<core::FileRange>;
  std::variant<std::monostate, core::ByteChain, Ranges> content_;
};

}  // namespace highwater::broker::protocol
