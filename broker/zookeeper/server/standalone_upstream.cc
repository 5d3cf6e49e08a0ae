#include "broker/zookeeper/server/standalone_upstream.h"

#include <utility>

namespace highwater::broker::zookeeper {

StandaloneUpstream::StandaloneUpstream(core::Environment& env, const DataTree& tree, TxnLog& log,
                                       const ServerConfig& config, const ZooKeeperRules& rules,
                                       UpstreamListener& listener)
    : env_(env),
      tree_(tree),
      log_(log),
      config_(config),
      listener_(listener),
      leader_(tree, config, rules),
      broadcast_(log, *this) {}

LeaderRequestProcessor::Instant StandaloneUpstream::At() const {
  return {.wall_ms = absl::ToUnixMillis(env_.clock.WallNow()),
          .now_ms = env_.fibers.Now().nanos() / 1'000'000};
}

void StandaloneUpstream::Start() { leader_.Start(tree_.last_processed_zxid(), At()); }

bool StandaloneUpstream::Touch(SessionId session, int32_t timeout_ms, int64_t now_ms) {
  return leader_.Touch(session, timeout_ms, now_ms);
}

void StandaloneUpstream::Submit(const ClientRequest& request) {
  if (KindOf(request.op) != OpKind::kSync) return Propose(request);
  // [2.5] Behind everything that is proposed by now.
  syncs_.push_back({leader_.last_proposed(), request.session, request.xid});
  FinishSyncs();
}

void StandaloneUpstream::Propose(const ClientRequest& request) {
  broadcast_.Propose(leader_.Decide(request, At()));
}

void StandaloneUpstream::Revalidate(ConnectionId connection, SessionId session,
                                    int32_t timeout_ms) {
  const bool valid = leader_.Revalidate(session, timeout_ms, config_.server_id, At().now_ms);
  listener_.OnRevalidated(connection, valid);
}

void StandaloneUpstream::Tick() {
  for (const ClientRequest& request : leader_.TakeDue(At())) Propose(request);
}

void StandaloneUpstream::OnCommitted(const Txn& txn) {
  // Nothing is decided between this and the listener's applying it.
  leader_.OnApplied(txn.header);
  listener_.OnCommitted(txn);
  FinishSyncs();
  if (log_.SnapshotDue()) log_.TakeSnapshot(tree_);
}

void StandaloneUpstream::FinishSyncs() {
  while (!syncs_.empty() && syncs_.front().zxid <= tree_.last_processed_zxid()) {
    const Sync sync = syncs_.front();
    syncs_.pop_front();
    listener_.OnSynced(sync.session, sync.xid);
  }
}

void StandaloneUpstream::OnBroadcastFailed(const absl::Status& status) {
  listener_.OnUpstreamFailed(status);
}

}  // namespace highwater::broker::zookeeper
