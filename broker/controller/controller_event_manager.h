#pragma once

// ControllerEventManager: the controller's queue of events and the one fiber that processes them,
// each to the end before the next.
//
//   ControllerEventManager events(env);
//   events.Start();
//   events.Put({.name = "BrokerChange", .process = [&] { ProcessBrokerChange(); }});
//
// Follows [C1], [C3].
//
// Invariants:
//   1. Events are processed in the order of Put; ClearAndPut drops those that wait.
//   2. Each event is either processed, or preempted, once; or dropped by Stop.

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "core/environment.h"
#include "core/wait_queue.h"

namespace highwater::broker::controller {

struct ControllerEvent {
  const char* name = "";
  absl::AnyInvocable<void()> process;
  // What a dropped event still has to do: answer. May be null.
  absl::AnyInvocable<void()> preempt;
};

class ControllerEventManager {
 public:
  explicit ControllerEventManager(core::Environment& env) : env_(env) {}
  ~ControllerEventManager() { Stop(); }
  ControllerEventManager(const ControllerEventManager&) = delete;
  ControllerEventManager& operator=(const ControllerEventManager&) = delete;

  void Start() {
    state_ = std::make_shared<State>();
    env_.fibers.Spawn("controller events", [this, state = state_] { Run(state); });
  }
  // Nothing is processed after the event at work; what waits is preempted.
  void Stop() {
    if (state_ == nullptr) return;
    state_->stopped = true;
    Clear();
    state_->changed.WakeAll();
    state_.reset();
  }
  // Waits until the event at work, if any, is over. REQUIRES: on a fiber, not the event's own.
  void StopAndWait() {
    const auto state = state_;
    Stop();
    while (state != nullptr && state->processing) {
      if (state->changed.Wait(env_.fibers, "the controller's last event",
                              core::MonotonicTime::Never()) == core::Wake::kCancelled) {
        return;
      }
    }
  }

  void Put(ControllerEvent event) {
    if (state_ == nullptr) {
      if (event.preempt) event.preempt();
      return;
    }
    state_->events.push_back(std::move(event));
    state_->changed.WakeAll();
  }
  // [C3] Jumps the queue: what waits is preempted.
  void ClearAndPut(ControllerEvent event) {
    Clear();
    Put(std::move(event));
  }

  [[nodiscard]] size_t waiting() const { return state_ == nullptr ? 0 : state_->events.size(); }

 private:
  struct State {
    bool stopped = false;
    bool processing = false;
    std::deque<ControllerEvent> events;
    core::WaitQueue changed;
  };

  void Clear() {
    std::deque<ControllerEvent> dropped;
    std::swap(dropped, state_->events);
    for (ControllerEvent& event : dropped) {
      if (event.preempt) event.preempt();
    }
  }
  void Run(const std::shared_ptr<State>& state) {
    while (!state->stopped) {
      if (state->events.empty()) {
        static_cast<void>(
            state->changed.Wait(env_.fibers, "a controller event", core::MonotonicTime::Never()));
        continue;
      }
      ControllerEvent event = std::move(state->events.front());
      state->events.pop_front();
      state->processing = true;
      event.process();
      state->processing = false;
      state->changed.WakeAll();
    }
  }

  core::Environment& env_;
  std::shared_ptr<State> state_;  // null unless started
};

}  // namespace highwater::broker::controller
