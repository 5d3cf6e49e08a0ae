#pragma once

// ZooKeeperNode: a ZooKeeper server with its files: what was kept is recovered, then served. On its
// own, or as one of an ensemble.
//
//   ZooKeeperNode node(env, {.server = config, .data_dir = "/zookeeper"}, words);
//   HW_RETURN_IF_ERROR(node.Start());
//   return node.Run();                      // until the process is asked to stop, or cannot go on
//
// Used by the program highwater-zookeeper and by simulated hosts alike. Destroyed after its fibers:
// a member of the application.

#include <absl/status/status.h>

#include <memory>
#include <optional>
#include <string>

#include "broker/zookeeper/log/transaction_log.h"
#include "broker/zookeeper/quorum/quorum_peer.h"
#include "broker/zookeeper/server/server_config.h"
#include "broker/zookeeper/server/zookeeper_server.h"
#include "core/environment.h"

namespace highwater::broker::zookeeper {

struct ZooKeeperNodeOptions {
  ServerConfig server;
  std::string data_dir;      // dataDir
  std::string data_log_dir;  // dataLogDir; empty: the same
  TransactionLogOptions log;
  std::optional<QuorumConfig> quorum;  // none: on its own
};

class ZooKeeperNode {
 public:
  // All references outlive it. `observer` hears of an ensemble's server only.
  ZooKeeperNode(core::Environment& env, ZooKeeperNodeOptions options, FourLetterWords& words,
                ZooKeeperObserver& observer);
  ~ZooKeeperNode();
  ZooKeeperNode(const ZooKeeperNode&) = delete;
  ZooKeeperNode& operator=(const ZooKeeperNode&) = delete;

  // Recovers and serves. An error says what the files lack or which address is taken. REQUIRES: on
  // a fiber.
  [[nodiscard]] absl::Status Start();
  // Waits for a request to stop, then stops cleanly. An error: the log failed, and nothing may be
  // promised any more. REQUIRES: Start said OK.
  [[nodiscard]] absl::Status Run();

  // REQUIRES: Start said OK.
  [[nodiscard]] const ZooKeeperServer& server() const {
    return peer_ != nullptr ? peer_->server() : *server_;
  }
  // What recovery cut or passed over, for the operator.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  [[nodiscard]] absl::Status StartStandalone(const DataDirectories& directories);
  void Stop();

  core::Environment& env_;
  const ZooKeeperNodeOptions options_;
  FourLetterWords& words_;
  ZooKeeperObserver& observer_;
  std::vector<std::string> notes_;
  std::unique_ptr<TransactionLog> log_;
  std::unique_ptr<ZooKeeperServer> server_;
  std::unique_ptr<QuorumPeer> peer_;  // in an ensemble: instead of the two
};

}  // namespace highwater::broker::zookeeper
