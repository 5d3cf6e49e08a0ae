#include "sim/strategy.h"

#include "sim/testing/echo.h"

namespace highwater::sim {
namespace {

using core::MonotonicTime;
using testing::AddHost;

// A planted race: the writer publishes in two steps with a short wait between them, the reader
// looks much later — unless somebody holds the writer back. Returns whether the reader saw the
// half-written state.
bool ReaderSeesHalf(StrategyKind kind, uint64_t seed, FaultLedger::Choices* choices = nullptr) {
  World world({.seed = seed, .strategy = kind});
  Host& host = AddHost(world, "host");
  bool saw_half = false;
  host.SetMain([&](core::Environment& env) {
    int a = 0;
    int b = 0;
    env.fibers.Spawn("writer", [&] {
      for (int i = 1; i <= 20; ++i) {
        a = i;
        env.fibers.SleepFor(absl::Microseconds(100));
        b = i;
        env.fibers.SleepFor(absl::Milliseconds(20));
      }
    });
    env.fibers.Spawn("reader", [&] {
      env.fibers.SleepFor(absl::Milliseconds(10));
      for (int i = 1; i <= 20; ++i) {
        saw_half |= a != b;
        env.fibers.SleepFor(absl::Milliseconds(20));
      }
    });
    env.fibers.SleepFor(absl::Seconds(10));
  });
  host.Start();
  world.RunUntilIdle();
  if (choices != nullptr) *choices = world.ledger().choices;
  return saw_half;
}

TEST(StrategyTest, PctFindsAPlantedRaceThatFifoMisses) {
  int found = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_FALSE(ReaderSeesHalf(StrategyKind::kFifo, seed));
    found += ReaderSeesHalf(StrategyKind::kPct, seed);
  }
  EXPECT_GE(found, 5);
}

TEST(StrategyTest, RandomOrdersFibersThatAreReadyAtOneInstant) {
  auto order = [](StrategyKind kind, uint64_t seed) {
    World world({.seed = seed, .strategy = kind});
    Host& host = AddHost(world, "host");
    std::string result;
    host.SetMain([&](core::Environment& env) {
      for (char c = 'a'; c < 'f'; ++c) env.fibers.Spawn("worker", [&, c] { result += c; });
      env.fibers.SleepFor(absl::Seconds(1));
    });
    host.Start();
    world.RunUntilIdle();
    return result;
  };
  EXPECT_EQ(order(StrategyKind::kFifo, 1), "abcde");
  int shuffled = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::string drawn = order(StrategyKind::kRandom, seed);
    EXPECT_EQ(drawn.size(), 5u);
    EXPECT_EQ(drawn, order(StrategyKind::kRandom, seed));
    shuffled += drawn != "abcde";
  }
  EXPECT_GT(shuffled, 15);
}

TEST(StrategyTest, TheLedgerCountsChoicesThatDifferedFromFifo) {
  FaultLedger::Choices fifo;
  ReaderSeesHalf(StrategyKind::kFifo, 1, &fifo);
  EXPECT_EQ(fifo.differed_from_fifo, 0u);
  for (const StrategyKind kind : {StrategyKind::kRandom, StrategyKind::kPct}) {
    uint64_t differed = 0;
    for (uint64_t seed = 0; seed < 10; ++seed) {
      FaultLedger::Choices choices;
      ReaderSeesHalf(kind, seed, &choices);
      EXPECT_LE(choices.differed_from_fifo, choices.with_two_candidates);
      differed += choices.differed_from_fifo > 0;
    }
    EXPECT_GT(differed, 5u) << StrategyName(kind);
  }
}

TEST(StrategyTest, PctHoldsBackALink) {
  // Two connections, each asked every 10 ms: in some seed one waits for a second and the other does
  // not.
  bool held_one = false;
  for (uint64_t seed = 0; seed < 60 && !held_one; ++seed) {
    World world({.seed = seed, .strategy = StrategyKind::kPct});
    Host& client = AddHost(world, "client");
    std::array<int64_t, 2> slowest{};
    for (int i = 0; i < 2; ++i) {
      Host& server = AddHost(world, fmt::format("server-{}", i));
      server.SetMain(testing::ServeEcho);
      server.Start();
    }
    client.SetMain([&](core::Environment& env) {
      for (size_t i = 0; i < 2; ++i) {
        env.fibers.Spawn(fmt::format("asker-{}", i), [&, i] {
          auto connection = testing::MustDial(env, fmt::format("server-{}", i));
          for (int n = 0; n < 200; ++n) {
            const int64_t before = world.now();
            if (!testing::EchoOnce(*connection, core::Bytes::Copy("x")).ok()) return;
            slowest[i] = std::max(slowest[i], world.now() - before);
            env.fibers.SleepFor(absl::Milliseconds(10));
          }
        });
      }
      env.fibers.SleepFor(absl::Seconds(60));
    });
    client.Start();
    world.Run(absl::Seconds(60));
    held_one |= std::min(slowest[0], slowest[1]) < 100'000'000 &&
                std::max(slowest[0], slowest[1]) > 1'000'000'000;
  }
  EXPECT_TRUE(held_one);
}

}  // namespace
}  // namespace highwater::sim
