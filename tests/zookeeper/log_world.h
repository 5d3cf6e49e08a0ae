#pragma once

// LogWorld: a server's log on a simulated disk, incarnation after incarnation, and an oracle that
// remembers what was said to be durable.
//
//   LogWorld world({.seed = 3});
//   world.Run({.steps = 20, .power_fails_at = 17});
//   world.Run({});
//   EXPECT_EQ(world.problem(), "");
//
// An incarnation recovers, compares its tree with one made from the oracle's transactions, then
// appends, applies what is durable as a standalone server does, and takes snapshots.

#include <optional>
#include <string>
#include <vector>

#include "broker/zookeeper/log/transaction_log.h"
#include "sim/disk/disk.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"

namespace highwater::broker::zookeeper::testing {

inline const DataDirectories kDirectories = DataDirectories::For("data");

// A transaction that does something to a small tree, drawn from `draw`.
[[nodiscard]] Txn AnyTxn(Zxid zxid, uint64_t draw);
// The tree that `txns` make.
[[nodiscard]] DataTree TreeOf(const std::vector<Txn>& txns);
// "" if they are equal, else the first difference.
[[nodiscard]] std::string Difference(const DataTree& a, const DataTree& b);

struct Incarnation {
  int steps = 0;                // appends of a few transactions
  uint64_t power_fails_at = 0;  // just before this effect; 0: it ends by itself
  sim::CrashKind how = sim::CrashKind::kPowerLoss;
  bool close = true;  // else the power fails at the end
};

struct LogWorldOptions {
  uint64_t seed = 1;
  int64_t snap_count = 12;
  int32_t retain_snapshots = 0;
  bool buggify = false;
  // Transactions are applied when they are appended: a follower may be told that they are committed
  // before its own disk has them.
  bool applies_early = false;
  sim::DiskOptions disk;
};

class LogWorld {
 public:
  explicit LogWorld(const LogWorldOptions& options);

  void Run(const Incarnation& incarnation);
  // Something with the files, while no server runs.
  void WithFiles(std::function<void(core::Environment&)> body);

  // The first thing that was wrong; "" for nothing.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  // Effects of the last incarnation.
  [[nodiscard]] uint64_t effects() const { return effects_; }
  [[nodiscard]] uint64_t lost() const { return lost_; }
  [[nodiscard]] uint64_t snapshots_loaded() const { return snapshots_loaded_; }
  [[nodiscard]] const std::vector<Txn>& txns() const { return txns_; }
  [[nodiscard]] Zxid durable() const { return durable_; }
  [[nodiscard]] sim::Host& host() { return *host_; }
  [[nodiscard]] sim::World& world() { return world_; }

 private:
  class Server;
  void Serve(core::Environment& env, const Incarnation& incarnation);
  [[nodiscard]] bool Check(const absl::StatusOr<RecoveredDatabase>& database);
  void Problem(std::string what) {
    if (problem_.empty()) problem_ = std::move(what);
  }

  const LogWorldOptions options_;
  sim::World world_;
  sim::Host* host_;
  std::vector<Txn> txns_;  // txns_[i] has zxid i + 1
  Zxid durable_;
  std::string problem_;
  uint64_t effects_ = 0;
  uint64_t lost_ = 0;
  uint64_t snapshots_loaded_ = 0;
  uint64_t draws_ = 0;
};

}  // namespace highwater::broker::zookeeper::testing
