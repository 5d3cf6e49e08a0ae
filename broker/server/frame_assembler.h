#pragma once

// FrameAssembler: collects what a client sends until a whole request is there. Pure.
//
//   assembler.Add(bytes);
//   HW_ASSIGN_OR_RETURN(std::optional<core::ByteChain> request, assembler.Take());
//
// Holds only what came: a client that announces a large request and dribbles its bytes takes no
// more memory than it has sent.
//
// Invariants:
//   1. A length above the limit, or a negative one, is an error as soon as its four bytes are
//   there.
//   2. Memory is bounded by a small multiple of the bytes that came, however they were cut.

#include <absl/status/statusor.h>

#include <optional>

#include "core/bytes.h"

namespace highwater::broker {

class FrameAssembler {
 public:
  explicit FrameAssembler(size_t max_request_bytes) : max_(max_request_bytes) {}

  void Add(const core::ByteChain& bytes);
  // The next whole request without its length; nullopt if it has not all come.
  [[nodiscard]] absl::StatusOr<std::optional<core::ByteChain>> Take();

  [[nodiscard]] size_t buffered() const { return chain_.size() + tail_.size(); }
  // Bytes of the present request that have not come; 0 if not even its length has.
  [[nodiscard]] size_t missing() const { return needed_ > buffered() ? needed_ - buffered() : 0; }

 private:
  void FlushTail();

  size_t max_;
  size_t needed_ = 0;  // of the present request with its length; 0 if unknown
  core::ByteChain chain_;
  core::BytesBuilder tail_{
      0};  // small pieces, copied: they would cost more in slices than in copies
};

}  // namespace highwater::broker
