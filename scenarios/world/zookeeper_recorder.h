#pragma once

// ZooKeeperRecorder: the Recorder's part for the servers of a ZooKeeper ensemble: their events
// reach the checkers, the roles and the narrator.

#include <functional>
#include <memory>
#include <vector>

#include "broker/zookeeper_observer.h"
#include "invariants/invariant.h"
#include "invariants/zookeeper_logs.h"
#include "scenarios/world/cluster_roles.h"
#include "scenarios/world/narrator.h"

namespace highwater::scenarios {

class ZooKeeperRecorder final : public broker::ZooKeeperObserver {
 public:
  // All outlive it.
  ZooKeeperRecorder(Narrator& narrator, std::function<absl::Duration()> now, ClusterRoles& roles,
                    const std::vector<std::unique_ptr<invariants::Invariant>>& invariants)
      : narrator_(narrator), now_(std::move(now)), roles_(roles), invariants_(invariants) {}

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
  void Tell(int64_t server, std::string text);

  Narrator& narrator_;
  std::function<absl::Duration()> now_;
  ClusterRoles& roles_;
  const std::vector<std::unique_ptr<invariants::Invariant>>& invariants_;
  invariants::ZooKeeperLogs logs_;
};

}  // namespace highwater::scenarios
