// Servers of an ensemble on simulated hosts, disks and a network.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/zookeeper_ensemble/ensemble_world.h"

namespace highwater::tests {
namespace {

using ::testing::ElementsAre;
using zk::ErrorCode;

// Whether every server that serves has applied the same transactions, those of the greatest zxid
// included, since all were started together.
void ExpectSameHistory(const EnsembleWorld& w) {
  for (const auto& [server, txns] : w.committed) {
    EXPECT_EQ(txns, w.committed.at(1)) << "server " << server;
  }
}

TEST(EnsembleTest, ThreeServersElectALeaderAndWhatItCommitsIsAppliedByAll) {
  EnsembleWorld w({.servers = 3});
  w.Run([&](core::Environment& env) {
    WireClient client = w.ClientOf(env, *w.leader());
    ASSERT_TRUE(client.Connect().ok());
    EXPECT_EQ(client.Call(CreateOf("/a", "x"))->body.path, "/a");
    EXPECT_EQ(client.Call(zk::GetDataRequest{.path = "/a"})->body.data->view(), "x");
    env.fibers.SleepFor(absl::Seconds(1));
  });
  EXPECT_EQ(w.committed.at(1).size(), 2u);
  ExpectSameHistory(w);
  EXPECT_EQ(w.leaders.size(), 1u);
}

TEST(EnsembleTest, AFollowersClientWritesByTheLeaderAndReadsItsOwnWrites) {
  EnsembleWorld w({.servers = 3});
  w.Run([&](core::Environment& env) {
    WireClient client = w.ClientOf(env, w.a_follower());
    ASSERT_TRUE(client.Connect().ok());
    EXPECT_EQ(client.Call(zk::ExistsRequest{.path = "/a", .watch = true})->error(),
              ErrorCode::kNoNode);
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(client.Send(CreateOf("/a", "x")).ok());
      ASSERT_TRUE(client.Send(zk::GetDataRequest{.path = "/a"}).ok());
      ASSERT_TRUE(client.Send(zk::DeleteRequest{.path = "/a", .version = -1}).ok());
    }
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(client.Receive<zk::PathResponse>()->body.path, "/a");
      EXPECT_EQ(client.Receive<zk::GetDataResponse>()->body.data->view(), "x");
      EXPECT_EQ(client.Receive<zk::Empty>()->error(), ErrorCode::kOk);
    }
    EXPECT_THAT(client.events, ElementsAre("NodeCreated /a"));
    env.fibers.SleepFor(absl::Seconds(1));
  });
  ExpectSameHistory(w);
}

// [2.1, 2.3] A session is known to all, and moves with its client.
TEST(EnsembleTest, ASessionMovesFromServerToServerWithItsEphemerals) {
  EnsembleWorld w({.servers = 3});
  w.Run([&](core::Environment& env) {
    WireClient client = w.ClientOf(env, w.a_follower());
    ASSERT_TRUE(client.Connect().ok());
    ASSERT_TRUE(client.Call(CreateOf("/e", "", zk::CreateMode::kEphemeral)).ok());
    const zk::SessionId session = client.session();
    for (const int server : {1, 2, 3, 1}) {
      client.Disconnect();
      client.server.host = fmt::format("zk-{}", server);
      client.ConnectAgain();
      ASSERT_EQ(client.session(), session);
      EXPECT_EQ(client.Call(zk::ExistsRequest{.path = "/e"})->body.stat.ephemeral_owner, session);
      EXPECT_EQ(client.Call(CreateOf("/s-", "", zk::CreateMode::kPersistentSequential))->error(),
                ErrorCode::kOk);
    }
  });
}

