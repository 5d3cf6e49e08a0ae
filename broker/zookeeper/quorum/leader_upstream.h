#pragma once

// LeaderUpstream: that of the leader of an ensemble: it decides for all servers, and Zab commits.
//
//   LeaderUpstream upstream(env, tree, config, rules, leader, carry, server);
//   upstream.Start(epoch);                                   // StartServing
//   upstream.Handle(from, server, request, ids);             // a learner's client
//   upstream.OnCommitted(txn);                               // Apply
//
// Follows ZooKeeper facts 2.1, 2.3, 2.5, 3.7.

#include <deque>
#include <functional>
#include <string_view>

#include "broker/zookeeper/ensemble/zab_leader.h"
#include "broker/zookeeper/server/leader_request_processor.h"
#include "broker/zookeeper/server/upstream.h"
#include "core/environment.h"

namespace highwater::broker::zookeeper {

class LeaderUpstream final : public Upstream {
 public:
  // Carries out the effects of a step of the machine; never waits.
  using Carry = std::function<void(ZabEffects effects)>;

  // All outlive it.
  LeaderUpstream(core::Environment& env, const DataTree& tree, const ServerConfig& config,
                 const ZooKeeperRules& rules, ZabLeader& leader, Carry carry,
                 UpstreamListener& listener);

  // Every session has a whole time-out from now on.
  void Start(ZabEpoch epoch);

  // ---- Upstream: of its own clients.
  bool Touch(SessionId session, int32_t timeout_ms, int64_t now_ms) override;
  void Submit(const ClientRequest& request) override;
  void Revalidate(ConnectionId connection, SessionId session, int32_t timeout_ms) override;
  void Tick() override;
  [[nodiscard]] ServerMode mode() const override { return ServerMode::kLeader; }

  // ---- Of learners' clients; `server` is the learner.
  void Handle(PeerConnection from, ServerId server, const ForwardedRequest& request,
              const std::vector<Id>& ids);
  void Touch(const SessionTouch& touch);
  void Revalidate(PeerConnection from, ServerId server, const SessionTouch& question);

  // ---- Zab.
  void OnCommitted(const Txn& txn);
  // The oldest sync of its own clients is due.
  void OnSyncDue();

 private:
  void Propose(const ClientRequest& request);
  [[nodiscard]] LeaderRequestProcessor::Instant At() const;

  core::Environment& env_;
  const ServerConfig& config_;
  ZabLeader& zab_;
  Carry carry_;
  UpstreamListener& listener_;
  LeaderRequestProcessor leader_;
  std::deque<std::pair<SessionId, Xid>> syncs_;
};

}  // namespace highwater::broker::zookeeper
