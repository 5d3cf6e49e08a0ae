#pragma once

// Producer::Impl: the driver between the accumulator, the connections and the callbacks.
//
// For each broker that has something to send there is one fiber, which ends when nothing is left:
// it connects, waits for room in flight, drains, writes. Responses are taken in where the
// connection reads them. One timer serves linger, back-off and delivery timeouts. Nothing else
// runs: an idle producer has no fiber.
//
// Invariant: what decides `outcome` is ProducerBatch::maybe_written: set once an attempt ended
// without proof that its batch was not appended, never reset.

#include <absl/container/flat_hash_map.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/client/network_client.h"
#include "broker/client/partitioner.h"
#include "broker/client/producer.h"
#include "broker/client/record_accumulator.h"
#include "broker/protocol/produce.h"
#include "core/wait_queue.h"

namespace highwater::broker::client {

class Producer::Impl : public std::enable_shared_from_this<Producer::Impl> {
 public:
  Impl(core::Environment& env, ProducerConfig config, const ProducerRules& rules);
  ~Impl();

  void Send(const ProducerRecord& record, SendCallback callback);
  core::Wake Flush(core::MonotonicTime deadline);
  void Close(core::MonotonicTime deadline);
  int32_t PartitionsFor(std::string_view topic, core::MonotonicTime deadline);
  // Ends everything without calling back and without waiting.
  void Shutdown();
  [[nodiscard]] const Statistics& statistics() const { return statistics_; }

 private:
  static constexpr PartitionSlot kNoSlot = 0xffffffffu;

  struct Topic {
    std::string name;
    int32_t partitions = 0;
    std::vector<PartitionSlot>
        slots;  // by partition; more than `partitions` if the topic came back smaller
    std::vector<PartitionIndex> available;
    StickyPartition sticky;
  };
  // One Produce request on its way.
  struct Sent {
    std::shared_ptr<Impl> producer;
    int16_t version = 0;
    absl::InlinedVector<ProducerBatch*, 4> batches;
  };
  // What a broker, or the lack of one, says of one batch.
  struct BatchResult {
    protocol::ErrorCode error = protocol::ErrorCode::NONE;
    bool maybe_written = false;  // judged only if there is an error
    int64_t base_offset = -1;
    int64_t log_append_time_ms = -1;
  };
  struct EventTimer final : core::TimerNode {
    explicit EventTimer(Impl& p) : producer(p) {}
    void OnTimer() override { producer.OnTimer(); }
    Impl& producer;
  };

  // The topic with at least `partitions` partitions, waiting for metadata; nullptr with the error
  // at the deadline.
  Topic* AwaitTopic(std::string_view name, int32_t partitions, core::MonotonicTime deadline,
                    protocol::ErrorCode& error);
  // Waits for memory for a record of this size. False at the deadline.
  bool AwaitMemory(size_t size, core::MonotonicTime deadline);
  PartitionSlot ChooseSlot(Topic& topic, const ProducerRecord& record, size_t size);
  void TakeIn(Topic& topic, const TopicMetadata& metadata);
  [[nodiscard]] bool MayWait() const { return !in_callback_ && env_.fibers.current() != nullptr; }

  void OnMetadata();
  void OnTimer();
  // After anything that may have made batches ready: starts senders, asks for leaders, sets the
  // timer.
  void Proceed();
  void SendTo(BrokerId broker);
  void SendBatches(BrokerConnection& connection, const std::vector<ProducerBatch*>& batches);
  void FillRequest(const std::vector<ProducerBatch*>& batches);
  void OnReply(Sent& sent, Reply reply);
  void OnResponse(Sent& sent, const protocol::ProduceResponse& response);
  void OnBatch(ProducerBatch& batch, BatchResult result);
  void Fail(ProducerBatch& batch, protocol::ErrorCode error);
  void RunCallbacks(PartitionSlot slot, std::vector<PendingRecord> records, SendOutcome outcome,
                    const BatchResult& result);
  void ExpireBatches();
  void AbortAll();
  void GiveUp(ProducerBatch& batch);

  // The producer id (producer_id.cc).
  void MaybeAskForProducerId();
  void AskForProducerId();
  protocol::ErrorCode AskOnce();

  core::Environment& env_;
  const ProducerConfig config_;
  std::shared_ptr<NetworkClient> network_;
  const bool idempotent_;
  TransactionManager transactions_;
  RecordAccumulator accumulator_;
  absl::flat_hash_map<std::string, std::unique_ptr<Topic>> topics_;  // looked up only
  std::vector<Topic*> topics_in_order_;
  std::map<BrokerId, bool> sending_;
  std::vector<BrokerId> woken_;          // scratch
  std::vector<ProducerBatch*> drained_;  // scratch
  protocol::ProduceRequest request_;     // its memory is used again
  bool accepting_ = true;
  bool shut_down_ = false;
  bool in_callback_ = false;
  bool asking_for_id_ = false;
  protocol::ErrorCode fatal_ = protocol::ErrorCode::NONE;  // why there will never be an id
  core::WaitQueue memory_;
  core::WaitQueue finished_;
  EventTimer timer_{*this};
  core::MonotonicTime
      timer_at_;  // of this process's clock, which the timer's own instant need not be
  Statistics statistics_;
};

}  // namespace highwater::broker::client
