#include "broker/zookeeper/log/snapshot_schedule.h"

#include <algorithm>

#include "core/mix.h"

namespace highwater::broker::zookeeper {
namespace {

// `limit` / 2 and up to as much again.
uint64_t DrawnUpTo(uint64_t limit, uint64_t draw) {
  const uint64_t half = limit / 2;
  return half + draw % std::max<uint64_t>(half, 1);
}

}  // namespace

void SnapshotSchedule::Begin(uint64_t draw) {
  transactions_ = 0;
  bytes_ = 0;
  const auto count = static_cast<uint64_t>(std::max<int64_t>(limits_.transactions, 2));
  due_transactions_ = static_cast<int64_t>(DrawnUpTo(count, draw));
  due_bytes_ = DrawnUpTo(limits_.bytes, core::Mix(draw, 1));
}

}  // namespace highwater::broker::zookeeper
