// What the seam costs: switches, fibers, timers, checksums, slices. Limits: DESIGN's performance
// budget.

#include <benchmark/benchmark.h>
#include <xmmintrin.h>

#include <boost/context/fiber_fcontext.hpp>
#include <vector>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/fiber_stack.h"
#include "core/fibers.h"
#include "core/random.h"
#include "core/timer_wheel.h"

namespace highwater::core {
namespace {

// Resumes fibers round robin; no clock.
class RoundRobin final : public FiberBackend {
 public:
  MonotonicTime Now() const override { return MonotonicTime(); }
  void MakeReady(Fiber& fiber) override { ready_[tail_++ & kMask] = &fiber; }
  void OnReady(Fiber& fiber) override { fiber.Resume(); }
  void SetTimer(TimerNode& node, MonotonicTime when) override { wheel_.Set(node, when.nanos()); }
  void CancelTimer(TimerNode& node) override { wheel_.Cancel(node); }
  bool RunOne() {
    if (head_ == tail_) return false;
    if (const Fiber* soon = ready_[(head_ + 2) & kMask]) soon->Prefetch();
    ready_[head_++ & kMask]->Resume();
    return true;
  }

 private:
  static constexpr size_t kMask = (1 << 16) - 1;
  std::vector<Fiber*> ready_ = std::vector<Fiber*>(kMask + 1);
  size_t head_ = 0;
  size_t tail_ = 0;
  TimerWheel wheel_;
};

// The stacks of the pool, so that only what Fibers adds differs.
struct PoolAllocator {
  void deallocate(boost::context::stack_context&) noexcept {
    FiberStackPool::OfThread().Free(stack);
  }
  FiberStack stack;
};

// There and back again without Fibers.
void BM_SwitchOfBareBoostContext(benchmark::State& state) {
  using boost::context::fiber;
  _mm_setcsr(_mm_getcsr() | 0x3f);
  std::vector<fiber> fibers;
  for (int64_t i = 0; i < state.range(0); ++i) {
    const FiberStack stack = FiberStackPool::OfThread().Allocate();
    boost::context::stack_context memory;
    memory.sp = stack.high;
    memory.size = static_cast<size_t>(stack.high - stack.low);
    fibers.emplace_back(std::allocator_arg,
                        boost::context::preallocated(stack.high, memory.size, memory),
                        PoolAllocator{stack}, [](fiber&& resumer) {
                          while (true) resumer = std::move(resumer).resume();
                          return std::move(resumer);
                        });
    fibers.back() = std::move(fibers.back()).resume();
  }
  size_t next = 0;
  for (auto _ : state) {
    fibers[next] = std::move(fibers[next]).resume();
    if (++next == fibers.size()) next = 0;
  }
}
BENCHMARK(BM_SwitchOfBareBoostContext)->Arg(1)->Arg(100)->Arg(1'000)->Arg(10'000);

// There and back again: made ready, resumed, yields.
void BM_SwitchOfFibers(benchmark::State& state) {
  RoundRobin world;
  Fibers fibers(world, 1);
  for (int64_t i = 0; i < state.range(0); ++i) {
    fibers.Spawn("switcher", [&] {
      while (true) static_cast<void>(fibers.Yield());
    });
    world.RunOne();
  }
  for (auto _ : state) world.RunOne();
  fibers.UnwindAll();
}
BENCHMARK(BM_SwitchOfFibers)->Arg(1)->Arg(100)->Arg(1'000)->Arg(10'000);

void BM_FiberSpawnRunFinish(benchmark::State& state) {
  RoundRobin world;
  Fibers fibers(world, 1);
  int64_t runs = 0;
  for (auto _ : state) {
    fibers.Spawn("short", [&runs] { ++runs; });
    world.RunOne();
  }
  benchmark::DoNotOptimize(runs);
}
BENCHMARK(BM_FiberSpawnRunFinish);

void BM_FiberHandleFinished(benchmark::State& state) {
  RoundRobin world;
  Fibers fibers(world, 1);
  FiberHandle oldest = fibers.Spawn("oldest", [&] { fibers.ParkForever("the end"); });
  for (int64_t i = 1; i < state.range(0); ++i) {
    fibers.Spawn("waiter", [&] { fibers.ParkForever("the end"); });
  }
  while (world.RunOne()) {
  }
  for (auto _ : state) benchmark::DoNotOptimize(oldest.finished());
  fibers.UnwindAll();
}
BENCHMARK(BM_FiberHandleFinished)->Arg(1'000);

struct Timer final : TimerNode {
  void OnTimer() override {}
};

// A world's usual mix: of ten timers one fires within a millisecond, the rest within a second.
class TimerMix {
 public:
  explicit TimerMix(int64_t pending) : timers_(static_cast<size_t>(pending)) {
    for (Timer& timer : timers_) wheel_.Set(timer, NextTime());
    constexpr size_t kDraws = 1 << 16;
    for (size_t i = 0; i < kDraws; ++i) {
      distances_.push_back(Distance());
      victims_.push_back(static_cast<uint32_t>(random_.Below(timers_.size())));
    }
  }
  int64_t NextTime() { return wheel_.now() + Distance(); }
  int64_t Distance() {
    const int64_t range = random_.Chance(1, 10) ? 1'000'000 : 1'000'000'000;
    return random_.Between(1'000, range);
  }
  // As Distance and a random timer, drawn before the clock runs.
  int64_t DrawnDistance() { return distances_[next_++ & (distances_.size() - 1)]; }
  Timer& DrawnTimer() { return timers_[victims_[next_++ & (victims_.size() - 1)]]; }
  TimerWheel& wheel() { return wheel_; }

 private:
  KeyedRandom random_{1};
  TimerWheel wheel_;
  std::vector<Timer> timers_;
  std::vector<int64_t> distances_;
  std::vector<uint32_t> victims_;
  size_t next_ = 0;
};

// The next timer fires and is set again: one pop, one set.
void BM_TimerFireAndSet(benchmark::State& state) {
  TimerMix mix(state.range(0));
  for (auto _ : state) {
    TimerNode* due = mix.wheel().PopDue(TimerWheel::kNever);
    due->OnTimer();
    mix.wheel().Set(*due, mix.wheel().now() + mix.DrawnDistance());
  }
}
BENCHMARK(BM_TimerFireAndSet)->Arg(1'000)->Arg(100'000);

// A request time-out: set anew and never reached.
void BM_TimerCancelAndSet(benchmark::State& state) {
  TimerMix mix(state.range(0));
  for (auto _ : state) {
    Timer& timer = mix.DrawnTimer();
    mix.wheel().Cancel(timer);
    mix.wheel().Set(timer, mix.wheel().now() + mix.DrawnDistance());
  }
}
BENCHMARK(BM_TimerCancelAndSet)->Arg(1'000)->Arg(100'000);

void BM_Crc32c(benchmark::State& state) {
  const Bytes data = Bytes::Zeros(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Crc32c({data.data(), data.size()}));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Crc32c)->Arg(100)->Arg(1 << 10)->Arg(16 << 10);

void BM_BytesCopy(benchmark::State& state) {
  const std::string content(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(Bytes::Copy(content));
}
BENCHMARK(BM_BytesCopy)->Arg(100)->Arg(1 << 10)->Arg(16 << 10);

void BM_BytesSlice(benchmark::State& state) {
  const Bytes data = Bytes::Zeros(1 << 10);
  for (auto _ : state) benchmark::DoNotOptimize(data.Slice(61, 900));
}
BENCHMARK(BM_BytesSlice);

// A header of its own before a shared body, as a leader stores a batch.
void BM_ByteChainOfTwo(benchmark::State& state) {
  const Bytes header = Bytes::Zeros(61);
  const Bytes body = Bytes::Zeros(1 << 10);
  for (auto _ : state) {
    ByteChain chain(header);
    chain.Append(body);
    benchmark::DoNotOptimize(chain);
  }
}
BENCHMARK(BM_ByteChainOfTwo);

}  // namespace
}  // namespace highwater::core
