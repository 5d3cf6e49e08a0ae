// Clients reach two echo servers in az-a and az-b through one address.

#include "sim/network/vip.h"

#include "sim/network/simulated_network.h"
#include "sim/testing/echo.h"

namespace highwater::sim {
namespace {

using core::MonotonicTime;
using testing::AddHost;
using testing::EchoOnce;
using testing::kEchoPort;
using testing::MustDial;
using testing::ServeEcho;

class VipTest : public ::testing::Test {
 protected:
  explicit VipTest(std::optional<absl::Duration> drift_time = std::nullopt)
      : vip(world.network().AddVip(
            {.name = "kafka", .zones = {a, b, c}, .drift_time = drift_time})) {
    for (Host* server : {&near, &far}) {
      server->SetMain(ServeEcho);
      server->Start();
    }
    vip.Forward(9001, near, kEchoPort);
    vip.Forward(9002, far, kEchoPort);
  }

  static WorldOptions Options() {
    WorldOptions options{.seed = 3};
    options.network.tail = false;
    options.network.jitter_percent = 0;
    return options;
  }
  // Echoes a byte every 100 ms, over a new connection after each error.
  void StartClient(uint16_t port = 9001, absl::Duration patience = absl::Seconds(2)) {
    client.SetMain([this, port, patience](core::Environment& env) {
      while (true) {
        auto connection =
            env.network.Dial({.host = "kafka", .port = port}, env.clock.Now() + absl::Seconds(1));
        if (!connection.ok()) {
          errors.push_back(connection.status());
          env.fibers.SleepFor(absl::Milliseconds(50));
          continue;
        }
        EXPECT_EQ((*connection)->peer().host, peer_host);
        EXPECT_EQ((*connection)->peer().port, peer_port.value_or(port));
        ++dials;
        while (true) {
          const int64_t before = world.now();
          const absl::Status status =
              EchoOnce(**connection, core::Bytes::Copy("x"), env.clock.Now() + patience);
          if (!status.ok()) {
            errors.push_back(status);
            break;
          }
          round_trip = absl::Nanoseconds(world.now() - before);
          last_success = world.Elapsed();
          env.fibers.SleepFor(absl::Milliseconds(100));
        }
      }
    });
    client.Start();
  }
  absl::Duration OneWay(const Host& from, const Host& to) {
    return absl::Nanoseconds(world.network().LinkBetween(from.id(), to.id()).base);
  }
  absl::Duration RoundTripThrough(const Host& node, const Host& server) {
    return 2 * (OneWay(client, node) + OneWay(node, server));
  }
  FaultId Fault() { return world.ledger().Request("vip_drift"); }

