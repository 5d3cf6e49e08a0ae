#include "broker/protocol/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace highwater::broker::protocol {

namespace {
constexpr const char* kTruncated = "the message ends too early";
}  // namespace

void Decoder::Fail(const char* reason) {
  if (error_ != nullptr) return;
  error_ = reason;
  error_position_ = position();
  at_ = end_ = nullptr;
  beyond_ = 0;
}

absl::Status Decoder::status() const {
  if (ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} (at byte {} of {})", error_, error_position_, chain_->size()));
}

uint64_t Decoder::LoadAcross(size_t bytes) {
  if (remaining() < bytes) {
    Fail(kTruncated);
    return 0;
  }
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) {
    if (at_ == end_) NextSlice();
    value = value << 8 | *at_++;
  }
  return value;
}

uint32_t Decoder::ReadLongVarint() {
  uint32_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    const uint8_t byte = Load<uint8_t>();
    value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return ok() ? value : 0;
  }
  Fail("a varint is longer than five bytes");
  return 0;
}

int64_t Decoder::ReadVarlong() {
  uint64_t raw = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const uint8_t byte = Load<uint8_t>();
    raw |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return static_cast<int64_t>(raw >> 1 ^ (0 - (raw & 1)));
  }
  Fail("a varlong is longer than ten bytes");
  return 0;
}

int64_t Decoder::ReadStringLength(bool compact) {
  const int64_t length =
      compact ? static_cast<int64_t>(ReadUnsignedVarint()) - 1 : std::max<int64_t>(-1, ReadInt16());
  if (!ok()) return 0;
  if (length > static_cast<int64_t>(Encoder::kLongestString)) {
    Fail("a string is longer than 32767 bytes");
    return 0;
  }
  if (length > 0 && static_cast<uint64_t>(length) > remaining()) {
    Fail(kTruncated);
    return 0;
  }
  return length;
}

void Decoder::CopyOut(char* to, size_t length) {
  while (length > 0) {
    if (at_ == end_) NextSlice();
    const size_t n = std::min(length, static_cast<size_t>(end_ - at_));
    std::memcpy(to, at_, n);
    at_ += n;
    to += n;
    length -= n;
  }
}

void Decoder::ReadString(std::string& value, bool compact) {
  const int64_t length = ReadStringLength(compact);
  if (length < 0) return Fail("a string is null");
  const auto size = static_cast<size_t>(length);
  if (size <= static_cast<size_t>(end_ - at_)) [[likely]] {
    value.assign(reinterpret_cast<const char*>(at_), size);
    at_ += size;
    return;
  }
  value.resize(size);
  CopyOut(value.data(), size);
}

void Decoder::ReadNullableString(std::optional<std::string>& value, bool compact) {
  const int64_t length = ReadStringLength(compact);
  if (length < 0) {
    value.reset();
    return;
  }
  std::string& text = value.emplace();
  text.resize(static_cast<size_t>(length));
  CopyOut(text.data(), text.size());
}

int64_t Decoder::ReadLength(bool compact) {
  const int64_t length =
      compact ? static_cast<int64_t>(ReadUnsignedVarint()) - 1 : std::max(-1, ReadInt32());
  if (!ok()) return 0;
  if (length > 0 && static_cast<uint64_t>(length) > remaining()) {
    Fail(kTruncated);
    return 0;
  }
  return length;
}

core::ByteChain Decoder::ReadRaw(uint64_t length) {
  core::ByteChain value;
  if (length > remaining()) {
    Fail(kTruncated);
    return value;
  }
  while (length > 0) {
    if (at_ == end_) NextSlice();
    const core::Bytes& slice = chain_->slices()[next_slice_ - 1];
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(length, static_cast<uint64_t>(end_ - at_)));
    value.Append(slice.Slice(static_cast<size_t>(at_ - slice.data()), n));
    at_ += n;
    length -= n;
  }
  return value;
}

void Decoder::Skip(uint64_t length) {
  if (length > remaining()) return Fail(kTruncated);
  while (length > 0) {
    if (at_ == end_) NextSlice();
    const uint64_t n = std::min<uint64_t>(length, static_cast<uint64_t>(end_ - at_));
    at_ += n;
    length -= n;
  }
}

void Decoder::ReadBytes(core::ByteChain& value, bool compact) {
  const int64_t length = ReadLength(compact);
  if (length < 0) return Fail("bytes are null");
  value = ReadRaw(static_cast<uint64_t>(length));
}

void Decoder::ReadNullableBytes(std::optional<core::ByteChain>& value, bool compact) {
  const int64_t length = ReadLength(compact);
  if (length < 0) {
    value.reset();
  } else {
    value = ReadRaw(static_cast<uint64_t>(length));
  }
}

void Decoder::ReadRecords(Records& value, bool compact) {
  const int64_t length = ReadLength(compact);
  if (length < 0) {
    value = Records();
  } else {
    value = Records(ReadRaw(static_cast<uint64_t>(length)));
  }
}

int64_t Decoder::ReadNullableArrayLength(size_t element_size, size_t smallest, bool compact) {
  const int64_t count =
      compact ? static_cast<int64_t>(ReadUnsignedVarint()) - 1 : std::max(-1, ReadInt32());
  if (!ok()) return 0;
  if (count <= 0) return count;
  const auto elements = static_cast<uint64_t>(count);
  // Fewer than 2^33 elements of a few hundred bytes: the products cannot overflow.
  if (elements * smallest > remaining()) {
    Fail("an array has more elements than the message has bytes for");
    return 0;
  }
  if (elements * element_size > budget_) {
    Fail("the message would take too much memory");
    return 0;
  }
  budget_ -= elements * element_size;
  return count;
}

void Decoder::SkipAllTags() {
  Tags tags(*this);
  while (tags.Next()) tags.Skip();
}

bool Decoder::Tags::Next() {
  if (tag_ >= 0 && decoder_.ok() && decoder_.remaining() != end_remaining_) {
    decoder_.Fail("a tagged field has not the size that is given");
  }
  if (left_ == 0 || !decoder_.ok()) return false;
  --left_;
  const int64_t tag = decoder_.ReadUnsignedVarint();
  size_ = decoder_.ReadUnsignedVarint();
  if (!decoder_.ok()) return false;
  if (tag <= tag_) {
    decoder_.Fail("tags do not ascend");
    return false;
  }
  if (size_ > decoder_.remaining()) {
    decoder_.Fail(kTruncated);
    return false;
  }
  tag_ = tag;
  end_remaining_ = decoder_.remaining() - size_;
  return true;
}

}  // namespace highwater::broker::protocol
