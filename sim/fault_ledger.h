#pragma once

// FaultLedger: counts for each fault whether it was requested, whether it changed the world, and
// whether anybody noticed.
//
//   FaultId id = ledger.Request("freeze");      // the injector
//   ledger.Applied(id);                         // the world, when its state has changed
//   if (held_by) [[unlikely]] ledger.Observed(held_by);   // a port call that returned differently
//   or later because of it
//
// A fault that silently does nothing is the worst bug a harness can have: a campaign whose enabled
// kind was never observed fails. Invariants:
//   1. Observed counts only in a port of the victim, or when its process ended; never for a fault
//   that was withdrawn before.
//   2. The ledger has no effect on the run: it draws nothing and folds nothing.
//
// Also counts the scheduler's choices: a strategy that never differed from first-in first-out
// explored nothing.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/strong_int.h"

namespace highwater::sim {

// One fault of one run. Zero: no fault.
using FaultId = core::StrongInt<struct FaultIdTag, uint32_t>;
inline constexpr FaultId kNoFault{0};

class FaultLedger {
 public:
  struct Entry {
    std::string kind;  // of the fault table
    uint64_t requested = 0;
    uint64_t applied = 0;
    uint64_t observed = 0;
  };

  // A new fault that somebody asked for.
  FaultId Request(std::string_view kind);
  void Applied(FaultId id) {
    if (id != kNoFault) ++entry(id).applied;
  }
  void Observed(FaultId id) {
    if (id != kNoFault) ++entry(id).observed;
  }

  [[nodiscard]] const Entry& operator[](FaultId id) const {
    return const_cast<FaultLedger*>(this)->entry(id);
  }
  // In the order of requests; faults[i] has id i + 1.
  [[nodiscard]] const std::vector<Entry>& faults() const { return faults_; }
  // How many faults of each kind were requested, applied at least once, observed at least once;
  // sorted by kind.
  [[nodiscard]] std::vector<Entry> ByKind() const;

  struct Choices {
    uint64_t with_two_candidates = 0;
    uint64_t differed_from_fifo = 0;
  };
  Choices choices;

 private:
  Entry& entry(FaultId id) {
    HW_CHECK(id != kNoFault && id.value() <= faults_.size(), "fault {} was never requested", id);
    return faults_[id.value() - 1];
  }

  std::vector<Entry> faults_;
};

}  // namespace highwater::sim
