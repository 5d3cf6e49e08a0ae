#pragma once

// Faults of a host's disk: disk_error, fill_disk, flip_bits, slow_disk, stall_disk.

#include "faults/injector.h"

namespace highwater::faults {

[[nodiscard]] std::unique_ptr<Fault> MakeDiskError(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeFillDisk(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeFlipBits(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeSlowDisk(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeStallDisk(const FaultOrder& order);

}  // namespace highwater::faults
