#pragma once

// WaitQueue: fibers that wait for the same thing, woken first-in first-out. The base of mutex,
// condition, channel, wait group and of whatever else has to wait; fibers of several processes may
// wait in one queue (the two ends of a simulated connection).
//
//   while (!ready) HW_RETURN_IF_ERROR(ToStatus(queue.Wait(fibers, "readiness", deadline),
//   "readiness"));
//   ... elsewhere: ready = true; queue.WakeAll();
//
// A wake is never lost to a fiber whose deadline has already come: such a fiber has left the queue
// at that instant.

#include "core/fibers.h"

namespace highwater::core {

// A fiber's place in a queue, on the fiber's own stack.
struct Waiter {
  Waiter(Fiber& f, Waiter*& first, Waiter*& last) : fiber(f), first_(&first), last_(&last) {
    previous_ = last;
    (last != nullptr ? last->next_ : first) = this;
    last = this;
    fiber.waiter_ = this;
  }
  ~Waiter() { Unlink(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Leaves the queue; no effect the second time.
  void Unlink() {
    if (first_ == nullptr) return;
    (previous_ != nullptr ? previous_->next_ : *first_) = next_;
    (next_ != nullptr ? next_->previous_ : *last_) = previous_;
    first_ = nullptr;
    fiber.waiter_ = nullptr;
  }

  Fiber& fiber;
  Waiter* next() const { return next_; }

 private:
  Waiter** first_;
  Waiter** last_;
  Waiter* previous_ = nullptr;
  Waiter* next_ = nullptr;
};

class WaitQueue {
 public:
  WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;
  // A queue may go while fibers that are being unwound still stand in it; they are let out.
  ~WaitQueue() {
    while (first_ != nullptr) {
      HW_CHECK(first_->fiber.group().unwinding(), "a queue is destroyed while fiber \"{}\" waits",
               first_->fiber.name());
      first_->Unlink();
    }
  }

  // Waits for a wake. REQUIRES: on a fiber of `fibers`.
  Wake Wait(Fibers& fibers, const char* waiting_for, MonotonicTime deadline,
            Cancellation cancellation = Cancellation::kHeeded) {
    HW_CHECK(fibers.current() != nullptr, "a wait for {} outside a fiber", waiting_for);
    Waiter waiter(*fibers.current(), first_, last_);
    return fibers.Park(waiting_for, deadline, cancellation);
  }
  // Wakes the one that waits longest; false if nobody waits.
  bool WakeOne() {
    if (first_ == nullptr) return false;
    first_->fiber.Unpark(Wake::kSignaled);  // unlinks it
    return true;
  }
  void WakeAll() {
    while (WakeOne()) {
    }
  }
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  // The fiber that WakeOne would wake. REQUIRES: !empty().
  [[nodiscard]] Fiber& front() const { return first_->fiber; }

 private:
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

}  // namespace highwater::core
