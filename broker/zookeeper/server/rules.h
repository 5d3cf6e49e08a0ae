#pragma once

// ZooKeeperRules: decisions on which guarantees rest, each a function that can be replaced alone.
//
// A table is handed to the machines' constructors; nothing but its functions changes what they do.

#include <cstdint>

#include "broker/zookeeper/types.h"

namespace highwater::broker::zookeeper {

// [1.7] A conditional write: -1 stands for any version.
[[nodiscard]] constexpr bool VersionMatches(int32_t current, int32_t expected) {
  return expected == kAnyVersion || expected == current;
}

// [2.2] A session that is being closed writes no more: an ephemeral that it created now would be
// behind the list of what the close deletes, and stay for ever.
[[nodiscard]] constexpr bool MayWrite(bool known, bool closing) { return known && !closing; }

// [1.2] A client that saw later transactions than we applied would go back in time here.
[[nodiscard]] constexpr bool MayServe(Zxid last_zxid_seen, Zxid last_processed) {
  return last_zxid_seen <= last_processed;
}

// [2.1] The next multiple of the tick, strictly later: a session never expires early.
[[nodiscard]] constexpr int64_t ExpiryTime(int64_t now_ms, int64_t timeout_ms, int64_t tick_ms) {
  return ((now_ms + timeout_ms) / tick_ms + 1) * tick_ms;
}

struct ZooKeeperRules {
  bool (*version_matches)(int32_t current, int32_t expected) = &VersionMatches;
  bool (*may_write)(bool known, bool closing) = &MayWrite;
  bool (*may_serve)(Zxid last_zxid_seen, Zxid last_processed) = &MayServe;
  int64_t (*expiry_time)(int64_t now_ms, int64_t timeout_ms, int64_t tick_ms) = &ExpiryTime;
};

}  // namespace highwater::broker::zookeeper
