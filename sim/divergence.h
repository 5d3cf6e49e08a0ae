#pragma once

// FindDivergence: the first point at which two runs that should be equal are not.
//
//   auto divergence = FindDivergence([&](HashSink* sink) { RunSeed(7, sink); }, [&](HashSink* sink)
//   { RunSeed(7, sink); }); EXPECT_EQ(divergence, std::nullopt) << divergence->ToString();
//
// Each run is executed once to compare the chain at every 1,024th point, and only if they differ
// once more to record the points of the first such stretch that differs: no run's points are ever
// held in memory as a whole.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "sim/state_hash.h"

namespace highwater::sim {

// Executes a whole run from its beginning with `sink` set on its StateHash.
using RecordedRun = std::function<void(HashSink* sink)>;

struct Divergence {
  uint64_t index = 0;          // of the first differing point; all before are equal
  std::optional<HashPoint> a;  // nullopt: this run had ended
  std::optional<HashPoint> b;
  // False: the second execution did not diverge in the stretch where the first did; a and b are
  // unknown, index is a bound.
  bool reproduced = true;

  [[nodiscard]] std::string ToString() const;
};

[[nodiscard]] std::optional<Divergence> FindDivergence(const RecordedRun& run_a,
                                                       const RecordedRun& run_b);

}  // namespace highwater::sim
