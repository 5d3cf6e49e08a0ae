#pragma once

// The smallest world, for tests of core: a wheel, first-in first-out, time that jumps to the next
// event.

#include "core/fibers.h"

namespace highwater::core {

class TinyWorld final : public FiberBackend {
 public:
  MonotonicTime Now() const override { return MonotonicTime::FromNanos(wheel_.now()); }
  void MakeReady(Fiber& fiber) override { wheel_.Set(fiber.ready_node(), wheel_.now()); }
  void OnReady(Fiber& fiber) override { fiber.Resume(); }
  void SetTimer(TimerNode& node, MonotonicTime when) override { wheel_.Set(node, when.nanos()); }
  void CancelTimer(TimerNode& node) override { wheel_.Cancel(node); }
  void RunUntil(int64_t nanos) {
    while (TimerNode* node = wheel_.PopDue(nanos)) node->OnTimer();
  }

 private:
  TimerWheel wheel_;
};

}  // namespace highwater::core
