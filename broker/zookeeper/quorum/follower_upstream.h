#pragma once

// FollowerUpstream: that of a follower: everything goes to the leader.
//
//   FollowerUpstream upstream(follower, carry, server);
//   upstream.OnCommitted(txn);            // Apply
//   upstream.OnRevalidated(answer);       // SessionRevalidated
//
// Follows ZooKeeper facts 2.1 (touches are collected), 2.3 (sessions are revalidated), 2.5 (sync).

#include <deque>
#include <functional>

#include "broker/zookeeper/ensemble/zab_follower.h"
#include "broker/zookeeper/server/upstream.h"

namespace highwater::broker::zookeeper {

class FollowerUpstream final : public Upstream {
 public:
  // Carries out the effects of a step of the machine; never waits.
  using Carry = std::function<void(ZabEffects effects)>;

  // All outlive it.
  FollowerUpstream(ZabFollower& follower, Carry carry, UpstreamListener& listener)
      : zab_(follower), carry_(std::move(carry)), listener_(listener) {}

  // ---- Upstream.
  // Whether the session lives is the leader's to say: a write of one that does not is refused
  // there.
  bool Touch(SessionId session, int32_t timeout_ms, int64_t now_ms) override;
  void Submit(const ClientRequest& request) override;
  void Revalidate(ConnectionId connection, SessionId session, int32_t timeout_ms) override;
  void Tick() override {}
  [[nodiscard]] ServerMode mode() const override { return ServerMode::kFollower; }

  // ---- Zab.
  void OnCommitted(const Txn& txn) { listener_.OnCommitted(txn); }
  void OnSyncDue();
  void OnRevalidated(const Revalidated& answer);

 private:
  struct Question {
    SessionId session;
    ConnectionId connection;
  };
  ZabFollower& zab_;
  Carry carry_;
  UpstreamListener& listener_;
  std::deque<std::pair<SessionId, Xid>> syncs_;
  std::deque<Question> questions_;
};

}  // namespace highwater::broker::zookeeper
