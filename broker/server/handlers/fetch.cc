#include "broker/protocol/fetch.h"

#include <algorithm>

#include "broker/replication/replica_selector.h"
#include "broker/server/fetch_session.h"
#include "broker/server/handlers/handler.h"
#include "core/mark.h"
#include "core/wait_queue.h"

namespace highwater::broker {

namespace {

using protocol::ErrorCode;
using protocol::FetchRequest;
using protocol::FetchResponse;
using Data = FetchResponse::PartitionData;
using Entry = FetchSession::Entry;

constexpr size_t kPartitionsBetweenYields = 64;
constexpr int8_t kReadCommitted = 1;
constexpr int16_t kTopicIds = 13;
constexpr int16_t kFollowersMayAnswer = 11;  // [P6, P19]

// Ends the wait of a session when the broker stops.
class SessionPoll final : public LongPolls::Poll {
 public:
  SessionPoll(LongPolls& polls, FetchSession& session)
      : polls_(polls), session_(session), key_(polls.NextKey()) {
    polls_.Add(key_, *this);
  }
  ~SessionPoll() override { polls_.Remove(key_); }
  void EndEarly() override { session_.Wake(); }

 private:
  LongPolls& polls_;
  FetchSession& session_;
  uint64_t key_;
};

// A session's right to one fetch at a time.
class SessionUse {
 public:
  explicit SessionUse(std::shared_ptr<FetchSession> session) : session_(std::move(session)) {
    session_->busy = true;
  }
  ~SessionUse() { session_->busy = false; }
  SessionUse(const SessionUse&) = delete;
  SessionUse& operator=(const SessionUse&) = delete;

 private:
  std::shared_ptr<FetchSession> session_;
};

class Fetcher {
 public:
  Fetcher(Services& services, const FetchRequest& request, const Call& call)
      : services_(services), request_(request), call_(call), version_(call.header.api_version) {}

  FetchResponse Run() {
    const FetchSessionCache::Opened opened =
        services_.fetch_sessions.Open(request_, version_ >= kTopicIds, services_.env.clock.Now());
    if (opened.error != ErrorCode::NONE) {
      FetchResponse refused;
      refused.error_code = opened.error;
      return refused;
    }
    const SessionUse use(opened.session);
    session_ = opened.session.get();
    full_ = opened.full;
    const core::MonotonicTime deadline = DeadlineAfter(services_.env, request_.max_wait_ms);
    session_->Apply(request_, services_.env.clock.Now(),
                    [&](const protocol::Uuid& id) { return NameOf(id); });
    ReadDue(/*tells_progress=*/true);
    if (MustWait()) {
      call_.client.ticket.ReleaseAll();
      Wait(deadline);
    }
    return Compose();
  }

 private:
  // What was read of one partition.
  struct Slot {
    Entry* entry;
    Data data;
  };

  [[nodiscard]] std::string NameOf(const protocol::Uuid& id) const {
    return services_.controller.NameOf(id);
  }

  [[nodiscard]] bool MustWait() const {
    return request_.max_wait_ms > 0 && session_->size() > 0 && !must_answer_ &&
           bytes_ < static_cast<uint64_t>(std::max(request_.min_bytes, 0));
  }

  // [P11] Until there is enough, a partition is lost, or the deadline; then reads again.
  void Wait(core::MonotonicTime deadline) {
    const SessionPoll poll(services_.long_polls, *session_);
    while (MustWait() && !services_.long_polls.ended()) {
      for (const Slot& slot : slots_) {
        if (!slot.data.records.empty() || session_->id() == 0) session_->LeaveToWait(*slot.entry);
      }
      if (!session_->woken()) {
        const core::Wake wake =
            session_->wake().Wait(services_.env.fibers, "records to fetch", deadline);
        if (wake != core::Wake::kSignaled) return ReadDue(/*tells_progress=*/false);
      }
      session_->ClearWoken();
      ReadDue(/*tells_progress=*/false);
    }
  }

