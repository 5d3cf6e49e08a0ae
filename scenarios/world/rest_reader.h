#pragma once

// ReadAtRest: reads every partition once the faults are over.
//
// Where some partitions cannot be reached the others are read all the same: each is told what stood
// in its way.

#include <functional>
#include <vector>

#include "core/environment.h"
#include "invariants/invariant.h"
#include "scenarios/world/workload.h"

namespace highwater::scenarios {

// Once half of the time is over reads every partition of the scenario's topics from its beginning
// to its end of then, until `deadline` (since the world began). Calls `done` with what it found.
// REQUIRES: on a fiber of `env`.
void ReadAtRest(core::Environment& env, const WorkloadContext& context, absl::Duration deadline,
                const std::function<void(std::vector<invariants::PartitionAtRest>)>& done);

}  // namespace highwater::scenarios
