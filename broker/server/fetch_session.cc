#include "broker/server/fetch_session.h"

#include <algorithm>
#include <utility>

#include "broker/replication/fetch_session_handler.h"
#include "core/mark.h"

namespace highwater::broker {

using protocol::ErrorCode;

void FetchSession::Entry::OnDone(ErrorCode error, bool wakes) {
  // It stood at the log end until now, and its follower asked as late as the session did.
  if (wakes && error == ErrorCode::NONE && session.replica_ != kNoBroker && at_log_end) {
    partition->OnFollowerStillThere(session.replica_, session.last_fetch_);
  }
  session.PutBack(*this);
  if (!wakes) to_be_heard = true;
  if (wakes || error != ErrorCode::NONE) session.Wake();
}

FetchSession::~FetchSession() = default;

FetchSession::Entry& FetchSession::FindOrAdd(const protocol::Uuid& id, const std::string& topic,
                                             int32_t index) {
  Key key(by_id_ ? id : protocol::Uuid(), by_id_ ? std::string() : topic, index);
  std::unique_ptr<Entry>& entry = entries_[std::move(key)];
  if (entry == nullptr) entry = std::make_unique<Entry>(*this, by_id_ ? std::string() : topic, id);
  return *entry;
}

void FetchSession::Forget(const Key& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  std::erase(due_, found->second.get());
  entries_.erase(found);
}

std::vector<FetchSession::Entry*> FetchSession::TakeDue() {
  for (Entry* entry : due_) entry->due = false;
  return std::exchange(due_, {});
}

void FetchSession::PutBack(Entry& entry) {
  if (std::exchange(entry.due, true)) return;
  due_.push_back(&entry);
}

bool FetchSession::LeaveToWait(Entry& entry) {
  if (entry.partition == nullptr || !entry.partition->Serves(replica_)) return false;
  entry.readable.Cancel();
  entry.at_log_end = Offset(entry.asked.fetch_offset) == entry.partition->leader().log_end_offset();
  entry.partition->AwaitReadable(entry.readable, Offset(entry.asked.fetch_offset), replica_);
  // A consumer that waits for the high watermark needs no second reason.
  if (replica_ == kNoBroker || id_ == 0) return true;
  entry.news.Cancel();
  if (entry.partition->high_watermark().value() == entry.sent_high_watermark) {
    entry.partition->AwaitHighWatermark(entry.news, entry.partition->high_watermark());
  } else {
    PutBack(entry);
  }
  return true;
}

FetchSessionCache::Opened FetchSessionCache::Open(const protocol::FetchRequest& request, bool by_id,
                                                  core::MonotonicTime now) {
  const BrokerId replica(std::max(request.replica_id, kNoBroker.value()));
  if (request.session_epoch <= 0) {
    sessions_.erase(request.session_id);  // a full request ends the session that it names
    size_t partitions = 0;
    for (const auto& topic : request.topics) partitions += topic.partitions.size();
    if (request.session_epoch == 0 && partitions > 0) {
      if (auto session = Make(replica, by_id, partitions, now))
        return {.session = std::move(session)};
    }
    return {.session = std::make_shared<FetchSession>(0, replica, by_id)};
  }
  const auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) {
    HW_MARK("fetch_session_not_found");
    return {.error = ErrorCode::FETCH_SESSION_ID_NOT_FOUND};
  }
  FetchSession& session = *found->second;
  if (request.session_epoch != session.next_epoch || session.busy) {
    HW_MARK("fetch_session_epoch_refused");
    return {.error = ErrorCode::INVALID_FETCH_SESSION_EPOCH};
  }
  if (session.by_id() != by_id) return {.error = ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR};
  session.next_epoch = FetchSessionHandler::Next(session.next_epoch);
  session.last_used = now;
  return {.session = found->second, .full = false};
}

std::shared_ptr<FetchSession> FetchSessionCache::Make(BrokerId replica, bool by_id,
                                                      size_t partitions, core::MonotonicTime now) {
  if (sessions_.size() >= slots_ && !MakeRoom(replica != kNoBroker, partitions, now))
    return nullptr;
  int32_t id = 0;
  do {
    id = static_cast<int32_t>(random_.Between(1, 2147483647));
  } while (sessions_.contains(id));
  auto session = std::make_shared<FetchSession>(id, replica, by_id);
  session->created = session->last_used = now;
  sessions_.emplace(id, session);
  return session;
}

// Whether one could go: the one that was idle for longest, or else the least important one, if the
// new one is more important. Followers are; among equals, the larger, once they are some time old.
bool FetchSessionCache::MakeRoom(bool privileged, size_t partitions, core::MonotonicTime now) {
  auto oldest = sessions_.end();
  auto least = sessions_.end();
  const auto rank = [](const FetchSession& session) {
    return std::tuple(session.replica() != kNoBroker, session.size(), session.id());
  };
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (oldest == sessions_.end() || it->second->last_used < oldest->second->last_used) {
      oldest = it;
    }
    if (least == sessions_.end() || rank(*it->second) < rank(*least->second)) least = it;
  }
  if (oldest == sessions_.end()) return false;
  if (now - oldest->second->last_used >= kEvictAfter) {
    HW_MARK("fetch_session_evicted");
    sessions_.erase(oldest);
    return true;
  }
  const FetchSession& candidate = *least->second;
  const bool candidate_privileged = candidate.replica() != kNoBroker;
  const bool larger = now - candidate.created >= kEvictAfter && candidate.size() < partitions &&
                      candidate_privileged == privileged;
  if (!larger && !(privileged && !candidate_privileged)) return false;
  HW_MARK("fetch_session_evicted");
  sessions_.erase(least);
  return true;
}

}  // namespace highwater::broker