// [2.3] A write by a server that the session has left is refused by an end of the connection.
TEST(EnsembleTest, AWriteOverTheConnectionThatASessionHasLeftEndsIt) {
  EnsembleWorld w({.servers = 3});
  w.Run([&](core::Environment& env) {
    WireClient client = w.ClientOf(env, 1);
    ASSERT_TRUE(client.Connect().ok());
    WireClient moved = w.ClientOf(env, 2);
    moved.TakeOver(client);
    ASSERT_TRUE(moved.Connect().ok());
    ASSERT_EQ(moved.session(), client.session());
    EXPECT_EQ(client.Call(zk::ExistsRequest{.path = "/"})->error(), ErrorCode::kOk)
        << "reads go on";
    ASSERT_TRUE(client.Send(CreateOf("/a")).ok());
    EXPECT_TRUE(client.IsClosed());
    EXPECT_EQ(moved.Call(zk::ExistsRequest{.path = "/a"})->error(), ErrorCode::kNoNode);
  });
}

TEST(EnsembleTest, ASessionOfAFollowerLivesByItsPingsAndExpiresWithoutThem) {
  EnsembleWorld w({.servers = 3});
  w.Run([&](core::Environment& env) {
    const int follower = w.a_follower();
    WireClient alive = w.ClientOf(env, follower);
    WireClient silent = w.ClientOf(env, follower);
    WireClient watcher = w.ClientOf(env, *w.leader());
    ASSERT_TRUE(alive.Connect().ok());
    ASSERT_TRUE(silent.Connect().ok());
    ASSERT_TRUE(watcher.Connect(9000).ok());
    ASSERT_TRUE(alive.Call(CreateOf("/alive", "", zk::CreateMode::kEphemeral)).ok());
    ASSERT_TRUE(silent.Call(CreateOf("/silent", "", zk::CreateMode::kEphemeral)).ok());
    ASSERT_TRUE(watcher.Call(zk::SyncRequest{.path = "/"}).ok());
    ASSERT_EQ(watcher.Call(zk::ExistsRequest{.path = "/silent", .watch = true})->error(),
              ErrorCode::kOk);
    const core::MonotonicTime since = env.clock.Now();
    while (watcher.events.empty()) {
      env.fibers.SleepFor(absl::Milliseconds(100));
      ASSERT_TRUE(watcher.Call(zk::WhoAmIRequest{}).ok());
      ASSERT_TRUE(alive.Call(zk::WhoAmIRequest{}).ok());
    }
    EXPECT_GE(env.clock.Now() - since, absl::Milliseconds(3900));
    EXPECT_LE(env.clock.Now() - since, absl::Milliseconds(5500));
    EXPECT_THAT(watcher.events, ElementsAre("NodeDeleted /silent"));
    EXPECT_TRUE(silent.IsClosed()) << "the server that holds its connection ends it";
    EXPECT_TRUE(absl::IsFailedPrecondition(silent.Connect()));
    EXPECT_EQ(alive.Call(zk::ExistsRequest{.path = "/alive"})->error(), ErrorCode::kOk);
  });
}

// [2.5] A sync behind a write of somebody else sees it, whichever server is asked.
TEST(EnsembleTest, ASyncCatchesUpWithWhatTheLeaderHadProposed) {
  EnsembleWorld w({.servers = 5});
  w.Run([&](core::Environment& env) {
    WireClient writer = w.ClientOf(env, *w.leader());
    ASSERT_TRUE(writer.Connect().ok());
    std::vector<WireClient> readers;
    for (int server = 1; server <= 5; ++server) {
      readers.push_back(w.ClientOf(env, server));
      ASSERT_TRUE(readers.back().Connect().ok());
    }
    ASSERT_TRUE(writer.Call(CreateOf("/a", "0")).ok());
    for (int i = 1; i <= 20; ++i) {
      const std::string data = fmt::format("{}", i);
      ASSERT_TRUE(
          writer.Call(zk::SetDataRequest{.path = "/a", .data = core::Bytes::Copy(data)}).ok());
      WireClient& reader = readers[static_cast<size_t>(i) % readers.size()];
      EXPECT_EQ(reader.Call(zk::SyncRequest{.path = "/a"})->body.path, "/a");
      EXPECT_EQ(reader.Call(zk::GetDataRequest{.path = "/a"})->body.data->view(), data);
    }
  });
}

