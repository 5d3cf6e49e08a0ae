// A server on a simulated host and disk, with clients that speak the wire.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "tests/zookeeper_server/server_world.h"

namespace highwater::tests {
namespace {

using ::testing::ElementsAre;
using zk::ErrorCode;

TEST(ZooKeeperServerTest, ServesReadsWritesAndWatches) {
  ServerWorld w;
  w.Run([](core::Environment& env) {
    WireClient client(env);
    ASSERT_TRUE(client.Connect().ok());
    EXPECT_EQ(client.Call(zk::ExistsRequest{.path = "/a", .watch = true})->error(),
              ErrorCode::kNoNode);
    EXPECT_EQ(client.Call(CreateOf("/a", "x"))->body.path, "/a");
    EXPECT_THAT(client.events, ElementsAre("NodeCreated /a"));
    const auto got = client.Call(zk::GetDataRequest{.path = "/a"});
    EXPECT_EQ(got->body.data->view(), "x");
    EXPECT_EQ(got->header.zxid, got->body.stat.czxid);
    EXPECT_EQ(client.Call(zk::SyncRequest{.path = "/a"})->body.path, "/a");
    EXPECT_EQ(client.Call(zk::CloseSessionRequest{})->error(), ErrorCode::kOk);
    EXPECT_TRUE(client.IsClosed());
  });
}

TEST(ZooKeeperServerTest, PipelinedRequestsAreAnsweredInOrder) {
  ServerWorld w;
  w.Run([](core::Environment& env) {
    WireClient client(env);
    ASSERT_TRUE(client.Connect().ok());
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(client.Send(CreateOf("/s-", "", zk::CreateMode::kPersistentSequential)).ok());
      ASSERT_TRUE(client.Send(zk::GetAllChildrenNumberRequest{.path = "/"}).ok());
    }
    ASSERT_TRUE(client.Send(zk::SyncRequest{.path = "/"}).ok());
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(client.Receive<zk::PathResponse>()->body.path, fmt::format("/s-{:010}", i));
      // Three of them are built in.
      EXPECT_EQ(client.Receive<zk::IntResponse>()->body.value, i + 4);
    }
    EXPECT_TRUE(client.Receive<zk::PathResponse>().ok());
  });
}

// [1.1]
TEST(ZooKeeperServerTest, AFrameOfIllegalLengthClosesTheConnection) {
  for (const int32_t length : {-1, 0x100000, INT32_MAX}) {
    ServerWorld w;
    w.Run([&](core::Environment& env) {
      WireClient client(env);
      ASSERT_TRUE(client.Connect().ok());
      zk::JuteWriter writer;
      writer(length);
      ASSERT_TRUE(client.SendBytes(std::move(writer).Finish()).ok());
      EXPECT_TRUE(client.IsClosed());
    });
  }
}

