#pragma once

// Faults of a host's disk: disk_error, fill_disk, flip_bits, lie_sync, lose_write, misdirect_write,
// replace_disk, slow_disk, stall_disk, swap_disks, tear_write.

#include "faults/injector.h"

namespace highwater::faults {

[[nodiscard]] std::unique_ptr<Fault> MakeDiskError(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeFillDisk(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeFlipBits(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeLieSync(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeLoseWrite(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeMisdirectWrite(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeTearWrite(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeReplaceDisk(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeSlowDisk(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeStallDisk(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeSwapDisks(const FaultOrder& order);

}  // namespace highwater::faults
