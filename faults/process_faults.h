#pragma once

// Faults of a host's process, power and clock: crash_broker, stop_broker, rolling_restart,
// power_loss, freeze, clock_jump, clock_drift; and lose_quorum, which does it to most of a
// ZooKeeper ensemble.

#include "faults/injector.h"

namespace highwater::faults {

[[nodiscard]] std::unique_ptr<Fault> MakeClockDrift(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeClockJump(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeCrash(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeFreeze(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeLoseQuorum(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakePowerLoss(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeRollingRestart(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeStop(const FaultOrder& order);

}  // namespace highwater::faults
