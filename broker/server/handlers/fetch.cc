#include "broker/protocol/fetch.h"

#include <algorithm>
#include <deque>

#include "broker/server/handlers/handler.h"
#include "core/wait_queue.h"

namespace highwater::broker {

namespace {

using protocol::ErrorCode;
using protocol::FetchRequest;
using protocol::FetchResponse;
using AskedPartition = FetchRequest::FetchPartition;
using Data = FetchResponse::PartitionData;

constexpr size_t kPartitionsBetweenYields = 64;
constexpr int32_t kConsumer = -1;
constexpr int8_t kReadCommitted = 1;

// One partition of the request, found or not.
struct Target {
  const AskedPartition* asked = nullptr;
  std::string topic;
  std::shared_ptr<Partition> partition;
  ErrorCode error = ErrorCode::NONE;
};

// Waits until enough has come below the high watermarks of its partitions.
class RecordsPoll final : public LongPolls::Poll {
 public:
  RecordsPoll(Services& services, const std::vector<Target>& targets)
      : services_(services), targets_(targets), key_(services.long_polls.NextKey()) {
    for (size_t i = 0; i < targets.size(); ++i) waiters_.emplace_back(*this);
    services_.long_polls.Add(key_, *this);
  }
  ~RecordsPoll() override { services_.long_polls.Remove(key_); }

  // [P11] Until `min_bytes` are there, a partition is lost, or the deadline.
  void Wait(uint64_t min_bytes, core::MonotonicTime deadline) {
    while (!lost_ && !services_.long_polls.ended() && Bytes(min_bytes) < min_bytes) {
      for (size_t i = 0; i < targets_.size(); ++i) {
        Waiter& waiter = waiters_[i];
        if (waiter.waiting()) continue;
        const PartitionLeader& leader = targets_[i].partition->leader();
        if (!leader.leads()) return;
        targets_[i].partition->AwaitHighWatermark(waiter, leader.high_watermark());
      }
      const core::Wake wake = wake_.Wait(services_.env.fibers, "records to fetch", deadline);
      if (wake != core::Wake::kSignaled) return;
    }
  }

  void EndEarly() override { wake_.WakeAll(); }

 private:
  struct Waiter final : OffsetWaiter {
    explicit Waiter(RecordsPoll& p) : poll(p) {}
    void OnDone(ErrorCode error) override {
      if (error != ErrorCode::NONE) poll.lost_ = true;
      poll.wake_.WakeAll();
    }
    RecordsPoll& poll;
  };

  // Bytes to be had, counted no further than `enough`.
  [[nodiscard]] uint64_t Bytes(uint64_t enough) const {
    uint64_t bytes = 0;
    for (const Target& target : targets_) {
      const uint64_t limit = static_cast<uint64_t>(std::max(target.asked->partition_max_bytes, 1));
      bytes += std::min(
          limit, target.partition->BytesBelowHighWatermark(Offset(target.asked->fetch_offset)));
      if (bytes >= enough) break;
    }
    return bytes;
  }

  Services& services_;
  const std::vector<Target>& targets_;
  uint64_t key_;
  bool lost_ = false;
  std::deque<Waiter> waiters_;
  core::WaitQueue wake_;
};

class Fetcher {
 public:
  Fetcher(Services& services, const FetchRequest& request, const Call& call)
      : services_(services), request_(request), call_(call), version_(call.header.api_version) {}

  FetchResponse Run() {
    // No sessions are kept, which is legal: a full request is answered with session id 0. Whoever
    // goes on with one is told so.
    if (request_.session_epoch > 0) {
      FetchResponse refused;
      refused.error_code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
      return refused;
    }
    const core::MonotonicTime deadline = DeadlineAfter(services_.env, request_.max_wait_ms);
    FindTargets();
    ReadAll();
    const uint64_t min_bytes = static_cast<uint64_t>(std::max(request_.min_bytes, 0));
    const bool wait =
        request_.max_wait_ms > 0 && !targets_.empty() && !must_answer_ && bytes_ < min_bytes;
    if (!wait) return std::move(response_);
    call_.client.ticket.ReleaseAll();
    RecordsPoll(services_, targets_).Wait(min_bytes, deadline);
    ReadAll();
    return std::move(response_);
  }

