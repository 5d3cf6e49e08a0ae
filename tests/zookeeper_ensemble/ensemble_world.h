#pragma once

// EnsembleWorld: simulated hosts that run the servers of a ZooKeeper ensemble, and clients that
// speak the wire to them.
//
//   EnsembleWorld w({.servers = 3});
//   w.Run([&](core::Environment& env) {
//     WireClient client = w.ClientOf(env, w.leader());
//     ASSERT_TRUE(client.Connect().ok());
//   });

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/zookeeper/zookeeper_node.h"
#include "tests/zookeeper_server/server_world.h"

namespace highwater::tests {

class EnsembleWorld final : public broker::ZooKeeperObserver {
 public:
  struct Options {
    int servers = 3;
    uint64_t seed = 1;
    sim::StrategyKind strategy = sim::StrategyKind::kFifo;
    int32_t tick_time_ms = 500;
    zk::SnapshotLimits snapshots;
    zk::ZabRules rules;
  };
  using ClientMain = std::function<void(core::Environment&)>;

  explicit EnsembleWorld(Options options);

  // Starts what does not run, waits for a leader, then runs `client` on a host of its own until it
  // is done.
  void Run(ClientMain client, absl::Duration limit = absl::Minutes(5));
  // Runs the world until a quorum's leader serves; false: not within `limit`.
  [[nodiscard]] bool WaitForLeader(absl::Duration limit = absl::Seconds(60));
  // Of a fiber: until `condition`, looking every 10 ms.
  static bool Await(core::Environment& env, const std::function<bool()>& condition,
                    absl::Duration limit = absl::Seconds(60));

  [[nodiscard]] WireClient ClientOf(core::Environment& env, int server) const;
  [[nodiscard]] sim::Host& host(int server) { return *hosts_[static_cast<size_t>(server - 1)]; }
  // Ids of servers, from 1 on.
  [[nodiscard]] std::optional<int> leader() const { return leader_; }
  [[nodiscard]] int a_follower() const;
  [[nodiscard]] bool Serves(int server) const { return serving_.contains(server); }
  [[nodiscard]] size_t serving() const { return serving_.size(); }
  [[nodiscard]] int64_t epoch() const { return epoch_; }

  // Cuts links between the servers of the two sides; Heal ends it.
  void Cut(const std::vector<int>& side, const std::vector<int>& other);
  void Heal();

  sim::World world;
  // What each server has applied since it was started, in order.
  std::map<int, std::vector<std::pair<int64_t, uint64_t>>> committed;
  std::map<int64_t, int> leaders;  // by epoch
  std::map<int, int> installed;    // snapshots of a leader
  std::map<int, int> truncated;
  broker::ZooKeeperObserver* also = nullptr;  // told the same
  absl::Status last_status;                   // of the last server that ended

  // ZooKeeperObserver.
  void OnZooKeeperRecovered(int64_t server, int64_t last_zxid) override;
  void OnZooKeeperLooking(int64_t server) override;
  void OnZooKeeperLeading(int64_t server, int64_t epoch) override;
  void OnZooKeeperFollowing(int64_t server, int64_t epoch) override;
  void OnZooKeeperLogged(int64_t server, int64_t zxid, uint64_t digest) override;
  void OnZooKeeperTruncated(int64_t server, int64_t zxid) override;
  void OnZooKeeperInstalling(int64_t server, int64_t zxid) override;
  void OnZooKeeperInstalled(int64_t server, int64_t zxid) override;
  void OnZooKeeperCommitted(int64_t server, int64_t zxid, uint64_t digest) override;

 private:
  void Serve(core::Environment& env, int server);
  [[nodiscard]] zk::ZooKeeperNodeOptions OptionsOf(int server) const;

  Options options_;
  std::vector<sim::Host*> hosts_;
  sim::Host* client_ = nullptr;
  std::optional<int> leader_;
  std::map<int, int64_t> serving_;  // with the epoch
  int64_t epoch_ = 0;
  std::vector<sim::FaultId> cuts_;
};

}  // namespace highwater::tests
