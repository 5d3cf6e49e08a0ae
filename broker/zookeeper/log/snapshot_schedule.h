#pragma once

// SnapshotSchedule: when a snapshot is due. Pure.
//
//   schedule.Count(bytes);                       // for each transaction appended
//   if (schedule.Due()) { ... schedule.Begin(draw); }
//
// [3.11] After snapCount/2 transactions and a drawn number up to as many again, or when the log has
// grown by half of the limit and a drawn part of the other half: drawn, so that the servers of an
// ensemble do not all write one at the same time.

#include <cstdint>

namespace highwater::broker::zookeeper {

struct SnapshotLimits {
  int64_t transactions = 100'000;      // snapCount
  uint64_t bytes = uint64_t{4} << 30;  // snapSizeLimitInKb
};

class SnapshotSchedule {
 public:
  SnapshotSchedule(SnapshotLimits limits, uint64_t draw) : limits_(limits) { Begin(draw); }

  void Count(uint64_t bytes) { Add(1, bytes); }
  void Add(int64_t transactions, uint64_t bytes) {
    transactions_ += transactions;
    bytes_ += bytes;
  }
  [[nodiscard]] bool Due() const {
    return transactions_ > due_transactions_ || (limits_.bytes > 0 && bytes_ > due_bytes_);
  }
  // A snapshot is begun. `draw`: any 64 bits.
  void Begin(uint64_t draw);

 private:
  SnapshotLimits limits_;
  int64_t transactions_ = 0;
  uint64_t bytes_ = 0;
  int64_t due_transactions_ = 0;
  uint64_t due_bytes_ = 0;
};

}  // namespace highwater::broker::zookeeper
