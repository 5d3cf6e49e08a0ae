#pragma once

// Cpu: one core of a host, occupied by the runs of its process's fibers.
//
// A run costs a base and so much for each byte that it read or wrote through a port; both may be
// zero, then nothing is ever occupied. Slowing it down is a fault.

#include <cstdint>

#include "sim/fault_ledger.h"

namespace highwater::sim {

struct CpuCost {
  int64_t base_ns = 0;      // a run of a fiber
  int64_t per_byte_ps = 0;  // picoseconds for each byte through a port
};

class Cpu {
 public:
  explicit Cpu(CpuCost cost) : cost_(cost) {}

  [[nodiscard]] bool free_of_charge() const { return cost_.base_ns == 0 && cost_.per_byte_ps == 0; }
  [[nodiscard]] int64_t free_at() const { return free_at_; }
  // Of a run over `bytes`. What a run sends leaves the host when it has cost so much: an answer
  // takes the time of its making.
  [[nodiscard]] int64_t CostOf(uint64_t bytes) const {
    return (cost_.base_ns + static_cast<int64_t>(bytes) * cost_.per_byte_ps / 1000) * slowdown_;
  }
  // Occupies the core for a run at `now` over `bytes`; returns when it is free again.
  int64_t Occupy(int64_t now, uint64_t bytes) {
    const int64_t cost = CostOf(bytes);
    busy_ns_ += cost;
    return free_at_ = now + cost;
  }
  // Each run costs `factor` times as much (at least a microsecond each, so that a free one suffers
  // too); 1 ends it.
  void Slow(int64_t factor, FaultId fault) {
    if (slowdown_ == 1 && factor > 1 && free_of_charge()) {
      cost_.base_ns = 1000;
      was_free_ = true;
    }
    if (factor == 1 && was_free_) {
      cost_.base_ns = 0;
      was_free_ = false;
    }
    slowdown_ = factor;
    fault_ = fault;
  }
  [[nodiscard]] FaultId fault() const { return fault_; }
  // Time occupied so far, for the capacity reports.
  [[nodiscard]] int64_t busy_ns() const { return busy_ns_; }

 private:
  CpuCost cost_;
  int64_t free_at_ = 0;
  int64_t slowdown_ = 1;
  int64_t busy_ns_ = 0;
  bool was_free_ = false;
  FaultId fault_;
};

}  // namespace highwater::sim
