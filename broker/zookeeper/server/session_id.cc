#include "broker/zookeeper/server/session_id.h"

#include <algorithm>

#include "broker/zookeeper/tree/znode.h"
#include "core/check.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr uint64_t kSuperSecret = 0xB3415C00;
constexpr uint64_t kMultiplier = 0x5DEECE66D;
constexpr uint64_t kMask = (uint64_t{1} << 48) - 1;

}  // namespace

core::Bytes PasswordOf(SessionId session) {
  uint64_t state = ((static_cast<uint64_t>(session.value()) ^ kSuperSecret) ^ kMultiplier) & kMask;
  core::BytesBuilder password(16);
  for (int i = 0; i < 4; ++i) {
    state = (state * kMultiplier + 0xB) & kMask;
    const auto word = static_cast<uint32_t>(state >> 16);
    uint8_t* to = password.Grow(4);
    for (int byte = 0; byte < 4; ++byte) to[byte] = static_cast<uint8_t>(word >> (8 * byte));
  }
  return std::move(password).Freeze();
}

SessionIds::SessionIds(ServerId server, int64_t clock_ms, SessionId greatest_known) {
  HW_CHECK(server.value() >= 0 && server.value() <= kMaxServerId, "server id {}", server);
  const uint64_t clock = static_cast<uint64_t>(clock_ms) << 24 >> 8;
  next_ = static_cast<int64_t>(static_cast<uint64_t>(server.value()) << 56 | clock);
  const bool ours =
      static_cast<uint64_t>(greatest_known.value()) >> 56 == static_cast<uint64_t>(server.value());
  if (ours) next_ = std::max(next_, greatest_known.value() + 1);
}

SessionId SessionIds::Next() {
  // Neither may be anybody's id: both mean something else.
  while (SessionId(next_) == kNoSession || SessionId(next_) == kContainerOwner) ++next_;
  return SessionId(next_++);
}

}  // namespace highwater::broker::zookeeper
