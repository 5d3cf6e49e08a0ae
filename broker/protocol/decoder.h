#pragma once

// Decoder: reads Kafka's primitive types from a chain of slices.
//
//   Decoder decoder(body);
//   ProduceRequest request = ProduceRequest::Decode(decoder, 9);
//   HW_RETURN_IF_ERROR(decoder.status());
//
// A value may straddle slices. `bytes` and `records` come out as slices of the same blocks, without
// a copy, and so keep those blocks alive. Follows wire-protocol facts 1.2 and 1.3. Bytes behind the
// last field are left alone: see remaining().
//
// Invariants (the bytes may be hostile):
//   1. Total: any bytes give a value or an error. After the first error nothing is left to read,
//   every read gives a zero or an
//      empty value, and the error stays.
//   2. Never reads outside of the chain.
//   3. Memory that a message takes is bounded by kBudgetBase + kBudgetPerByte times its bytes: an
//   array's count is held against
//      what is left of the chain and its elements against the budget, before memory is reserved.

#include <absl/status/status.h>

#include <bit>
#include <cstdint>
#include <optional>
#include <string>

#include "broker/protocol/encoder.h"
#include "broker/protocol/float64.h"
#include "broker/protocol/records.h"
#include "broker/protocol/uuid.h"
#include "core/bytes.h"

namespace highwater::broker::protocol {

class Decoder {
 public:
  static constexpr uint64_t kBudgetBase = 16 << 20;
  static constexpr uint64_t kBudgetPerByte = 4;

  // REQUIRES: `chain` outlives the decoder and does not change.
  explicit Decoder(const core::ByteChain& chain)
      : chain_(&chain),
        beyond_(chain.size()),
        budget_(kBudgetBase + kBudgetPerByte * chain.size()) {
    NextSlice();
  }
  Decoder(core::ByteChain&&) = delete;

  [[nodiscard]] bool ReadBool() { return Load<uint8_t>() != 0; }
  [[nodiscard]] int8_t ReadInt8() { return static_cast<int8_t>(Load<uint8_t>()); }
  [[nodiscard]] int16_t ReadInt16() { return static_cast<int16_t>(Load<uint16_t>()); }
  [[nodiscard]] uint16_t ReadUInt16() { return Load<uint16_t>(); }
  [[nodiscard]] int32_t ReadInt32() { return static_cast<int32_t>(Load<uint32_t>()); }
  [[nodiscard]] uint32_t ReadUInt32() { return Load<uint32_t>(); }
  [[nodiscard]] int64_t ReadInt64() { return static_cast<int64_t>(Load<uint64_t>()); }
  [[nodiscard]] Float64 ReadFloat64() { return std::bit_cast<Float64>(Load<uint64_t>()); }
  [[nodiscard]] Uuid ReadUuid() {
    const uint64_t high = Load<uint64_t>();
    const uint64_t low = Load<uint64_t>();
    return {high, low};
  }
  [[nodiscard]] uint32_t ReadUnsignedVarint() {
    if (at_ != end_ && *at_ < 0x80) return *at_++;
    return ReadLongVarint();
  }
  // Zig-zag coded, as in records of batches v2: at most 5 and 10 bytes.
  [[nodiscard]] int32_t ReadVarint() {
    const uint32_t raw = ReadUnsignedVarint();
    return static_cast<int32_t>(raw >> 1 ^ (0 - (raw & 1)));
  }
  [[nodiscard]] int64_t ReadVarlong();

  void ReadString(std::string& value, bool compact);
  void ReadNullableString(std::optional<std::string>& value, bool compact);
  void ReadBytes(core::ByteChain& value, bool compact);
  void ReadNullableBytes(std::optional<core::ByteChain>& value, bool compact);
  void ReadRecords(Records& value, bool compact);

  // An array's count: at most what is left can hold, each element taking at least `smallest` bytes
  // on the wire, and what the budget allows for elements of `element_size` bytes in memory. Null is
  // an error and gives 0.
  [[nodiscard]] int64_t ReadArrayLength(size_t element_size, size_t smallest, bool compact) {
    const int64_t count = ReadNullableArrayLength(element_size, smallest, compact);
    if (count >= 0) [[likely]]
      return count;
    Fail("an array is null");
    return 0;
  }
  // As ReadArrayLength; -1 if it is null.
  [[nodiscard]] int64_t ReadNullableArrayLength(size_t element_size, size_t smallest, bool compact);

  // `length` bytes without a length in front; fails if fewer are left.
  [[nodiscard]] core::ByteChain ReadRaw(uint64_t length);
  void Skip(uint64_t length);

  // Skips a struct's tag section.
  void SkipTags() {
    if (at_ != end_ && *at_ == 0) [[likely]] {
      ++at_;
    } else {
      SkipAllTags();
    }
  }

  // Walks a tag section:  Decoder::Tags tags(decoder);  while (tags.Next()) switch (tags.tag()) …
  // default: tags.Skip(); A known field must take exactly the size that stands in front of it, and
  // tags must ascend.
  class Tags {
   public:
    explicit Tags(Decoder& decoder) : decoder_(decoder), left_(decoder.ReadUnsignedVarint()) {}
    [[nodiscard]] bool Next();
    [[nodiscard]] uint32_t tag() const { return static_cast<uint32_t>(tag_); }
    void Skip() { decoder_.Skip(size_); }

   private:
    Decoder& decoder_;
    uint32_t left_;
    int64_t tag_ = -1;
    uint32_t size_ = 0;
    uint64_t end_remaining_ = 0;
  };

  [[nodiscard]] bool ok() const { return error_ == nullptr; }
  // `reason` must be a literal.
  void Fail(const char* reason);
  // InvalidArgument with the first error and its place.
  [[nodiscard]] absl::Status status() const;

  [[nodiscard]] uint64_t remaining() const { return static_cast<uint64_t>(end_ - at_) + beyond_; }
  // Bytes read so far.
  [[nodiscard]] uint64_t position() const { return chain_->size() - remaining(); }

 private:
  template <typename T>
  T Load() {
    if (static_cast<size_t>(end_ - at_) >= sizeof(T)) [[likely]] {
      T value;
      if constexpr (sizeof(T) == 1) {
        value = *at_;
      } else {
        value = LoadBigEndian<T>(at_);
      }
      at_ += sizeof(T);
      return value;
    }
    return static_cast<T>(LoadAcross(sizeof(T)));
  }
  // Goes to the next slice that has bytes, if there is one.
  void NextSlice() {
    if (beyond_ == 0) return;
    const core::Bytes& slice = chain_->slices()[next_slice_++];
    at_ = slice.data();
    end_ = at_ + slice.size();
    beyond_ -= slice.size();
  }
  uint64_t LoadAcross(size_t bytes);
  uint32_t ReadLongVarint();
  void SkipAllTags();
  // The length in front of bytes: -1 if null; fails if it is more than what is left.
  int64_t ReadLength(bool compact);
  int64_t ReadStringLength(bool compact);
  void CopyOut(char* to, size_t length);

  const core::ByteChain* chain_;
  const uint8_t* at_ = nullptr;   // in the current slice
  const uint8_t* end_ = nullptr;  // of the current slice
  size_t next_slice_ = 0;
  uint64_t beyond_;  // bytes in the slices after the current one
  uint64_t budget_;
  const char* error_ = nullptr;
  uint64_t error_position_ = 0;
};

}  // namespace highwater::broker::protocol
