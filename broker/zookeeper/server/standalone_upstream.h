#pragma once

// StandaloneUpstream: that of a server on its own: it decides itself, and what its log holds is
// committed.
//
//   StandaloneUpstream upstream(env, tree, log, config, rules, server);
//   upstream.Start();
//
// Invariant: a write is committed after the log said that it is durable.

#include <deque>

#include "broker/zookeeper/server/broadcast.h"
#include "broker/zookeeper/server/leader_request_processor.h"
#include "broker/zookeeper/server/upstream.h"
#include "core/environment.h"

namespace highwater::broker::zookeeper {

class StandaloneUpstream final : public Upstream, private BroadcastListener {
 public:
  // All outlive it.
  StandaloneUpstream(core::Environment& env, const DataTree& tree, TxnLog& log,
                     const ServerConfig& config, const ZooKeeperRules& rules,
                     UpstreamListener& listener);

  // Every session of the tree has a whole time-out from now on.
  void Start();

  bool Touch(SessionId session, int32_t timeout_ms, int64_t now_ms) override;
  void Submit(const ClientRequest& request) override;
  void Revalidate(ConnectionId connection, SessionId session, int32_t timeout_ms) override;
  void Tick() override;
  [[nodiscard]] ServerMode mode() const override { return ServerMode::kStandalone; }

 private:
  struct Sync {
    Zxid zxid;
    SessionId session;
    Xid xid;
  };
  void OnCommitted(const Txn& txn) override;
  void OnBroadcastFailed(const absl::Status& status) override;
  void Propose(const ClientRequest& request);
  void FinishSyncs();
  [[nodiscard]] LeaderRequestProcessor::Instant At() const;

  core::Environment& env_;
  const DataTree& tree_;
  TxnLog& log_;
  const ServerConfig& config_;
  UpstreamListener& listener_;
  LeaderRequestProcessor leader_;
  LogBroadcast broadcast_;
  std::deque<Sync> syncs_;
};

}  // namespace highwater::broker::zookeeper
