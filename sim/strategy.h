#pragma once

// Strategy: which of several fibers that could run runs first, and which is held back although it
// could run.
//
// Reordering only among events of the same nanosecond explores almost nothing, so strategies also
// delay.
//   fifo    first-in first-out, no delay: the null strategy.
//   random  draws an order among ready fibers and a small delay for each wake.
//   pct     gives each (host, role) and each link a priority; at a few drawn change points the one
//   that would run is demoted and
//           held back for 1 ms to 5 s. A fiber's role is its name.
//
// Draws are keyed by who is woken (host, fiber path, its own wake count), so a strategy's decision
// for one fiber does not depend on what others do; only pct's change points count steps of the
// whole world. A strategy has no effect but through its answers.

#include <cstdint>
#include <memory>
#include <string_view>

#include "sim/event_kind.h"

namespace highwater::sim {

enum class StrategyKind : uint8_t { kFifo, kRandom, kPct };
[[nodiscard]] std::string_view StrategyName(StrategyKind kind);
// By the seed: half pct, a quarter each of the others.
[[nodiscard]] StrategyKind DrawStrategy(uint64_t seed);

// A fiber that could run.
struct Candidate {
  HostId host;
  uint64_t role = 0;   // hash of its name
  uint64_t path = 0;   // of the fiber, with its incarnation
  uint64_t wakes = 0;  // times that it ran before
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  // When a fiber that was woken at `now` may run at the earliest.
  [[nodiscard]] virtual int64_t WhenReady(const Candidate& candidate, int64_t now) = 0;
  // Among those ready at one instant the lowest rank runs first; first-in first-out among equals.
  [[nodiscard]] virtual uint64_t Rank(const Candidate& candidate) = 0;
  // Called before the chosen one runs. A time after `now`: hold it back until then.
  [[nodiscard]] virtual int64_t HoldChosen(const Candidate& candidate, int64_t now) = 0;
  // When a segment that would arrive over `link` at `arrival` does arrive.
  [[nodiscard]] virtual int64_t WhenDelivered(uint64_t link, int64_t arrival, int64_t now) = 0;
  // While fair, nobody is held back: a world is set up, and what must happen once the faults are
  // over is asked, under such a schedule.
  virtual void SetFair(bool fair) = 0;
};

// nullptr for fifo.
[[nodiscard]] std::unique_ptr<Strategy> MakeStrategy(StrategyKind kind, uint64_t seed);

}  // namespace highwater::sim
