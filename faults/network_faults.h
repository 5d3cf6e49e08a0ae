#pragma once

// Faults of the network: partition_network, slow_network.

#include "faults/injector.h"

namespace highwater::faults {

[[nodiscard]] std::unique_ptr<Fault> MakePartition(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeSlowNetwork(const FaultOrder& order);

}  // namespace highwater::faults
