#pragma once

// Fibers: the concurrency of one process. Straight-line code that waits without blocking the
// thread.
//
//   env.fibers.Spawn("accept", [&] {
//     while (env.fibers.SleepFor(absl::Seconds(1)) != core::Wake::kCancelled) { ... }
//   });
//
// A fiber runs until it waits, so code between two waits is atomic towards other fibers of its
// world. Every wait names what it waits for, ends at a deadline and can be cancelled. Fibers
// decides nothing about order or time: a FiberBackend (core/os on Linux, sim/ in simulation) says
// when a fiber runs next.
//
// Unwinding. A crash ends all fibers of a process at one instant: each is resumed once more and
// leaves by an internal exception, so that destructors run. By then its ports are dead and do
// nothing. Invariants:
//   1. A destructor and a noexcept function never wait: waiting while unwinding fails a check, and
//   so does an unwinding that
//      meets a noexcept frame.
//   2. A bare catch (...) around a wait is forbidden: it would swallow the unwinding.
//   3. A finished or unwound fiber is never resumed; a FiberHandle to it does nothing.
//
// Not responsible for: mutual exclusion (core/mutex.h), waking in order (core/wait_queue.h).

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/fiber_stack.h"
#include "core/monotonic_time.h"
#include "core/timer_wheel.h"

#if defined(HW_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif

namespace highwater::core {

class Fiber;
class Fibers;
struct Waiter;

// Why a wait ended.
enum class Wake : uint8_t { kSignaled, kDeadline, kCancelled };

// Whether a wait ends when its fiber is cancelled.
enum class Cancellation : uint8_t { kHeeded, kIgnored };

// What a world gives to the fibers of one process.
class FiberBackend {
 public:
  virtual ~FiberBackend() = default;
  [[nodiscard]] virtual MonotonicTime Now() const = 0;
  // `fiber` can run: the world calls fiber.Resume() later, once, from its scheduler. It may use
  // fiber.ready_node() to queue it and is called back by OnReady when that node's time has come.
  virtual void MakeReady(Fiber& fiber) = 0;
  virtual void OnReady(Fiber& fiber) = 0;
  // Calls node.OnTimer() at `when` of this process's clock, unless cancelled.
  virtual void SetTimer(TimerNode& node, MonotonicTime when) = 0;
  virtual void CancelTimer(TimerNode& node) = 0;
};

// A fiber as a debugger sees it.
struct FiberInfo {
  std::string name;
  std::string state;       // "running", "ready" or what it waits for
  MonotonicTime since;     // start of the wait
  MonotonicTime deadline;  // Never() if it waits without one
};

// A weak reference to a fiber, valid as long as its thread. A fiber lies at the top of its stack,
// beside a word that counts the fibers which have ended there: a handle whose count is behind means
// a fiber that has gone.
class FiberHandle {
 public:
  FiberHandle() = default;
  // Ends the fiber's present wait with kCancelled, and each later one at once. No effect on a
  // finished fiber.
  void Cancel();
  [[nodiscard]] bool finished() const { return ended_ == nullptr || *ended_ != ended_before_; }

 private:
  friend class Fibers;
  FiberHandle(Fiber* fiber, const uint64_t* ended)
      : fiber_(fiber), ended_(ended), ended_before_(*ended) {}
  Fiber* fiber_ = nullptr;
  const uint64_t* ended_ = nullptr;
  uint64_t ended_before_ = 0;
};

class Fiber {
 public:
  [[nodiscard]] std::string_view name() const { return {name_, name_length_}; }
  // Who this fiber is, the same in every run in which its parent spawned it as its nth child.
  [[nodiscard]] uint64_t path() const { return path_; }
  // How often it was resumed.
  [[nodiscard]] uint64_t wakes() const { return wakes_; }
  // Counts the draws since it was last resumed; returns the count before.
  uint64_t CountDraw() {
    if (draws_in_wake_ != wakes_) {
      draws_in_wake_ = wakes_;
      draws_ = 0;
    }
    return draws_++;
  }
  [[nodiscard]] Fibers& group() { return *group_; }

  // Ends a wait. No effect unless the fiber is parked. For those who hold a Waiter; others wake
  // through a WaitQueue.
  void Unpark(Wake wake);

  // For the backend: runs the fiber until it waits or ends. REQUIRES: it was made ready.
  inline void Resume();
  // Fetches what Resume will touch into the cache. Worth half a switch if it is called one or two
  // resumptions before.
  void Prefetch() const {
    const auto* top = reinterpret_cast<const char*>(this);
    for (int line = 0; line < 6; ++line) __builtin_prefetch(top - 64 * line);
  }
  [[nodiscard]] TimerNode& ready_node() { return ready_node_; }

 private:
  friend class Fibers;
  friend class FiberHandle;
  friend struct Waiter;
  enum class State : uint8_t { kReady, kRunning, kParked, kFinished };

  struct DeadlineNode final : TimerNode {
    explicit DeadlineNode(Fiber& f) : fiber(f) {}
    void OnTimer() override { fiber.Unpark(Wake::kDeadline); }
    Fiber& fiber;
  };
  struct ReadyNode final : TimerNode {
    explicit ReadyNode(Fiber& f) : fiber(f) {}
    inline void OnTimer() override;
    Fiber& fiber;
  };

  Fiber(Fibers& group, FiberStack stack, std::string_view name, uint64_t path,
        absl::AnyInvocable<void()> body);
  ~Fiber() = default;

