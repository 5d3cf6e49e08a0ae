// Our ZooKeeper client against our server on its files, over crashes, power losses and freezes.

#include <set>

#include "broker/zookeeper/client/session_client.h"
#include "broker/zookeeper/log/recovery.h"
#include "broker/zookeeper/log/transaction_log.h"
#include "broker/zookeeper/server/zookeeper_server.h"
#include "sim/disk/disk.h"
#include "sim/network/simulated_network.h"
#include "tests/zookeeper_client/client_world.h"

namespace highwater::tests {
namespace {

using namespace broker::zookeeper;  // NOLINT: the whole vocabulary
using ::testing::ElementsAre;

void ServeZooKeeper(core::Environment& env) {
  const DataDirectories directories = DataDirectories::For("zookeeper");
  const absl::Status created = CreateDataDirectories(env.files, directories);
  HW_CHECK(created.ok(), "{}", created.ToString());
  auto recovered = RecoverDatabase(env, directories);
  HW_CHECK(recovered.ok(), "{}", recovered.status().ToString());
  TransactionLog log(env, directories, {}, *recovered);
  NoFourLetterWords words;
  ZooKeeperServer server(env, {.tick_time_ms = 500, .server_id = ServerId(1)},
                         std::move(recovered->tree), log, words);
  const absl::Status started = server.Start();
  HW_CHECK(started.ok(), "{}", started.ToString());
  static_cast<void>(server.WaitUntilStopped());
}

struct OurServerWorld {
  explicit OurServerWorld(uint64_t seed)
      : world({.seed = seed, .strategy = sim::StrategyKind::kRandom}),
        server(world.AddHost({.name = "zk",
                              .zone = world.network().AddZone("az-a"),
                              .disk = sim::MakeDiskFactory({})})),
        client(world.AddHost({.name = "client", .zone = world.network().AddZone("az-b")})) {
    server.SetMain(ServeZooKeeper);
  }
  void Run(std::function<void(core::Environment&, ZooKeeperClient&)> main) {
    bool done = false;
    client.SetMain([&](core::Environment& env) {
      const auto zk = MakeZooKeeperClient(
          env, {.servers = {{"zk", 2181}}, .session_timeout = absl::Seconds(9)});
      const absl::Status connected = zk->Connect();
      EXPECT_TRUE(connected.ok()) << connected;
      if (connected.ok()) main(env, *zk);
      zk->Close(absl::Seconds(10));
      done = true;
    });
    server.Start();
    client.Start();
    while (!done && world.Elapsed() < absl::Minutes(30)) {
      world.Run(world.Elapsed() + absl::Milliseconds(100));
    }
    EXPECT_TRUE(done) << world.DescribeFibers();
  }
  sim::World world;
  sim::Host& server;
  sim::Host& client;
};

CreateRequest Create(std::string path, CreateMode mode = CreateMode::kPersistent) {
  return {.path = std::move(path), .data = core::Bytes(), .acl = OpenAcl(), .mode = mode};
}
Response One(ZooKeeperClient& zk, Request request) {
  return zk.RetryUntilConnected({std::move(request)})[0];
}

// [1.5]
TEST(OurServerTest, ServesTheClient) {
  OurServerWorld w(1);
  std::vector<std::string> log;
  RecordingHandler handler("/a", log);
  w.Run([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterZNodeChangeHandler(handler);
    zk.RegisterZNodeChildChangeHandler(handler);
    EXPECT_EQ(One(zk, ExistsRequest{.path = "/a"}).error, ErrorCode::kNoNode);
    EXPECT_EQ(One(zk, Create("/a")).error, ErrorCode::kOk);
    EXPECT_EQ(One(zk, GetChildren2Request{.path = "/a"}).error, ErrorCode::kOk);
    EXPECT_EQ(One(zk, Create("/a/b", CreateMode::kEphemeral)).error, ErrorCode::kOk);
    MultiRequest multi;
    multi.ops = {CheckRequest{.path = "/a", .version = 1}, DeleteRequest{.path = "/a/b"}};
    EXPECT_EQ(One(zk, multi).error, ErrorCode::kBadVersion);
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(log, ElementsAre("created /a", "children /a"));
  });
}

// Creates nodes while the server dies and comes back; everything acknowledged is there at the end,
// the session is one and the same, and its watch survives.
void CreateOverRestarts(uint64_t seed) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  OurServerWorld w(seed);
  core::KeyedRandom random(core::Mix(seed, 5));
  std::vector<std::string> log;
  RecordingSessionHandler sessions(log);
  std::function<void()> strike = [&] {
    if (w.world.Elapsed() > absl::Seconds(40)) return;
    if (w.server.running()) random.Chance(1, 2) ? w.server.Crash() : w.server.LosePower();
    w.world.At(w.world.Elapsed() + absl::Milliseconds(random.Between(1, 1500)), [&] {
      if (!w.server.running()) w.server.Start();
    });
    w.world.At(w.world.Elapsed() + absl::Milliseconds(random.Between(3000, 8000)),
               [&] { strike(); });
  };
  w.world.At(absl::Seconds(3), [&] { strike(); });
  w.Run([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterSessionStateHandler(sessions);
    const SessionId session = zk.session_id();
    std::set<std::string> acked;
    int lost = 0;
    EXPECT_EQ(One(zk, Create("/mine", CreateMode::kEphemeral)).error, ErrorCode::kOk);
    for (int i = 0; w.world.Elapsed() < absl::Seconds(45); ++i) {
      std::vector<Request> requests;
      for (int j = 0; j < 8; ++j) requests.push_back(Create(fmt::format("/n-{}-{}", i, j)));
      for (const Response& response : zk.HandleRequests(requests)) {
        if (response.ok()) {
          acked.insert(std::get<PathResponse>(response.body).path.substr(1));
        } else {
          EXPECT_EQ(response.error, ErrorCode::kConnectionLoss);
          ++lost;
        }
      }
      env.fibers.SleepFor(absl::Milliseconds(env.random.Between(0, 50)));
    }
    const Response listed = One(zk, GetChildren2Request{.path = "/"});
    const auto& names = std::get<GetChildren2Response>(listed.body).children;
    const std::set<std::string> found(names.begin(), names.end());
    for (const std::string& name : acked) EXPECT_TRUE(found.contains(name)) << name;
    EXPECT_TRUE(found.contains("mine"));
    EXPECT_EQ(zk.session_id(), session);
    EXPECT_GT(acked.size(), 500u);
    EXPECT_GT(lost, 0);
  });
  EXPECT_THAT(log, ::testing::IsEmpty());
}

TEST(OurServerTest, NothingAcknowledgedIsLostOverRestarts) {
  for (uint64_t seed = 1; seed <= 10; ++seed) CreateOverRestarts(seed);
}

TEST(OurServerTest, AFrozenClientExpiresAndComesBack) {
  OurServerWorld w(3);
  std::vector<std::string> log;
  RecordingSessionHandler sessions(log);
  w.Run([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterSessionStateHandler(sessions);
    EXPECT_EQ(One(zk, Create("/mine", CreateMode::kEphemeral)).error, ErrorCode::kOk);
    const SessionId first = zk.session_id();
    w.world.At(w.world.Elapsed() + absl::Seconds(1), [&] { w.client.Freeze(); });
    w.world.At(w.world.Elapsed() + absl::Seconds(15), [&] { w.client.Thaw(); });
    env.fibers.SleepFor(absl::Seconds(2));
    while (log.size() < 2) env.fibers.SleepFor(absl::Milliseconds(100));
    EXPECT_THAT(log, ElementsAre("before", "after"));
    EXPECT_EQ(One(zk, Create("/mine", CreateMode::kEphemeral)).error, ErrorCode::kOk);
    EXPECT_NE(zk.session_id(), first);
  });
}

}  // namespace
}  // namespace highwater::tests
