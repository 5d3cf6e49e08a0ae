#include "core/bytes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "core/crc32c.h"
#include "core/mix.h"

namespace highwater::core {
namespace internal {
namespace {

// Blocks of up to 64 KiB are recycled by size: a fresh page costs more than a simulated message,
// and malloc is slow past 1 KiB. Each doubling has four sizes, so that the batch of a 1 KiB record
// does not take 2 KiB. One cache a thread, since blocks belong to the fiber thread.
constexpr int kSmallestBits = 6;                 // 64 bytes, header included
constexpr int kStepBits = 2;                     // 2^2 sizes for each doubling
constexpr int kClasses = (10 << kStepBits) + 1;  // up to 64 KiB
constexpr uint8_t kUnpooled = 255;
constexpr size_t kKeptBytesPerClass = 4 << 20;

struct SizeClass {
  int index;
  size_t bytes;  // header included
};

// The smallest class that holds `total` bytes; its index is too great for a block that is not
// recycled.
SizeClass ClassOf(size_t total) {
  if (total <= size_t{1} << kSmallestBits) return {0, size_t{1} << kSmallestBits};
  const int below = std::bit_width(total - 1) - 1;  // 2^below < total <= 2^(below + 1)
  const int step_bits = below - kStepBits;
  const size_t steps = ((total - 1 - (size_t{1} << below)) >> step_bits) + 1;
  return {((below - kSmallestBits) << kStepBits) + static_cast<int>(steps),
          (size_t{1} << below) + (steps << step_bits)};
}

struct FreeBlock {
  FreeBlock* next;
};

struct BlockCache {
  FreeBlock* heads[kClasses] = {};
  size_t kept_bytes[kClasses] = {};
  ~BlockCache() {
    for (FreeBlock*& head : heads) {
      while (head != nullptr) std::free(std::exchange(head, head->next));
    }
  }
};
thread_local BlockCache cache;

}  // namespace

Block* Block::Allocate(size_t size) {
  HW_CHECK(size <= std::numeric_limits<uint32_t>::max() - sizeof(Block), "a block of {} bytes",
           size);
  const size_t total = size + sizeof(Block);
  const SizeClass size_class = ClassOf(total);
  void* memory;
  uint8_t stored_class = kUnpooled;
  size_t capacity = size;
  if (size_class.index < kClasses) {
    stored_class = static_cast<uint8_t>(size_class.index);
    capacity = size_class.bytes - sizeof(Block);
    if (FreeBlock* head = cache.heads[size_class.index]) {
      cache.heads[size_class.index] = head->next;
      cache.kept_bytes[size_class.index] -= size_class.bytes;
      memory = head;
    } else {
      memory = std::malloc(capacity + sizeof(Block));
    }
  } else {
    memory = std::malloc(total);
  }
  HW_CHECK(memory != nullptr, "out of memory for {} bytes", size);
  return new (memory)
      Block{.references = 1, .size = static_cast<uint32_t>(capacity), .size_class = stored_class};
}

void Block::Free(Block* block) {
  const uint8_t size_class = block->size_class;
  if (size_class != kUnpooled && cache.kept_bytes[size_class] < kKeptBytesPerClass) {
    const size_t bytes = block->size + sizeof(Block);
    auto* free_block = new (static_cast<void*>(block)) FreeBlock{cache.heads[size_class]};
    cache.heads[size_class] = free_block;
    cache.kept_bytes[size_class] += bytes;
    return;
  }
  std::free(block);
}

}  // namespace internal

Bytes Bytes::Copy(std::string_view content) {
  if (content.empty()) return {};
  internal::Block* block = internal::Block::Allocate(content.size());
  std::memcpy(block->data(), content.data(), content.size());
  return Bytes(block, 0, static_cast<uint32_t>(content.size()));
}

Bytes Bytes::Zeros(size_t size) {
  if (size == 0) return {};
  internal::Block* block = internal::Block::Allocate(size);
  std::memset(block->data(), 0, size);
  return Bytes(block, 0, static_cast<uint32_t>(size));
}

Bytes Bytes::Slice(size_t offset, size_t length) const& {
  HW_CHECK(offset <= length_ && length <= length_ - offset, "slice [{}, +{}) of {} bytes", offset,
           length, length_);
  if (length == 0) return {};
  ++block_->references;
  return Bytes(block_, offset_ + static_cast<uint32_t>(offset), static_cast<uint32_t>(length));
}

Bytes Bytes::Slice(size_t offset, size_t length) && {
  HW_CHECK(offset <= length_ && length <= length_ - offset, "slice [{}, +{}) of {} bytes", offset,
           length, length_);
  if (length == 0) return {};
  return Bytes(std::exchange(block_, nullptr), offset_ + static_cast<uint32_t>(offset),
               static_cast<uint32_t>(length));
}

void Bytes::RemovePrefix(size_t n) {
  HW_CHECK(n <= length_, "remove {} of {} bytes", n, length_);
  offset_ += static_cast<uint32_t>(n);
  length_ -= static_cast<uint32_t>(n);
}

uint64_t Bytes::Digest() const {
  if (length_ == 0) return 0;
  internal::Block& b = *block_;
  const bool same = b.memo_offset == offset_ && b.memo_length == length_;
  if (same && b.has_digest) return b.memo_digest;
  const uint64_t digest = XXH3_64bits(data(), length_);
  if (same || (!b.has_digest && !b.has_crc32c)) {
    b.memo_offset = offset_;
    b.memo_length = length_;
    b.memo_digest = digest;
    b.has_digest = true;
  }
  return digest;
}

uint32_t Bytes::Crc32c() const {
  if (length_ == 0) return 0;
  internal::Block& b = *block_;
  const bool same = b.memo_offset == offset_ && b.memo_length == length_;
  if (same && b.has_crc32c) return b.memo_crc32c;
  const uint32_t crc = core::Crc32c({data(), length_});
  if (same || (!b.has_digest && !b.has_crc32c)) {
    b.memo_offset = offset_;
    b.memo_length = length_;
    b.memo_crc32c = crc;
    b.has_crc32c = true;
  }
  return crc;
}

BytesBuilder::BytesBuilder(size_t capacity) {
  if (capacity > 0) block_ = internal::Block::Allocate(capacity);
}

BytesBuilder::~BytesBuilder() {
  if (block_ != nullptr) internal::Block::Free(block_);
}

void BytesBuilder::Reserve(size_t capacity) {
  if (block_ != nullptr && capacity <= block_->size) return;
  const size_t doubled = block_ == nullptr ? 0 : size_t{block_->size} * 2;
  internal::Block* larger = internal::Block::Allocate(std::max(capacity, doubled));
  if (block_ != nullptr) {
    std::memcpy(larger->data(), block_->data(), size_);
    internal::Block::Free(block_);
  }
  block_ = larger;
}

uint32_t BytesBuilder::Crc32cFrom(size_t offset) {
  HW_CHECK(offset < size_);
  internal::Block& b = *block_;
  b.memo_offset = static_cast<uint32_t>(offset);
  b.memo_length = static_cast<uint32_t>(size_ - offset);
  b.memo_crc32c = core::Crc32c({b.data() + offset, size_ - offset});
  b.has_crc32c = true;
  return b.memo_crc32c;
}

Bytes BytesBuilder::Freeze() && {
  if (size_ == 0) return {};
  return Bytes(std::exchange(block_, nullptr), 0, static_cast<uint32_t>(std::exchange(size_, 0)));
}

ByteChain ByteChain::Slice(size_t offset, size_t length) const {
  HW_CHECK(offset <= size_ && length <= size_ - offset, "slice [{}, +{}) of {} bytes", offset,
           length, size_);
  ByteChain result;
  for (const Bytes& slice : slices_) {
    if (length == 0) break;
    if (offset >= slice.size()) {
      offset -= slice.size();
      continue;
    }
    const size_t n = std::min(length, slice.size() - offset);
    result.Append(slice.Slice(offset, n));
    length -= n;
    offset = 0;
  }
  return result;
}

void ByteChain::RemovePrefix(size_t n) {
  HW_CHECK(n <= size_, "remove {} of {} bytes", n, size_);
  size_ -= n;
  size_t whole = 0;
  while (whole < slices_.size() && n >= slices_[whole].size()) n -= slices_[whole++].size();
  slices_.erase(slices_.begin(), slices_.begin() + static_cast<ptrdiff_t>(whole));
  if (n > 0) slices_.front().RemovePrefix(n);
}

void ByteChain::CopyTo(size_t offset, size_t length, uint8_t* to) const {
  HW_CHECK(offset <= size_ && length <= size_ - offset, "copy [{}, +{}) of {} bytes", offset,
           length, size_);
  for (const Bytes& slice : slices_) {
    if (length == 0) break;
    if (offset >= slice.size()) {
      offset -= slice.size();
      continue;
    }
    const size_t n = std::min(length, slice.size() - offset);
    std::memcpy(to, slice.data() + offset, n);
    to += n;
    length -= n;
    offset = 0;
  }
}

Bytes ByteChain::Flatten() const {
  if (slices_.empty()) return {};
  if (slices_.size() == 1) return slices_.front();
  BytesBuilder builder(size_);
  for (const Bytes& slice : slices_) builder.Append(slice.view());
  return std::move(builder).Freeze();
}

std::string ByteChain::ToString() const {
  std::string result;
  result.reserve(size_);
  for (const Bytes& slice : slices_) result.append(slice.view());
  return result;
}

uint64_t ByteChain::SliceDigest() const {
  uint64_t digest = size_;
  for (const Bytes& slice : slices_) digest = Mix(digest, slice.Digest());
  return digest;
}

bool operator==(const ByteChain& a, const ByteChain& b) {
  if (a.size_ != b.size_) return false;
  size_t ia = 0, ib = 0, oa = 0, ob = 0;
  size_t left = a.size_;
  while (left > 0) {
    const Bytes& sa = a.slices_[ia];
    const Bytes& sb = b.slices_[ib];
    const size_t n = std::min(sa.size() - oa, sb.size() - ob);
    if (std::memcmp(sa.data() + oa, sb.data() + ob, n) != 0) return false;
    left -= n;
    if ((oa += n) == sa.size()) ++ia, oa = 0;
    if ((ob += n) == sb.size()) ++ib, ob = 0;
  }
  return true;
}

}  // namespace highwater::core
