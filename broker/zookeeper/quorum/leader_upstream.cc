#include "broker/zookeeper/quorum/leader_upstream.h"

#include <utility>

#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::zookeeper {

LeaderUpstream::LeaderUpstream(core::Environment& env, const DataTree& tree,
                               const ServerConfig& config, const ZooKeeperRules& rules,
                               ZabLeader& leader, Carry carry, UpstreamListener& listener)
    : env_(env),
      config_(config),
      zab_(leader),
      carry_(std::move(carry)),
      listener_(listener),
      leader_(tree, config, rules) {}

LeaderRequestProcessor::Instant LeaderUpstream::At() const {
  return {.wall_ms = absl::ToUnixMillis(env_.clock.WallNow()),
          .now_ms = env_.fibers.Now().nanos() / 1'000'000};
}

void LeaderUpstream::Start(ZabEpoch epoch) { leader_.Start(NewLeaderZxid(epoch), At()); }

bool LeaderUpstream::Touch(SessionId session, int32_t timeout_ms, int64_t now_ms) {
  return leader_.Touch(session, timeout_ms, now_ms);
}

void LeaderUpstream::Submit(const ClientRequest& request) {
  if (KindOf(request.op) != OpKind::kSync) return Propose(request);
  if (!zab_.leading()) return;
  syncs_.emplace_back(request.session, request.xid);
  ZabEffects effects;
  zab_.Sync(std::nullopt, effects);
  carry_(std::move(effects));
}

void LeaderUpstream::Propose(const ClientRequest& request) {
  // The term is over: what was not answered is unknown to the client [2.3].
  if (!zab_.leading()) return;
  const Txn txn = leader_.Decide(request, At());
  HW_CHECK(txn.header.zxid == zab_.next_zxid(), "decided as {:#x}, to be proposed as {:#x}",
           txn.header.zxid.value(), zab_.next_zxid().value());
  ZabEffects effects;
  zab_.Propose({txn.header.zxid, EncodeTxn(txn)}, env_.fibers.Now(), effects);
  carry_(std::move(effects));
}

void LeaderUpstream::Revalidate(ConnectionId connection, SessionId session, int32_t timeout_ms) {
  listener_.OnRevalidated(connection,
                          leader_.Revalidate(session, timeout_ms, config_.server_id, At().now_ms));
}

void LeaderUpstream::Tick() {
  for (const ClientRequest& request : leader_.TakeDue(At())) Propose(request);
}

void LeaderUpstream::Handle(PeerConnection from, ServerId server, const ForwardedRequest& request,
                            const std::vector<Id>& ids) {
  if (!zab_.leading()) return;
  const OpKind kind = KindOf(request.type);
  if (kind == OpKind::kSync) {
    ZabEffects effects;
    zab_.Sync(from, effects);
    return carry_(std::move(effects));
  }
  if (kind != OpKind::kWrite && request.type != OpCode::kCreateSession) {
    HW_MARK("zk_leader_was_forwarded_no_write");
    return;
  }
  Propose({.session = request.session,
           .xid = request.cxid,
           .op = request.type,
           .body = request.record,
           .ids = ids,
           .owner = server});
}

void LeaderUpstream::Touch(const SessionTouch& touch) {
  leader_.Touch(touch.session, touch.timeout_ms, At().now_ms);
}

void LeaderUpstream::Revalidate(PeerConnection from, ServerId server,
                                const SessionTouch& question) {
  const bool valid = leader_.Revalidate(question.session, question.timeout_ms, server, At().now_ms);
  ZabEffects effects;
  zab_.AnswerRevalidate(from, {.session = question.session, .valid = valid}, effects);
  carry_(std::move(effects));
}

void LeaderUpstream::OnCommitted(const Txn& txn) {
  // Nothing is decided between this and the listener's applying it.
  leader_.OnApplied(txn.header);
  listener_.OnCommitted(txn);
}

void LeaderUpstream::OnSyncDue() {
  HW_CHECK(!syncs_.empty(), "a sync is due that nobody asked for");
  const auto [session, xid] = syncs_.front();
  syncs_.pop_front();
  listener_.OnSynced(session, xid);
}

}  // namespace highwater::broker::zookeeper
