#include "broker/protocol/encoder.h"

#include <utility>

#include "core/check.h"

namespace highwater::broker::protocol {

void Encoder::WriteLongVarint(uint32_t value) {
  while (value >= 0x80) {
    *small_.Grow(1) = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  *small_.Grow(1) = static_cast<uint8_t>(value);
}

void Encoder::WriteRaw(const core::ByteChain& value) {
  for (const core::Bytes& slice : value.slices()) {
    if (slice.size() < kShareFromBytes) {
      small_.Append(slice.view());
      continue;
    }
    shared_size_ += slice.size();
    pieces_.push_back({small_.size(), slice});
  }
}

void Encoder::WriteRecords(const Records& value, bool compact) {
  if (value.is_null()) return WriteNullArray(compact);
  WriteLength(value.size(), compact);
  if (!value.in_files()) return WriteRaw(value.bytes());
  for (const core::FileRange& range : value.files()) {
    if (range.length == 0) continue;
    shared_size_ += range.length;
    pieces_.push_back({small_.size(), range});
  }
}

void Encoder::EndTag(const TagMark& mark) {
  const size_t copied = small_.size() - mark.small;
  const uint64_t size = copied + (shared_size_ - mark.shared);
  if (size > 0x7fffffff) return Fail("a tagged field is too long");
  const size_t width = (static_cast<size_t>(std::bit_width(size | 1)) + 6) / 7;
  // The size could not be known before: move the value to make room for it.
  small_.Grow(width);
  uint8_t* start = small_.data() + mark.small;
  std::memmove(start + width, start, copied);
  for (size_t i = 0; i < width; ++i) {
    const uint64_t group = size >> (7 * i) & 0x7f;
    start[i] = static_cast<uint8_t>(i + 1 < width ? group | 0x80 : group);
  }
  for (size_t i = mark.pieces; i < pieces_.size(); ++i) pieces_[i].at += width;
}

void Encoder::PatchInt32(size_t position, int32_t value) {
  HW_CHECK(position + 4 <= small_.size() && (pieces_.empty() || pieces_[0].at >= position + 4));
  StoreBigEndian(small_.data() + position, static_cast<uint32_t>(value));
}

absl::Status Encoder::status() const {
  return ok() ? absl::OkStatus() : absl::InvalidArgumentError(error_);
}

core::Payload Encoder::Finish() && {
  HW_CHECK(ok(), "{}", error_);
  const core::Bytes small = std::move(small_).Freeze();
  core::Payload payload;
  if (pieces_.empty()) {
    payload.Append(small);
    return payload;
  }
  size_t at = 0;
  for (Piece& piece : pieces_) {
    payload.Append(small.Slice(at, piece.at - at));
    std::visit([&payload](auto& content) { payload.Append(std::move(content)); }, piece.content);
    at = piece.at;
  }
  payload.Append(small.Slice(at, small.size() - at));
  return payload;
}

core::ByteChain ToChain(const core::Payload& payload) {
  core::ByteChain chain;
  for (const core::Payload::Piece& piece : payload.pieces()) {
    const core::Bytes* bytes = std::get_if<core::Bytes>(&piece);
    HW_CHECK(bytes != nullptr, "a file range has no bytes in memory");
    chain.Append(*bytes);
  }
  return chain;
}

}  // namespace highwater::broker::protocol
