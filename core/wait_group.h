#pragma once

// WaitGroup: waits until a number of tasks have ended.
//
//   WaitGroup group(fibers);
//   for (...) { group.Add(); fibers.Spawn("task", [&] { ...; group.Done(); }); }
//   group.Wait();

#include "core/wait_queue.h"

namespace highwater::core {

class WaitGroup {
 public:
  explicit WaitGroup(Fibers& fibers) : fibers_(fibers) {}

  void Add(size_t n = 1) { pending_ += n; }
  void Done() {
    HW_CHECK(pending_ > 0, "Done without Add");
    if (--pending_ == 0) waiters_.WakeAll();
  }
  // kSignaled once nothing is pending.
  Wake Wait(MonotonicTime deadline = MonotonicTime::Never(),
            Cancellation cancellation = Cancellation::kHeeded) {
    while (pending_ > 0) {
      const Wake wake = waiters_.Wait(fibers_, "a wait group", deadline, cancellation);
      if (wake != Wake::kSignaled) return wake;
    }
    return Wake::kSignaled;
  }
  [[nodiscard]] size_t pending() const { return pending_; }

 private:
  Fibers& fibers_;
  size_t pending_ = 0;
  WaitQueue waiters_;
};

}  // namespace highwater::core