  // Reads what is due. What can be told of a partition stays due until its client has gone on.
  void ReadDue(bool tells_progress) {
    bytes_ = 0;
    must_answer_ = false;
    // Version 3 gave the request as a whole a limit.
    left_ = std::min<uint64_t>(static_cast<uint64_t>(std::max(request_.max_bytes, 0)),
                               static_cast<uint64_t>(services_.config.fetch_max_bytes));
    size_t read = 0;
    std::vector<Entry*> with_records;
    for (Entry* entry : session_->TakeDue()) {
      Slot& slot = SlotOf(*entry);
      slot.data = ReadOne(*entry, tells_progress);
      if (tells_progress) entry->to_be_heard = false;
      const bool records = !slot.data.records.empty();
      const bool told = slot.data.error_code != ErrorCode::NONE || IsDiverging(slot.data) ||
                        slot.data.preferred_read_replica >= 0;
      must_answer_ = must_answer_ || told;
      if (records) {
        with_records.push_back(entry);
      } else if (told || BytesLeftOut(*entry) || session_->id() == 0 ||
                 !session_->LeaveToWait(*entry) || entry->to_be_heard) {
        session_->PutBack(*entry);
      }
      if (++read % kPartitionsBetweenYields == 0) services_.env.fibers.Yield();
    }
    // Last, so that the next fetch begins with those that had no room in this one.
    for (Entry* entry : with_records) session_->PutBack(*entry);
  }

  Slot& SlotOf(Entry& entry) {
    if (entry.slot < slots_.size() && slots_[entry.slot].entry == &entry) {
      return slots_[entry.slot];
    }
    entry.slot = slots_.size();
    return slots_.emplace_back(Slot{.entry = &entry});
  }

  static bool IsDiverging(const Data& data) { return data.diverging_epoch.epoch >= 0; }

  // Whether there is something that had no room.
  [[nodiscard]] bool BytesLeftOut(const Entry& entry) const {
    return entry.partition != nullptr && entry.partition->Serves(session_->replica()) &&
           entry.partition->BytesReadable(Offset(entry.asked.fetch_offset), session_->replica()) >
               0;
  }

  Data ReadOne(Entry& entry, bool tells_progress) {
    Data data;
    data.partition_index = entry.asked.partition;
    // Never null: librdkafka would drop the whole answer and ask again at once.
    data.records = protocol::Records::Empty();
    if (request_.isolation_level != kReadCommitted) data.aborted_transactions = std::nullopt;
    data.high_watermark = -1;
    data.error_code = FindPartition(entry);
    if (data.error_code == ErrorCode::NONE) ReadRecords(entry, tells_progress, data);
    return data;
  }

  // [P6]
  ErrorCode FindPartition(Entry& entry) {
    if (entry.partition != nullptr && entry.partition->Serves(session_->replica())) {
      return ErrorCode::NONE;
    }
    if (session_->by_id() && entry.topic.empty()) {
      entry.topic = NameOf(entry.topic_id);
      if (entry.topic.empty()) return ErrorCode::UNKNOWN_TOPIC_ID;
    }
    const PartitionIndex index(entry.asked.partition);
    entry.partition = services_.replicas.Find(entry.topic, index);
    if (entry.partition == nullptr) return services_.replicas.WhyNotHosted(entry.topic, index);
    const protocol::Uuid& id = entry.partition->topic_id();
    if (session_->by_id() && !id.is_zero() && id != entry.topic_id) {
      return ErrorCode::INCONSISTENT_TOPIC_ID;
    }
    return ErrorCode::NONE;
  }

  // [P19] Another replica than this leader, where the consumer had better read.
  [[nodiscard]] std::optional<BrokerId> PreferredReadReplica(const Entry& entry) const {
    const bool asks = services_.config.rack_aware_reads && session_->replica() == kNoBroker &&
                      version_ >= kFollowersMayAnswer && !request_.rack_id.empty();
    const PartitionLeader& leader = entry.partition->leader();
    if (!asks || !leader.leads() || request_.rack_id == services_.config.rack) return std::nullopt;
    const std::vector<BrokerAddress> alive = services_.controller.Brokers();
    std::vector<ReplicaView> others;
    for (ReplicaView& view :
         HoldersOf(leader, Offset(entry.asked.fetch_offset), services_.env.clock.Now())) {
      const auto known = std::find_if(alive.begin(), alive.end(),
                                      [&](const auto& broker) { return broker.id == view.broker; });
      if (known == alive.end()) continue;
      view.rack = known->rack;
      others.push_back(view);
    }
    const BrokerId self = services_.config.broker_id;
    const BrokerId best =
        SelectRackAware(request_.rack_id, {.broker = self, .rack = services_.config.rack}, others);
    return best == self ? std::nullopt : std::optional(best);
  }

