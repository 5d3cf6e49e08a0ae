// The same seed gives the same chain of hashes; a difference is named.

#include "sim/divergence.h"
#include "sim/testing/echo.h"

namespace highwater::sim {
namespace {

using core::MonotonicTime;
using testing::AddHost;
using testing::EchoOnce;
using testing::MustDial;
using testing::ServeEcho;

// A busy little region under every kind of fault. `extra_event_at`: a planted difference.
void Play(uint64_t seed, HashSink* sink, absl::Duration extra_event_at = absl::InfiniteDuration(),
          uint64_t* hash = nullptr) {
  World world({.seed = seed, .strategy = DrawStrategy(seed), .buggify = true});
  world.hash().SetSink(sink);
  static constexpr std::string_view kZones[] = {"az-a", "az-b", "az-c"};
  for (int i = 0; i < 3; ++i) {
    Host& server = AddHost(world, fmt::format("server-{}", i), kZones[i], {.base_ns = 500});
    server.SetMain(ServeEcho);
    server.Start();
    Host& client = AddHost(world, fmt::format("client-{}", i), kZones[(i + 1) % 3]);
    client.SetMain([i](core::Environment& env) {
      while (true) {
        auto connection = env.network.Dial({.host = fmt::format("server-{}", i), .port = 9092},
                                           env.clock.Now() + absl::Seconds(1));
        env.fibers.SleepFor(absl::Microseconds(env.random.Between(1, 100'000)));
        while (connection.ok() && EchoOnce(**connection, core::Bytes::Zeros(env.random.Below(5000)),
                                           env.clock.Now() + absl::Seconds(1))
                                      .ok()) {
        }
      }
    });
    client.Start();
  }
  Host& first = world.host(HostId(0));
  Host& second = world.host(HostId(2));
  SimulatedNetwork& network = world.network();
  const FaultId split = world.ledger().Request("partition");
  world.At(absl::Seconds(1), [&] { first.Freeze(); });
  world.At(absl::Seconds(2), [&] { first.Thaw(); });
  world.At(absl::Seconds(3), [&] { second.Crash(); });
  world.At(absl::Seconds(4), [&] { second.Start(); });
  world.At(absl::Seconds(5), [&] {
    network.Apply({.id = split, .from = {first.id()}, .to = network.HostsOutside(first.zone())});
  });
  world.At(absl::Seconds(6), [&] { network.Withdraw(split); });
  world.At(absl::Seconds(7), [&] { first.LosePower(); });
  world.At(absl::Seconds(8), [&] { first.Start(); });
  world.At(absl::Seconds(9), [&] { second.SetClockDrift(1000); });
  if (extra_event_at != absl::InfiniteDuration()) {
    world.At(extra_event_at, [&] { world.Fold(first.id(), EventKind::kCustom, 42); });
  }
  world.Run(absl::Seconds(12));
  if (hash != nullptr) *hash = world.hash().value();
}

uint64_t HashOf(uint64_t seed) {
  uint64_t hash = 0;
  Play(seed, nullptr, absl::InfiniteDuration(), &hash);
  return hash;
}

TEST(DeterminismTest, TheSameSeedTwiceGivesTheSameChain) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const auto run = [seed](HashSink* sink) { Play(seed, sink); };
    const auto divergence = FindDivergence(run, run);
    EXPECT_FALSE(divergence.has_value()) << "seed " << seed << ": " << divergence->ToString();
  }
}

TEST(DeterminismTest, DifferentSeedsDiffer) {
  std::vector<uint64_t> hashes;
  for (uint64_t seed = 0; seed < 12; ++seed) hashes.push_back(HashOf(seed));
  std::sort(hashes.begin(), hashes.end());
  EXPECT_EQ(std::unique(hashes.begin(), hashes.end()), hashes.end());
}

TEST(DeterminismTest, ASinkDoesNotChangeTheChain) {
  struct Nothing final : HashSink {
    void OnPoint(const HashPoint&) override {}
  } nothing;
  uint64_t with_sink = 0;
  Play(3, &nothing, absl::InfiniteDuration(), &with_sink);
  EXPECT_EQ(with_sink, HashOf(3));
}

TEST(DeterminismTest, TheFirstDivergingEventIsNamed) {
  const auto divergence =
      FindDivergence([](HashSink* sink) { Play(1, sink); },
                     [](HashSink* sink) { Play(1, sink, absl::Microseconds(6'500'001)); });
  ASSERT_TRUE(divergence.has_value());
  EXPECT_TRUE(divergence->reproduced);
  ASSERT_TRUE(divergence->b.has_value());
  EXPECT_EQ(divergence->b->kind, EventKind::kCustom);
  EXPECT_EQ(divergence->b->time, 6'500'001'000);
  EXPECT_EQ(divergence->b->digest, 42u);
  EXPECT_THAT(divergence->ToString(), ::testing::HasSubstr("6.500001000 s  host 0       custom"));
}

TEST(DeterminismTest, ARunThatIsNotRepeatableIsReportedAsSuch) {
  int runs = 0;
  const auto divergence = FindDivergence([](HashSink* sink) { Play(1, sink); },
                                         [&](HashSink* sink) {
                                           if (runs++ == 0) {
                                             Play(1, sink, absl::Seconds(6));
                                           } else {
                                             Play(1, sink);
                                           }
                                         });
  ASSERT_TRUE(divergence.has_value());
  EXPECT_FALSE(divergence->reproduced);
}

// A fault that hits others leaves a host's own draws alone: this is what makes shrinking work.
TEST(DeterminismTest, WithoutAnUnrelatedFaultAllOtherDrawsAreKept) {
  auto round_trips = [](bool with_fault) {
    World world({.seed = 4});
    Host& server = AddHost(world, "server", "az-a");
    Host& client = AddHost(world, "client", "az-b");
    Host& other = AddHost(world, "other", "az-c");
    server.SetMain(ServeEcho);
    other.SetMain([](core::Environment& env) {
      auto connection = MustDial(env, "server");
      while (EchoOnce(*connection, core::Bytes::Copy("y")).ok()) {
      }
    });
    std::vector<int64_t> result;
    client.SetMain([&](core::Environment& env) {
      auto connection = MustDial(env, "server");
      for (int i = 0; i < 100; ++i) {
        env.fibers.SleepFor(absl::Milliseconds(env.random.Between(1, 50)));
        EXPECT_TRUE(EchoOnce(*connection, core::Bytes::Copy("x")).ok());
        result.push_back(world.now() / 1000);
      }
    });
    server.Start();
    client.Start();
    other.Start();
    if (with_fault) world.At(absl::Seconds(1), [&] { other.Crash(); });
    world.Run(absl::Seconds(100));
    return result;
  };
  EXPECT_EQ(round_trips(false), round_trips(true));
}

}  // namespace
}  // namespace highwater::sim
