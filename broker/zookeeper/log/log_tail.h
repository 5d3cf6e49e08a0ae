#pragma once

// What a place in a log file means at which no record stands: the end, a group that a power loss
// tore, or damage. Pure.
//
// A group of records is written at the end of a file, then synced, then acknowledged, and only then
// comes the next group. So a power loss can only tear the last group of the last file; in place of
// the sectors that it took the file has zeros, or its end. Records of the group behind the torn one
// may stand whole.
//
// Follows ZooKeeper facts 3.10 ("Ours should"): a torn tail is cut off; anything else is never
// passed over. Where a record is bad and no sector of it is missing, it was whole once and may have
// been acknowledged: that is damage, even at the very end.

#include <cstdint>
#include <string>

#include "broker/zookeeper/log/log_format.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

// The unit in which a device writes all or nothing.
inline constexpr uint64_t kSectorSize = 512;

struct TailVerdict {
  enum class Kind : uint8_t {
    kEnd,      // nothing but zeros
    kTorn,     // was never acknowledged: may be cut off
    kDamaged,  // may have been acknowledged
  };
  Kind kind = Kind::kEnd;
  std::string reason;  // kDamaged
};

// `rest` is what the file has from `at` to its end; at `at` no valid record (or, at 0, no valid
// header) stands. `last` is the zxid of the record before.
[[nodiscard]] TailVerdict JudgeTail(const core::Bytes& rest, uint64_t at, Zxid last);

}  // namespace highwater::broker::zookeeper
