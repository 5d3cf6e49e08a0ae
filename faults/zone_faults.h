#pragma once

// Faults of a whole availability zone: lose_zone.

#include "faults/injector.h"

namespace highwater::faults {

// The victims are the hosts of one zone. Its servers go off (power: off) or stay up; nobody outside
// hears from anybody inside, clients included.
[[nodiscard]] std::unique_ptr<Fault> MakeLoseZone(const FaultOrder& order);

}  // namespace highwater::faults