// [2.1]
TEST(ZooKeeperServerTest, ASessionExpiresNotBeforeItsTimeOutAndNotLongAfterIt) {
  ServerWorld w;
  w.Run([](core::Environment& env) {
    WireClient owner(env);
    WireClient watcher(env);
    ASSERT_TRUE(owner.Connect(4000).ok());
    ASSERT_TRUE(owner.Call(CreateOf("/e", "", zk::CreateMode::kEphemeral)).ok());
    ASSERT_TRUE(watcher.Connect(20'000).ok());
    ASSERT_EQ(watcher.Call(zk::ExistsRequest{.path = "/e", .watch = true})->error(),
              ErrorCode::kOk);
    const core::MonotonicTime since = env.clock.Now();
    while (watcher.events.empty()) {
      env.fibers.SleepFor(absl::Milliseconds(100));
      ASSERT_TRUE(watcher.Call(zk::WhoAmIRequest{}).ok());
    }
    const absl::Duration lived = env.clock.Now() - since;
    EXPECT_GE(lived, absl::Milliseconds(3900));
    EXPECT_LE(lived, absl::Milliseconds(5300));
    EXPECT_THAT(watcher.events, ElementsAre("NodeDeleted /e"));
    EXPECT_TRUE(owner.IsClosed());
    EXPECT_TRUE(absl::IsFailedPrecondition(owner.Connect()));
  });
}

TEST(ZooKeeperServerTest, ALostConnectionIsNotTheEndOfItsSession) {
  ServerWorld w;
  w.Run([](core::Environment& env) {
    WireClient client(env);
    ASSERT_TRUE(client.Connect().ok());
    ASSERT_TRUE(client.Call(CreateOf("/e", "", zk::CreateMode::kEphemeral)).ok());
    const zk::SessionId session = client.session();
    client.Disconnect();
    env.fibers.SleepFor(absl::Seconds(2));
    ASSERT_TRUE(client.Connect().ok());
    EXPECT_EQ(client.session(), session);
    EXPECT_EQ(client.Call(zk::ExistsRequest{.path = "/e"})->body.stat.ephemeral_owner, session);
  });
}

TEST(ZooKeeperServerTest, SessionsAndEphemeralsOutliveTheServersPowerAndEndAFullTimeOutLater) {
  ServerWorld w;
  w.CrashAt(absl::Seconds(3), sim::CrashKind::kPowerLoss, absl::Seconds(60));
  w.Run([&w](core::Environment& env) {
    WireClient gone(env);
    WireClient back(env);
    ASSERT_TRUE(gone.Connect().ok());
    ASSERT_TRUE(back.Connect().ok());
    ASSERT_TRUE(gone.Call(CreateOf("/gone", "", zk::CreateMode::kEphemeral)).ok());
    ASSERT_TRUE(back.Call(CreateOf("/back", "", zk::CreateMode::kEphemeral)).ok());
    env.fibers.SleepFor(absl::Seconds(62));
    const zk::SessionId session = back.session();
    while (!back.Connect().ok()) env.fibers.SleepFor(absl::Milliseconds(50));
    EXPECT_EQ(back.session(), session);
    EXPECT_EQ(w.starts, 2);
    EXPECT_EQ(back.Call(zk::ExistsRequest{.path = "/gone"})->error(), ErrorCode::kOk);
    for (int i = 0; i < 8; ++i) {
      env.fibers.SleepFor(absl::Seconds(1));
      ASSERT_TRUE(back.Call(zk::WhoAmIRequest{}).ok());
    }
    EXPECT_EQ(back.Call(zk::ExistsRequest{.path = "/gone"})->error(), ErrorCode::kNoNode);
    EXPECT_EQ(back.Call(zk::ExistsRequest{.path = "/back"})->error(), ErrorCode::kOk);
  });
}

TEST(ZooKeeperServerTest, ACleanStopKeepsEverything) {
  ServerWorld w;
  w.world.At(absl::Seconds(1), [&] { w.host.RequestStop(); });
  w.world.At(absl::Seconds(2), [&] { w.host.Start(); });
  w.Run([](core::Environment& env) {
    WireClient client(env);
    ASSERT_TRUE(client.Connect().ok());
    ASSERT_TRUE(client.Call(CreateOf("/a", "x")).ok());
    EXPECT_TRUE(client.IsClosed());
    client.ConnectAgain();
    EXPECT_EQ(client.Call(zk::GetDataRequest{.path = "/a"})->body.data->view(), "x");
  });
  EXPECT_EQ(w.starts, 2);
}

TEST(ZooKeeperServerTest, OneAddressHasSoManyConnectionsAndNoMore) {
  ServerWorld w(1, {.tick_time_ms = 1000, .max_client_cnxns = 2});
  w.Run([](core::Environment& env) {
    WireClient a(env);
    WireClient b(env);
    WireClient c(env);
    ASSERT_TRUE(a.Connect().ok());
    ASSERT_TRUE(b.Connect().ok());
    EXPECT_FALSE(c.Connect().ok());
    a.Disconnect();
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_TRUE(c.Connect().ok());
  });
}

// [6.2] With one request at a time for all, the others are read when there is room; nobody starves.
TEST(ZooKeeperServerTest, PastTheOutstandingLimitClientsTakeTurns) {
  ServerWorld w(1, {.tick_time_ms = 1000, .global_outstanding_limit = 1});
  std::vector<ServerWorld::ClientMain> mains;
  for (int i = 0; i < 4; ++i) {
    mains.emplace_back([i](core::Environment& env) {
      WireClient client(env);
      ASSERT_TRUE(client.Connect().ok());
      for (int k = 0; k < 40; ++k) {
        ASSERT_TRUE(client.Send(CreateOf(fmt::format("/{}-{}", i, k))).ok());
      }
      for (int k = 0; k < 40; ++k) {
        EXPECT_EQ(client.Receive<zk::PathResponse>()->body.path, fmt::format("/{}-{}", i, k));
      }
    });
  }
  w.Run(mains);
}

// A client that asks for much and reads nothing holds up nobody but itself, and is closed.
TEST(ZooKeeperServerTest, AClientThatDoesNotReadHoldsUpNobody) {
  ServerWorld w;
  w.Run([](core::Environment& env) {
    WireClient deaf(env, absl::Seconds(2));
    WireClient other(env);
    ASSERT_TRUE(deaf.Connect().ok());
    ASSERT_TRUE(other.Connect(20'000).ok());
    ASSERT_TRUE(deaf.Call(CreateOf("/big", std::string(500'000, 'x'))).ok());
    for (int i = 0; i < 200; ++i) {
      if (!deaf.Send(zk::GetDataRequest{.path = "/big"}).ok()) break;
    }
    for (int i = 0; i < 50; ++i) {
      env.fibers.SleepFor(absl::Seconds(1));
      ASSERT_TRUE(other.Call(CreateOf("/o-", "", zk::CreateMode::kPersistentSequential)).ok());
    }
    bool closed = false;
    while (!closed) closed = !deaf.NextFrame().ok();
  });
}

}  // namespace
}  // namespace highwater::tests
