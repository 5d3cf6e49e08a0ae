#pragma once

// ListenerPort: a process's handle on a port on which it listens.

#include "core/network.h"

namespace highwater::sim {

class SimulatedProcess;
class TcpListener;

class ListenerPort final : public core::Listener {
 public:
  ListenerPort(SimulatedProcess& process, TcpListener& listener);
  ~ListenerPort() override { Close(); }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<core::Connection>> Accept(
      core::MonotonicTime deadline) override;
  [[nodiscard]] const core::Endpoint& local() const override { return local_; }
  void Close() override;

 private:
  SimulatedProcess& process_;
  TcpListener* listener_;  // nullptr once closed
  core::Endpoint local_;
};

}  // namespace highwater::sim
