#pragma once

// Faults of the load: surge_load.

#include "faults/injector.h"

namespace highwater::faults {

// The victims are clients; those that produce send several times as much for a while.
[[nodiscard]] std::unique_ptr<Fault> MakeSurgeLoad(const FaultOrder& order);

}  // namespace highwater::faults
