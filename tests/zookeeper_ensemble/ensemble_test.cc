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

}  // namespace
}  // namespace highwater::tests
