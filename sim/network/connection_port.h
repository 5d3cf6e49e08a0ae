#pragma once

// ConnectionPort: a process's handle on its end of a connection.

#include "core/network.h"
#include "core/timer_wheel.h"

namespace highwater::sim {

class SimulatedProcess;
class TcpSide;

class ConnectionPort final : public core::Connection {
 public:
  // REQUIRES: `process` holds `side`.
  ConnectionPort(SimulatedProcess& process, TcpSide& side);
  // `peer`: the address that was dialled, where it is not the peer's own.
  ConnectionPort(SimulatedProcess& process, TcpSide& side, core::Endpoint peer);
  ~ConnectionPort() override { Close(); }

  [[nodiscard]] absl::StatusOr<core::ByteChain> Read(size_t max,
                                                     core::MonotonicTime deadline) override;
  [[nodiscard]] absl::StatusOr<core::ByteChain> TryRead(size_t max) override;
  [[nodiscard]] absl::Status Write(const core::Payload& payload,
                                   core::MonotonicTime deadline) override;
  void OnReadable(absl::AnyInvocable<void()> callback) override;
  void Close() override;
  [[nodiscard]] const core::Endpoint& local() const override { return local_; }
  [[nodiscard]] const core::Endpoint& peer() const override { return peer_; }

 private:
  // Calls back, outside of Close, who was waiting to read when the connection was closed here.
  struct ClosedNote final : core::TimerNode {
    void OnTimer() override { std::exchange(callback, nullptr)(); }
    absl::AnyInvocable<void()> callback;
  };

  [[nodiscard]] absl::StatusOr<core::ByteChain> Take(size_t max);
  [[nodiscard]] absl::Status WriteBytes(core::Bytes bytes, core::MonotonicTime deadline);
  [[nodiscard]] absl::Status WriteRange(const core::FileRange& range, core::MonotonicTime deadline);
  [[nodiscard]] absl::Status WaitForRoom(core::MonotonicTime deadline);
  [[nodiscard]] absl::Status CheckUsable();
  void Break();

  SimulatedProcess& process_;
  TcpSide* side_;  // nullptr once closed by us
  core::Endpoint local_;
  core::Endpoint peer_;
  ClosedNote closed_note_;
};

}  // namespace highwater::sim
