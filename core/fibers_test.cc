#include "core/fibers.h"

#include "core/channel.h"
#include "core/mutex.h"
#include "core/tiny_world.h"
#include "core/wait_group.h"

namespace highwater::core {
namespace {

class FibersTest : public ::testing::Test {
 protected:
  ~FibersTest() override { fibers_.UnwindAll(); }
  TinyWorld world_;
  Fibers fibers_{world_, 1};
};

TEST_F(FibersTest, SleepsUntilItsDeadline) {
  int64_t woke_at = 0;
  fibers_.Spawn("sleeper", [&] {
    EXPECT_EQ(fibers_.SleepFor(absl::Nanoseconds(1500)), Wake::kDeadline);
    woke_at = fibers_.Now().nanos();
  });
  world_.RunUntil(10'000);
  EXPECT_EQ(woke_at, 1500);
  EXPECT_EQ(fibers_.live(), 0u);
}

TEST_F(FibersTest, CancelEndsThePresentWaitAndLaterOnes) {
  std::vector<Wake> wakes;
  FiberHandle handle = fibers_.Spawn("sleeper", [&] {
    wakes.push_back(fibers_.SleepFor(absl::Hours(1)));
    wakes.push_back(fibers_.SleepFor(absl::Hours(1)));
  });
  world_.RunUntil(10);
  handle.Cancel();
  world_.RunUntil(20);
  EXPECT_THAT(wakes, ::testing::ElementsAre(Wake::kCancelled, Wake::kCancelled));
  EXPECT_TRUE(handle.finished());
}

TEST_F(FibersTest, MutexPassesOwnershipInOrder) {
  Mutex mutex(fibers_);
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    fibers_.Spawn("locker", [&, i] {
      MutexLock lock(mutex);
      fibers_.SleepFor(absl::Nanoseconds(100 - 10 * i));
      order.push_back(i);
    });
  }
  world_.RunUntil(1000);
  EXPECT_THAT(order, ::testing::ElementsAre(0, 1, 2));
}

TEST_F(FibersTest, AWakeIsNotLostToAFiberWhoseDeadlineHasCome) {
  WaitQueue queue;
  Wake first{}, second{};
  fibers_.Spawn("first", [&] {
    first = queue.Wait(fibers_, "a test", fibers_.Now() + absl::Nanoseconds(100));
  });
  fibers_.Spawn("second", [&] { second = queue.Wait(fibers_, "a test", MonotonicTime::Never()); });
  fibers_.Spawn("waker", [&] {
    fibers_.SleepFor(
        absl::Nanoseconds(100));  // due in the same instant, after the first's deadline
    queue.WakeOne();
  });
  world_.RunUntil(1000);
  EXPECT_EQ(first, Wake::kDeadline);
  EXPECT_EQ(second, Wake::kSignaled);
}

TEST_F(FibersTest, ChannelDeliversInOrderWithBackPressure) {
  Channel<int> channel(fibers_, 2);
  std::vector<int> received;
  size_t greatest = 0;
  fibers_.Spawn("sender", [&] {
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(channel.Send(i), ChannelResult::kOk);
      greatest = std::max(greatest, channel.size());
    }
    channel.Close();
  });
  fibers_.Spawn("receiver", [&] {
    while (auto value = channel.Receive()) received.push_back(*value);
  });
  world_.RunUntil(1000);
  EXPECT_EQ(received.size(), 100u);
  EXPECT_TRUE(std::is_sorted(received.begin(), received.end()));
  EXPECT_EQ(greatest, 2u);
}

TEST_F(FibersTest, UnwindingRunsDestructorsOfTheYoungestFirst) {
  struct Tracer {
    std::vector<int>& log;
    int id;
    ~Tracer() { log.push_back(id); }
  };
  std::vector<int> log;
  WaitQueue queue;
  for (int i = 0; i < 3; ++i) {
    fibers_.Spawn("held", [&, i] {
      Tracer tracer{log, i};
      static_cast<void>(queue.Wait(fibers_, "for ever", MonotonicTime::Never()));
      log.push_back(100);
    });
  }
  fibers_.Spawn("never started", [&] { log.push_back(200); });
  world_.RunUntil(0);
  fibers_.Spawn("not yet started", [&] { log.push_back(300); });
  log.clear();
  fibers_.UnwindAll();
  EXPECT_THAT(log, ::testing::ElementsAre(2, 1, 0));
}

TEST_F(FibersTest, WaitingInADestructorWhileUnwoundFailsACheck) {
  struct Sleeper {
    Fibers& fibers;
    ~Sleeper() noexcept(false) { fibers.SleepFor(absl::Seconds(1)); }
  };
  EXPECT_DEATH(
      {
        fibers_.Spawn("bad", [&] {
          Sleeper sleeper{fibers_};
          fibers_.SleepFor(absl::Hours(1));
        });
        world_.RunUntil(10);
        fibers_.UnwindAll();
      },
      "waits for sleep in a destructor while it is unwound");
}

TEST_F(FibersTest, UnwindingAWaitInsideNoexceptFailsACheck) {
  EXPECT_DEATH(
      {
        fibers_.Spawn("bad", [&] {
          auto wait = [&]() noexcept { fibers_.SleepFor(absl::Hours(1)); };
          wait();
        });
        world_.RunUntil(10);
        fibers_.UnwindAll();
      },
      "no wait in a destructor or noexcept function");
}

TEST_F(FibersTest, PathsAreStableIdentities) {
  auto paths = [] {
    TinyWorld world;
    Fibers fibers(world, 7);
    std::vector<uint64_t> result;
    fibers.Spawn("a", [&] {
      result.push_back(fibers.current()->path());
      fibers.Spawn("b", [&] { result.push_back(fibers.current()->path()); });
      fibers.Spawn("b", [&] { result.push_back(fibers.current()->path()); });
    });
    world.RunUntil(1);
    return result;
  };
  const auto first = paths();
  EXPECT_EQ(first, paths());
  EXPECT_NE(first[1], first[2]);
}

TEST_F(FibersTest, DescribesWhatEachFiberWaitsFor) {
  fibers_.Spawn("sleeper", [&] { fibers_.SleepFor(absl::Seconds(5)); });
  world_.RunUntil(10);
  const auto described = fibers_.Describe();
  ASSERT_EQ(described.size(), 1u);
  EXPECT_EQ(described[0].name, "sleeper");
  EXPECT_EQ(described[0].state, "waits for sleep");
  EXPECT_EQ(described[0].deadline.nanos(), 5'000'000'000);
}

TEST_F(FibersTest, AHandleKnowsItsFiberFromTheNextOnTheSameStack) {
  std::vector<FiberHandle> handles;
  for (int i = 0; i < 50; ++i) {
    handles.push_back(fibers_.Spawn("short", [&] { fibers_.SleepFor(absl::Nanoseconds(1)); }));
    EXPECT_FALSE(handles.back().finished());
    world_.RunUntil(world_.Now().nanos() + 10);
    EXPECT_TRUE(handles.back().finished());
  }
  bool cancelled = false;
  fibers_.Spawn("last",
                [&] { cancelled = fibers_.SleepFor(absl::Nanoseconds(5)) == Wake::kCancelled; });
  for (FiberHandle& handle : handles) {
    EXPECT_TRUE(handle.finished());
    handle.Cancel();
  }
  world_.RunUntil(world_.Now().nanos() + 10);
  EXPECT_FALSE(cancelled);
  EXPECT_TRUE(FiberHandle().finished());
}

TEST_F(FibersTest, AHandleOutlivesTheFibersOfItsProcess) {
  FiberHandle handle;
  {
    Fibers other(world_, 2);
    handle = other.Spawn("crashed", [&] { other.SleepFor(absl::Hours(1)); });
    world_.RunUntil(10);
    other.UnwindAll();
  }
  EXPECT_TRUE(handle.finished());
  handle.Cancel();
}

TEST_F(FibersTest, SpawningWhileUnwoundDestroysTheBody) {
  bool ran = false;
  auto token = std::make_shared<int>(0);
  struct Spawner {
    ~Spawner() {
      EXPECT_TRUE(fibers.Spawn("late", [ran = &ran, token = token] { *ran = true; }).finished());
    }
    Fibers& fibers;
    bool& ran;
    std::shared_ptr<int>& token;
  };
  fibers_.Spawn("spawner", [&] {
    Spawner spawner{fibers_, ran, token};
    fibers_.SleepFor(absl::Hours(1));
  });
  world_.RunUntil(10);
  fibers_.UnwindAll();
  EXPECT_FALSE(ran);
  EXPECT_EQ(token.use_count(), 1);
}

// Frames with arrays, left by an exception, by a return and by unwinding, on stacks that are used
// again: what AddressSanitizer remembers of a frame must not outlive it.
TEST_F(FibersTest, StacksAreCleanForTheNextFiber) {
  const std::function<int(int, bool)> deep = [&](int depth, bool wait) {
    volatile char frame[700];
    for (size_t i = 0; i < sizeof(frame); i += 64) frame[i] = static_cast<char>(depth);
    if (depth > 0) return deep(depth - 1, wait) + frame[64];
    if (wait) fibers_.SleepFor(absl::Hours(1));
    throw std::string("from the depth");
  };
  int caught = 0;
  for (int round = 0; round < 30; ++round) {
    Fibers process(world_, 5);
    for (int i = 0; i < 4; ++i) {
      fibers_.Spawn("throws", [&, i] {
        try {
          deep(5 + 7 * i, false);
        } catch (const std::string&) {
          ++caught;
        }
      });
      process.Spawn("unwound", [&process, i] {
        volatile char frame[3000];
        frame[2999] = static_cast<char>(i);
        process.SleepFor(absl::Hours(1));
        EXPECT_EQ(frame[2999], i);
      });
    }
    world_.RunUntil(world_.Now().nanos() + 10);
    process.UnwindAll();
  }
  EXPECT_EQ(caught, 120);
}

TEST_F(FibersTest, AWaitAtTheEndOfTheStackFailsACheck) {
  const std::function<int(int)> deep = [&](int depth) {
    volatile char frame[900];
    frame[depth % 900] = 1;
    if (depth > 0) return deep(depth - 1) + frame[0];
    fibers_.SleepFor(absl::Nanoseconds(1));
    return static_cast<int>(frame[1]);
  };
  const auto run = [&] {
    fibers_.Spawn("deep", [&] {
      // Waits deeper and deeper: one of the depths is in the reserve.
      for (int depth = 0; depth < 1'000'000; ++depth) deep(depth);
    });
    world_.RunUntil(1'000'000'000);
  };
  EXPECT_DEATH(run(), "all but used up its stack");
}

TEST_F(FibersTest, DrawsAreCountedAnewAtEachWake) {
  std::vector<uint64_t> counts;
  fibers_.Spawn("drawer", [&] {
    for (int i = 0; i < 2; ++i) {
      counts.push_back(fibers_.current()->CountDraw());
      counts.push_back(fibers_.current()->CountDraw());
      fibers_.Yield();
    }
  });
  world_.RunUntil(10);
  EXPECT_THAT(counts, ::testing::ElementsAre(0, 1, 0, 1));
}

}  // namespace
}  // namespace highwater::core