  void ReadRecords(Entry& entry, bool tells_progress, Data& data) {
    const auto& asked = entry.asked;
    const auto preferred = PreferredReadReplica(entry);
    const uint64_t wanted =
        preferred ? 0 : static_cast<uint64_t>(std::max(asked.partition_max_bytes, 0));
    const ReadOutcome read =
        entry.partition->Read({.from = Offset(asked.fetch_offset),
                               .max_bytes = std::min(wanted, left_),
                               // [P13] Only the first partition that has anything may go past the
                               // limits, and only for clients that expect it.
                               .at_least_one_batch = version_ >= 3 && bytes_ == 0 && !preferred,
                               .current_leader_epoch = LeaderEpoch(asked.current_leader_epoch),
                               .last_fetched_epoch = LeaderEpoch(asked.last_fetched_epoch),
                               .replica = session_->replica(),
                               .replica_log_start = Offset(asked.log_start_offset),
                               .tells_progress = tells_progress,
                               .follower_may_answer = version_ >= kFollowersMayAnswer &&
                                                      session_->replica() == kNoBroker});
    data.error_code = read.error;
    data.high_watermark = read.high_watermark.value();
    data.last_stable_offset = read.high_watermark.value();  // no transactions yet
    data.log_start_offset = read.log_start_offset.value();
    if (read.diverging.has_value()) {
      data.diverging_epoch = {.epoch = read.diverging->epoch.value(),
                              .end_offset = read.diverging->end_offset.value()};
    }
    if (read.error == ErrorCode::NONE && preferred) {
      HW_MARK("fetch_named_a_preferred_read_replica");
      data.preferred_read_replica = preferred->value();
    }
    if (read.error != ErrorCode::NONE || read.records.length == 0) return;
    if (version_ < 4) {
      // Batches are stored in format 2, which these versions cannot carry; they are not converted
      // down.
      data.error_code = ErrorCode::UNSUPPORTED_VERSION;
      return;
    }
    data.records = protocol::Records(read.records);
    bytes_ += read.records.length;
    left_ -= std::min(left_, read.records.length);
  }

  // [P15] In an incremental answer, only what is new.
  [[nodiscard]] bool IsNews(const Slot& slot) const {
    const Data& data = slot.data;
    return full_ || data.error_code != ErrorCode::NONE || !data.records.empty() ||
           IsDiverging(data) || data.preferred_read_replica >= 0 ||
           data.high_watermark != slot.entry->sent_high_watermark ||
           data.log_start_offset != slot.entry->sent_log_start;
  }

  FetchResponse Compose() {
    FetchResponse response;
    response.session_id = session_->id();
    const Entry* previous = nullptr;
    for (Slot& slot : slots_) {
      if (!IsNews(slot)) continue;
      Entry& entry = *slot.entry;
      // After an error the next answer tells it anew.
      const bool error = slot.data.error_code != ErrorCode::NONE;
      entry.sent_high_watermark = error ? -1 : slot.data.high_watermark;
      entry.sent_log_start = slot.data.log_start_offset;
      if (previous == nullptr || previous->topic_id != entry.topic_id ||
          previous->topic != entry.topic) {
        response.responses.push_back({.topic = entry.topic, .topic_id = entry.topic_id});
      }
      previous = &entry;
      if (!slot.data.records.empty()) {
        services_.observer.OnRecordsFetched(services_.config.broker_id,
                                            {entry.topic, PartitionIndex(entry.asked.partition)},
                                            session_->replica(), slot.data.records.size());
      }
      response.responses.back().partitions.push_back(std::move(slot.data));
    }
    return response;
  }

  Services& services_;
  const FetchRequest& request_;
  const Call& call_;
  int16_t version_;
  FetchSession* session_ = nullptr;
  bool full_ = true;
  std::vector<Slot> slots_;
  uint64_t bytes_ = 0;
  uint64_t left_ = 0;
  bool must_answer_ = false;  // [P11] errors, divergences and preferred replicas are told at once
};

}  // namespace

absl::StatusOr<Answer> HandleFetch(Services& services, const Call& call) {
  HW_ASSIGN_OR_RETURN(const FetchRequest request, ReadRequest<FetchRequest>(call));
  HW_ASSIGN_OR_RETURN(Answer answer, WriteAnswer(call, Fetcher(services, request, call).Run()));
  answer.from_follower = request.replica_id >= 0;
  return answer;
}

}  // namespace highwater::broker