  World world{Options()};
  ZoneId a = world.network().AddZone("az-a");
  ZoneId b = world.network().AddZone("az-b");
  ZoneId c = world.network().AddZone("az-c");
  Host& near = AddHost(world, "near", "az-a");
  Host& far = AddHost(world, "far", "az-b");
  Host& client = AddHost(world, "client", "az-a");
  Vip& vip;
  std::string peer_host = "kafka";
  std::optional<uint16_t> peer_port;  // none: the one that was dialled
  std::vector<absl::Status> errors;
  int dials = 0;
  absl::Duration round_trip;
  absl::Duration last_success;
};

class DriftingVipTest : public VipTest {
 protected:
  DriftingVipTest() : VipTest(absl::Seconds(5)) {}
};

TEST_F(VipTest, APortLeadsToItsBrokerAtTheLatencyOfTheNodesZone) {
  StartClient(9002);
  world.Run(absl::Seconds(1));
  EXPECT_EQ(round_trip, RoundTripThrough(*vip.nodes()[0], far));
  EXPECT_EQ(errors.size(), 0u);
  EXPECT_GT(world.network().bytes_between(a, b), 0u);
}

TEST_F(VipTest, WhoStandsBehindItReachesTheOthersWithoutTheNode) {
  vip.StandsBehind(client);
  vip.node().LosePower();
  peer_host = "far";
  peer_port = kEchoPort;
  StartClient(9002);
  world.Run(absl::Seconds(1));
  EXPECT_EQ(round_trip, 2 * OneWay(client, far));
  EXPECT_EQ(errors.size(), 0u);
}

TEST_F(VipTest, AnUnknownPortIsRefusedByTheNode) {
  StartClient(9009);
  world.Run(absl::Seconds(1));
  ASSERT_FALSE(errors.empty());
  EXPECT_TRUE(absl::IsUnavailable(errors[0]));
}

TEST_F(VipTest, ABrokerThatIsDownRefusesThroughTheVip) {
  near.Crash();
  StartClient(9001);
  world.Run(absl::Seconds(1));
  ASSERT_FALSE(errors.empty());
  EXPECT_TRUE(absl::IsUnavailable(errors[0]));
}

TEST_F(VipTest, ADriftMovesConnectionsThatTheNewNodeKnows) {
  StartClient(9001);
  world.Run(absl::Seconds(1));
  EXPECT_EQ(round_trip, RoundTripThrough(*vip.nodes()[0], near));
  const FaultId fault = Fault();
  vip.DriftTo(c, fault, VipConnections::kMove);
  EXPECT_EQ(vip.zone(), c);
  world.Run(absl::Seconds(2));
  EXPECT_EQ(round_trip, RoundTripThrough(*vip.nodes()[2], near));
  EXPECT_GT(round_trip, absl::Milliseconds(40));
  EXPECT_EQ(dials, 1);
  EXPECT_EQ(errors.size(), 0u);
  EXPECT_EQ(world.ledger()[fault].applied, 1u);
}

TEST_F(VipTest, ADriftCanResetConnectionsAtOnce) {
  StartClient(9001);
  world.Run(absl::Seconds(1));
  const FaultId fault = Fault();
  vip.DriftTo(b, fault, VipConnections::kReset);
  world.Run(absl::Seconds(2));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_TRUE(absl::IsAborted(errors[0]));
  EXPECT_EQ(dials, 2);
  EXPECT_GT(world.ledger()[fault].observed, 0u);
  EXPECT_EQ(round_trip, RoundTripThrough(*vip.nodes()[1], near));
}

TEST_F(VipTest, AForgottenConnectionIsResetWhenItNextSends) {
  StartClient(9001);
  world.Run(absl::Seconds(1));
  const FaultId fault = Fault();
  vip.Drift(fault);
  EXPECT_EQ(vip.zone(), b);
  world.Run(absl::Seconds(2));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_TRUE(absl::IsAborted(errors[0])) << errors[0];
  EXPECT_EQ(dials, 2);
  EXPECT_GT(world.ledger()[fault].observed, 0u);
}

// Who only waits is told nothing.
TEST_F(VipTest, AForgottenConnectionThatWaitsForAnAnswerWaitsForItsOwnTimeOut) {
  absl::Status status;
  client.SetMain([&](core::Environment& env) {
    auto connection = MustDial(env, "kafka", 9001);
    static_cast<void>(connection->Write(core::Bytes::Copy("x"), MonotonicTime::Never()));
    status = connection->Read(1, env.clock.Now() + absl::Seconds(10)).status();
  });
  world.Run(absl::Milliseconds(100));  // the server listens
  near.Freeze();
  client.Start();
  world.Run(absl::Seconds(1));
  vip.Drift(Fault());
  near.Thaw();
  world.Run(absl::Seconds(20));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

TEST_F(VipTest, ANodeWithoutPowerCutsEveryClientFromEveryBroker) {
  StartClient(9002);
  world.Run(absl::Seconds(1));
  vip.node().LosePower();
  world.Run(absl::Seconds(30));
  EXPECT_LE(last_success, absl::Seconds(1) + absl::Milliseconds(1));
  EXPECT_EQ(vip.drifts(), 0u);
  vip.node().Start();
  world.Run(absl::Seconds(60));
  EXPECT_GT(last_success, absl::Seconds(55));
}

TEST_F(VipTest, APartitionOfTheNodesZoneCutsClientsOfOtherZones) {
  vip.DriftTo(c, kNoFault);
  StartClient(9001);
  world.Run(absl::Seconds(1));
  const FaultId id = world.ledger().Request("isolate");
  world.network().Apply(
      {.id = id, .from = world.network().HostsIn(c), .to = world.network().HostsOutside(c)});
  world.Run(absl::Seconds(10));
  EXPECT_LE(last_success, absl::Seconds(1) + absl::Milliseconds(1));
  world.network().Withdraw(id);
  world.Run(absl::Seconds(40));
  EXPECT_GT(last_success, absl::Seconds(35));
  EXPECT_GT(world.ledger()[id].observed, 0u);
}

TEST_F(DriftingVipTest, DriftsByItselfWhenItsNodeLosesPower) {
  StartClient(9002);
  world.Run(absl::Seconds(1));
  vip.node().LosePower();
  world.Run(absl::Seconds(5) + absl::Milliseconds(900));
  EXPECT_EQ(vip.zone(), a);
  world.Run(absl::Seconds(6) + absl::Milliseconds(100));
  EXPECT_EQ(vip.zone(), b);
  world.Run(absl::Seconds(20));
  EXPECT_GT(last_success, absl::Seconds(19));
  EXPECT_EQ(vip.drifts(), 1u);
}

TEST_F(DriftingVipTest, DriftsByItselfWhenItsZoneIsCutOffAndStaysWhereItIsAfterwards) {
  StartClient(9002);
  world.Run(absl::Seconds(1));
  const FaultId id = world.ledger().Request("isolate");
  world.network().Apply(
      {.id = id, .from = {vip.node().id()}, .to = world.network().HostsOutside(a)});
  world.Run(absl::Seconds(20));
  EXPECT_EQ(vip.zone(), b);
  world.network().Withdraw(id);
  world.Run(absl::Seconds(40));
  EXPECT_EQ(vip.zone(), b);
  EXPECT_EQ(vip.drifts(), 1u);
}

TEST_F(DriftingVipTest, ANodeThatComesBackInTimeKeepsTheAddressAndHasItsFullTimeTheNextTime) {
  world.Run(absl::Seconds(1));
  vip.node().LosePower();
  world.Run(absl::Seconds(3));
  vip.node().Start();
  world.Run(absl::Seconds(4));
  vip.node().LosePower();  // the time begins anew
  world.Run(absl::Seconds(8));
  EXPECT_EQ(vip.zone(), a);
  world.Run(absl::Seconds(10));
  EXPECT_EQ(vip.zone(), b);
}

// Bytes keep their order and none is lost over drifts that move connections.
TEST_F(VipTest, AStreamSurvivesManyMoves) {
  std::string seen;
  client.SetMain([&](core::Environment& env) {
    auto connection = MustDial(env, "kafka", 9002);
    for (int i = 0; i < 200; ++i) {
      const std::string piece(1, static_cast<char>('a' + i % 26));
      ASSERT_TRUE(connection->Write(core::Bytes::Copy(piece), MonotonicTime::Never()).ok());
      env.fibers.SleepFor(absl::Milliseconds(7));
    }
    while (seen.size() < 200) {
      const auto bytes = connection->Read(1000, MonotonicTime::Never());
      ASSERT_TRUE(bytes.ok() && !bytes->empty());
      seen += bytes->ToString();
    }
  });
  client.Start();
  for (int i = 1; i < 40; ++i) {
    world.At(absl::Milliseconds(50 * i), [this, i] {
      vip.DriftTo(vip.nodes()[static_cast<size_t>(i) % 3]->zone(), Fault(), VipConnections::kMove);
    });
  }
  world.Run(absl::Seconds(10));
  ASSERT_EQ(seen.size(), 200u);
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], 'a' + static_cast<int>(i % 26));
  EXPECT_GT(vip.drifts(), 30u);
}

}  // namespace
}  // namespace highwater::sim
