// The ZooKeeper client under drawn faults of network, servers and its own host, against a model:
// every request is answered once and with its own answer, nothing acknowledged is lost, nothing is
// applied twice, and an event comes before any data that shows its change.

#include <map>

#include "broker/zookeeper/client/session_driver.h"
#include "core/wait_group.h"
#include "tests/zookeeper_client/client_world.h"

namespace highwater::tests {
namespace {

using namespace broker::zookeeper;  // NOLINT: the whole vocabulary

constexpr absl::Duration kFaultyTime = absl::Seconds(40);

// Strikes every half second or so, each time for up to `longest`.
class Trouble {
 public:
  Trouble(ZooKeeperClientWorld& w, uint64_t seed, absl::Duration longest)
      : w_(w), random_(core::Mix(seed, core::MixName("trouble"))), longest_(longest) {
    Next();
  }

 private:
  void Next() {
    const absl::Duration wait = absl::Milliseconds(random_.Between(50, 900));
    if (w_.world.Elapsed() + wait > kFaultyTime) return;
    w_.world.At(w_.world.Elapsed() + wait, [this] {
      Strike();
      Next();
    });
  }
  void After(std::function<void()> mend) {
    const int64_t span = random_.Between(1, absl::ToInt64Milliseconds(longest_));
    w_.world.At(w_.world.Elapsed() + absl::Milliseconds(span), std::move(mend));
  }
  void Strike() {
    const int server = static_cast<int>(random_.Below(3));
    sim::Host& host = w_.ensemble.host(server);
    switch (random_.Below(8)) {
      case 0:
        if (!host.running()) return;
        random_.Chance(1, 2) ? host.Crash() : host.LosePower();
        return After([&host] {
          if (!host.running()) host.Start();
        });
      case 1:
        if (!host.running() || host.frozen()) return;
        host.Freeze();
        return After([&host] {
          if (host.frozen()) host.Thaw();
        });
      case 2:
        return Silence(host, sim::Ways::kBoth);
      case 3:
        return Silence(host, sim::Ways::kOneWay);
      case 4:
        return w_.ensemble.CloseConnectionsOf(server);
      case 5:
        for (auto& [id, session] : w_.ensemble.sessions) session.owner = 0;  // moved
        return;
      case 6:
        if (w_.client.frozen()) return;
        w_.client.Freeze();
        return After([this] { w_.client.Thaw(); });
      default:
        return Delay(host);
    }
  }
  void Silence(sim::Host& host, sim::Ways ways) {
    Apply({.from = {host.id()}, .to = {w_.client.id()}, .ways = ways});
  }
  void Delay(sim::Host& host) {
    Apply({.from = {host.id()},
           .to = {w_.client.id()},
           .effect = sim::LinkEffect::kDelay,
           .delay = absl::Milliseconds(300),
           .jitter = absl::Seconds(1)});
  }
  void Apply(sim::LinkFault fault) {
    fault.id = w_.world.ledger().Request("link");
    w_.world.network().Apply(fault);
    After([this, id = fault.id] { w_.world.network().Withdraw(id); });
  }

