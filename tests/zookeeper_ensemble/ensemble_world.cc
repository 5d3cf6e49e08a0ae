#include "tests/zookeeper_ensemble/ensemble_world.h"

#include <fmt/format.h>

#include "core/check.h"

namespace highwater::tests {
namespace {

constexpr uint16_t kPeerPort = 2888;
constexpr uint16_t kElectionPort = 3888;

std::string NameOf(int server) { return fmt::format("zk-{}", server); }

}  // namespace

EnsembleWorld::EnsembleWorld(Options options)
    : world({.seed = options.seed, .strategy = options.strategy}), options_(std::move(options)) {
  for (int i = 1; i <= options_.servers; ++i) {
    sim::Host& host = world.AddHost({.name = NameOf(i),
                                     .zone = world.network().AddZone("az-a"),
                                     .disk = sim::MakeDiskFactory({})});
    host.SetMain([this, i](core::Environment& env) { Serve(env, i); });
    host.OnProcessEnd([this, i](sim::ProcessEnd) {
      serving_.erase(i);
      if (leader_ == i) leader_.reset();
    });
    hosts_.push_back(&host);
  }
  client_ = &world.AddHost({.name = "client", .zone = world.network().AddZone("az-a")});
}

zk::ZooKeeperNodeOptions EnsembleWorld::OptionsOf(int server) const {
  zk::ZooKeeperNodeOptions node{.data_dir = "data"};
  node.server.client_address = {NameOf(server), kZooKeeperPort};
  node.server.tick_time_ms = options_.tick_time_ms;
  node.server.server_id = zk::ServerId(server);
  node.log.limits = options_.snapshots;
  node.log.retain_snapshots = 2;
  zk::QuorumConfig& quorum = node.quorum.emplace();
  for (int i = 1; i <= options_.servers; ++i) {
    quorum.servers[zk::ServerId(i)] = {.peer = {NameOf(i), kPeerPort},
                                       .election = {NameOf(i), kElectionPort}};
  }
  quorum.timing = {.tick = absl::Milliseconds(options_.tick_time_ms)};
  quorum.timing.sync_limit = 4;
  quorum.election.max_resend = absl::Seconds(2);
  quorum.rules = options_.rules;
  return node;
}

void EnsembleWorld::Serve(core::Environment& env, int server) {
  zk::NoFourLetterWords words;
  zk::ZooKeeperNode node(env, OptionsOf(server), words, *this);
  last_status = node.Start();
  if (last_status.ok()) last_status = node.Run();
}

void EnsembleWorld::Run(ClientMain main, absl::Duration limit) {
  EXPECT_TRUE(WaitForLeader()) << last_status << '\n' << world.DescribeFibers();
  bool done = false;
  client_->SetMain([&](core::Environment& env) {
    main(env);
    done = true;
  });
  client_->Start();
  const absl::Duration until = world.Elapsed() + limit;
  while (!done && world.Elapsed() < until) world.Run(world.Elapsed() + absl::Milliseconds(10));
  EXPECT_TRUE(done) << last_status << '\n' << world.DescribeFibers();
  if (client_->running()) client_->Crash();
  world.Run(world.Elapsed() + absl::Milliseconds(10));
}

bool EnsembleWorld::WaitForLeader(absl::Duration limit) {
  for (sim::Host* host : hosts_) {
    if (!host->running()) host->Start();
  }
  const absl::Duration until = world.Elapsed() + limit;
  while (world.Elapsed() < until) {
    if (leader_.has_value() && serving_.size() == hosts_.size()) return true;
    world.Run(world.Elapsed() + absl::Milliseconds(10));
  }
  return false;
}

bool EnsembleWorld::Await(core::Environment& env, const std::function<bool()>& condition,
                          absl::Duration limit) {
  const core::MonotonicTime until = env.clock.Now() + limit;
  while (!condition()) {
    if (env.clock.Now() >= until) return false;
    env.fibers.SleepFor(absl::Milliseconds(10));
  }
  return true;
}

WireClient EnsembleWorld::ClientOf(core::Environment& env, int server) const {
  WireClient client(env);
  client.server = {NameOf(server), kZooKeeperPort};
  return client;
}

int EnsembleWorld::a_follower() const {
  for (const auto& [server, epoch] : serving_) {
    if (leader_ != server) return server;
  }
  return 0;
}

void EnsembleWorld::Cut(const std::vector<int>& side, const std::vector<int>& other) {
  sim::LinkFault fault{.id = world.ledger().Request("partition_network")};
  for (const int server : side) fault.from.push_back(host(server).id());
  for (const int server : other) fault.to.push_back(host(server).id());
  cuts_.push_back(fault.id);
  world.network().Apply(std::move(fault));
}

void EnsembleWorld::Heal() {
  for (const sim::FaultId cut : cuts_) world.network().Withdraw(cut);
  cuts_.clear();
}

void EnsembleWorld::OnZooKeeperRecovered(int64_t server, int64_t last_zxid) {
  committed[static_cast<int>(server)].clear();
  if (also != nullptr) also->OnZooKeeperRecovered(server, last_zxid);
}
void EnsembleWorld::OnZooKeeperLooking(int64_t server) {
  serving_.erase(static_cast<int>(server));
  if (leader_ == server) leader_.reset();
  if (also != nullptr) also->OnZooKeeperLooking(server);
}
void EnsembleWorld::OnZooKeeperLeading(int64_t server, int64_t epoch) {
  leader_ = static_cast<int>(server);
  serving_[*leader_] = epoch;
  leaders[epoch] = *leader_;
  epoch_ = epoch;
  if (also != nullptr) also->OnZooKeeperLeading(server, epoch);
}
void EnsembleWorld::OnZooKeeperFollowing(int64_t server, int64_t epoch) {
  serving_[static_cast<int>(server)] = epoch;
  if (also != nullptr) also->OnZooKeeperFollowing(server, epoch);
}
void EnsembleWorld::OnZooKeeperLogged(int64_t server, int64_t zxid, uint64_t digest) {
  if (also != nullptr) also->OnZooKeeperLogged(server, zxid, digest);
}
void EnsembleWorld::OnZooKeeperTruncated(int64_t server, int64_t zxid) {
  ++truncated[static_cast<int>(server)];
  if (also != nullptr) also->OnZooKeeperTruncated(server, zxid);
}
void EnsembleWorld::OnZooKeeperInstalling(int64_t server, int64_t zxid) {
  if (also != nullptr) also->OnZooKeeperInstalling(server, zxid);
}
void EnsembleWorld::OnZooKeeperInstalled(int64_t server, int64_t zxid) {
  ++installed[static_cast<int>(server)];
  if (also != nullptr) also->OnZooKeeperInstalled(server, zxid);
}
void EnsembleWorld::OnZooKeeperCommitted(int64_t server, int64_t zxid, uint64_t digest) {
  committed[static_cast<int>(server)].emplace_back(zxid, digest);
  if (also != nullptr) also->OnZooKeeperCommitted(server, zxid, digest);
}

}  // namespace highwater::tests
