// Each fault of the network makes somebody suffer, and the ledger says so.

#include "sim/network/simulated_network.h"
#include "sim/testing/echo.h"

namespace highwater::sim {
namespace {

using core::MonotonicTime;
using testing::AddHost;
using testing::EchoOnce;
using testing::MustDial;
using testing::ServeEcho;

class NetworkFaultsTest : public ::testing::Test {
 protected:
  NetworkFaultsTest() {
    server.SetMain(ServeEcho);
    server.Start();
  }

  // Echoes a byte every 100 ms; appends each round trip in ms, or ends with the error.
  void StartClient(absl::Duration patience = absl::InfiniteDuration()) {
    client.SetMain([this, patience](core::Environment& env) {
      auto connection = MustDial(env, "server");
      const core::Bytes byte = core::Bytes::Copy("x");
      while (true) {
        const int64_t before = world.now();
        error = EchoOnce(*connection, byte, env.clock.Now() + patience);
        if (!error.ok()) return;
        round_trips.push_back((world.now() - before) / 1'000'000);
        env.fibers.SleepFor(absl::Milliseconds(100));
      }
    });
    client.Start();
  }
  FaultId Apply(LinkFault fault) {
    fault.id = world.ledger().Request("link");
    world.network().Apply(fault);
    return fault.id;
  }
  int64_t Slowest() const { return *std::max_element(round_trips.begin(), round_trips.end()); }
  void ExpectObserved(FaultId id) {
    EXPECT_GT(world.ledger()[id].applied, 0u);
    EXPECT_GT(world.ledger()[id].observed, 0u);
  }