// [3.9] The majority elects another leader; sessions go on; nothing that was answered is lost.
TEST(EnsembleTest, ALeaderThatLosesItsPowerIsFollowedByAnotherWithAllThatWasAnswered) {
  EnsembleWorld w({.servers = 3});
  w.Run([&](core::Environment& env) {
    for (int round = 0; round < 4; ++round) {
      const int leader = *w.leader();
      const int64_t epoch = w.epoch();
      const int follower = w.a_follower();
      WireClient client = w.ClientOf(env, follower);
      ASSERT_TRUE(client.Connect(9000).ok());
      const zk::SessionId session = client.session();
      const std::string path = fmt::format("/{}", round);
      ASSERT_EQ(client.Call(CreateOf(path, "", zk::CreateMode::kEphemeral))->error(),
                ErrorCode::kOk);
      w.host(leader).LosePower();
      EXPECT_TRUE(client.IsClosed()) << "the term is over";
      ASSERT_TRUE(
          EnsembleWorld::Await(env, [&] { return w.leader().has_value() && w.Serves(follower); }));
      EXPECT_GT(w.epoch(), epoch);
      client.ConnectAgain(9000);
      EXPECT_EQ(client.session(), session);
      EXPECT_EQ(client.Call(zk::ExistsRequest{.path = path})->error(), ErrorCode::kOk);
      w.host(leader).Start();
      ASSERT_TRUE(EnsembleWorld::Await(env, [&] { return w.serving() == 3; }));
    }
  });
}

// [3.9] Without a quorum nobody is served; what was answered is there when it is back.
TEST(EnsembleTest, WithoutAQuorumNobodyIsServed) {
  EnsembleWorld w({.servers = 3});
  w.Run([&](core::Environment& env) {
    const int leader = *w.leader();
    WireClient client = w.ClientOf(env, leader);
    ASSERT_TRUE(client.Connect().ok());
    ASSERT_TRUE(client.Call(CreateOf("/a", "x")).ok());
    for (int server = 1; server <= 3; ++server) {
      if (server != leader) w.host(server).LosePower();
    }
    ASSERT_TRUE(client.Send(CreateOf("/hangs")).ok());
    EXPECT_TRUE(client.IsClosed());
    ASSERT_TRUE(EnsembleWorld::Await(env, [&] { return w.serving() == 0; }));
    EXPECT_FALSE(client.Connect().ok());
    for (int server = 1; server <= 3; ++server) {
      if (server != leader) w.host(server).Start();
    }
    ASSERT_TRUE(EnsembleWorld::Await(env, [&] { return w.serving() == 3; }));
    client.ConnectAgain();
    EXPECT_EQ(client.Call(zk::GetDataRequest{.path = "/a"})->body.data->view(), "x");
    // The server that had it in its log won: then it is committed, though nobody was told.
    EXPECT_EQ(client.Call(zk::ExistsRequest{.path = "/hangs"})->error(), ErrorCode::kOk);
  });
}

// [3.6, 3.9] What a leader that is cut off wrote into its log alone is cut off again.
TEST(EnsembleTest, ALeaderThatIsCutOffCommitsNothingAndItsTailIsCut) {
  EnsembleWorld w({.servers = 3});
  int old_leader = 0;
  w.Run([&](core::Environment& env) {
    old_leader = *w.leader();
    const int follower = w.a_follower();
    WireClient deposed = w.ClientOf(env, old_leader);
    WireClient client = w.ClientOf(env, follower);
    ASSERT_TRUE(deposed.Connect().ok());
    ASSERT_TRUE(client.Connect(9000).ok());
    ASSERT_TRUE(client.Call(CreateOf("/a", "x")).ok());
    ASSERT_TRUE(deposed.Call(zk::SyncRequest{.path = "/"}).ok());
    std::vector<int> others = {1, 2, 3};
    std::erase(others, old_leader);
    w.Cut({old_leader}, others);
    ASSERT_TRUE(deposed.Send(CreateOf("/dirty")).ok());
    ASSERT_TRUE(EnsembleWorld::Await(
        env, [&] { return w.leader().has_value() && *w.leader() != old_leader; }));
    EXPECT_TRUE(deposed.IsClosed());
    client.server.host = fmt::format("zk-{}", *w.leader());
    client.ConnectAgain(9000);
    EXPECT_EQ(client.Call(CreateOf("/b", "y"))->error(), ErrorCode::kOk);
    w.Heal();
    ASSERT_TRUE(EnsembleWorld::Await(env, [&] { return w.serving() == 3; }));
    WireClient again = w.ClientOf(env, old_leader);
    again.ConnectAgain();
    EXPECT_EQ(again.Call(zk::SyncRequest{.path = "/"})->error(), ErrorCode::kOk);
    EXPECT_EQ(again.Call(zk::ExistsRequest{.path = "/b"})->error(), ErrorCode::kOk);
    EXPECT_EQ(again.Call(zk::ExistsRequest{.path = "/dirty"})->error(), ErrorCode::kNoNode);
  });
  EXPECT_EQ(w.installed[old_leader], 1) << "a cut across an epoch";
}

