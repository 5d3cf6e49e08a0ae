#pragma once

// LeaderRequestProcessor: the part of a server that decides for all: what a write becomes, until
// when sessions live. That of a server on its own, or of the leader of an ensemble.
//
//   LeaderRequestProcessor leader(tree, config, rules);
//   leader.Start(tree.last_processed_zxid(), at);
//   Txn txn = leader.Decide(request, at);              // propose it
//   for (auto& request : leader.TakeDue(at)) ...       // once a tick: to be decided, too
//   leader.OnApplied(txn.header);                      // the tree has it
//
// Follows ZooKeeper facts 2.1 (deadlines), 2.3 (the owner), 4.3 (containers). Pure. Not responsible
// for: how a transaction is committed (broadcast.h, ensemble/).

#include <vector>

#include "broker/zookeeper/server/prep_request_processor.h"
#include "broker/zookeeper/server/server_config.h"
#include "broker/zookeeper/server/session_tracker.h"

namespace highwater::broker::zookeeper {

class LeaderRequestProcessor {
 public:
  using Instant = PrepRequestProcessor::Instant;

  // All outlive it.
  LeaderRequestProcessor(const DataTree& tree, const ServerConfig& config,
                         const ZooKeeperRules& rules);

  // Begins a term: the next zxid is behind `last`; every session has a whole time-out [2.1].
  void Start(Zxid last, const Instant& at);
  // REQUIRES: a write.
  [[nodiscard]] Txn Decide(const ClientRequest& request, const Instant& at) {
    return prep_.Prepare(request, at);
  }
  void OnApplied(const TxnHeader& header) { prep_.OnApplied(header); }

  // Sessions whose time has come are to be closed, now and then empty containers deleted.
  [[nodiscard]] std::vector<ClientRequest> TakeDue(const Instant& at);

  // False: it is unknown or closing.
  bool Touch(SessionId session, int32_t timeout_ms, int64_t now_ms) {
    return sessions_.Touch(session, timeout_ms, now_ms);
  }
  // A client came again, at `owner`, which has the session from now on if it lives [2.3].
  [[nodiscard]] bool Revalidate(SessionId session, int32_t timeout_ms, ServerId owner,
                                int64_t now_ms);

  [[nodiscard]] Zxid last_proposed() const { return prep_.last_proposed(); }

 private:
  const DataTree& tree_;
  const ServerConfig& config_;
  SessionTracker sessions_;
  PrepRequestProcessor prep_;
  int64_t next_sweep_ms_ = 0;
};

}  // namespace highwater::broker::zookeeper