  static WorldOptions Options() {
    WorldOptions options{.seed = 3};
    options.network.tail = false;
    options.network.give_up = absl::Seconds(20);
    return options;
  }
  World world{Options()};
  Host& server = AddHost(world, "server", "az-a");
  Host& client = AddHost(world, "client", "az-b");
  Host& bystander = AddHost(world, "bystander", "az-b");
  std::vector<int64_t> round_trips;
  absl::Status error;
};

TEST_F(NetworkFaultsTest, WithoutFaultsRoundTripsAreShort) {
  StartClient();
  world.Run(absl::Seconds(10));
  EXPECT_GT(round_trips.size(), 40u);
  EXPECT_LE(Slowest(), 100);
}

TEST_F(NetworkFaultsTest, APartitionIsSilentAndHealsByRetransmission) {
  StartClient();
  world.Run(absl::Seconds(2));
  const FaultId id = Apply({.from = {server.id()}, .to = {client.id()}});
  world.Run(absl::Seconds(7));
  const size_t during = round_trips.size();
  EXPECT_LE(Slowest(), 100);
  EXPECT_EQ(world.ledger()[id].observed, 0u);  // it still waits
  world.network().Withdraw(id);
  world.Run(absl::Seconds(20));
  EXPECT_GT(round_trips.size(), during);
  EXPECT_GE(Slowest(), 4800);
  ExpectObserved(id);
}

TEST_F(NetworkFaultsTest, AOneWayPartitionLosesOnlyTheAnswers) {
  uint64_t asked = 0;
  server.OnProcessEnd({});
  StartClient();
  world.Run(absl::Seconds(2));
  const uint64_t before = world.network().bytes_between(client.zone(), server.zone());
  const FaultId id = Apply({.from = {server.id()}, .to = {client.id()}, .ways = Ways::kOneWay});
  world.Run(absl::Seconds(7));
  asked = world.network().bytes_between(client.zone(), server.zone()) - before;
  EXPECT_EQ(asked, 1u);  // the question came through, the answer did not
  world.network().Withdraw(id);
  world.Run(absl::Seconds(20));
  ExpectObserved(id);
}

TEST_F(NetworkFaultsTest, AWriterLearnsOfSilenceWhenTheKernelGivesUp) {
  StartClient();
  world.Run(absl::Seconds(2));
  const FaultId id = Apply({.from = {server.id()}, .to = {client.id()}});
  world.Run(absl::Seconds(60));
  EXPECT_TRUE(absl::IsDeadlineExceeded(error)) << error;
  ExpectObserved(id);
}

TEST_F(NetworkFaultsTest, APartitionOfZonesLeavesTheZoneItselfAlone) {
  bystander.SetMain(ServeEcho);
  bystander.Start();
  int inside = 0;
  client.SetMain([&](core::Environment& env) {
    auto near = MustDial(env, "bystander");
    while (EchoOnce(*near, core::Bytes::Copy("x")).ok()) {
      ++inside;
      env.fibers.SleepFor(absl::Milliseconds(100));
    }
  });
  client.Start();
  const ZoneId zone = client.zone();
  const FaultId id =
      Apply({.from = world.network().HostsIn(zone), .to = world.network().HostsOutside(zone)});
  bool crossed = false;
  world.At(absl::Seconds(1), [&] {
    client.process()->environment().fibers.Spawn("dialer", [&] {
      core::Environment& env = client.process()->environment();
      auto far =
          env.network.Dial({.host = "server", .port = 9092}, env.clock.Now() + absl::Seconds(5));
      crossed = far.ok();
    });
  });
  world.Run(absl::Seconds(10));
  EXPECT_GT(inside, 50);
  EXPECT_FALSE(crossed);
  ExpectObserved(id);
}

TEST_F(NetworkFaultsTest, ADialThroughAPartitionIsAnsweredAfterItHeals) {
  const FaultId id = Apply({.from = {server.id()}, .to = {client.id()}});
  world.At(absl::Seconds(4), [&] { world.network().Withdraw(id); });
  StartClient();
  world.Run(absl::Seconds(4));
  EXPECT_TRUE(round_trips.empty());
  world.Run(absl::Seconds(20));
  EXPECT_FALSE(round_trips.empty());
  ExpectObserved(id);
}

TEST_F(NetworkFaultsTest, ASilentHostMakesADialGiveUpAtLast) {
  server.LosePower();
  absl::Status status;
  client.SetMain([&](core::Environment& env) {
    status = env.network.Dial({.host = "server", .port = 9092}, MonotonicTime::Never()).status();
  });
  client.Start();
  world.RunUntilIdle();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_GE(world.Elapsed(), absl::Seconds(63));  // 1 + 2 + 4 + ... + 32
}

TEST_F(NetworkFaultsTest, AResettingPartitionBreaksConnectionsAndRefusesDials) {
  StartClient();
  world.Run(absl::Seconds(2));
  const FaultId id =
      Apply({.from = {server.id()}, .to = {client.id()}, .effect = LinkEffect::kReset});
  world.Run(absl::Seconds(3));
  EXPECT_TRUE(absl::IsAborted(error)) << error;
  ExpectObserved(id);
  absl::Status dial;
  client.SetMain([&](core::Environment& env) {
    dial = env.network.Dial({.host = "server", .port = 9092}, MonotonicTime::Never()).status();
  });
  client.Start();
  world.Run(absl::Seconds(4));
  EXPECT_TRUE(absl::IsUnavailable(dial)) << dial;
}

TEST_F(NetworkFaultsTest, DelayAndJitterLengthenRoundTrips) {
  StartClient();
  const FaultId id = Apply({.from = {server.id()},
                            .to = {client.id()},
                            .effect = LinkEffect::kDelay,
                            .delay = absl::Milliseconds(300),
                            .jitter = absl::Milliseconds(50)});
  world.Run(absl::Seconds(10));
  ASSERT_GT(round_trips.size(), 5u);
  EXPECT_GE(*std::min_element(round_trips.begin(), round_trips.end()), 600);
  EXPECT_GT(Slowest(), 620);
  ExpectObserved(id);
}

TEST_F(NetworkFaultsTest, LossShowsAsRetransmissionDelay) {
  StartClient();
  const FaultId id = Apply({.from = {server.id()},
                            .to = {client.id()},
                            .effect = LinkEffect::kLoss,
                            .loss_ppm = 200'000});
  world.Run(absl::Seconds(60));
  EXPECT_TRUE(error.ok());
  EXPECT_GE(Slowest(), 200);
  EXPECT_LT(*std::min_element(round_trips.begin(), round_trips.end()), 100);
  ExpectObserved(id);
}

TEST_F(NetworkFaultsTest, ASqueezeMakesMuchDataSlow) {
  int64_t took = 0;
  client.SetMain([&](core::Environment& env) {
    auto connection = MustDial(env, "server");
    const int64_t before = world.now();
    EXPECT_TRUE(EchoOnce(*connection, core::Bytes::Zeros(200'000)).ok());
    took = world.now() - before;
  });
  client.Start();
  const FaultId id = Apply({.from = {server.id()},
                            .to = {client.id()},
                            .effect = LinkEffect::kBandwidth,
                            .bytes_per_second = 100'000});
  world.Run(absl::Seconds(60));
  EXPECT_GE(took, 4'000'000'000);  // 200 kB there and back at 100 kB/s
  ExpectObserved(id);
}

TEST_F(NetworkFaultsTest, ResetConnectionsAbortsBothEnds) {
  StartClient();
  world.Run(absl::Seconds(2));
  const FaultId id = world.ledger().Request("reset");
  EXPECT_EQ(world.network().ResetConnections(id, {server.id()}, {client.id()}), 1u);
  world.Run(absl::Seconds(3));
  EXPECT_TRUE(absl::IsAborted(error)) << error;
  ExpectObserved(id);
  EXPECT_EQ(world.network().connection_count(), 0u);
}

TEST_F(NetworkFaultsTest, AFaultWithdrawnBeforeAnyCallIsNotObserved) {
  StartClient();
  world.Run(absl::Seconds(2));
  const FaultId id = Apply({.from = {server.id()}, .to = {bystander.id()}});
  world.Run(absl::Seconds(4));
  world.network().Withdraw(id);
  world.Run(absl::Seconds(10));
  EXPECT_EQ(world.ledger()[id].applied, 1u);
  EXPECT_EQ(world.ledger()[id].observed, 0u);
}

TEST_F(NetworkFaultsTest, ACrashResetsPeers) {
  StartClient();
  world.Run(absl::Seconds(2));
  server.Crash();
  world.Run(absl::Seconds(3));
  EXPECT_TRUE(absl::IsAborted(error)) << error;
}

TEST_F(NetworkFaultsTest, APowerLossIsSilent) {
  StartClient();
  world.Run(absl::Seconds(2));
  server.LosePower();
  world.Run(absl::Seconds(12));
  EXPECT_TRUE(error.ok()) << error;
  world.Run(absl::Seconds(60));
  EXPECT_TRUE(absl::IsDeadlineExceeded(error)) << error;
}

TEST_F(NetworkFaultsTest, AHalfOpenConnectionIsResetByTheNewKernelWhenDataComes) {
  StartClient();
  world.Run(absl::Seconds(2));
  server.LosePower();
  world.Run(absl::Seconds(4));
  server.Start();
  world.Run(absl::Seconds(20));
  EXPECT_TRUE(absl::IsAborted(error)) << error;
}

}  // namespace
}  // namespace highwater::sim