// [3.6] A server that was away for longer than the others' logs reach gets a snapshot.
TEST(EnsembleTest, AServerThatWasAwayForLongTakesTheLeadersSnapshotAndKeepsIt) {
  EnsembleWorld w({.servers = 3, .snapshots = {.transactions = 100}});
  int away = 0;
  w.Run([&](core::Environment& env) {
    away = w.a_follower();
    WireClient client = w.ClientOf(env, *w.leader());
    ASSERT_TRUE(client.Connect(9000).ok());
    ASSERT_TRUE(client.Call(CreateOf("/a", "x")).ok());
    w.host(away).LosePower();
    for (int i = 0; i < 1500; ++i) {
      ASSERT_EQ(client.Call(CreateOf("/s-", "", zk::CreateMode::kPersistentSequential))->error(),
                ErrorCode::kOk);
    }
    w.host(away).Start();
    ASSERT_TRUE(EnsembleWorld::Await(env, [&] { return w.serving() == 3; }));
    EXPECT_EQ(w.installed[away], 1);
    // It outlasts the power.
    w.host(away).LosePower();
    w.host(away).Start();
    ASSERT_TRUE(EnsembleWorld::Await(env, [&] { return w.Serves(away); }));
    EXPECT_EQ(w.installed[away], 1) << "its files hold it";
    WireClient reader = w.ClientOf(env, away);
    ASSERT_TRUE(reader.Connect().ok());
    // Three nodes are built in.
    EXPECT_EQ(reader.Call(zk::GetAllChildrenNumberRequest{.path = "/"})->body.value, 1501 + 3);
  });
}

TEST(EnsembleTest, ACleanStopOfAllKeepsEverything) {
  EnsembleWorld w({.servers = 3});
  w.Run([&](core::Environment& env) {
    WireClient client = w.ClientOf(env, 2);
    ASSERT_TRUE(client.Connect().ok());
    ASSERT_TRUE(client.Call(CreateOf("/a", "x")).ok());
    for (int server = 1; server <= 3; ++server) w.host(server).RequestStop();
    ASSERT_TRUE(EnsembleWorld::Await(
        env, [&] { return !w.host(1).running() && !w.host(2).running() && !w.host(3).running(); }));
    for (int server = 1; server <= 3; ++server) w.host(server).Start();
    ASSERT_TRUE(EnsembleWorld::Await(env, [&] { return w.serving() == 3; }));
    client.ConnectAgain();
    EXPECT_EQ(client.Call(zk::GetDataRequest{.path = "/a"})->body.data->view(), "x");
  });
  EXPECT_TRUE(w.last_status.ok()) << w.last_status;
}

// Whoever was frozen does not take its own silence for the others': the leader's term goes on where
// the freeze was shorter than the others' patience.
TEST(EnsembleTest, AShortFreezeEndsNoTerm) {
  EnsembleWorld w({.servers = 3});
  w.Run([&](core::Environment& env) {
    for (int server = 1; server <= 3; ++server) {
      w.host(server).Freeze();
      env.fibers.SleepFor(absl::Milliseconds(1500));
      w.host(server).Thaw();
      env.fibers.SleepFor(absl::Seconds(4));
    }
    EXPECT_EQ(w.serving(), 3u);
  });
  EXPECT_EQ(w.leaders.size(), 1u);
}

}  // namespace
}  // namespace highwater::tests
