// What a client was told is there, whatever becomes of the server's process and power.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "tests/zookeeper_server/server_world.h"

namespace highwater::tests {
namespace {

using zk::ErrorCode;

// What a client knows of its own nodes.
struct Knowledge {
  std::map<std::string, zk::Zxid> acked;  // by path, with its czxid
  std::set<std::string> unknown;          // asked for, and the connection was lost
  std::vector<std::string> wrong;
};

// Creates nodes one after the other, over as many connections and sessions as it takes.
void CreateNodes(core::Environment& env, int client, int count, Knowledge& knows) {
  WireClient wire(env, absl::Seconds(2));
  wire.ConnectAgain();
  for (int i = 0; i < count; ++i) {
    const std::string path = fmt::format("/c{}-{}", client, i);
    const auto created = wire.Call(
        zk::Create2Request{.path = path, .data = core::Bytes::Copy(path), .acl = zk::OpenAcl()});
    if (!created.ok() || created->error() != ErrorCode::kOk) {
      knows.unknown.insert(path);
      wire.Disconnect();
      wire.ConnectAgain();
      continue;
    }
    knows.acked[path] = created->body.stat.czxid;
    // Its own last write, and nothing before it, may be what it reads.
    const auto read = wire.Call(zk::ExistsRequest{.path = path});
    if (read.ok() && read->error() != ErrorCode::kOk) knows.wrong.push_back("unread " + path);
  }
}

// Until there is an answer, whatever becomes of the connections.
template <typename Request>
auto CallAgain(WireClient& wire, const Request& request) {
  while (true) {
    auto answer = wire.Call(request);
    if (answer.ok()) return *std::move(answer);
    wire.Disconnect();
    wire.ConnectAgain();
  }
}

void CheckNodes(core::Environment& env, const std::vector<Knowledge>& all,
                std::vector<std::string>& wrong) {
  WireClient wire(env);
  wire.ConnectAgain();
  std::set<zk::Zxid> zxids;
  std::set<std::string> expected;
  for (const Knowledge& knows : all) {
    for (const auto& [path, czxid] : knows.acked) {
      expected.insert(path.substr(1));
      const auto got = CallAgain(wire, zk::GetDataRequest{.path = path});
      if (got.error() != ErrorCode::kOk) {
        wrong.push_back("lost " + path);
      } else if (got.body.data->view() != path || got.body.stat.czxid != czxid) {
        wrong.push_back("changed " + path);
      }
      if (!zxids.insert(czxid).second) wrong.push_back("a zxid twice: " + path);
    }
    for (const std::string& path : knows.unknown) expected.insert(path.substr(1));
    wrong.insert(wrong.end(), knows.wrong.begin(), knows.wrong.end());
  }
  const auto children = CallAgain(wire, zk::GetChildrenRequest{.path = "/"});
  for (const std::string& name : children.body.children) {
    if (name != "zookeeper" && !expected.contains(name)) wrong.push_back("invented " + name);
  }
}

RC_GTEST_PROP(ZooKeeperDurabilityTest, WhatWasAcknowledgedSurvivesCrashesAndPowerLosses, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  const auto strategy = *rc::gen::element(sim::StrategyKind::kFifo, sim::StrategyKind::kRandom);
  ServerWorld w(seed, {.tick_time_ms = 1000}, strategy);
  w.snapshots.transactions = *rc::gen::inRange<int64_t>(5, 60);
  absl::Duration at;
  const auto crashes = *rc::gen::container<std::vector<std::pair<int, bool>>>(
      rc::gen::pair(rc::gen::inRange(1, 300), rc::gen::arbitrary<bool>()));
  for (const auto& [ms, power] : crashes) {
    at += absl::Milliseconds(ms);
    w.CrashAt(at, power ? sim::CrashKind::kPowerLoss : sim::CrashKind::kProcess,
              absl::Milliseconds(300));
    at += absl::Milliseconds(300);
  }
  std::vector<Knowledge> knows(3);
  std::vector<ServerWorld::ClientMain> mains;
  for (int i = 0; i < 3; ++i) {
    mains.emplace_back(
        [&, i](core::Environment& env) { CreateNodes(env, i, 60, knows[static_cast<size_t>(i)]); });
  }
  w.Run(mains, absl::Minutes(30));
  std::vector<std::string> wrong;
  w.Run([&](core::Environment& env) { CheckNodes(env, knows, wrong); });
  RC_ASSERT(wrong == std::vector<std::string>());
  RC_ASSERT(w.last_status.ok());
}

// The same with the crash at each of the server's effects in turn: between a write and its sync,
// between a sync and the answer.
TEST(ZooKeeperDurabilityTest, WhatWasAcknowledgedSurvivesAPowerLossAtEachEffect) {
  for (uint64_t effect = 1; effect < 120; effect += 1) {
    ServerWorld w(effect);
    w.snapshots.transactions = 6;
    w.host.CrashAtPoint(effect,
                        effect % 3 == 0 ? sim::CrashKind::kProcess : sim::CrashKind::kPowerLoss);
    w.host.OnProcessEnd([&](const auto&) {
      w.world.At(w.world.Elapsed() + absl::Milliseconds(100), [&] {
        if (!w.host.running()) w.host.Start();
      });
    });
    std::vector<Knowledge> knows(1);
    w.Run([&](core::Environment& env) { CreateNodes(env, 0, 12, knows[0]); });
    std::vector<std::string> wrong;
    w.Run([&](core::Environment& env) { CheckNodes(env, knows, wrong); });
    ASSERT_THAT(wrong, ::testing::IsEmpty()) << "at effect " << effect;
    ASSERT_TRUE(w.last_status.ok()) << w.last_status << " at effect " << effect;
  }
}

// A crash leaves what was written and not synced in the page cache, where the next process finds it
// and goes on behind it; then the power goes. What that process read must not have been lost.
TEST(ZooKeeperDurabilityTest, WhatACrashLeftUnsyncedIsMadeDurableBeforeItIsBuiltUpon) {
  for (uint64_t effect = 1; effect < 120; ++effect) {
    ServerWorld w(effect);
    w.snapshots.transactions = 1000;
    w.host.CrashAtPoint(effect, sim::CrashKind::kProcess);
    int ends = 0;
    w.host.OnProcessEnd([&](const auto&) {
      w.world.At(w.world.Elapsed() + absl::Milliseconds(5), [&] {
        if (!w.host.running()) w.host.Start();
      });
      if (++ends > 1) return;
      w.world.At(w.world.Elapsed() + absl::Milliseconds(90), [&] { w.host.LosePower(); });
    });
    std::vector<Knowledge> knows(1);
    w.Run([&](core::Environment& env) { CreateNodes(env, 0, 60, knows[0]); });
    std::vector<std::string> wrong;
    w.Run([&](core::Environment& env) { CheckNodes(env, knows, wrong); });
    ASSERT_THAT(wrong, ::testing::IsEmpty()) << "at effect " << effect;
    ASSERT_TRUE(w.last_status.ok()) << w.last_status << " at effect " << effect;
  }
}

}  // namespace
}  // namespace highwater::tests
