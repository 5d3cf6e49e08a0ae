#pragma once

// SeedRunner: runs one seed of one scenario and says what happened. The simulated world implements
// it; tests script it.

#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/scenario.h"
#include "scenarios/seed_result.h"

namespace highwater::scenarios {

// The state-hash chain after one executed event.
struct HashPoint {
  uint64_t index = 0;   // of the event, from 0
  int64_t time_ns = 0;  // simulated
  std::string host;
  std::string kind;
  uint64_t hash = 0;
  friend bool operator==(const HashPoint&, const HashPoint&) = default;
};

// Asks the run to record the points with first <= index < last and index % stride == 0.
struct HashLog {
  uint64_t first = 0;
  uint64_t last = std::numeric_limits<uint64_t>::max();
  uint64_t stride = 1;
  std::vector<HashPoint> points;
  [[nodiscard]] bool Wants(uint64_t index) const {
    return index >= first && index < last && index % stride == 0;
  }
};

// None of these may change what happens in the world, only how much of it is told and when it is
// left.
struct RunOptions {
  std::optional<absl::Duration> until;  // leave at this simulated time, undecided checks and all
  std::string break_on;  // leave at the first violation of this invariant; empty: do not
  // Called at the event that `break_on` or `until` names, before anything is torn down: a place for
  // a debugger.
  std::function<void()> on_break;
  std::function<void(const RunEvent&)> on_event;  // the readable event log, as it happens
  bool trace = false;  // keep what a report of a failure needs: chains, history
  // Gather a timeline, with at most so many messages: the newest. Nothing: gather none.
  std::optional<uint64_t> timeline_messages;
  HashLog* hash_log = nullptr;  // not owned
};

class SeedRunner {
 public:
  virtual ~SeedRunner() = default;
  // Deterministic: equal scenario, seed and build give an equal result but for `host`. May be
  // called again and again; each call is a new world. Signature, and the verdict as to `expect`,
  // may be left to the campaign (judge.h).
  [[nodiscard]] virtual SeedResult Run(const Scenario& scenario, uint64_t seed,
                                       const RunOptions& options) = 0;
};

}  // namespace highwater::scenarios
