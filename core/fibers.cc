#include "core/fibers.h"

#include <xmmintrin.h>

#include <cstring>
#include <exception>
#include <new>

#include "core/mix.h"
#include "core/wait_queue.h"

namespace highwater::core {
namespace {

// Thrown through a fiber's frames to end it. Deliberately not a std::exception: nobody else catches
// it.
struct FiberUnwinding {};

// The fiber that is being unwound now, for the terminate handler.
thread_local Fiber* unwinding_fiber = nullptr;

[[noreturn]] void OnTerminate() {
  if (unwinding_fiber != nullptr) {
    internal::FailCheck(__FILE__, __LINE__, "no wait in a destructor or noexcept function",
                        fmt::format("fiber \"{}\" was unwound while it waited inside one",
                                    std::exchange(unwinding_fiber, nullptr)->name()));
  }
  std::abort();
}

// Boost.Context's switch is fifteen times dearer when the sticky floating-point flags of two
// contexts differ: set them all before the first fiber exists (docs: facts of the platform).
struct PrepareThread {
  PrepareThread() {
    _mm_setcsr(_mm_getcsr() | 0x3f);
    std::set_terminate(OnTerminate);
  }
};
thread_local PrepareThread prepare_thread;

// A wait may not begin in the last bytes of a stack: what runs between two waits has at least
// these.
constexpr size_t kStackReserve = 4096;

}  // namespace

void FiberHandle::Cancel() {
  if (finished()) return;
  fiber_->cancelled_ = true;
  if (fiber_->cancellation_ == Cancellation::kHeeded) fiber_->Unpark(Wake::kCancelled);
}

size_t Fiber::SizeOnStack() { return (sizeof(Fiber) + sizeof(uint64_t) + 63) / 64 * 64; }

void* Fiber::PlaceOn(const FiberStack& stack) { return stack.high - SizeOnStack(); }

uint64_t* Fiber::EndedOn(const FiberStack& stack) {
  return reinterpret_cast<uint64_t*>(stack.high) - 1;
}

Fiber::Fiber(Fibers& group, FiberStack stack, std::string_view name, uint64_t path,
             absl::AnyInvocable<void()> body)
    : group_(&group),
      lowest_frame_(stack.low + kStackReserve),
      path_(path),
      stack_(stack),
      body_(std::move(body)) {
  name_length_ = static_cast<uint8_t>(std::min(name.size(), sizeof(name_)));
  std::memcpy(name_, name.data(), name_length_);
  // The fiber object lies at the top of its own stack, at a multiple of 64; the context begins
  // below it.
  auto* top = reinterpret_cast<uint8_t*>(this);
  context_ =
      boost::context::detail::make_fcontext(top, static_cast<size_t>(top - stack.low), Enter);
}

// The first and last frame of a fiber. Contexts are switched by Boost.Context's own layer below its
// `fiber`: ours end by UnwindAll, not by its forced unwinding.
void Fiber::Enter(boost::context::detail::transfer_t from) {
  auto* fiber = static_cast<Fiber*>(from.data);
#if defined(HW_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, &fiber->resumer_bottom_, &fiber->resumer_size_);
#endif
  fiber->context_ = from.fctx;
  fiber->Run();
#if defined(HW_ASAN)
  __sanitizer_start_switch_fiber(nullptr, fiber->resumer_bottom_, fiber->resumer_size_);
#endif
  boost::context::detail::jump_fcontext(fiber->context_, nullptr);
  HW_UNREACHABLE("fiber \"{}\" runs after its end", fiber->name());
}

void Fiber::Run() {
  try {
    if (!unwinding_) body_();
    if (unwinding_) HW_CHECK(unwinding_fiber == this || unwinding_fiber == nullptr);
  } catch (const FiberUnwinding&) {
    HW_CHECK(unwinding_, "fiber \"{}\" ended by somebody else's unwinding", name());
  }
  body_ = nullptr;
  state_ = State::kFinished;
}

// Inline: after a switch each return is mispredicted, since the processor's stack of return
// addresses is the other fiber's.
[[gnu::always_inline]] inline Wake Fiber::SwitchOut() {
  HW_CHECK(static_cast<uint8_t*>(__builtin_frame_address(0)) >= lowest_frame_,
           "fiber \"{}\" has all but used up its stack", name());
#if defined(HW_ASAN)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, resumer_bottom_, resumer_size_);
#endif
  context_ = boost::context::detail::jump_fcontext(context_, nullptr).fctx;
#if defined(HW_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack, &resumer_bottom_, &resumer_size_);
#endif
  if (unwinding_) [[unlikely]]
    throw FiberUnwinding{};
  return wake_;
}

void Fiber::Unpark(Wake wake) {
  if (state_ != State::kParked) return;
  if (waiter_ != nullptr) waiter_->Unlink();
  if (deadline_node_.pending()) group_->backend_.CancelTimer(deadline_node_);
  state_ = State::kReady;
  wake_ = wake;
  group_->backend_.MakeReady(*this);
}

Fibers::Fibers(FiberBackend& backend, uint64_t path) : backend_(backend), path_(path) {
  static_cast<void>(&prepare_thread);
}

Fibers::~Fibers() {
  HW_CHECK(live_ == 0, "{} fibers outlive their process, \"{}\" among them", live_,
           first_live_->name());
}

FiberHandle Fibers::Spawn(std::string_view name, absl::AnyInvocable<void()> body) {
  if (unwinding_) return {};
  const FiberStack stack = FiberStackPool::OfThread().Allocate();
  const uint64_t nth = current_ != nullptr ? current_->children_++ : roots_++;
  const uint64_t parent = current_ != nullptr ? current_->path_ : path_;
  const uint64_t path = MixName(name, Mix(parent, nth));
  auto* fiber = new (Fiber::PlaceOn(stack)) Fiber(*this, stack, name, path, std::move(body));
  fiber->previous_live_ = last_live_;
  (last_live_ != nullptr ? last_live_->next_live_ : first_live_) = fiber;
  last_live_ = fiber;
  ++live_;
  fiber->since_ = backend_.Now();
  backend_.MakeReady(*fiber);
  return FiberHandle(fiber, Fiber::EndedOn(stack));
}

void Fibers::Finish(Fiber& fiber) {
  (fiber.previous_live_ != nullptr ? fiber.previous_live_->next_live_ : first_live_) =
      fiber.next_live_;
  (fiber.next_live_ != nullptr ? fiber.next_live_->previous_live_ : last_live_) =
      fiber.previous_live_;
  --live_;
  const FiberStack stack = fiber.stack_;
  // Deep frames of code that never waits are not seen by SwitchOut.
  uint64_t canary;
  std::memcpy(&canary, stack.low, sizeof(canary));
  HW_CHECK(canary == FiberStackPool::kCanary, "fiber \"{}\" overflowed its stack", fiber.name());
  ++*Fiber::EndedOn(stack);
  fiber.~Fiber();
  FiberStackPool::OfThread().Free(stack);
}

Wake Fibers::Yield() {
  Fiber* fiber = current_;
  HW_CHECK(fiber != nullptr, "Yield outside a fiber");
  HW_CHECK(!fiber->unwinding_, "fiber \"{}\" yields while it is unwound", fiber->name());
  fiber->state_ = Fiber::State::kReady;
  fiber->waiting_for_ = "yield";
  fiber->wake_ = fiber->cancelled_ ? Wake::kCancelled : Wake::kSignaled;
  backend_.MakeReady(*fiber);
  return fiber->SwitchOut();
}

Wake Fibers::Park(const char* waiting_for, MonotonicTime deadline, Cancellation cancellation) {
  Fiber* fiber = current_;
  HW_CHECK(fiber != nullptr, "a wait for {} outside a fiber", waiting_for);
  HW_CHECK(!fiber->unwinding_, "fiber \"{}\" waits for {} in a destructor while it is unwound",
           fiber->name(), waiting_for);
  if (cancellation == Cancellation::kHeeded && fiber->cancelled_) {
    if (fiber->waiter_ != nullptr) fiber->waiter_->Unlink();
    return Wake::kCancelled;
  }
  fiber->state_ = Fiber::State::kParked;
  fiber->cancellation_ = cancellation;
  fiber->waiting_for_ = waiting_for;
  fiber->since_ = backend_.Now();
  fiber->deadline_ = deadline;
  if (deadline != MonotonicTime::Never()) backend_.SetTimer(fiber->deadline_node_, deadline);
  return fiber->SwitchOut();
}

void Fibers::ParkForever(const char* waiting_for) {
  while (true) Park(waiting_for, MonotonicTime::Never(), Cancellation::kIgnored);
}

void Fibers::UnwindAll() {
  HW_CHECK(current_ == nullptr, "a process cannot unwind itself from its fiber \"{}\"",
           current_->name());
  unwinding_ = true;
  while (last_live_ != nullptr) {
    Fiber& fiber = *last_live_;
    if (fiber.waiter_ != nullptr) fiber.waiter_->Unlink();
    // Not through the backend, which is dead by now: these nodes must leave its wheel all the same.
    fiber.deadline_node_.~DeadlineNode();
    new (&fiber.deadline_node_) Fiber::DeadlineNode(fiber);
    fiber.ready_node_.~ReadyNode();
    new (&fiber.ready_node_) Fiber::ReadyNode(fiber);
    fiber.unwinding_ = true;
    fiber.state_ = Fiber::State::kReady;
    Fiber* const outer = std::exchange(unwinding_fiber, &fiber);
    fiber.Resume();
    unwinding_fiber = outer;
  }
}

std::vector<FiberInfo> Fibers::Describe() const {
  std::vector<FiberInfo> result;
  for (const Fiber* fiber = first_live_; fiber != nullptr; fiber = fiber->next_live_) {
    FiberInfo info{.name = std::string(fiber->name()),
                   .since = fiber->since_,
                   .deadline = MonotonicTime::Never()};
    switch (fiber->state_) {
      case Fiber::State::kReady:
        info.state = "ready";
        break;
      case Fiber::State::kRunning:
        info.state = "running";
        break;
      case Fiber::State::kParked:
        info.state = fmt::format("waits for {}", fiber->waiting_for_);
        info.deadline = fiber->deadline_;
        break;
      case Fiber::State::kFinished:
        info.state = "finished";
        break;
    }
    result.push_back(std::move(info));
  }
  return result;
}

absl::Status ToStatus(Wake wake, std::string_view waiting_for) {
  switch (wake) {
    case Wake::kSignaled:
      return absl::OkStatus();
    case Wake::kDeadline:
      return absl::DeadlineExceededError(
          fmt::format("deadline passed waiting for {}", waiting_for));
    case Wake::kCancelled:
      return absl::CancelledError(fmt::format("cancelled waiting for {}", waiting_for));
  }
  HW_UNREACHABLE();
}

}  // namespace highwater::core
