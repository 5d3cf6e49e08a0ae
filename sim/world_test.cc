#include "sim/world.h"

#include "core/wait_queue.h"
#include "sim/network/tcp_connection.h"
#include "sim/testing/echo.h"

namespace highwater::sim {
namespace {

using testing::AddHost;
using testing::EchoOnce;
using testing::MustDial;
using testing::ServeEcho;

TEST(WorldTest, TwoHostsTalk) {
  World world({.seed = 1});
  Host& server = AddHost(world, "server");
  Host& client = AddHost(world, "client", "az-b");
  server.SetMain(ServeEcho);
  std::string heard;
  client.SetMain([&](core::Environment& env) {
    auto connection = MustDial(env, "server");
    ASSERT_TRUE(connection->Write(core::Bytes::Copy("hello"), core::MonotonicTime::Never()).ok());
    auto bytes = connection->Read(100, core::MonotonicTime::Never());
    ASSERT_TRUE(bytes.ok());
    heard = bytes->ToString();
    EXPECT_EQ(connection->peer(), (core::Endpoint{.host = "server", .port = 9092}));
    EXPECT_EQ(connection->local().host, "client");
  });
  server.Start();
  client.Start();
  EXPECT_EQ(world.RunUntilIdle(), RunEnd::kIdle);
  EXPECT_EQ(heard, "hello");
  EXPECT_FALSE(client.running());
  EXPECT_EQ(world.LiveFibers(), 1u);  // the server still accepts
  // A handshake and a round trip between zones: three one-way latencies of 10 to 40 ms at least.
  EXPECT_GE(world.Elapsed(), absl::Milliseconds(40));
  EXPECT_EQ(world.network().connection_count(), 0u);
}

TEST(WorldTest, RunStopsAtTheAskedForTimeAndSkipsIdleTime) {
  World world({.seed = 1});
  std::vector<int64_t> seconds;
  for (int i : {30, 10, 20}) {
    world.At(absl::Seconds(i), [&] { seconds.push_back(world.now() / 1'000'000'000); });
  }
  EXPECT_EQ(world.Run(absl::Seconds(20)), RunEnd::kTime);
  EXPECT_EQ(world.Elapsed(), absl::Seconds(20));
  EXPECT_THAT(seconds, ::testing::ElementsAre(10, 20));
  EXPECT_EQ(world.Run(absl::Seconds(100)), RunEnd::kIdle);
  EXPECT_EQ(world.Elapsed(), absl::Seconds(100));
}

TEST(WorldTest, FibersThatYieldForEverAreALivelock) {
  World world({.seed = 1, .max_events_per_instant = 1000});
  Host& host = AddHost(world, "host");
  host.SetMain([](core::Environment& env) {
    while (true) env.fibers.Yield();
  });
  host.Start();
  EXPECT_EQ(world.Run(absl::Seconds(1)), RunEnd::kLivelock);
  EXPECT_EQ(world.events(), 1000u);
}

TEST(WorldTest, AStuckWorldIsIdleAndNamesWhoWaits) {
  World world({.seed = 1});
  Host& host = AddHost(world, "broker-0");
  host.SetMain([](core::Environment& env) {
    env.fibers.SleepFor(absl::Seconds(3));
    core::WaitQueue queue;
    queue.Wait(env.fibers, "an answer that never comes", core::MonotonicTime::Never());
  });
  host.Start();
  EXPECT_EQ(world.Run(absl::Seconds(10)), RunEnd::kIdle);
  EXPECT_EQ(world.DescribeFibers(),
            "broker-0  \"main\" waits for an answer that never comes, since 3.000000000 s, for "
            "ever\n");
}

TEST(WorldTest, TheEventLimitEndsARun) {
  World world({.seed = 1, .max_events = 50});
  Host& host = AddHost(world, "host");
  host.SetMain([](core::Environment& env) {
    while (true) env.fibers.SleepFor(absl::Milliseconds(1));
  });
  host.Start();
  EXPECT_EQ(world.Run(absl::Seconds(10)), RunEnd::kEventLimit);
}

TEST(WorldTest, AFailedCheckPrintsSeedTimeAndLastEvents) {
  EXPECT_DEATH(
      {
        World world({.seed = 77});
        Host& host = AddHost(world, "broker-3");
        host.SetMain([](core::Environment& env) {
          env.fibers.SleepFor(absl::Milliseconds(1500));
          HW_CHECK(1 + 1 == 3, "arithmetic of {}", "the world");
        });
        host.Start();
        world.Run(absl::Seconds(10));
      },
      "arithmetic of the world(.|\n)*seed 77, at 1.500000000 s, in broker-3(.|\n)*last "
      "events:(.|\n)*#0 0.000000000 s  broker-3     process start(.|\n)*\"main\" running");
}

TEST(WorldTest, ABootedWorldIsSmall) {
  // Three brokers, three ZooKeeper servers: what is there before anything happens.
  EXPECT_LE(sizeof(World), 64u << 10);
  EXPECT_LE(sizeof(TcpConnection), 2048u);
}

}  // namespace
}  // namespace highwater::sim
