#pragma once

// TcpSide: one end of a connection, as a kernel keeps it: what it has sent that is not yet read,
// and what happened to the peer.
//
// Silence. A segment that finds its link silenced or its host without power is sent again after
// growing time-outs; only when the kernel gives up does the sender learn of it. One that finds
// nobody at the other end (its process died while the link was silenced, its host came back with a
// new kernel) is answered with a reset. Resets themselves are sent once.
//
// Back-pressure. At most a window of bytes is sent and unread. The reader tells what it has read
// once half a window has gathered.
//
// Invariants:
//   1. Segments of one direction arrive in the order in which they were sent, before its end.
//   2. Nothing of a process is called once it is dead; a side outlives its process.

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include <cstdint>

#include "core/timer_wheel.h"
#include "core/wait_queue.h"
#include "sim/event_kind.h"
#include "sim/fault_ledger.h"
#include "sim/network/link.h"
#include "sim/network/piece_ring.h"

namespace highwater::sim {

class Host;
class MessageSink;
class SimulatedProcess;
class TcpConnection;
struct MessageWay;

class TcpSide {
 public:
  enum class Holder : uint8_t { kNobody, kBacklog, kProcess };
  enum class State : uint8_t { kConnecting, kOpen };

  TcpSide(TcpConnection& connection, TcpSide& peer, Host& host, uint16_t port);

  [[nodiscard]] TcpConnection& connection() { return connection_; }
  [[nodiscard]] TcpSide& peer() { return peer_; }
  [[nodiscard]] Host& host() { return host_; }
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] Link& link() { return *link_; }
  [[nodiscard]] Holder holder() const { return holder_; }
  [[nodiscard]] State state() const { return state_; }

  // For the handshake.
  void SetLinkAndKey(Link& link, uint64_t key) {
    link_ = &link;
    key_ = key;
  }
  // What is sent from now on, or again, takes another way; what is on its way arrives as it would.
  void SetLink(Link& link) { link_ = &link; }
  void Open(int64_t not_before) {
    state_ = State::kOpen;
    silent_ = false;
    last_arrival_ = not_before;
  }
  void HoldInBacklog() { holder_ = Holder::kBacklog; }
  void HoldBy(SimulatedProcess& process) {
    holder_ = Holder::kProcess;
    process_ = &process;
  }
  // When a segment of no size that is sent now arrives at the peer.
  [[nodiscard]] int64_t ArrivalOfControl();

  // What the process does.
  [[nodiscard]] bool readable() const { return readable_bytes_ > 0 || ended_ || !error_.ok(); }
  [[nodiscard]] size_t readable_bytes() const { return readable_bytes_; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] const absl::Status& error() const { return error_; }
  [[nodiscard]] int64_t Room() const { return window_ - unread_by_peer_; }
  // Takes up to `max` readable bytes.
  [[nodiscard]] core::ByteChain Take(size_t max);
  // Queues `bytes` to be sent by the next Flush. REQUIRES: Room() >= bytes.size().
  void Enqueue(core::Bytes bytes) {
    unread_by_peer_ += static_cast<int64_t>(bytes.size());
    out_.PushBack(std::move(bytes));
  }
  void Flush();
  void SetOnReadable(absl::AnyInvocable<void()> callback);
  // Withdraws and returns it; empty if there is none.
  [[nodiscard]] absl::AnyInvocable<void()> TakeOnReadable() {
    return std::exchange(on_readable_, nullptr);
  }
  // Counts the fault, if any, that made what the process sees now different or later.
  void ObserveRead();
  void ObserveWrite();
  // A wait for bytes ended without any.
  void ObserveWait();
  // A dial was given up.
  void ObserveDial();
  [[nodiscard]] core::WaitQueue& readers() { return readers_; }
  [[nodiscard]] core::WaitQueue& writers() { return writers_; }

  // How the holder lets go: an end of stream after what was sent, a reset, or nothing at all.
  void EndStream();
  void Reset();
  void FallSilent();
  // The process is being destroyed: forgets it and its callback.
  void ForgetProcess();
  // Breaks this end and tells the process that holds it.
  void Fail(absl::Status error, FaultId fault);
  // Tells the process that something has changed, in an event of its own.
  void NotifyLater();

  [[nodiscard]] bool idle() const {
    return holder_ == Holder::kNobody && !deliver_.pending() && !credit_.pending() &&
           !input_.pending();
  }

 private:
  friend class HostNetwork;
  friend class TcpConnection;
  enum class Ending : uint8_t { kNone, kStream, kReset };
  template <void (TcpSide::*kOnTimer)()>
  struct Node final : core::TimerNode {
    explicit Node(TcpSide& s) : side(s) {}
    void OnTimer() override { (side.*kOnTimer)(); }
    TcpSide& side;
  };

  // Something sent from here reaches the peer's host.
  void OnArrival();
  [[nodiscard]] bool IsWithoutPower() const;
  void ArriveAtNobody();
  void OnSilence();
  void OnResettingLink();
  // The peer's host hears how much was read here.
  void OnCredit();
  // The process hears of a change here.
  void OnInput();
  void ReceiveEnd(Ending ending, int64_t now);
  void TellProcess();
  void LetGo();
  void SendCredit();
  void SendEnd(Ending ending);
  void DropUnarrived();
  void DropReadable();
  [[nodiscard]] MessageWay Way() const;
  void TellSent(MessageSink& sink, int64_t bytes);
  [[nodiscard]] uint64_t NextDraw();
  [[nodiscard]] Link::Flight Fly(int64_t bytes, int64_t leaves_after = 0);

  // What every message touches comes first, the sender's part apart from the receiver's.
  Node<&TcpSide::OnArrival> deliver_{*this};
  TcpSide& peer_;
  Link* link_ = nullptr;  // to the peer
  // Sent from here: out_[0, arrived_) lie at the peer unread, out_[arrived_, flushed_) are on their
  // way, the others are to be sent.
  PieceRing out_;
  size_t arrived_ = 0;
  size_t flushed_ = 0;
  int64_t unread_by_peer_ = 0;
  int64_t window_;
  int64_t last_arrival_ = 0;
  uint64_t key_ = 0;
  uint64_t messages_ = 0;
  int retransmissions_ = 0;
  FaultId send_fault_;  // what makes the next arrivals late
  int64_t silence_since_ = -1;
  TcpConnection& connection_;
  Host& host_;
  Ending ending_ = Ending::kNone;

  // Received here.
  bool ended_ = false;
  bool silent_ = false;  // its kernel is gone: nothing is sent again
  Holder holder_ = Holder::kNobody;
  State state_ = State::kConnecting;
  uint16_t port_;
  SimulatedProcess* process_ = nullptr;
  size_t readable_bytes_ = 0;
  absl::Status error_;
  core::WaitQueue readers_;
  core::WaitQueue writers_;
  int64_t untold_ = 0;  // read since the peer was last told
  FaultId read_fault_;  // what made the readable bytes late
  FaultId error_fault_;
  absl::AnyInvocable<void()> on_readable_;
  Node<&TcpSide::OnInput> input_{*this};
  Node<&TcpSide::OnCredit> credit_{*this};
  int64_t told_ = 0;  // on its way to the peer
  int credit_retries_ = 0;

  // All sides of a kernel, in the order of their making.
  TcpSide* previous_ = nullptr;
  TcpSide* next_ = nullptr;
};

}  // namespace highwater::sim
