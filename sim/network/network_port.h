#pragma once

// NetworkPort: the seam's Network for one simulated process, with its connections and listeners.

#include "core/network.h"

namespace highwater::sim {

class SimulatedProcess;

class NetworkPort final : public core::Network {
 public:
  explicit NetworkPort(SimulatedProcess& process) : process_(process) {}
  [[nodiscard]] absl::StatusOr<std::unique_ptr<core::Connection>> Dial(
      const core::Endpoint& to, core::MonotonicTime deadline) override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<core::Listener>> Listen(
      const core::Endpoint& at) override;

 private:
  SimulatedProcess& process_;
};

}  // namespace highwater::sim