  ZooKeeperClientWorld& w_;
  core::KeyedRandom random_;
  absl::Duration longest_;
};

struct Totals {
  int acked = 0;
  int lost = 0;
  int lost_but_applied = 0;
  int expired = 0;
  int sessions = 0;
  int events = 0;
};

CreateRequest NewItem(std::string data) {
  return {.path = "/queue/n-",
          .data = core::Bytes::Copy(data),
          .acl = OpenAcl(),
          .mode = CreateMode::kPersistentSequential};
}

// What one caller asked and was told.
struct Asked {
  std::string data;
  Response response;
};

// Asks in batches while there is trouble; some once, some until they are answered.
void AskInBatches(core::Environment& env, ZooKeeperClient& zk, int caller, const sim::World& world,
                  std::vector<std::vector<Asked>>& batches) {
  for (int batch = 0; world.Elapsed() < kFaultyTime; ++batch) {
    std::vector<Asked> asked;
    std::vector<Request> requests;
    const int64_t count = env.random.Between(1, 15);
    for (int i = 0; i < count; ++i) {
      asked.push_back({fmt::format("{}:{}:{}", caller, batch, i), {}});
      requests.push_back(NewItem(asked.back().data));
    }
    const auto got = zk.HandleRequests(std::move(requests));
    for (size_t i = 0; i < got.size(); ++i) asked[i].response = got[i];
    batches.push_back(std::move(asked));
    env.fibers.SleepFor(absl::Milliseconds(env.random.Between(0, 200)));
  }
}

void CheckBatch(const FakeEnsemble& ensemble, const std::vector<Asked>& batch,
                const std::map<std::string, std::string>& path_of, Totals& totals) {
  std::string last;
  for (const Asked& asked : batch) {
    const auto applied = path_of.find(asked.data);
    switch (asked.response.error) {
      case ErrorCode::kOk: {
        ++totals.acked;
        const std::string& path = std::get<PathResponse>(asked.response.body).path;
        const auto node = ensemble.nodes.find(path);
        ASSERT_NE(node, ensemble.nodes.end()) << path << " was acknowledged";
        EXPECT_EQ(node->second.data->view(), asked.data) << "somebody else's answer";
        EXPECT_LT(last, path) << "sent out of order";
        last = path;
        break;
      }
      case ErrorCode::kConnectionLoss:
        ++totals.lost;
        if (applied != path_of.end()) ++totals.lost_but_applied;
        break;
      case ErrorCode::kSessionExpired:
        ++totals.expired;
        break;
      default:
        ADD_FAILURE() << ErrorCodeName(asked.response.error);
    }
  }
}

// Returns the world's state hash.
uint64_t AskUnderTrouble(uint64_t seed, absl::Duration longest, Totals& totals) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  ZooKeeperClientWorld w(3, seed, sim::StrategyKind::kRandom);
  w.ensemble.Put("/queue", "");
  const Trouble trouble(w, seed, longest);
  std::vector<std::vector<Asked>> batches;
  std::vector<std::string> log;
  RecordingSessionHandler sessions(log);
  w.options.connection_timeout = absl::Minutes(5);
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterSessionStateHandler(sessions);
    core::WaitGroup group(env.fibers);
    for (int caller = 0; caller < 4; ++caller) {
      group.Add();
      env.fibers.Spawn("caller", [&, caller] {
        AskInBatches(env, zk, caller, w.world, batches);
        group.Done();
      });
    }
    group.Wait();
    // Once all is well again a request is served, after one new session at most.
    for (int i = 0; i < 100; ++i) {
      if (zk.RetryUntilConnected({ExistsRequest{.path = "/"}})[0].ok()) break;
      env.fibers.SleepFor(absl::Seconds(1));
    }
    EXPECT_TRUE(zk.HandleRequests({ExistsRequest{.path = "/"}})[0].ok());
  });
  std::map<std::string, std::string> path_of;
  for (const auto& [path, node] : w.ensemble.nodes) {
    if (!path.starts_with("/queue/")) continue;
    EXPECT_TRUE(path_of.emplace(node.data->ToString(), path).second)
        << node.data->view() << " was sent twice";
  }
  for (const auto& batch : batches) CheckBatch(w.ensemble, batch, path_of, totals);
  for (size_t i = 0; i < log.size(); ++i) EXPECT_EQ(log[i], i % 2 == 0 ? "before" : "after");
  totals.sessions += static_cast<int>(log.size()) / 2;
  return w.world.hash().value();
}

TEST(ZooKeeperClientFaultsTest, TheSameSeedGivesTheSameRun) {
  Totals totals;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const uint64_t hash = AskUnderTrouble(seed, absl::Seconds(9), totals);
    EXPECT_EQ(hash, AskUnderTrouble(seed, absl::Seconds(9), totals));
  }
}

// The client's process dies before its first effect, its second, …: whatever it was at, its fibers
// unwind, and the next process is served.
TEST(ZooKeeperClientFaultsTest, TheClientMayDieAtAnyPoint) {
  bool died = true;
  for (uint64_t point = 1; died; ++point) {
    SCOPED_TRACE(fmt::format("point {}", point));
    ZooKeeperClientWorld w;
    died = false;
    std::vector<std::string> log;
    RecordingHandler handler("/a", log);
    const auto use = [&](core::Environment& env) {
      const auto zk = MakeZooKeeperClient(env, w.options);
      if (!zk->Connect().ok()) return;
      zk->RegisterZNodeChangeHandler(handler);
      for (int i = 0; i < 3; ++i) {
        static_cast<void>(zk->RetryUntilConnected(
            {ExistsRequest{.path = "/a"}, NewItem("x"), GetDataRequest{.path = "/a"}}));
        w.ensemble.Put("/a", "x");
        if (i == 1) w.ensemble.CloseConnectionsOf(w.ServerOf(*zk));
      }
      zk->Close(absl::Seconds(5));
    };
    w.client.OnProcessEnd([&](sim::ProcessEnd end) {
      if (end != sim::ProcessEnd::kCrashed) return;
      died = true;
      w.client.Start();
    });
    w.client.CrashAtPoint(point, sim::CrashKind::kProcess);
    w.Run(use);
    EXPECT_TRUE(died || point > 10);
  }
}

