#pragma once

// HostNetwork: a host's kernel as far as the network goes: its ports, listeners, and the ends of
// its connections. It outlives processes and settles what they leave.

#include <absl/container/btree_map.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <memory>

#include "core/wait_queue.h"
#include "sim/application.h"
#include "sim/network/tcp_side.h"

namespace highwater::sim {

class Host;
class SimulatedProcess;

// A port on which a process listens.
class TcpListener {
 public:
  TcpListener(SimulatedProcess& process, uint16_t port) : process(process), port(port) {}

  struct InputNode final : core::TimerNode {
    explicit InputNode(TcpListener& l) : listener(l) {}
    void OnTimer() override { listener.acceptors.WakeOne(); }
    TcpListener& listener;
  };

  SimulatedProcess& process;
  uint16_t port;
  std::deque<TcpSide*> backlog;
  core::WaitQueue acceptors;
  InputNode input{*this};
};

class HostNetwork {
 public:
  explicit HostNetwork(Host& host) : host_(host) {}

  // AlreadyExists if the port is taken; 0 picks one.
  absl::StatusOr<TcpListener*> Listen(SimulatedProcess& process, uint16_t port);
  void CloseListener(TcpListener& listener);
  [[nodiscard]] TcpListener* FindListener(uint16_t port);
  // A port for an outgoing connection.
  [[nodiscard]] uint16_t NextPort();
  // The nth connection that this host has asked for to `to`, for its key.
  [[nodiscard]] uint64_t NextDialTo(HostId to) { return dials_[to]++; }

  void Add(TcpSide& side);
  void Remove(TcpSide& side);

  // The process is being destroyed: nothing here may reach into it any more.
  void ForgetProcess();
  // It is destroyed: ends, resets or silences what it had open.
  void OnProcessGone(ProcessEnd end);
  void OnPowerLost();

 private:
  void Settle(TcpSide& side, ProcessEnd end);

  Host& host_;
  absl::btree_map<uint16_t, std::unique_ptr<TcpListener>> listeners_;
  absl::btree_map<HostId, uint64_t> dials_;
  uint16_t next_port_ = 32768;
  TcpSide* first_ = nullptr;
  TcpSide* last_ = nullptr;
};

}  // namespace highwater::sim
