#include "sim/host.h"

#include "core/wait_queue.h"
#include "sim/testing/echo.h"

namespace highwater::sim {
namespace {

using core::MonotonicTime;
using testing::AddHost;
using testing::EchoOnce;
using testing::MustDial;
using testing::ServeEcho;

class HostTest : public ::testing::Test {
 protected:
  FaultId Request(std::string_view kind) { return world.ledger().Request(kind); }
  void ExpectObserved(FaultId id) {
    EXPECT_GT(world.ledger()[id].applied, 0u);
    EXPECT_GT(world.ledger()[id].observed, 0u);
  }

  World world{{.seed = 11}};
  Host& host = AddHost(world, "broker-0");
};

TEST_F(HostTest, AnIncarnationFollowsTheOther) {
  std::vector<uint64_t> run_ids;
  std::vector<ProcessEnd> ends;
  host.OnProcessEnd([&](ProcessEnd end) { ends.push_back(end); });
  host.SetMain([&](core::Environment& env) {
    run_ids.push_back(env.process.RunId());
    env.fibers.SleepFor(absl::Seconds(1));
    if (run_ids.size() == 2) env.process.Halt("enough");
    if (run_ids.size() == 4) env.fibers.SleepFor(absl::Hours(1));
  });
  host.Start();
  world.Run(absl::Milliseconds(500));
  const FaultId crash = Request("crash");
  host.Crash(crash);
  EXPECT_FALSE(host.running());
  host.Start();
  world.Run(absl::Seconds(5));
  host.Start();
  world.Run(absl::Seconds(10));
  host.Start();
  world.Run(absl::Seconds(15));
  const FaultId power = Request("power_loss");
  host.LosePower(power);
  EXPECT_FALSE(host.powered());
  EXPECT_THAT(run_ids, ::testing::ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(ends, ::testing::ElementsAre(ProcessEnd::kCrashed, ProcessEnd::kHalted,
                                           ProcessEnd::kExited, ProcessEnd::kPowerLost));
  ExpectObserved(crash);
  ExpectObserved(power);
}

TEST_F(HostTest, ACrashUnwindsFibersThenDestroysTheApplication) {
  std::vector<std::string> order;
  struct Tracer {
    std::vector<std::string>& order;
    std::string name;
    ~Tracer() { order.push_back(name); }
  };
  struct Recorder final : Application {
    explicit Recorder(std::vector<std::string>& o) : order(o) {}
    ~Recorder() override { order.push_back("application"); }
    void Run(core::Environment& env) override {
      Tracer tracer{order, "main fiber"};
      env.fibers.Spawn("second", [&] {
        Tracer second{order, "second fiber"};
        env.fibers.SleepFor(absl::Hours(1));
      });
      env.fibers.SleepFor(absl::Hours(1));
    }
    std::vector<std::string>& order;
  };
  host.SetProgram([&](core::Environment&) { return std::make_unique<Recorder>(order); });
  host.Start();
  world.Run(absl::Seconds(1));
  host.Crash();
  EXPECT_THAT(order, ::testing::ElementsAre("second fiber", "main fiber", "application"));
}

TEST_F(HostTest, AFiberThatCrashesItsOwnHostEndsWhenItNextWaits) {
  int steps = 0;
  host.SetMain([&](core::Environment& env) {
    ++steps;
    host.Crash();
    ++steps;
    EXPECT_TRUE(host.running());
    env.fibers.SleepFor(absl::Seconds(1));
    ++steps;
  });
  host.Start();
  world.Run(absl::Seconds(5));
  EXPECT_EQ(steps, 2);
  EXPECT_FALSE(host.running());
}

TEST_F(HostTest, AStopIsARequest) {
  int64_t stopped_at = 0;
  bool late_callback = false;
  host.SetMain([&](core::Environment& env) {
    core::WaitQueue stop;
    env.process.OnStopRequested([&] { stop.WakeAll(); });
    stop.Wait(env.fibers, "a stop", MonotonicTime::Never());
    EXPECT_TRUE(env.process.StopRequested());
    stopped_at = world.now();
    env.process.OnStopRequested([&] { late_callback = true; });
    env.fibers.SleepFor(absl::Seconds(1));
  });
  host.Start();
  world.At(absl::Seconds(2), [&] { host.RequestStop(); });
  world.Run(absl::Seconds(10));
  EXPECT_EQ(stopped_at, 2'000'000'000);
  EXPECT_TRUE(late_callback);
  EXPECT_FALSE(host.running());
}

TEST_F(HostTest, AFrozenProcessRunsNothingAndItsKernelGoesOn) {
  Host& client = AddHost(world, "client");
  host.SetMain(ServeEcho);
  std::vector<int64_t> answered_ms;
  client.SetMain([&](core::Environment& env) {
    auto connection = MustDial(env, "broker-0");
    for (int i = 0; i < 3; ++i) {
      env.fibers.SleepFor(absl::Seconds(1));
      ASSERT_TRUE(EchoOnce(*connection, core::Bytes::Copy("x")).ok());
      answered_ms.push_back(world.now() / 1'000'000);
    }
  });
  host.Start();
  client.Start();
  const FaultId id = Request("freeze");
  world.At(absl::Milliseconds(1500), [&] { host.Freeze(id); });
  world.At(absl::Seconds(9), [&] { host.Thaw(); });
  world.Run(absl::Seconds(8));
  EXPECT_TRUE(host.frozen());
  EXPECT_EQ(world.ledger()[id].observed, 0u);
  // Even a connection is accepted by the kernel.
  client.process()->environment().fibers.Spawn("dialer", [&] {
    core::Environment& env = client.process()->environment();
    EXPECT_TRUE(
        env.network
            .Dial({.host = "broker-0", .port = 9092}, env.clock.Now() + absl::Milliseconds(500))
            .ok());
  });
  world.Run(absl::Seconds(20));
  ASSERT_EQ(answered_ms.size(), 3u);
  EXPECT_LT(answered_ms[0], 1100);
  EXPECT_GE(answered_ms[1], 9000);
  ExpectObserved(id);
}

TEST(FreezeTest, AtThawTimersAndInputBecomeReadyInDrawnOrder) {
  // A byte and a deadline both come during the freeze: which of them ends the read differs between
  // seeds.
  int deadline_first = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    World world({.seed = seed});
    Host& server = AddHost(world, "server");
    Host& client = AddHost(world, "client");
    server.SetMain([&](core::Environment& env) {
      auto listener = env.network.Listen({.host = "", .port = 9092});
      auto connection = (*listener)->Accept(MonotonicTime::Never());
      auto bytes = (*connection)->Read(1, env.clock.Now() + absl::Seconds(2));
      deadline_first += absl::IsDeadlineExceeded(bytes.status());
    });
    client.SetMain([&](core::Environment& env) {
      auto connection = MustDial(env, "server");
      env.fibers.SleepFor(absl::Seconds(4));
      EXPECT_TRUE(connection->Write(core::Bytes::Copy("x"), MonotonicTime::Never()).ok());
      env.fibers.SleepFor(absl::Seconds(10));
    });
    server.Start();
    client.Start();
    world.At(absl::Seconds(1), [&] { server.Freeze(); });
    world.At(absl::Seconds(8), [&] { server.Thaw(); });
    world.Run(absl::Seconds(20));
  }
  EXPECT_GT(deadline_first, 5);
  EXPECT_LT(deadline_first, 35);
}

TEST_F(HostTest, ACrashWhileFrozenLeavesNothingBehind) {
  host.SetMain([](core::Environment& env) {
    while (true) env.fibers.SleepFor(absl::Milliseconds(1));
  });
  host.Start();
  world.Run(absl::Seconds(1));
  host.Freeze();
  world.Run(absl::Seconds(2));
  host.Crash();
  EXPECT_EQ(world.Run(absl::Seconds(3)), RunEnd::kIdle);
}

TEST(CpuTest, ARunOfAFiberOccupiesTheCpu) {
  World world({.seed = 1});
  Host& host = AddHost(world, "host", "az-a", {.base_ns = 1000});
  std::vector<int64_t> at;
  host.SetMain([&](core::Environment& env) {
    for (int i = 0; i < 3; ++i) {
      env.fibers.Spawn("worker", [&] { at.push_back(world.now()); });
    }
    env.fibers.SleepFor(absl::Seconds(1));
  });
  host.Start();
  world.Run(absl::Seconds(2));
  EXPECT_THAT(at, ::testing::ElementsAre(1000, 2000, 3000));
}

TEST(CpuTest, BytesCostAndASlowCpuIsObserved) {
  World world({.seed = 1});
  Host& server = AddHost(world, "server", "az-a", {.base_ns = 10, .per_byte_ps = 1000});
  Host& client = AddHost(world, "client");
  server.SetMain(ServeEcho);
  std::vector<int64_t> took;
  client.SetMain([&](core::Environment& env) {
    auto connection = MustDial(env, "server");
    for (int i = 0; i < 2; ++i) {
      const int64_t before = world.now();
      for (int n = 0; n < 20; ++n) {
        ASSERT_TRUE(connection->Write(core::Bytes::Zeros(1000), MonotonicTime::Never()).ok());
      }
      for (size_t left = 20'000; left > 0;) {
        left -= connection->Read(left, MonotonicTime::Never())->size();
      }
      took.push_back(world.now() - before);
      env.fibers.SleepFor(absl::Seconds(10) - absl::Nanoseconds(world.now()));
    }
  });
  server.Start();
  client.Start();
  const FaultId id = world.ledger().Request("slow_cpu");
  world.At(absl::Seconds(5), [&] { server.SlowCpu(1000, id); });
  world.Run(absl::Seconds(30));
  ASSERT_EQ(took.size(), 2u);
  EXPECT_GE(took[1], 40'000'000);  // 40 kB through the ports at a microsecond a byte
  EXPECT_LT(took[0], 5'000'000);
  EXPECT_GT(world.ledger()[id].observed, 0u);
}

TEST_F(HostTest, ClocksDifferAndAJumpMovesOnlyTheWallClock) {
  Host& other = AddHost(world, "broker-1");
  core::MonotonicTime first, second;
  absl::Time wall_before, wall_after;
  absl::Duration monotonic;
  host.SetMain([&](core::Environment& env) {
    first = env.clock.Now();
    wall_before = env.clock.WallNow();
    env.fibers.SleepFor(absl::Seconds(10));
    monotonic = env.clock.Now() - first;
    wall_after = env.clock.WallNow();
  });
  other.SetMain([&](core::Environment& env) { second = env.clock.Now(); });
  host.Start();
  other.Start();
  const FaultId id = Request("clock_jump");
  world.At(absl::Seconds(5), [&] { host.JumpWallClock(-absl::Minutes(2), id); });
  world.Run(absl::Seconds(20));
  EXPECT_NE(first, second);
  EXPECT_EQ(monotonic, absl::Seconds(10));
  EXPECT_EQ(wall_after - wall_before, absl::Seconds(10) - absl::Minutes(2));
  ExpectObserved(id);
}

TEST_F(HostTest, AFastClockShortensWaitsThatHaveBegun) {
  int64_t woke_at = 0;
  absl::Duration slept;
  host.SetMain([&](core::Environment& env) {
    const core::MonotonicTime before = env.clock.Now();
    env.fibers.SleepUntil(before + absl::Seconds(20));
    woke_at = world.now();
    slept = env.clock.Now() - before;
  });
  host.Start();
  const FaultId id = Request("clock_drift");
  world.At(absl::Seconds(10), [&] { host.SetClockDrift(1'000'000, id); });  // twice as fast
  world.Run(absl::Seconds(30));
  EXPECT_EQ(woke_at, 15'000'000'000);
  EXPECT_EQ(slept, absl::Seconds(20));
  ExpectObserved(id);
}

TEST(HostClockProperty, ADeadlineIsTheFirstInstantAtWhichTheClockHasCome) {
  EXPECT_TRUE(rc::check("deadlines under drift", [](uint32_t base, uint32_t ahead) {
    HostClock clock(1'000'000'000);
    const int64_t now = base;
    clock.SetDrift(now, *rc::gen::inRange<int64_t>(-500'000, 500'000));
    const core::MonotonicTime when = core::MonotonicTime::FromNanos(clock.At(now).nanos() + ahead);
    const int64_t world_time = clock.WorldTimeOf(when);
    RC_ASSERT(clock.At(world_time) >= when);
    RC_ASSERT(world_time <= now || clock.At(world_time - 1) < when);
  }));
}

TEST(RandomTest, ADrawIsKeyedByItsFiberAndNotByWhatOthersDraw) {
  auto draws = [](bool with_another, uint64_t seed, int incarnations) {
    World world({.seed = seed});
    Host& host = AddHost(world, "host");
    std::vector<uint64_t> result;
    host.SetMain([&](core::Environment& env) {
      result.clear();
      env.fibers.Spawn("drawer", [&] {
        env.fibers.Yield();
        for (int i = 0; i < 3; ++i) result.push_back(env.random.Next());
        env.fibers.Yield();
        result.push_back(env.random.Next());
      });
      if (with_another) {
        env.fibers.Spawn("other", [&] {
          for (int i = 0; i < 50; ++i) {
            static_cast<void>(env.random.Next());
            env.fibers.Yield();
          }
        });
      }
      env.fibers.SleepFor(absl::Seconds(1));
    });
    for (int i = 0; i < incarnations; ++i) {
      host.Start();
      world.RunUntilIdle();
    }
    return result;
  };
  EXPECT_EQ(draws(false, 1, 1), draws(true, 1, 1));
  EXPECT_NE(draws(false, 1, 1), draws(false, 2, 1));
  EXPECT_NE(draws(false, 1, 1), draws(false, 1, 2));
  std::vector<uint64_t> some = draws(false, 1, 1);
  std::sort(some.begin(), some.end());
  EXPECT_EQ(std::unique(some.begin(), some.end()), some.end());
}

TEST(BuggifyTest, AQuarterOfTheSitesFiresAQuarterOfTheTime) {
  int sites_on = 0;
  int fired = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    World world({.seed = seed, .buggify = true});
    Host& host = AddHost(world, "host");
    int here = 0;
    host.SetMain([&](core::Environment& env) {
      for (int i = 0; i < 100; ++i) here += env.buggify.Fires("a.site");
    });
    host.Start();
    world.RunUntilIdle();
    sites_on += here > 0;
    fired += here;
  }
  EXPECT_GT(sites_on, 30);
  EXPECT_LT(sites_on, 75);
  EXPECT_GT(fired, sites_on * 20);
  EXPECT_LT(fired, sites_on * 30);

  World world({.seed = 1});
  for (const char* site : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    EXPECT_FALSE(world.BuggifySiteIsOn(site));
  }
}

}  // namespace
}  // namespace highwater::sim
