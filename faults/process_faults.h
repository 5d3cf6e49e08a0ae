#pragma once

// Faults of a host's process, power and clock: crash_broker, stop_broker, power_loss,
//, freeze, clock_jump.

#include "faults/injector.h"

namespace highwater::faults {

[[nodiscard]] std::unique_ptr<Fault> MakeCrash(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeStop(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakePowerLoss(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeFreeze(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeClockJump(const FaultOrder& order);

}  // namespace highwater::faults
