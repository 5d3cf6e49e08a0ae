// Clocks, fibers, the process.

#include "core/channel.h"
#include "core/wait_group.h"
#include "tests/conformance/world_under_test.h"

namespace highwater::conformance {
namespace {

using core::Environment;
using core::FiberHandle;
using core::Wake;

class FibersTest : public ConformanceTest {};

TEST_P(FibersTest, TimeNeverGoesBackAndSleepsAreNotShort) {
  world_->Run([](Environment& env) {
    core::MonotonicTime last = env.clock.Now();
    for (int i = 0; i < 50; ++i) {
      const core::MonotonicTime until = env.clock.Now() + absl::Microseconds(37 * i);
      EXPECT_EQ(env.fibers.SleepUntil(until), Wake::kDeadline);
      EXPECT_GE(env.clock.Now(), until);
      EXPECT_GE(env.clock.Now(), last);
      EXPECT_GE(env.fibers.Now(), last);
      last = env.clock.Now();
    }
    EXPECT_EQ(env.fibers.SleepUntil(last - absl::Seconds(1)), Wake::kDeadline);
    EXPECT_EQ(env.fibers.SleepFor(-absl::Seconds(1)), Wake::kDeadline);
  });
}

TEST_P(FibersTest, SleepersWakeInTheOrderOfTheirDeadlines) {
  std::vector<int> order;
  world_->Run([&order](Environment& env) {
    const core::MonotonicTime start = env.clock.Now() + absl::Milliseconds(10);
    core::WaitGroup group(env.fibers);
    for (const int i : {3, 1, 4, 0, 2}) {
      group.Add();
      env.fibers.Spawn("sleeper", [&, i] {
        env.fibers.SleepUntil(start + absl::Milliseconds(i));
        order.push_back(i);
        group.Done();
      });
    }
    group.Wait();
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_P(FibersTest, ASpawnedFiberRunsOnlyOnceItsParentWaits) {
  world_->Run([](Environment& env) {
    bool ran = false;
    FiberHandle handle = env.fibers.Spawn("child", [&ran] { ran = true; });
    EXPECT_FALSE(ran);
    EXPECT_FALSE(handle.finished());
    Await(env, [&ran] { return ran; });
    EXPECT_TRUE(handle.finished());
    handle.Cancel();
  });
}

TEST_P(FibersTest, YieldLetsOthersRun) {
  world_->Run([](Environment& env) {
    bool stop = false;
    int other = 0;
    env.fibers.Spawn("other", [&] {
      while (!stop) {
        ++other;
        EXPECT_EQ(env.fibers.Yield(), Wake::kSignaled);
      }
    });
    for (int i = 0; i < 100'000 && other < 10; ++i) env.fibers.Yield();
    EXPECT_GE(other, 10);
    stop = true;
    env.fibers.SleepFor(absl::Milliseconds(1));
  });
}

TEST_P(FibersTest, CancelEndsASleepAndThoseThatFollow) {
  world_->Run([](Environment& env) {
    std::vector<Wake> wakes;
    FiberHandle handle = env.fibers.Spawn("sleeper", [&] {
      for (int i = 0; i < 3; ++i) wakes.push_back(env.fibers.SleepFor(absl::Hours(1)));
    });
    env.fibers.SleepFor(absl::Milliseconds(1));
    handle.Cancel();
    Await(env, [&handle] { return handle.finished(); });
    EXPECT_EQ(wakes, (std::vector<Wake>{Wake::kCancelled, Wake::kCancelled, Wake::kCancelled}));
  });
}

TEST_P(FibersTest, AFiberCancelledBeforeItRanStillRuns) {
  world_->Run([](Environment& env) {
    Wake wake = Wake::kSignaled;
    FiberHandle handle =
        env.fibers.Spawn("early", [&] { wake = env.fibers.SleepFor(absl::Hours(1)); });
    handle.Cancel();
    Await(env, [&handle] { return handle.finished(); });
    EXPECT_EQ(wake, Wake::kCancelled);
  });
}

TEST_P(FibersTest, ACancelledFiberDoesNotHangInFileCalls) {
  world_->Run([](Environment& env) {
    auto file = env.files.Open("log", core::OpenMode::kCreate);
    HW_ASSERT_OK(file);
    std::vector<absl::Status> statuses;
    FiberHandle handle = env.fibers.Spawn("cancelled", [&] {
      statuses.push_back((*file)->WriteAt(0, core::Bytes::Copy("x")));
      statuses.push_back((*file)->Sync());
      statuses.push_back((*file)->ReadAt(0, 1).status());
      statuses.push_back(env.files.Stat("log").status());
    });
    handle.Cancel();
    Await(env, [&handle] { return handle.finished(); });
    ASSERT_EQ(statuses.size(), 4u);
    for (const absl::Status& status : statuses) {
      EXPECT_TRUE(status.ok() || absl::IsCancelled(status)) << status.ToString();
    }
  });
}

TEST_P(FibersTest, AChannelCarriesValuesBetweenFibers) {
  std::vector<int> received;
  world_->Run([&received](Environment& env) {
    core::Channel<int> channel(env.fibers, 3);
    env.fibers.Spawn("sender", [&] {
      for (int i = 0; i < 50; ++i) EXPECT_EQ(channel.Send(i), core::ChannelResult::kOk);
      channel.Close();
    });
    while (auto value = channel.Receive()) received.push_back(*value);
  });
  ASSERT_EQ(received.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(received[i], i);
}

TEST_P(FibersTest, TimersCallBackOutsideFibers) {
  world_->Run([](Environment& env) {
    struct Timer final : core::TimerNode {
      explicit Timer(Environment& e) : env(e) {}
      void OnTimer() override {
        fired = true;
        on_a_fiber = env.fibers.current() != nullptr;
        at = env.clock.Now();
      }
      Environment& env;
      bool fired = false;
      bool on_a_fiber = false;
      core::MonotonicTime at;
    };
    Timer timer(env);
    Timer cancelled(env);
    const core::MonotonicTime when = In(env, absl::Milliseconds(3));
    env.fibers.SetTimer(timer, when);
    env.fibers.SetTimer(cancelled, when);
    env.fibers.CancelTimer(cancelled);
    Await(env, [&timer] { return timer.fired; });
    EXPECT_FALSE(timer.on_a_fiber);
    EXPECT_GE(timer.at, when);
    EXPECT_FALSE(cancelled.fired);
  });
}

TEST_P(FibersTest, FibersThatMainLeavesBehindAreUnwound) {
  struct Witness {
    explicit Witness(int& c) : count(c) {}
    ~Witness() { ++count; }
    int& count;
  };
  int unwound = 0;
  world_->Run([&unwound](Environment& env) {
    for (int i = 0; i < 3; ++i) {
      env.fibers.Spawn("left behind", [&env, &unwound] {
        Witness witness(unwound);
        auto file = env.files.Open("log", core::OpenMode::kCreate);
        auto listener = env.network.Listen({.host = "", .port = 0});
        HW_ASSERT_OK(listener);
        static_cast<void>((*listener)->Accept(core::MonotonicTime::Never()));
        ADD_FAILURE() << "accepted";
      });
    }
    env.fibers.SleepFor(absl::Milliseconds(50));
  });
  EXPECT_EQ(unwound, 3);
}

TEST_P(FibersTest, RunIdsGrow) {
  uint64_t first = 0, second = 0;
  world_->Run([&first](Environment& env) { first = env.process.RunId(); });
  world_->Run([&second](Environment& env) { second = env.process.RunId(); });
  EXPECT_LT(first, second);
}

TEST_P(FibersTest, AStopIsAskedForOnce) {
  world_->Run([this](Environment& env) {
    int calls = 0;
    const auto call = [&] {
      EXPECT_EQ(env.fibers.current(), nullptr);
      ++calls;
    };
    EXPECT_FALSE(env.process.StopRequested());
    env.process.OnStopRequested(call);
    env.fibers.SleepFor(absl::Milliseconds(1));
    EXPECT_EQ(calls, 0);
    world_->RequestStop();
    Await(env, [&calls] { return calls == 1; });
    EXPECT_TRUE(env.process.StopRequested());
    env.process.OnStopRequested(call);  // at once
    Await(env, [&calls] { return calls == 2; });
    env.fibers.SleepFor(absl::Milliseconds(1));
    EXPECT_EQ(calls, 2);
  });
}

TEST_P(FibersTest, DrawsAreUniformEnough) {
  world_->Run([](Environment& env) {
    int heads = 0;
    for (int i = 0; i < 4000; ++i) heads += env.random.Chance(1, 2) ? 1 : 0;
    EXPECT_GT(heads, 1600);  // twelve standard deviations away
    EXPECT_LT(heads, 2400);
  });
}

HW_CONFORMANCE_SUITE(FibersTest);

}  // namespace
}  // namespace highwater::conformance
