#include "broker/server/frame_assembler.h"

#include <utility>

#include "broker/protocol/frame.h"
#include "core/status_macros.h"

namespace highwater::broker {

namespace {
constexpr size_t kCopyBelow = 1024;
}

void FrameAssembler::Add(const core::ByteChain& bytes) {
  for (const core::Bytes& slice : bytes.slices()) {
    if (slice.size() < kCopyBelow && buffered() > 0) {
      tail_.Append(slice.view());
    } else {
      FlushTail();
      chain_.Append(slice);
    }
  }
}

void FrameAssembler::FlushTail() {
  if (tail_.size() > 0) chain_.Append(std::move(tail_).Freeze());
}

absl::StatusOr<std::optional<core::ByteChain>> FrameAssembler::Take() {
  if (needed_ == 0) {
    if (buffered() < protocol::kFrameLengthBytes) return std::nullopt;
    FlushTail();
    uint8_t length[protocol::kFrameLengthBytes];
    chain_.CopyTo(0, sizeof(length), length);
    const auto announced = static_cast<int32_t>(protocol::LoadBigEndian<uint32_t>(length));
    if (announced < 0) return absl::InvalidArgumentError("a negative request length");
    if (static_cast<size_t>(announced) > max_) {
      return absl::ResourceExhaustedError("a request above socket.request.max.bytes");
    }
    needed_ = static_cast<size_t>(announced) + protocol::kFrameLengthBytes;
  }
  if (buffered() < needed_) return std::nullopt;
  FlushTail();
  core::ByteChain frame =
      chain_.Slice(protocol::kFrameLengthBytes, needed_ - protocol::kFrameLengthBytes);
  chain_.RemovePrefix(needed_);
  needed_ = 0;
  return frame;
}

}  // namespace highwater::broker
