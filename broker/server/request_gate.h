#pragma once

// RequestGate: bounds what all clients together may have at work: queued.max.requests and
// queued.max.request.bytes.
//
//   RequestGate::Ticket ticket = gate.Enter(request_bytes);      // waits its turn
//   ticket.ReleaseTurn();                                        // before a long poll: others may
//   work meanwhile
//
// Requests of up to kSmallRequest bytes pass the limit on bytes, so that metadata and heartbeats go
// on while large requests wait for a stalled disk.

#include <deque>
#include <utility>

#include "core/wait_queue.h"

namespace highwater::broker {

class RequestGate {
 public:
  static constexpr uint64_t kSmallRequest = 16 << 10;

  RequestGate(core::Fibers& fibers, uint64_t max_requests, uint64_t max_bytes)
      : fibers_(fibers), max_requests_(max_requests), max_bytes_(max_bytes) {}

  // A request's right to be at work; ends with it.
  class Ticket {
   public:
    Ticket(Ticket&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), bytes_(other.bytes_), turn_(other.turn_) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
      if (gate_ != nullptr) gate_->Leave(bytes_, turn_);
    }
    // Counts no longer as one of the requests at work, only by its bytes.
    void ReleaseTurn() {
      if (gate_ != nullptr && turn_) gate_->Leave(0, true);
      turn_ = false;
    }
    // Its bytes are no longer held either.
    void ReleaseAll() {
      if (gate_ != nullptr) gate_->Leave(bytes_, turn_);
      gate_ = nullptr;
    }

   private:
    friend class RequestGate;
    Ticket(RequestGate* gate, uint64_t bytes) : gate_(gate), bytes_(bytes) {}
    RequestGate* gate_;
    uint64_t bytes_;
    bool turn_ = true;
  };

  // Waits until there is room, first come first served among those that wait. REQUIRES: on a fiber.
  [[nodiscard]] Ticket Enter(uint64_t bytes) {
    while (!HasRoom(bytes)) {
      core::WaitQueue& queue = bytes > kSmallRequest ? large_ : small_;
      queue.Wait(fibers_, "a turn among the requests", core::MonotonicTime::Never(),
                 core::Cancellation::kIgnored);
    }
    ++requests_;
    bytes_ += bytes;
    // Room for one may be room for several.
    small_.WakeOne();
    large_.WakeOne();
    return {this, bytes};
  }

  [[nodiscard]] uint64_t requests() const { return requests_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

 private:
  bool HasRoom(uint64_t bytes) const {
    if (requests_ >= max_requests_) return false;
    // One request always fits, however large.
    return bytes <= kSmallRequest || bytes_ == 0 || bytes_ + bytes <= max_bytes_;
  }
  void Leave(uint64_t bytes, bool turn) {
    if (fibers_.unwinding()) return;
    bytes_ -= bytes;
    if (turn) --requests_;
    small_.WakeOne();
    large_.WakeOne();
  }

  core::Fibers& fibers_;
  uint64_t max_requests_;
  uint64_t max_bytes_;
  uint64_t requests_ = 0;
  uint64_t bytes_ = 0;
  core::WaitQueue small_;
  core::WaitQueue large_;
};

}  // namespace highwater::broker
