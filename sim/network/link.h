#pragma once

// Link: one direction between two hosts, with the faults that concern it now; Queue: a bandwidth
// that several links may share.
//
// A link knows when a segment that is sent now would arrive; order within a connection is its
// connection's matter (tcp.h).

#include <algorithm>
#include <cstdint>

#include "sim/event_kind.h"
#include "sim/fault_ledger.h"
#include "sim/network/link_fault.h"
#include "sim/network/network_options.h"

namespace highwater::sim {

// Bytes leave it one after another. Without limit it does nothing.
class Queue {
 public:
  Queue() = default;
  // 0: without limit.
  explicit Queue(int64_t bytes_per_second)
      : ps_per_byte_(bytes_per_second == 0 ? 0 : 1'000'000'000'000 / bytes_per_second) {}
  // When the last of `bytes` that come at `now` is through.
  int64_t Pass(int64_t now, int64_t bytes) {
    if (ps_per_byte_ == 0) return now;
    free_at_ = std::max(now, free_at_) + bytes * ps_per_byte_ / 1000;
    return free_at_;
  }

 private:
  int64_t ps_per_byte_ = 0;
  int64_t free_at_ = 0;
};

// NetworkOptions in the units of the simulation.
struct TcpParameters {
  explicit TcpParameters(const NetworkOptions& options);
  int64_t window;
  size_t backlog;
  int64_t rto_low;
  int64_t rto_high;
  int64_t give_up;
  int64_t syn_timeout;
  int syn_retries;
};

struct alignas(64) Link {
  // What every message touches fills one cache line.
  int64_t base = 0;    // ns, one way
  int64_t jitter = 0;  // at most so much more
  Queue* egress = nullptr;
  Queue* between = nullptr;
  Queue* ingress = nullptr;
  FaultId silenced;
  FaultId resetting;
  uint32_t zone_pair = 0;  // index of the zones that it joins
  bool tail = false;
  bool faulty = false;     // any fault concerns it
  bool forwarded = false;  // it goes through a VIP's node

  HostId from;
  HostId to;
  HostId through;                 // the node, if it is forwarded
  uint32_t second_zone_pair = 0;  // of the way behind the node
  uint64_t key = 0;               // of its draws

  // What faults make of it, beside silence and resets.
  FaultId delayed;
  FaultId lossy;
  FaultId squeezed;
  int64_t extra_delay = 0;
  int64_t extra_jitter = 0;
  int64_t loss_ppm = 0;
  Queue squeeze;

  // Restores a link without faults.
  void ClearFaults();
  void Add(const LinkFault& fault);

  struct Flight {
    int64_t arrival;
    FaultId fault;  // what made it later
  };
  // A segment of `bytes` sent at `now`, with 64 drawn bits of its own. `retransmission` is what a
  // loss costs.
  [[nodiscard]] Flight Send(int64_t now, int64_t bytes, uint64_t draw, int64_t retransmission) {
    int64_t at = egress == nullptr ? now : egress->Pass(now, bytes);
    if (between != nullptr) at = between->Pass(at, bytes);
    FaultId fault;
    if (faulty) [[unlikely]]
      at = Suffer(at, bytes, draw, retransmission, fault);
    at += Latency(draw);
    if (ingress != nullptr) at = ingress->Pass(at, bytes);
    return {at, fault};
  }

 private:
  [[nodiscard]] int64_t Latency(uint64_t draw) const {
    __extension__ using Wide = unsigned __int128;
    int64_t result =
        base + static_cast<int64_t>(static_cast<Wide>(draw) * static_cast<uint64_t>(jitter) >> 64);
    // The low 20 bits draw the tail, which jitter hardly looks at.
    if (tail && (draw & 0xfffff) < 10486) [[unlikely]]
      result += Tail(draw & 0xfffff);
    return result;
  }
  [[nodiscard]] int64_t Tail(uint64_t draw) const;
  [[nodiscard]] int64_t Suffer(int64_t at, int64_t bytes, uint64_t draw, int64_t retransmission,
                               FaultId& fault);
};

}  // namespace highwater::sim