TEST(ZooKeeperClientFaultsTest, EveryRequestIsAnsweredOnceAndNothingAcknowledgedIsLost) {
  Totals totals;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    AskUnderTrouble(seed, absl::Seconds(seed % 2 == 0 ? 2 : 9), totals);
  }
  // Nothing of this would be worth much if it had not happened.
  EXPECT_GT(totals.acked, 10'000);
  EXPECT_GT(totals.lost, 500);
  EXPECT_GT(totals.lost_but_applied, 20);
  EXPECT_GT(totals.expired, 50);
  EXPECT_GT(totals.sessions, 20);
}

// Reads a counter that somebody else counts up, always with a watch, as one session's listener.
class CounterReader final : public SessionListener {
 public:
  explicit CounterReader(core::Environment& env, const ZooKeeperClientWorld& w)
      : driver_(std::make_shared<SessionDriver>(
            env, w.options.servers,
            SessionOptions{.servers = w.options.servers.size(),
                           .session_timeout = w.options.session_timeout,
                           .key = env.random.Next()},
            w.options.rules, kDefaultMaxBuffer, *this)) {
    driver_->Start();
  }
  ~CounterReader() override { driver_->Detach(); }

  void Ask() {
    ++asked_;
    driver_->Submit(asked_, GetDataRequest{.path = "/counter", .watch = true});
  }
  void OnAnswer(RequestId id, Response response) override {
    ++answered_;
    if (id != answered_) problem = "answered out of order";
    if (!response.ok()) return;
    const int32_t version = std::get<GetDataResponse>(response.body).stat.version;
    if (version < seen_) problem = "data went back";
    if (version > seen_ && armed_) problem = "data came before its event";
    seen_ = version;
    armed_ = true;
  }
  void OnEvent(WatcherEvent) override {
    if (!armed_) problem = "an event without a watch";
    armed_ = false;
    ++events;
  }
  void OnState(KeeperState) override {}
  [[nodiscard]] bool over() const { return driver_->session().over(); }
  [[nodiscard]] int32_t seen() const { return seen_; }

  std::string problem;
  int events = 0;

 private:
  std::shared_ptr<SessionDriver> driver_;
  RequestId asked_;
  RequestId answered_;
  int32_t seen_ = -1;
  bool armed_ = false;  // a watch stands for a change after seen_
};

void WatchUnderTrouble(uint64_t seed, Totals& totals) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  ZooKeeperClientWorld w(3, seed, sim::StrategyKind::kRandom);
  w.options.session_timeout = absl::Seconds(60);
  w.ensemble.Put("/counter", "");
  const Trouble trouble(w, seed, absl::Seconds(5));
  w.Run([&](core::Environment& env) {
    CounterReader reader(env, w);
    while (w.world.Elapsed() < kFaultyTime && !reader.over()) {
      if (env.random.Chance(1, 3)) w.ensemble.Put("/counter", "");
      for (int64_t count = env.random.Between(0, 3); count > 0; --count) reader.Ask();
      env.fibers.SleepFor(absl::Milliseconds(env.random.Between(0, 120)));
    }
    EXPECT_EQ(reader.problem, "");
    totals.events += reader.events;
    totals.sessions += reader.over() ? 1 : 0;
  });
}

// [2.5]
TEST(ZooKeeperClientFaultsTest, AnEventComesBeforeTheDataThatShowsIt) {
  Totals totals;
  for (uint64_t seed = 1; seed <= 40; ++seed) WatchUnderTrouble(seed, totals);
  EXPECT_GT(totals.events, 500);
}

}  // namespace
}  // namespace highwater::tests
