#include "broker/zookeeper/server/session_tracker.h"

namespace highwater::broker::zookeeper {

void SessionTracker::LeaveBucket(SessionId session, int64_t deadline_ms) {
  const auto bucket = buckets_.find(deadline_ms);
  if (bucket == buckets_.end()) return;
  bucket->second.erase(session);
  if (bucket->second.empty()) buckets_.erase(bucket);
}

void SessionTracker::Add(SessionId session, int32_t timeout_ms, int64_t now_ms) {
  sessions_.try_emplace(session);
  Touch(session, timeout_ms, now_ms);
}

bool SessionTracker::Touch(SessionId session, int32_t timeout_ms, int64_t now_ms) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || found->second.closing) return false;
  const int64_t deadline = rules_.expiry_time(now_ms, timeout_ms, tick_ms_);
  if (deadline == found->second.deadline_ms) return true;
  LeaveBucket(session, found->second.deadline_ms);
  found->second.deadline_ms = deadline;
  buckets_[deadline].insert(session);
  return true;
}

void SessionTracker::SetClosing(SessionId session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  found->second.closing = true;
  LeaveBucket(session, found->second.deadline_ms);
}

void SessionTracker::Remove(SessionId session) {
  SetClosing(session);
  sessions_.erase(session);
}

ErrorCode SessionTracker::CheckSession(SessionId session, ServerId owner) {
  const auto found = sessions_.find(session);
  const bool known = found != sessions_.end();
  if (!rules_.may_write(known, known && found->second.closing)) return ErrorCode::kSessionExpired;
  if (!known) return ErrorCode::kOk;
  if (!found->second.has_owner) SetOwner(session, owner);
  return found->second.owner == owner ? ErrorCode::kOk : ErrorCode::kSessionMoved;
}

void SessionTracker::SetOwner(SessionId session, ServerId owner) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  found->second.has_owner = true;
  found->second.owner = owner;
}

std::vector<SessionId> SessionTracker::TakeExpired(int64_t now_ms) {
  std::vector<SessionId> expired;
  while (!buckets_.empty() && buckets_.begin()->first <= now_ms) {
    for (const SessionId session : buckets_.begin()->second) {
      sessions_.at(session).closing = true;
      expired.push_back(session);
    }
    buckets_.erase(buckets_.begin());
  }
  return expired;
}

int64_t SessionTracker::NextDeadline() const {
  return buckets_.empty() ? INT64_MAX : buckets_.begin()->first;
}

}  // namespace highwater::broker::zookeeper
