#pragma once

// Hash check: runs seeds twice, in two processes whose fresh memory differs, and names the first
// event at which the two runs part.
//
// The runs are compared by their trace hashes first; only where these differ are they run again
// with the chain recorded, and the first point at which the recorded chains differ is searched by
// bisection: after it all points differ, since a chain never comes together again.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/harness.h"
#include "scenarios/scenario.h"

namespace highwater::scenarios {

struct Divergence {
  // The last point that both runs share, and the first at which they differ. A missing one: there
  // was none, or a run ended there.
  std::optional<HashPoint> last_common;
  std::optional<HashPoint> first;
  std::optional<HashPoint> second;
};

// Where two recorded chains part; nothing if they are equal.
[[nodiscard]] std::optional<Divergence> FindDivergence(const std::vector<HashPoint>& first,
                                                       const std::vector<HashPoint>& second);

struct HashCheckResult {
  uint64_t seed = 0;
  uint64_t first_hash = 0;
  uint64_t second_hash = 0;
  bool agrees = false;
  std::string failure;  // a process died: how
  std::optional<Divergence> divergence;
};

// Checks one seed. REQUIRES: no other thread runs in this process (it forks).
[[nodiscard]] HashCheckResult CheckHashes(const Scenario& scenario, uint64_t seed,
                                          const Harness& harness);

}  // namespace highwater::scenarios
