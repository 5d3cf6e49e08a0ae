#include "broker/zookeeper/wire/frame.h"

#include <fmt/format.h>

#include "core/big_endian.h"

namespace highwater::broker::zookeeper {

std::optional<core::Bytes> FrameAssembler::Next() {
  if (!status_.ok() || pending_.size() < 4) return std::nullopt;
  uint8_t prefix[4];
  pending_.CopyTo(0, 4, prefix);
  const auto length = static_cast<int32_t>(core::LoadBigEndian<uint32_t>(prefix));
  if (length < 0 || length > max_buffer_) {
    status_ = absl::InvalidArgumentError(
        fmt::format("a frame of {} bytes; at most {} are taken", length, max_buffer_));
    return std::nullopt;
  }
  const size_t whole = 4 + static_cast<size_t>(length);
  if (pending_.size() < whole) return std::nullopt;
  core::Bytes frame = pending_.Slice(4, whole - 4).Flatten();
  pending_.RemovePrefix(whole);
  return frame;
}

std::optional<std::string> FrameAssembler::FirstWord() const {
  if (pending_.size() < 4) return std::nullopt;
  std::string word(4, '\0');
  pending_.CopyTo(0, 4, reinterpret_cast<uint8_t*>(word.data()));
  return word;
}

}  // namespace highwater::broker::zookeeper
