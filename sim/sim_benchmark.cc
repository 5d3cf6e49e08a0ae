// What the simulator costs. The figures of the performance budget are printed as items a second;
// one item is one message, timer, switch or world.

#include <benchmark/benchmark.h>

#include <boost/context/fiber_fcontext.hpp>

#include "core/timer_wheel.h"
#include "sim/testing/echo.h"

namespace highwater::sim {
namespace {

using testing::AddHost;
using testing::EchoOnce;
using testing::MustDial;
using testing::ServeEcho;

constexpr absl::Duration kForLong = absl::Hours(1000);

struct CountingTimer final : core::TimerNode {
  void OnTimer() override { ++fired; }
  uint64_t fired = 0;
};

// A wheel with `pending` timers that reach over half a minute; each item sets one and fires one.
void BM_TimerSetAndFire(benchmark::State& state) {
  const auto pending = static_cast<size_t>(state.range(0));
  auto wheel = std::make_unique<core::TimerWheel>();
  std::vector<CountingTimer> timers(pending);
  core::KeyedRandom random(1);
  for (CountingTimer& timer : timers) wheel->Set(timer, random.Between(0, 30'000'000'000));
  for (auto _ : state) {
    core::TimerNode* node = wheel->PopDue(core::TimerWheel::kNever - 1);
    node->OnTimer();
    wheel->Set(*node, wheel->now() + random.Between(0, 30'000'000'000));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TimerSetAndFire)->Arg(1'000)->Arg(100'000);

void BM_TimerSetAndCancel(benchmark::State& state) {
  const auto pending = static_cast<size_t>(state.range(0));
  auto wheel = std::make_unique<core::TimerWheel>();
  std::vector<CountingTimer> timers(pending);
  core::KeyedRandom random(1);
  for (CountingTimer& timer : timers) wheel->Set(timer, random.Between(0, 30'000'000'000));
  size_t next = 0;
  for (auto _ : state) {
    CountingTimer& timer = timers[next];
    next = next + 1 == pending ? 0 : next + 1;
    wheel->Cancel(timer);
    wheel->Set(timer, wheel->now() + random.Between(0, 30'000'000'000));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TimerSetAndCancel)->Arg(1'000)->Arg(100'000);

// To a bare context and back: two switches an item, as below.
void BM_BareContextSwitch(benchmark::State& state) {
  boost::context::fiber other([](boost::context::fiber&& back) {
    while (true) back = std::move(back).resume();
    return std::move(back);
  });
  for (auto _ : state) other = std::move(other).resume();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_BareContextSwitch);

// The same through the seam without a world: park, unpark, resume.
class BareBackend final : public core::FiberBackend {
 public:
  core::MonotonicTime Now() const override { return {}; }
  void MakeReady(core::Fiber& fiber) override { ready = &fiber; }
  void OnReady(core::Fiber& fiber) override { fiber.Resume(); }
  void SetTimer(core::TimerNode&, core::MonotonicTime) override {}
  void CancelTimer(core::TimerNode&) override {}
  core::Fiber* ready = nullptr;
};

void BM_FiberSwitch(benchmark::State& state) {
  BareBackend backend;
  core::Fibers fibers(backend, 1);
  fibers.Spawn("yielder", [&] {
    while (true) fibers.Yield();
  });
  for (auto _ : state) backend.ready->Resume();
  fibers.UnwindAll();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FiberSwitch);

// A fiber's turn in a world: timer wheel, hash chain and switch.
void BM_FiberTurnInWorld(benchmark::State& state) {
  World world({.seed = 1});
  Host& host = AddHost(world, "host");
  for (auto _ : state) {
    state.PauseTiming();
    host.SetMain([](core::Environment& env) {
      for (int i = 0; i < 100'000; ++i) env.fibers.Yield();
    });
    host.Start();
    state.ResumeTiming();
    world.RunUntilIdle();
  }
  state.SetItemsProcessed(state.iterations() * 100'000);
}
BENCHMARK(BM_FiberTurnInWorld);

void BM_FiberCreateAndEnd(benchmark::State& state) {
  BareBackend backend;
  core::Fibers fibers(backend, 1);
  for (auto _ : state) {
    fibers.Spawn("short", [] {});
    backend.ready->Resume();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FiberCreateAndEnd);

// Messages of 1 KiB there and back over `connections` connections between pairs of `hosts` hosts.
void BM_Echo(benchmark::State& state) {
  const auto hosts = static_cast<int>(state.range(0));
  const auto connections_per_pair = static_cast<int>(state.range(1));
  World world({.seed = 1, .strategy = static_cast<StrategyKind>(state.range(2))});
  static constexpr std::string_view kZones[] = {"az-a", "az-b", "az-c"};
  uint64_t echoes = 0;
  for (int i = 0; i < hosts / 2; ++i) {
    Host& server = AddHost(world, fmt::format("server-{}", i), kZones[i % 3]);
    Host& client = AddHost(world, fmt::format("client-{}", i), kZones[(i + 1) % 3]);
    server.SetMain(ServeEcho);
    client.SetMain([&, i, connections_per_pair](core::Environment& env) {
      const core::Bytes message = core::Bytes::Zeros(1024);
      for (int c = 0; c < connections_per_pair; ++c) {
        env.fibers.Spawn("client", [&env, &echoes, i, message] {
          auto connection = MustDial(env, fmt::format("server-{}", i));
          while (EchoOnce(*connection, message).ok()) ++echoes;
        });
      }
      env.fibers.SleepFor(kForLong);
    });
    server.Start();
    client.Start();
  }
  absl::Duration until = absl::Seconds(1);
  world.Run(until);
  uint64_t before = echoes;
  uint64_t events = world.events();
  for (auto _ : state) world.Run(until += absl::Milliseconds(100));
  state.SetItemsProcessed(static_cast<int64_t>(2 * (echoes - before)));
  state.counters["events_per_message"] =
      static_cast<double>(world.events() - events) / (2.0 * static_cast<double>(echoes - before));
}
BENCHMARK(BM_Echo)
    ->ArgNames({"hosts", "connections", "strategy"})
    ->Args({2, 64, 0})
    ->Args({2, 1, 0})
    ->Args({1000, 1, 0})
    ->Args({1000, 2, 0})
    ->Args({2, 64, 1})
    ->Args({2, 64, 2});

// A world of six hosts, up to its first events.
void BM_WorldBoot(benchmark::State& state) {
  for (auto _ : state) {
    World world({.seed = 1});
    for (int i = 0; i < 6; ++i) {
      Host& host = AddHost(world, fmt::format("host-{}", i));
      host.SetMain(ServeEcho);
      host.Start();
    }
    world.Run(absl::Milliseconds(1));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_WorldBoot);

}  // namespace
}  // namespace highwater::sim