 private:
  void FindTargets() {
    for (const auto& topic : request_.topics) {
      const bool by_id = version_ >= 13;
      const std::string name = by_id ? services_.controller.NameOf(topic.topic_id) : topic.topic;
      for (const AskedPartition& asked : topic.partitions) {
        Target& target = targets_.emplace_back();
        target.asked = &asked;
        target.topic = name;
        if (by_id && name.empty()) {
          target.error = ErrorCode::UNKNOWN_TOPIC_ID;  // [P6]
        } else {
          Find(target);
        }
      }
    }
  }

  void Find(Target& target) {
    const PartitionIndex index(target.asked->partition);
    target.partition = services_.replicas.Find(target.topic, index);
    if (target.partition == nullptr) {
      target.error = services_.replicas.WhyNotHosted(target.topic, index);
    } else if (request_.replica_id > kConsumer) {
      // No other broker is a replica here.
      target.error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
      target.partition = nullptr;
    }
  }

  // Reads every partition into a fresh response.
  void ReadAll() {
    response_ = FetchResponse{};
    bytes_ = 0;
    must_answer_ = false;
    // Version 3 gave the request as a whole a limit.
    left_ = std::min<uint64_t>(static_cast<uint64_t>(std::max(request_.max_bytes, 0)),
                               static_cast<uint64_t>(services_.config.fetch_max_bytes));
    size_t next = 0;
    for (const auto& topic : request_.topics) {
      auto& answered = response_.responses.emplace_back();
      answered.topic = topic.topic;
      answered.topic_id = topic.topic_id;
      answered.partitions.reserve(topic.partitions.size());
      for (size_t i = 0; i < topic.partitions.size(); ++i) {
        answered.partitions.push_back(ReadOne(targets_[next]));
        if (++next % kPartitionsBetweenYields == 0) services_.env.fibers.Yield();
      }
    }
  }

  Data ReadOne(const Target& target) {
    Data data;
    data.partition_index = target.asked->partition;
    // Never null: librdkafka would drop the whole answer and ask again at once.
    data.records = protocol::Records::Empty();
    if (request_.isolation_level != kReadCommitted) data.aborted_transactions = std::nullopt;
    data.high_watermark = -1;
    data.error_code = target.error;
    if (target.error == ErrorCode::NONE) ReadRecords(*target.partition, *target.asked, data);
    if (data.error_code != ErrorCode::NONE || data.diverging_epoch.epoch >= 0) must_answer_ = true;
    return data;
  }

  void ReadRecords(Partition& partition, const AskedPartition& asked, Data& data) {
    const uint64_t wanted = static_cast<uint64_t>(std::max(asked.partition_max_bytes, 0));
    const ReadOutcome read =
        partition.Read({.from = Offset(asked.fetch_offset),
                        .max_bytes = std::min(wanted, left_),
                        // [P13] Only the first partition that has anything may go past the limits,
                        // and only for clients that expect it.
                        .at_least_one_batch = version_ >= 3 && bytes_ == 0,
                        .current_leader_epoch = LeaderEpoch(asked.current_leader_epoch),
                        .last_fetched_epoch = LeaderEpoch(asked.last_fetched_epoch)});
    data.error_code = read.error;
    data.high_watermark = read.high_watermark.value();
    data.last_stable_offset = read.high_watermark.value();  // no transactions yet
    data.log_start_offset = read.log_start_offset.value();
    if (read.diverging.has_value()) {
      data.diverging_epoch = {.epoch = read.diverging->epoch.value(),
                              .end_offset = read.diverging->end_offset.value()};
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

  Services& services_;
  const FetchRequest& request_;
  const Call& call_;
  int16_t version_;
  std::vector<Target> targets_;
  FetchResponse response_;
  uint64_t bytes_ = 0;
  uint64_t left_ = 0;
  bool must_answer_ = false;  // [P11] an error or a divergence is told at once
};

}  // namespace

absl::StatusOr<Answer> HandleFetch(Services& services, const Call& call) {
  return Serve<FetchRequest>(
      call, [&](const FetchRequest& request) { return Fetcher(services, request, call).Run(); });
}

}  // namespace highwater::broker
