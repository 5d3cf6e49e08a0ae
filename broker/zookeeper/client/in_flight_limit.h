#pragma once

// InFlightLimit: at most so many requests at a time; who waits gets room first-in first-out.
//
//   if (!limit.Acquire(fibers)) return;   // cancelled
//   ... once answered: limit.Release();

#include "core/wait_queue.h"

namespace highwater::broker::zookeeper {

class InFlightLimit {
 public:
  explicit InFlightLimit(int64_t limit) : room_(limit) {
    HW_CHECK(limit > 0, "a limit of {} requests in flight", limit);
  }

  // False if the fiber was cancelled first: nothing is held then.
  [[nodiscard]] bool Acquire(core::Fibers& fibers) {
    if (room_ > 0) {
      --room_;
      return true;
    }
    return waiters_.Wait(fibers, "room for a request to ZooKeeper", core::MonotonicTime::Never()) ==
           core::Wake::kSignaled;
  }
  void Release() {
    if (!waiters_.WakeOne()) ++room_;  // otherwise the room passes to whom it woke
  }

 private:
  int64_t room_;
  core::WaitQueue waiters_;
};

}  // namespace highwater::broker::zookeeper
