#include "broker/protocol/produce.h"

#include <deque>

#include "broker/controller/topic_rules.h"
#include "broker/server/handlers/handler.h"
#include "core/mark.h"
#include "core/wait_queue.h"

namespace highwater::broker {

namespace {

using protocol::ErrorCode;
using protocol::ProduceRequest;
using protocol::ProduceResponse;
using Result = ProduceResponse::PartitionProduceResponse;

constexpr uint64_t kBytesBetweenYields = 1 << 20;
constexpr size_t kPartitionsBetweenYields = 64;

// The appends of one request that are on their way, and the fiber that waits for them.
class PendingProduce {
 public:
  struct Append final : OffsetWaiter {
    Append(PendingProduce& p, const TopicPartition& i, Result& r) : pending(p), id(i), result(r) {}
    void OnDone(ErrorCode error) override {
      done = true;
      result.error_code = error;
      --pending.left_;
      pending.wake_.WakeAll();
    }
    PendingProduce& pending;
    TopicPartition id;
    Result& result;
    AppendOutcome outcome;
    bool done = false;
  };

  explicit PendingProduce(core::Fibers& fibers) : fibers_(fibers) {}

  // `result` stays where it is until the end.
  void Start(Partition& partition, const core::ByteChain& records, int16_t acks, Result& result) {
    Append& append = appends_.emplace_back(*this, partition.id(), result);
    append.outcome = partition.Append(records, acks, append);
    if (append.outcome.error == ErrorCode::NONE) {
      append.done = !append.waiting();  // a duplicate of what is committed
      if (!append.done) ++left_;
      return;
    }
    result.error_code = append.outcome.error;
    if (!append.outcome.message.empty()) result.error_message = append.outcome.message;
    result.log_start_offset = append.outcome.log_start_offset.value();
    appends_.pop_back();
  }

  void Wait(core::MonotonicTime deadline) {
    while (left_ > 0) {
      if (wake_.Wait(fibers_, "acknowledgements", deadline) != core::Wake::kSignaled) break;
    }
    for (Append& append : appends_) {
      if (append.done) continue;
      // [P4] The records stay where they are and may still be committed.
      HW_MARK("produce_timed_out");
      append.Cancel();
      append.result.error_code = ErrorCode::REQUEST_TIMED_OUT;
    }
    for (Append& append : appends_) {
      if (append.result.error_code != ErrorCode::NONE) continue;
      append.result.base_offset = append.outcome.base_offset.value();
      append.result.log_append_time_ms = append.outcome.log_append_time_ms;
      append.result.log_start_offset = append.outcome.log_start_offset.value();
    }
  }

  [[nodiscard]] const std::deque<Append>& appends() const { return appends_; }

 private:
  core::Fibers& fibers_;
  core::WaitQueue wake_;
  std::deque<Append> appends_;  // never moved: the partitions know them
  size_t left_ = 0;
};

// Bits of the header that decide whether a batch may come at all: they are read before anything is
// checked.
struct Peeked {
  int magic = -1;
  int codec = 0;
  bool transactional = false;
};

Peeked Peek(const core::ByteChain& records) {
  constexpr size_t kAttributesEnd = 23;
  if (records.size() < kAttributesEnd) return {};
  uint8_t head[kAttributesEnd];
  records.CopyTo(0, sizeof(head), head);
  Peeked peeked{.magic = static_cast<int8_t>(head[16])};
  if (peeked.magic < 2) return peeked;
  peeked.codec = head[22] & 0x07;
  peeked.transactional = (head[22] & 0x10) != 0;
  return peeked;
}

class Producer {
 public:
  Producer(Services& services, const ProduceRequest& request, const Call& call)
      : services_(services), request_(request), call_(call), pending_(services.env.fibers) {}

  absl::StatusOr<Answer> Run() {
    const core::MonotonicTime deadline = request_.acks == -1
                                             ? DeadlineAfter(services_.env, request_.timeout_ms)
                                             : core::MonotonicTime::Never();
    PlaceResults();
    StartAppends();
    call_.client.ticket.ReleaseTurn();
    pending_.Wait(deadline);
    if (request_.acks == 0) return AnswerNothing();
    HW_ASSIGN_OR_RETURN(Answer answer, WriteAnswer(call_, response_));
    answer.before_sending = [observer = &services_.observer, self = services_.config.broker_id,
                             acks = request_.acks, acked = Acknowledged()] {
      for (const auto& [id, outcome] : acked) {
        observer->OnAcknowledged(self, id, outcome.leader_epoch, outcome.base_offset,
                                 outcome.last_offset, acks);
      }
    };
    return answer;
  }

