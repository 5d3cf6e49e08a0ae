#pragma once

// Encoder: writes Kafka's primitive types and gives what a connection sends.
//
//   Encoder encoder;
//   request.Encode(encoder, 9);
//   HW_RETURN_IF_ERROR(encoder.status());
//   core::Payload payload = std::move(encoder).Finish();
//
// Small values are copied into one block; long `bytes` and `records` become slices of their own (or
// file ranges) in the payload. Follows wire-protocol facts 1.2 (types), 1.3 (tags): integers are
// big-endian, lengths are classic or compact. Not responsible for: which field a version has
// (generated), the frame around a body (frame.h).
//
// Invariants:
//   1. Once failed it stays failed, with the first error. What it holds then is of no use.
//   2. The bytes are a function of what was written, never of how values lie in memory.

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "broker/protocol/float64.h"
#include "broker/protocol/records.h"
#include "broker/protocol/uuid.h"
#include "core/big_endian.h"
#include "core/bytes.h"
#include "core/network.h"

namespace highwater::broker::protocol {

using core::LoadBigEndian;
using core::StoreBigEndian;

class Encoder {
 public:
  // From this many bytes on, `bytes` and `records` are shared instead of copied: sharing costs a
  // few nanoseconds and a piece of the payload, but keeps the checksum that is remembered with the
  // block.
  static constexpr size_t kShareFromBytes = 256;
  static constexpr size_t kLongestString = 32767;

  explicit Encoder(size_t capacity = 216) : small_(capacity) {}

  void WriteBool(bool value) { *small_.Grow(1) = value ? 1 : 0; }
  void WriteInt8(int8_t value) { *small_.Grow(1) = static_cast<uint8_t>(value); }
  void WriteInt16(int16_t value) { Store(static_cast<uint16_t>(value)); }
  void WriteUInt16(uint16_t value) { Store(value); }
  void WriteInt32(int32_t value) { Store(static_cast<uint32_t>(value)); }
  void WriteUInt32(uint32_t value) { Store(value); }
  void WriteInt64(int64_t value) { Store(static_cast<uint64_t>(value)); }
  void WriteFloat64(Float64 value) { Store(std::bit_cast<uint64_t>(value)); }
  void WriteUuid(const Uuid& value) {
    uint8_t* at = small_.Grow(16);
    StoreBigEndian(at, value.high);
    StoreBigEndian(at + 8, value.low);
  }
  void WriteUnsignedVarint(uint32_t value) {
    if (value < 0x80) {
      *small_.Grow(1) = static_cast<uint8_t>(value);
    } else {
      WriteLongVarint(value);
    }
  }

  // Fails if the string is longer than kLongestString, as Kafka's own writer does in both forms.
  void WriteString(std::string_view value, bool compact) {
    if (value.size() > kLongestString) [[unlikely]]
      return Fail("a string is too long");
    if (compact) {
      WriteUnsignedVarint(static_cast<uint32_t>(value.size()) + 1);
    } else {
      WriteInt16(static_cast<int16_t>(value.size()));
    }
    small_.Append(value);
  }
  void WriteNullableString(const std::optional<std::string>& value, bool compact) {
    if (value.has_value()) return WriteString(*value, compact);
    compact ? WriteUnsignedVarint(0) : WriteInt16(-1);
  }
  void WriteBytes(const core::ByteChain& value, bool compact) {
    WriteLength(value.size(), compact);
    WriteRaw(value);
  }
  void WriteNullableBytes(const std::optional<core::ByteChain>& value, bool compact) {
    if (value.has_value()) return WriteBytes(*value, compact);
    WriteNullArray(compact);
  }
  void WriteRecords(const Records& value, bool compact);
  // The count in front of an array's items.
  void WriteArrayLength(size_t count, bool compact) { WriteLength(count, compact); }
  void WriteNullArray(bool compact) { compact ? WriteUnsignedVarint(0) : WriteInt32(-1); }

  // Bytes without a length in front.
  void WriteRaw(std::string_view value) { small_.Append(value); }
  void WriteRaw(const core::ByteChain& value);

  // Between these two lies the value of a tagged field: EndTag puts its size in front of it.
  struct TagMark {
    size_t small;
    uint64_t shared;
    size_t pieces;
  };
  [[nodiscard]] TagMark BeginTag() const { return {small_.size(), shared_size_, pieces_.size()}; }
  void EndTag(const TagMark& mark);

  // Overwrites four bytes that were written as an int32 at `position`, with no shared piece before
  // them.
  void PatchInt32(size_t position, int32_t value);

  // Bytes written so far, shared ones included.
  [[nodiscard]] uint64_t size() const { return small_.size() + shared_size_; }

  // `reason` must be a literal.
  void Fail(const char* reason) {
    if (error_ == nullptr) error_ = reason;
  }
  [[nodiscard]] bool ok() const { return error_ == nullptr; }
  // InvalidArgument with the first error.
  [[nodiscard]] absl::Status status() const;

  // What was written. REQUIRES: ok().
  [[nodiscard]] core::Payload Finish() &&;

 private:
  // A piece of the payload that stands behind the first `at` bytes of small_.
  struct Piece {
    size_t at;
    std::variant<core::Bytes, core::FileRange> content;
  };

  template <typename T>
  void Store(T value) {
    StoreBigEndian(small_.Grow(sizeof(T)), value);
  }
  void WriteLongVarint(uint32_t value);
  void WriteLength(size_t length, bool compact) {
    if (length >= 0x7fffffff) [[unlikely]]
      return Fail("a value is too long");
    if (compact) {
      WriteUnsignedVarint(static_cast<uint32_t>(length) + 1);
    } else {
      WriteInt32(static_cast<int32_t>(length));
    }
  }

  core::BytesBuilder small_;
  absl::InlinedVector<Piece, 2> pieces_;
  uint64_t shared_size_ = 0;
  const char* error_ = nullptr;
};

// The payload's bytes as a chain of the same slices. REQUIRES: no file ranges.
[[nodiscard]] core::ByteChain ToChain(const core::Payload& payload);

}  // namespace highwater::broker::protocol
