#pragma once

// TcpConnection: a connection between two hosts from the first SYN until neither kernel keeps
// anything of it.
//
// The handshake is a SYN there and an answer back. Silence makes the dialer ask again after 1, 2,
// 4, … s; a host without a listener on the port refuses; a listener whose backlog is full is as
// silent as a lost SYN.

#include <cstdint>

#include "core/timer_wheel.h"
#include "sim/network/tcp_side.h"

namespace highwater::sim {

class SimulatedNetwork;
class Vip;

class TcpConnection {
 public:
  // `slot` is where the network keeps it.
  TcpConnection(SimulatedNetwork& network, Host& from, uint16_t from_port, Host& to,
                uint16_t to_port, uint32_t slot);
  ~TcpConnection();
  TcpConnection(const TcpConnection&) = delete;
  TcpConnection& operator=(const TcpConnection&) = delete;

  [[nodiscard]] SimulatedNetwork& network() { return network_; }
  [[nodiscard]] TcpSide& dialer() { return dialer_; }
  [[nodiscard]] TcpSide& acceptor() { return acceptor_; }
  [[nodiscard]] uint32_t slot() const { return slot_; }
  // What made the handshake late.
  [[nodiscard]] FaultId fault() const { return fault_; }

  // The links of both directions, the key of its draws, and the VIP through which it goes, or null.
  void SetPath(Link& there, Link& back, uint64_t key, Vip* vip);
  [[nodiscard]] Vip* vip() const { return vip_; }
  // Sends the SYN. REQUIRES: SetPath; a process holds the dialer's side.
  void Connect();
  // Frees this if neither side is of use any more.
  void FreeIfIdle();

 private:
  enum class Stage : uint8_t { kSyn, kSynAck, kRefused, kDone };
  struct HandshakeNode final : core::TimerNode {
    explicit HandshakeNode(TcpConnection& c) : connection(c) {}
    void OnTimer() override { connection.OnHandshake(); }
    TcpConnection& connection;
  };

  void OnHandshake();
  void OnSyn();
  void OnAnswer();
  void AskAgain(FaultId fault);
  void FailDial(absl::Status error, FaultId fault);

  SimulatedNetwork& network_;
  TcpSide dialer_;
  TcpSide acceptor_;
  Vip* vip_ = nullptr;
  uint32_t slot_;
  Stage stage_ = Stage::kSyn;
  int attempts_ = 0;
  FaultId fault_;
  HandshakeNode handshake_;
};

}  // namespace highwater::sim
