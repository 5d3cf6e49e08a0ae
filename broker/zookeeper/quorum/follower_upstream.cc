#include "broker/zookeeper/quorum/follower_upstream.h"

#include <algorithm>

namespace highwater::broker::zookeeper {

bool FollowerUpstream::Touch(SessionId session, int32_t timeout_ms, int64_t /*now_ms*/) {
  zab_.Touch({.session = session, .timeout_ms = timeout_ms});
  return true;
}

void FollowerUpstream::Submit(const ClientRequest& request) {
  if (!zab_.serving()) return;
  if (KindOf(request.op) == OpKind::kSync) syncs_.emplace_back(request.session, request.xid);
  ZabEffects effects;
  zab_.Forward(
      {.session = request.session, .cxid = request.xid, .type = request.op, .record = request.body},
      request.ids, effects);
  carry_(std::move(effects));
}

void FollowerUpstream::Revalidate(ConnectionId connection, SessionId session, int32_t timeout_ms) {
  if (!zab_.serving()) return;
  questions_.push_back({session, connection});
  ZabEffects effects;
  zab_.Revalidate({.session = session, .timeout_ms = timeout_ms}, effects);
  carry_(std::move(effects));
}

void FollowerUpstream::OnSyncDue() {
  if (syncs_.empty()) return;  // the leader's mistake
  const auto [session, xid] = syncs_.front();
  syncs_.pop_front();
  listener_.OnSynced(session, xid);
}

void FollowerUpstream::OnRevalidated(const Revalidated& answer) {
  // Answers come in the order of the questions; those to one session are for its connections in
  // turn.
  const auto question = std::find_if(questions_.begin(), questions_.end(), [&](const Question& q) {
    return q.session == answer.session;
  });
  if (question == questions_.end()) return;
  const ConnectionId connection = question->connection;
  questions_.erase(question);
  listener_.OnRevalidated(connection, answer.valid);
}

}  // namespace highwater::broker::zookeeper
