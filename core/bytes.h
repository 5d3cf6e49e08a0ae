#pragma once

// Bytes: a slice of a shared, immutable, reference-counted block; ByteChain: several of them in a
// row.
//
//   Bytes body = Bytes::Copy("payload");
//   ByteChain frame{header, body};            // nothing is copied
//   Bytes tail = body.Slice(3, 4);            // shares the block
//
// The body of a record batch that goes from a producer through a leader's log to its followers and
// a consumer exists once in memory. Invariants:
//   1. A block's bytes never change once a Bytes of it exists. A bit flip or a torn write makes a
//   new block.
//   2. Reference counts are not atomic: they change on the fiber thread only. I/O threads borrow
//   (pointer, length) of a slice
//      which somebody on the fiber thread keeps alive.
//   3. A digest or checksum may be remembered for one (offset, length) of a block; a new block
//   remembers none.
//
// Not responsible for: growing buffers (BytesBuilder), parsing (broker/protocol).

#include <absl/container/inlined_vector.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/check.h"

namespace highwater::core {

namespace internal {

// The header in front of a block's data.
struct Block {
  uint32_t references;
  uint32_t size;
  // What is remembered of data[memo_offset, memo_offset + memo_length).
  uint32_t memo_offset = 0;
  uint32_t memo_length = 0;
  uint64_t memo_digest = 0;
  uint32_t memo_crc32c = 0;
  bool has_digest = false;
  bool has_crc32c = false;
  uint8_t size_class;

  uint8_t* data() { return reinterpret_cast<uint8_t*>(this + 1); }

  static Block* Allocate(size_t size);
  static void Free(Block* block);
};
static_assert(sizeof(Block) % 8 == 0);

}  // namespace internal

class Bytes {
 public:
  Bytes() = default;
  Bytes(const Bytes& other) : block_(other.block_), offset_(other.offset_), length_(other.length_) {
    if (block_ != nullptr) ++block_->references;
  }
  Bytes(Bytes&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        offset_(std::exchange(other.offset_, 0)),
        length_(std::exchange(other.length_, 0)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(block_, other.block_);
    std::swap(offset_, other.offset_);
    std::swap(length_, other.length_);
    return *this;
  }
  ~Bytes() {
    if (block_ != nullptr && --block_->references == 0) internal::Block::Free(block_);
  }

  // A new block that holds a copy of `content` (at most 4 GiB - 1).
  [[nodiscard]] static Bytes Copy(std::string_view content);
  [[nodiscard]] static Bytes Zeros(size_t size);

  [[nodiscard]] const uint8_t* data() const {
    return block_ == nullptr ? nullptr : block_->data() + offset_;
  }
  [[nodiscard]] size_t size() const { return length_; }
  [[nodiscard]] bool empty() const { return length_ == 0; }
  uint8_t operator[](size_t i) const { return data()[i]; }
  [[nodiscard]] std::string_view view() const {
    return {reinterpret_cast<const char*>(data()), length_};
  }
  [[nodiscard]] std::string ToString() const { return std::string(view()); }

  // REQUIRES: offset + length <= size().
  [[nodiscard]] Bytes Slice(size_t offset, size_t length) const&;
  [[nodiscard]] Bytes Slice(size_t offset, size_t length) &&;
  // As Slice(n, size() - n).
  void RemovePrefix(size_t n);

  // A 64-bit digest of the content (XXH3), the same on every machine and in every build; remembered
  // for this slice if it is the first of its block that was asked for.
  [[nodiscard]] uint64_t Digest() const;
  // CRC-32C of the content, remembered in the same way.
  [[nodiscard]] uint32_t Crc32c() const;

  friend bool operator==(const Bytes& a, const Bytes& b) { return a.view() == b.view(); }

 private:
  friend class BytesBuilder;
  Bytes(internal::Block* block, uint32_t offset, uint32_t length)
      : block_(block), offset_(offset), length_(length) {}

  internal::Block* block_ = nullptr;  // holds one reference unless null
  uint32_t offset_ = 0;
  uint32_t length_ = 0;
};

// The one writer of a block that nobody can read yet.
//   BytesBuilder b(1024);  b.Append("abc");  Bytes frozen = std::move(b).Freeze();
class BytesBuilder {
 public:
  explicit BytesBuilder(size_t capacity = 64);
  ~BytesBuilder();
  BytesBuilder(BytesBuilder&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  BytesBuilder& operator=(BytesBuilder&& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(size_, other.size_);
    return *this;
  }

  void Append(std::string_view content) {
    if (!content.empty()) std::memcpy(Grow(content.size()), content.data(), content.size());
  }
  void Append(absl::Span<const uint8_t> content) {
    if (!content.empty()) std::memcpy(Grow(content.size()), content.data(), content.size());
  }
  // Room for n more bytes, counted as written; valid until the next call.
  uint8_t* Grow(size_t n) {
    if (block_ == nullptr || size_ + n > block_->size) Reserve(size_ + n);
    uint8_t* at = block_->data() + size_;
    size_ += n;
    return at;
  }
  void Reserve(size_t capacity);
  // Forgets all bytes past `size`. REQUIRES: size <= size().
  void Truncate(size_t size) { size_ = size; }

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] uint8_t* data() { return block_ == nullptr ? nullptr : block_->data(); }
  [[nodiscard]] const uint8_t* data() const { return block_ == nullptr ? nullptr : block_->data(); }

  // The CRC-32C of the bytes from `offset` to the end. The frozen block remembers it for that
  // slice, unless those bytes are written to afterwards, which is forbidden. REQUIRES: offset <
  // size().
  [[nodiscard]] uint32_t Crc32cFrom(size_t offset);

  // The bytes written so far, now immutable. The builder is empty afterwards and may be used again.
  [[nodiscard]] Bytes Freeze() &&;

 private:
  internal::Block* block_ = nullptr;
  size_t size_ = 0;
};

// A sequence of slices that reads as one byte string. Empty slices are not kept.
class ByteChain {
 public:
  using Slices = absl::InlinedVector<Bytes, 2>;

  ByteChain() = default;
  explicit(false) ByteChain(Bytes bytes) { Append(std::move(bytes)); }
  ByteChain(std::initializer_list<Bytes> slices) {
    for (const Bytes& slice : slices) Append(slice);
  }

  void Append(Bytes bytes) {
    if (bytes.empty()) return;
    size_ += bytes.size();
    slices_.push_back(std::move(bytes));
  }
  void Append(const ByteChain& chain) {
    for (const Bytes& slice : chain.slices_) Append(slice);
  }
  void Clear() {
    slices_.clear();
    size_ = 0;
  }

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] absl::Span<const Bytes> slices() const { return slices_; }

  // REQUIRES: offset + length <= size().
  [[nodiscard]] ByteChain Slice(size_t offset, size_t length) const;
  void RemovePrefix(size_t n);
  // Copies [offset, offset + length) to `to`. REQUIRES: offset + length <= size().
  void CopyTo(size_t offset, size_t length, uint8_t* to) const;
  // The whole content in one block: shared if there is one slice, else copied.
  [[nodiscard]] Bytes Flatten() const;
  [[nodiscard]] std::string ToString() const;
  // A digest of the content as it is cut: folds each slice's digest. Two chains of equal content
  // but other cuts may differ.
  [[nodiscard]] uint64_t SliceDigest() const;

  friend bool operator==(const ByteChain& a, const ByteChain& b);

 private:
  Slices slices_;
  size_t size_ = 0;
};

}  // namespace highwater::core