  // How much of the stack's top a fiber and the word beside it take.
  static size_t SizeOnStack();
  [[nodiscard]] static void* PlaceOn(const FiberStack& stack);
  [[nodiscard]] static uint64_t* EndedOn(const FiberStack& stack);

  static void Enter(boost::context::detail::transfer_t from);
  void Run();
  Wake SwitchOut();
  inline void SwitchIn();

  // What a switch touches, in one cache line.
  boost::context::detail::fcontext_t
      context_;  // its own while it is parked; of its resumer while it runs
  Fibers* group_;
  Waiter* waiter_ = nullptr;
  State state_ = State::kReady;
  Wake wake_ = Wake::kSignaled;
  Cancellation cancellation_ = Cancellation::kHeeded;
  bool cancelled_ = false;
  bool unwinding_ = false;
  uint8_t name_length_ = 0;
  uint64_t wakes_ = 0;
  uint8_t* lowest_frame_;  // that a wait may have
  const char* waiting_for_ = nullptr;
  MonotonicTime since_;
  // What its wake-up touches.
  ReadyNode ready_node_{*this};
  MonotonicTime deadline_ = MonotonicTime::Never();
  DeadlineNode deadline_node_{*this};

  uint64_t path_;
  uint64_t draws_ = 0;
  uint64_t draws_in_wake_ = 0;
  uint64_t children_ = 0;
  Fiber* previous_live_ = nullptr;
  Fiber* next_live_ = nullptr;
  FiberStack stack_;
  absl::AnyInvocable<void()> body_;
  // The stack of its resumer, as AddressSanitizer wants to be told.
  [[maybe_unused]] const void* resumer_bottom_ = nullptr;
  [[maybe_unused]] size_t resumer_size_ = 0;
  char name_[34];
};

class Fibers {
 public:
  // `path` identifies the process among all of its world's, for keyed draws.
  Fibers(FiberBackend& backend, uint64_t path);
  // REQUIRES: no live fibers; UnwindAll sees to that.
  ~Fibers();
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  // Starts `body` on a new fiber, which runs after the caller waits or returns to the scheduler.
  // `name` is cut to 34 bytes. After UnwindAll has begun: destroys `body` and returns an empty
  // handle.
  FiberHandle Spawn(std::string_view name, absl::AnyInvocable<void()> body);

  [[nodiscard]] MonotonicTime Now() const { return backend_.Now(); }
  // Waits until `when`: kDeadline when it has come, or kCancelled.
  Wake SleepUntil(MonotonicTime when) { return Park("sleep", when); }
  Wake SleepFor(absl::Duration duration) { return SleepUntil(Now() + duration); }
  // Lets others run: returns kSignaled, or kCancelled.
  Wake Yield();

  // The wait under all others: parks the current fiber until Unpark, `deadline` or Cancel.
  // `waiting_for` is a literal, printed when a world does not end. REQUIRES: on a fiber of this
  // process that is not unwinding.
  Wake Park(const char* waiting_for, MonotonicTime deadline,
            Cancellation cancellation = Cancellation::kHeeded);
  // Parks for good: only unwinding ends it. For Process::Halt.
  [[noreturn]] void ParkForever(const char* waiting_for);

  // The running fiber of this process, or nullptr outside of one.
  [[nodiscard]] Fiber* current() const { return current_; }
  [[nodiscard]] uint64_t path() const { return path_; }

  // Calls `timer`'s OnTimer at `when` of this process's clock, outside any fiber.
  void SetTimer(TimerNode& timer, MonotonicTime when) { backend_.SetTimer(timer, when); }
  void CancelTimer(TimerNode& timer) { backend_.CancelTimer(timer); }

  // Ends every fiber at this instant, the youngest first: what lies on the stack of an older one
  // outlives those that it spawned. REQUIRES: not on a fiber of this process.
  void UnwindAll();
  [[nodiscard]] bool unwinding() const { return unwinding_; }

  [[nodiscard]] size_t live() const { return live_; }
  [[nodiscard]] std::vector<FiberInfo> Describe() const;

 private:
  friend class Fiber;
  friend class FiberHandle;
  void Finish(Fiber& fiber);

  FiberBackend& backend_;
  uint64_t path_;
  Fiber* current_ = nullptr;
  Fiber* first_live_ = nullptr;
  Fiber* last_live_ = nullptr;
  size_t live_ = 0;
  uint64_t roots_ = 0;
  bool unwinding_ = false;
};

void Fiber::SwitchIn() {
#if defined(HW_ASAN)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_.low,
                                 static_cast<size_t>(stack_.high - stack_.low));
#endif
  context_ = boost::context::detail::jump_fcontext(context_, this).fctx;
#if defined(HW_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

// Inline, as few returns follow a switch as can be: the processor predicts each of them from the
// other stack.
void Fiber::Resume() {
  HW_CHECK(state_ == State::kReady, "resume of fiber \"{}\", which is not ready", name());
  Fibers& group = *group_;
  Fiber* const outer = std::exchange(group.current_, this);
  state_ = State::kRunning;
  ++wakes_;
  SwitchIn();
  group.current_ = outer;
  if (state_ == State::kFinished) group.Finish(*this);
}

void Fiber::ReadyNode::OnTimer() { fiber.group_->backend_.OnReady(fiber); }

// What Wake says in a function that returns Status: OK, DeadlineExceeded or Cancelled.
[[nodiscard]] absl::Status ToStatus(Wake wake, std::string_view waiting_for);

}  // namespace highwater::core
