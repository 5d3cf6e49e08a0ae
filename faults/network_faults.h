#pragma once

// Faults of the network: partition_network, split_brain, expire_session, lose_reply,
// reset_connections, slow_network, squeeze_network, drift_vip.

#include "faults/injector.h"

namespace highwater::faults {

[[nodiscard]] std::unique_ptr<Fault> MakeDriftVip(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeExpireSession(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeLoseReply(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakePartition(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeResetConnections(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeSlowNetwork(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeSplitBrain(const FaultOrder& order);
[[nodiscard]] std::unique_ptr<Fault> MakeSqueezeNetwork(const FaultOrder& order);

}  // namespace highwater::faults
