// Mutex, condition, channel, wait group: deadlines, cancellation, and crashes in the middle.

#include <gtest/gtest.h>

#include "core/channel.h"
#include "core/mutex.h"
#include "core/tiny_world.h"
#include "core/wait_group.h"

namespace highwater::core {
namespace {

class SynchronizationTest : public ::testing::Test {
 protected:
  ~SynchronizationTest() override { fibers_.UnwindAll(); }
  MonotonicTime At(int64_t nanos) { return MonotonicTime::FromNanos(nanos); }

  TinyWorld world_;
  Fibers fibers_{world_, 1};
};

TEST_F(SynchronizationTest, AMutexThatIsNotFreedInTimeIsNotOwned) {
  Mutex mutex(fibers_);
  std::vector<std::string> log;
  fibers_.Spawn("holder", [&] {
    MutexLock lock(mutex);
    fibers_.SleepUntil(At(100));
  });
  fibers_.Spawn("impatient", [&] {
    EXPECT_EQ(mutex.LockUntil(At(50)), Wake::kDeadline);
    EXPECT_FALSE(mutex.HeldByCaller());
    log.push_back("gave up");
  });
  fibers_.Spawn("patient", [&] {
    EXPECT_EQ(mutex.LockUntil(At(500)), Wake::kSignaled);
    EXPECT_TRUE(mutex.HeldByCaller());
    EXPECT_EQ(fibers_.Now(), At(100));
    mutex.Unlock();
    log.push_back("owned");
  });
  world_.RunUntil(1'000);
  EXPECT_EQ(log, (std::vector<std::string>{"gave up", "owned"}));
}

TEST_F(SynchronizationTest, LockIgnoresCancellationAndLockUntilHeedsIt) {
  Mutex mutex(fibers_);
  Wake heeded = Wake::kSignaled;
  bool locked = false;
  fibers_.Spawn("holder", [&] {
    MutexLock lock(mutex);
    fibers_.SleepUntil(At(100));
  });
  FiberHandle first = fibers_.Spawn("heeds", [&] { heeded = mutex.LockUntil(At(500)); });
  FiberHandle second = fibers_.Spawn("ignores", [&] {
    MutexLock lock(mutex);
    locked = true;
    EXPECT_EQ(fibers_.Now(), At(100));
  });
  world_.RunUntil(10);
  first.Cancel();
  second.Cancel();
  world_.RunUntil(20);
  EXPECT_EQ(heeded, Wake::kCancelled);
  EXPECT_FALSE(locked);
  world_.RunUntil(1'000);
  EXPECT_TRUE(locked);
}

TEST_F(SynchronizationTest, AConditionGivesTheMutexBackHoweverItsWaitEnds) {
  Mutex mutex(fibers_);
  Condition condition;
  std::vector<Wake> wakes;
  const auto wait = [&](MonotonicTime deadline) {
    MutexLock lock(mutex);
    wakes.push_back(condition.Wait(mutex, deadline));
    EXPECT_TRUE(mutex.HeldByCaller());
  };
  fibers_.Spawn("deadline", [&] { wait(At(50)); });
  FiberHandle cancelled = fibers_.Spawn("cancelled", [&] { wait(MonotonicTime::Never()); });
  fibers_.Spawn("notified", [&] { wait(MonotonicTime::Never()); });
  fibers_.Spawn("notifier", [&] {
    fibers_.SleepUntil(At(70));
    MutexLock lock(mutex);
    condition.NotifyAll();
  });
  world_.RunUntil(60);
  cancelled.Cancel();
  world_.RunUntil(1'000);
  EXPECT_EQ(wakes, (std::vector<Wake>{Wake::kDeadline, Wake::kCancelled, Wake::kSignaled}));
}

TEST_F(SynchronizationTest, NotifyOneWakesTheOneThatWaitsLongest) {
  Mutex mutex(fibers_);
  Condition condition;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    fibers_.Spawn("waiter", [&, i] {
      MutexLock lock(mutex);
      static_cast<void>(condition.Wait(mutex));
      order.push_back(i);
    });
  }
  world_.RunUntil(10);
  for (int i = 0; i < 3; ++i) {
    condition.NotifyOne();
    world_.RunUntil(20 + i);
    EXPECT_EQ(order.size(), static_cast<size_t>(i + 1));
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST_F(SynchronizationTest, AMutexMisusedFailsACheck) {
  const auto run = [&](std::function<void(Mutex&)> misuse) {
    Mutex mutex(fibers_);
    fibers_.Spawn("misuser", [&] { misuse(mutex); });
    world_.RunUntil(10);
  };
  EXPECT_DEATH(run([](Mutex& mutex) {
                 mutex.Lock();
                 mutex.Lock();
               }),
               "locks a mutex twice");
  EXPECT_DEATH(run([](Mutex& mutex) { mutex.Unlock(); }), "does not own it");
  Mutex outside(fibers_);
  EXPECT_DEATH(outside.Lock(), "outside a fiber");
}

// A crash while one fiber holds the lock, one waits for it and one waits on a condition.
TEST_F(SynchronizationTest, ACrashInTheMiddleOfALockUnwindsAll) {
  int destroyed = 0;
  struct Witness {
    int& count;
    ~Witness() { ++count; }
  };
  // Destroyed by the crash with its waiters still in it.
  struct Shared {
    explicit Shared(Fibers& fibers) : mutex(fibers), channel(fibers, 1), group(fibers) {}
    Mutex mutex;
    Condition condition;
    Channel<int> channel;
    WaitGroup group;
  };
  fibers_.Spawn("owner", [&] {
    Shared shared(fibers_);
    Witness witness{destroyed};
    shared.group.Add();
    fibers_.Spawn("on a condition", [&] {
      Witness w{destroyed};
      MutexLock lock(shared.mutex);
      static_cast<void>(shared.condition.Wait(shared.mutex));
    });
    fibers_.Spawn("holder", [&] {
      Witness w{destroyed};
      MutexLock lock(shared.mutex);
      fibers_.SleepFor(absl::Hours(1));
    });
    for (int i = 0; i < 2; ++i) {
      fibers_.Spawn("wants the lock", [&] {
        Witness w{destroyed};
        MutexLock lock(shared.mutex);
      });
      fibers_.Spawn("receives", [&] {
        Witness w{destroyed};
        static_cast<void>(shared.channel.Receive());
      });
      fibers_.Spawn("waits for the group", [&] {
        Witness w{destroyed};
        shared.group.Wait();
      });
    }
    fibers_.SleepFor(absl::Hours(1));
  });
  world_.RunUntil(1'000);
  EXPECT_EQ(fibers_.live(), 9u);
  fibers_.UnwindAll();
  EXPECT_EQ(fibers_.live(), 0u);
  EXPECT_EQ(destroyed, 9);
}

TEST_F(SynchronizationTest, SendEndsAtDeadlineCancellationAndClose) {
  Channel<int> channel(fibers_, 1);
  ASSERT_TRUE(channel.TrySend(0));
  ASSERT_FALSE(channel.TrySend(1));
  std::vector<ChannelResult> results;
  fibers_.Spawn("deadline", [&] { results.push_back(channel.Send(1, At(10))); });
  FiberHandle cancelled = fibers_.Spawn("cancelled", [&] { results.push_back(channel.Send(2)); });
  fibers_.Spawn("closed", [&] { results.push_back(channel.Send(3)); });
  world_.RunUntil(20);
  cancelled.Cancel();
  world_.RunUntil(30);
  channel.Close();
  world_.RunUntil(40);
  EXPECT_EQ(results,
            (std::vector<ChannelResult>{ChannelResult::kDeadline, ChannelResult::kCancelled,
                                        ChannelResult::kClosed}));
  EXPECT_EQ(channel.TryReceive(), 0);  // what was inside stays
  EXPECT_EQ(channel.TryReceive(), std::nullopt);
  EXPECT_FALSE(channel.TrySend(4));
}

TEST_F(SynchronizationTest, ReceiveEndsAtDeadlineAndCancellationWithoutTakingAValue) {
  Channel<int> channel(fibers_, 4);
  std::vector<std::optional<int>> received;
  fibers_.Spawn("deadline", [&] { received.push_back(channel.Receive(At(10))); });
  FiberHandle cancelled =
      fibers_.Spawn("cancelled", [&] { received.push_back(channel.Receive()); });
  world_.RunUntil(20);
  cancelled.Cancel();
  world_.RunUntil(30);
  ASSERT_TRUE(channel.TrySend(7));
  fibers_.Spawn("lucky", [&] { received.push_back(channel.Receive()); });
  world_.RunUntil(40);
  EXPECT_EQ(received, (std::vector<std::optional<int>>{std::nullopt, std::nullopt, 7}));
}

TEST_F(SynchronizationTest, AWaitGroupWaitsForAllOfItsTasks) {
  WaitGroup group(fibers_);
  MonotonicTime ended;
  Wake early = Wake::kSignaled;
  for (int i = 1; i <= 3; ++i) {
    group.Add();
    fibers_.Spawn("task", [&, i] {
      fibers_.SleepUntil(At(100 * i));
      group.Done();
    });
  }
  fibers_.Spawn("early", [&] { early = group.Wait(At(250)); });
  fibers_.Spawn("waiter", [&] {
    EXPECT_EQ(group.Wait(), Wake::kSignaled);
    ended = fibers_.Now();
    EXPECT_EQ(group.Wait(), Wake::kSignaled);  // at once
  });
  world_.RunUntil(1'000);
  EXPECT_EQ(early, Wake::kDeadline);
  EXPECT_EQ(ended, At(300));
  EXPECT_DEATH(group.Done(), "Done without Add");
}

}  // namespace
}  // namespace highwater::core
