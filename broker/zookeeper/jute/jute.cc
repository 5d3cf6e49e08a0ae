#include "broker/zookeeper/jute/jute.h"

#include <fmt/format.h>

#include "core/big_endian.h"
#include "core/check.h"

namespace highwater::broker::zookeeper {

using core::LoadBigEndian;
using core::StoreBigEndian;

void JuteWriter::operator()(int32_t value) {
  StoreBigEndian(bytes_.Grow(4), static_cast<uint32_t>(value));
}

void JuteWriter::operator()(int64_t value) {
  StoreBigEndian(bytes_.Grow(8), static_cast<uint64_t>(value));
}

void JuteWriter::operator()(const std::string& value) {
  (*this)(static_cast<int32_t>(value.size()));
  bytes_.Append(value);
}

void JuteWriter::operator()(const core::Bytes& value) {
  (*this)(static_cast<int32_t>(value.size()));
  bytes_.Append(value.view());
}

void JuteWriter::operator()(const std::optional<core::Bytes>& value) {
  if (value.has_value()) return (*this)(*value);
  (*this)(int32_t{-1});
}

void JuteWriter::PatchLength(size_t at) {
  HW_CHECK(at + 4 <= bytes_.size());
  StoreBigEndian(bytes_.data() + at, static_cast<uint32_t>(bytes_.size() - at - 4));
}

void JuteReader::Fail(std::string_view what) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(
      fmt::format("{} at byte {} of {} does not parse", what, at_, bytes_.size()));
}

const uint8_t* JuteReader::Take(size_t size, std::string_view what) {
  if (!status_.ok() || bytes_.size() - at_ < size) {
    Fail(what);
    return nullptr;
  }
  const uint8_t* from = bytes_.data() + at_;
  at_ += size;
  return from;
}

void JuteReader::operator()(bool& value) {
  const uint8_t* from = Take(1, "a bool");
  value = from != nullptr && *from != 0;
}

void JuteReader::operator()(int32_t& value) {
  const uint8_t* from = Take(4, "an int");
  value = from == nullptr ? 0 : static_cast<int32_t>(LoadBigEndian<uint32_t>(from));
}

void JuteReader::operator()(int64_t& value) {
  const uint8_t* from = Take(8, "a long");
  value = from == nullptr ? 0 : static_cast<int64_t>(LoadBigEndian<uint64_t>(from));
}

int32_t JuteReader::ReadLength(std::string_view what) {
  int32_t length = 0;
  (*this)(length);
  if (length < -1 || (length > 0 && static_cast<size_t>(length) > remaining())) {
    Fail(what);
    return -1;
  }
  return length;
}

int32_t JuteReader::ReadCount() {
  // Each element takes a byte at least.
  return ReadLength("a vector's count");
}

void JuteReader::operator()(std::string& value) {
  const int32_t length = ReadLength("a string's length");
  value.clear();
  if (length <= 0) return;
  const auto* from = reinterpret_cast<const char*>(Take(static_cast<size_t>(length), "a string"));
  if (from != nullptr) value.assign(from, static_cast<size_t>(length));
}

void JuteReader::operator()(core::Bytes& value) {
  std::optional<core::Bytes> maybe;
  (*this)(maybe);
  value = std::move(maybe).value_or(core::Bytes());
}

void JuteReader::operator()(std::optional<core::Bytes>& value) {
  const int32_t length = ReadLength("a buffer's length");
  if (length < 0) {
    value.reset();
    return;
  }
  value = bytes_.Slice(at_, static_cast<size_t>(length));
  at_ += static_cast<size_t>(length);
}

core::Bytes JuteReader::Rest() {
  if (!status_.ok()) return {};
  core::Bytes rest = bytes_.Slice(at_, bytes_.size() - at_);
  at_ = bytes_.size();
  return rest;
}

}  // namespace highwater::broker::zookeeper
