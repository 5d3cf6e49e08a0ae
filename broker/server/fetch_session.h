#pragma once

// FetchSession, FetchSessionCache: what a broker remembers between the fetches of one client or
// follower (KIP-227), so that a fetch names what has changed and its answer tells what is new.
//
//   auto opened = cache.Open(request, now);         // which session, or why none
//   opened.session->Apply(request, ...);            // what the client wants now
//   for (FetchSession::Entry* entry : opened.session->TakeDue()) ... read, or put back ...
//
// Follows replication facts P14, P15. Invariants:
//   1. A session costs a fetch only what is due: what its request named, and what the partitions
//   have told since. Everything else waits in its partition's lists.
//   2. Whatever can be told is due: an entry is due, or its waiters are with its partition.
//   3. One fetch at a time works with a session.
//
// Not responsible for: reading, and what an answer holds (handlers/fetch.cc).

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "broker/protocol/fetch.h"
#include "broker/replication/partition.h"
#include "core/monotonic_time.h"
#include "core/random.h"
#include "core/wait_queue.h"

namespace highwater::broker {

class FetchSession {
 public:
  using Asked = protocol::FetchRequest::FetchPartition;

  // One partition of the session.
  class Entry {
   public:
    Entry(FetchSession& s, std::string name, const protocol::Uuid& id)
        : session(s),
          topic(std::move(name)),
          topic_id(id),
          readable(*this, true),
          news(*this, false) {}

    FetchSession& session;
    std::string topic;  // "" if the id is not known
    protocol::Uuid topic_id;
    Asked asked;
    std::shared_ptr<Partition> partition;  // nullptr: not hosted when it was looked for last
    // What the client was told last [P15].
    int64_t sent_high_watermark = -1;
    int64_t sent_log_start = -1;
    size_t slot = 0;  // of the fetch at work
    // Its follower is to be heard again by the next fetch, although it has nothing new to say: the
    // leader could not take it into the ISR when it last spoke [H12].
    bool to_be_heard = false;

   private:
    friend class FetchSession;
    struct Waiter final : OffsetWaiter {
      Waiter(Entry& e, bool w) : entry(e), wakes(w) {}
      void OnDone(protocol::ErrorCode error) override { entry.OnDone(error, wakes); }
      Entry& entry;
      bool wakes;
    };
    void OnDone(protocol::ErrorCode error, bool wakes);

    Waiter readable;  // there may be more to read
    Waiter news;      // the high watermark has moved: to be told with the next answer [H6]
    bool due = false;
    bool at_log_end = false;  // when it was left to wait
  };

  // `replica`: the follower that fetches; kNoBroker: a consumer.
  FetchSession(int32_t id, BrokerId replica, bool by_id)
      : id_(id), replica_(replica), by_id_(by_id) {}
  ~FetchSession();
  FetchSession(const FetchSession&) = delete;
  FetchSession& operator=(const FetchSession&) = delete;

  // What the request names is due; what it forgets is gone. `name_of`: of a topic id, "" if
  // unknown.
  template <typename NameOf>
  void Apply(const protocol::FetchRequest& request, core::MonotonicTime now, NameOf name_of);

  // The entries to look at, in order; each is then either put back or left to wait.
  [[nodiscard]] std::vector<Entry*> TakeDue();
  void PutBack(Entry& entry);
  // Waits with its partition until there is more than there is now. False: a partition that does
  // not serve this client here tells nothing.
  bool LeaveToWait(Entry& entry);
  [[nodiscard]] bool HasDue() const { return !due_.empty(); }

  // Woken when an entry becomes due of itself.
  [[nodiscard]] core::WaitQueue& wake() { return wake_; }
  [[nodiscard]] bool woken() const { return woken_; }
  void ClearWoken() { woken_ = false; }
  void Wake() {
    woken_ = true;
    wake_.WakeAll();
  }

  [[nodiscard]] int32_t id() const { return id_; }
  [[nodiscard]] BrokerId replica() const { return replica_; }
  [[nodiscard]] bool by_id() const { return by_id_; }
  [[nodiscard]] size_t size() const { return entries_.size(); }

  // A fetch works with it: no other may.
  bool busy = false;

  // Of the cache.
  int32_t next_epoch = 1;
  core::MonotonicTime created;
  core::MonotonicTime last_used;

 private:
  using Key = std::tuple<protocol::Uuid, std::string, int32_t>;

  Entry& FindOrAdd(const protocol::Uuid& id, const std::string& topic, int32_t index);
  void Forget(const Key& key);

  int32_t id_;
  BrokerId replica_;
  bool by_id_;
  core::MonotonicTime last_fetch_;
  std::map<Key, std::unique_ptr<Entry>> entries_;
  std::vector<Entry*> due_;
  bool woken_ = false;
  core::WaitQueue wake_;
};

class FetchSessionCache {
 public:
  static constexpr size_t kDefaultSlots = 1000;
  static constexpr absl::Duration kEvictAfter = absl::Minutes(2);

  // `random` outlives it.
  explicit FetchSessionCache(core::Random& random, size_t slots = kDefaultSlots)
      : random_(random), slots_(slots) {}

  struct Opened {
    protocol::ErrorCode error = protocol::ErrorCode::NONE;
    std::shared_ptr<FetchSession> session;  // of id 0: for this fetch only
    bool full = true;                       // the request named everything, and so does its answer
  };
  // [P14]
  [[nodiscard]] Opened Open(const protocol::FetchRequest& request, bool by_id,
                            core::MonotonicTime now);
  [[nodiscard]] size_t size() const { return sessions_.size(); }

 private:
  std::shared_ptr<FetchSession> Make(BrokerId replica, bool by_id, size_t partitions,
                                     core::MonotonicTime now);
  bool MakeRoom(bool privileged, size_t partitions, core::MonotonicTime now);

  core::Random& random_;
  size_t slots_;
  std::map<int32_t, std::shared_ptr<FetchSession>> sessions_;
};

template <typename NameOf>
void FetchSession::Apply(const protocol::FetchRequest& request, core::MonotonicTime now,
                         NameOf name_of) {
  last_fetch_ = now;
  for (const auto& topic : request.forgotten_topics_data) {
    for (const int32_t index : topic.partitions) {
      Forget({by_id_ ? topic.topic_id : protocol::Uuid(), by_id_ ? "" : topic.topic, index});
    }
  }
  for (const auto& topic : request.topics) {
    for (const Asked& asked : topic.partitions) {
      Entry& entry = FindOrAdd(topic.topic_id, topic.topic, asked.partition);
      // A name that was not known may be by now.
      if (by_id_ && entry.topic.empty()) entry.topic = name_of(topic.topic_id);
      entry.asked = asked;
      PutBack(entry);
    }
  }
}

}  // namespace highwater::broker
