#include "core/fibers.h"

#include "core/channel.h"
#include "core/mutex.h"
#include "core/wait_group.h"

namespace highwater::core {
namespace {

// The smallest world: a wheel, first-in first-out, time that jumps to the next event.
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
    fibers_.SleepFor(absl::Nanoseconds(100));  // due in the same instant, after the first's deadline
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

TEST_F(FibersTest, UnwindingRunsDestructorsInOrderOfBirth) {
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
  EXPECT_THAT(log, ::testing::ElementsAre(0, 1, 2));
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

RC_GTEST_PROP(TimerWheelTest, FiresInOrderOfTimeThenOfSetting, ()) {
  struct Node final : TimerNode {
    void OnTimer() override { log->push_back(id); }
    std::vector<int>* log;
    int id;
  };
  std::vector<int> fired;
  TimerWheel wheel;
  std::vector<Node> nodes(40);
  std::map<std::pair<int64_t, int>, int> model;  // (time, order of setting) -> node
  std::map<int, std::pair<int64_t, int>> where;
  std::vector<int> expected;
  for (int i = 0; i < 40; ++i) {
    nodes[i].log = &fired;
    nodes[i].id = i;
  }
  int settings = 0;
  const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, uint64_t>>>(
      rc::gen::tuple(rc::gen::inRange(0, 4), rc::gen::inRange(0, 40), rc::gen::arbitrary<uint64_t>()));
  for (const auto& [kind, id, raw] : steps) {
    const int64_t distance = static_cast<int64_t>(raw >> (24 + raw % 40));
    if (kind <= 1) {
      const int64_t when = wheel.now() + distance;
      wheel.Set(nodes[id], when);
      if (where.count(id)) model.erase(where[id]);
      where[id] = {when, settings++};
      model[where[id]] = id;
    } else if (kind == 2) {
      wheel.Cancel(nodes[id]);
      if (where.count(id)) model.erase(where[id]);
      where.erase(id);
    } else {
      const int64_t until = wheel.now() + distance;
      while (TimerNode* node = wheel.PopDue(until)) {
        RC_ASSERT(wheel.now() == node->when());
        node->OnTimer();
      }
      while (!model.empty() && model.begin()->first.first <= until) {
        expected.push_back(model.begin()->second);
        where.erase(model.begin()->second);
        model.erase(model.begin());
      }
      RC_ASSERT(fired == expected);
      RC_ASSERT(wheel.now() == until);
    }
    RC_ASSERT(wheel.size() == model.size());
    RC_ASSERT(model.empty() || wheel.NextTimeBound() <= model.begin()->first.first);
  }
}

}  // namespace
}  // namespace highwater::core