 private:
  using AckedAppends = std::vector<std::pair<TopicPartition, AppendOutcome>>;

  // All results get their place first: the appends know them by reference.
  void PlaceResults() {
    response_.responses.resize(request_.topic_data.size());
    for (size_t t = 0; t < request_.topic_data.size(); ++t) {
      response_.responses[t].name = request_.topic_data[t].name;
      response_.responses[t].partition_responses.resize(
          request_.topic_data[t].partition_data.size());
    }
  }

  void StartAppends() {
    uint64_t bytes = 0;
    size_t partitions = 0;
    for (size_t t = 0; t < request_.topic_data.size(); ++t) {
      const auto& topic = request_.topic_data[t];
      for (size_t p = 0; p < topic.partition_data.size(); ++p) {
        const auto& data = topic.partition_data[p];
        Result& result = response_.responses[t].partition_responses[p];
        result.index = data.index;
        result.base_offset = -1;
        StartAppend(topic.name, data, result);
        bytes += data.records.size();
        if (bytes >= kBytesBetweenYields || ++partitions >= kPartitionsBetweenYields) {
          bytes = 0;
          partitions = 0;
          services_.env.fibers.Yield();
        }
      }
    }
  }

  void StartAppend(const std::string& topic, const ProduceRequest::PartitionProduceData& data,
                   Result& result) {
    result.error_code = Check(topic, data);
    if (result.error_code != ErrorCode::NONE) return;
    const PartitionIndex index(data.index);
    const auto partition = services_.replicas.Find(topic, index);
    if (partition == nullptr) {
      result.error_code = services_.replicas.WhyNotHosted(topic, index);
      return;
    }
    pending_.Start(*partition, data.records.bytes(), request_.acks, result);
  }

  [[nodiscard]] ErrorCode Check(const std::string& topic,
                                const ProduceRequest::PartitionProduceData& data) const {
    const int16_t version = call_.header.api_version;
    if (request_.acks < -1 || request_.acks > 1) return ErrorCode::INVALID_REQUIRED_ACKS;  // [P1]
    if (IsInternalTopic(topic)) return ErrorCode::INVALID_TOPIC_EXCEPTION;
    const Peeked batch = Peek(data.records.bytes());
    if (batch.magic == 0 || batch.magic == 1) {
      return version >= 3 ? ErrorCode::INVALID_RECORD : ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT;
    }
    if (batch.codec == 4 && version < 7) return ErrorCode::UNSUPPORTED_COMPRESSION_TYPE;
    // Without a coordinator nobody could end the transaction, and readers would take its records
    // for committed ones.
    if (batch.transactional) return ErrorCode::INVALID_TXN_STATE;
    return ErrorCode::NONE;
  }

  // [P1] acks=0 has no answer; that the connection closes is all that its client hears of an error.
  absl::StatusOr<Answer> AnswerNothing() const {
    for (const auto& topic : response_.responses) {
      for (const Result& result : topic.partition_responses) {
        if (result.error_code != ErrorCode::NONE) {
          return absl::AbortedError("a produce request without acknowledgement failed");
        }
      }
    }
    return Answer{};
  }

  [[nodiscard]] AckedAppends Acknowledged() const {
    AckedAppends acked;
    for (const auto& append : pending_.appends()) {
      if (append.result.error_code == ErrorCode::NONE) {
        acked.emplace_back(append.id, append.outcome);
      }
    }
    return acked;
  }

  Services& services_;
  const ProduceRequest& request_;
  const Call& call_;
  ProduceResponse response_;
  PendingProduce pending_;
};

}  // namespace

absl::StatusOr<Answer> HandleProduce(Services& services, const Call& call) {
  HW_ASSIGN_OR_RETURN(const ProduceRequest request, ReadRequest<ProduceRequest>(call));
  return Producer(services, request, call).Run();
}

}  // namespace highwater::broker
