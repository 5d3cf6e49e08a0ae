#pragma once

// RecordAccumulator: the producer's records on their way into batches, and batches on their way to
// brokers.
//
//   accumulator.Append(slot, record, std::move(callback), now);
//   accumulator.TakeWoken(brokers);                               // these have something to send
//   now accumulator.Drain(broker, max_request_size, now, batches);     // at most one batch a
//   partition
//   ... accumulator.Retry(*batch, now)  or  accumulator.Finish(*batch)
//
// Pure: no clock, no fiber, no connection. Follows [N1], [N3], [N4]. Not responsible for what a
// response means (producer_impl.h), choosing partitions, waiting for memory.
//
// Invariants:
//   1. A partition's batches are drained in the order in which they were created; a retried batch
//   stands in front of all that were
//      created after it [N4]. While the front batch waits for its back-off no later batch overtakes
//      it.
//   2. With Options::keep_order a partition has at most one batch in flight.
//   3. A batch holds at least one record, and more than batch_size bytes only if it holds exactly
//   one.
//   4. Every record's callback leaves with exactly one batch: nothing is lost, nothing is doubled.
//   5. With a TransactionManager nothing is drained that it does not allow, and a drained batch
//   bears the numbers that it has given.
//   6. Batches live in the order of their creation; the oldest one's creation decides what expires
//   first.

#include <absl/types/span.h>

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/client/producer.h"
#include "broker/client/producer_rules.h"
#include "broker/client/transaction_manager.h"
#include "broker/protocol/record_batch_builder.h"
#include "broker/types.h"
#include "core/bytes.h"
#include "core/monotonic_time.h"

namespace highwater::broker::client {

struct PendingRecord {
  SendCallback callback;
  int64_t timestamp_ms = 0;
};

struct ProducerBatch {
  enum class State : uint8_t { kQueued, kInFlight, kAbandoned, kFree };

  PartitionSlot slot = 0;
  uint64_t number = 0;  // order of creation; the parts of a split batch keep it
  uint64_t part = 0;    // of a split batch: how many of its records stand in earlier parts
  core::MonotonicTime created;
  core::MonotonicTime retry_at;  // of a retried batch: not sent before
  int64_t attempts = 0;
  int64_t charge = 0;  // bytes of buffer.memory
  State state = State::kFree;
  bool maybe_written = false;  // an attempt had an unknown outcome
  SequencedBatch sequence;     // of an idempotent producer
  std::vector<PendingRecord> records;
  std::optional<protocol::RecordBatchBuilder> builder;  // while records may be added
  core::ByteChain bytes;                                // once it is closed
  std::list<ProducerBatch>::iterator self;
};

class RecordAccumulator {
 public:
  struct Options {
    int64_t batch_size = 16384;
    int64_t buffer_memory = 33554432;
    absl::Duration linger;
    absl::Duration retry_backoff = absl::Milliseconds(100);
    absl::Duration delivery_timeout = absl::Minutes(2);
    protocol::Codec codec = protocol::Codec::kNone;
    bool keep_order = false;
    ProducerRules rules;
  };

  // With `transactions`, which outlives it, the producer is idempotent.
  explicit RecordAccumulator(const Options& options, TransactionManager* transactions = nullptr)
      : options_(options), transactions_(transactions) {}
  RecordAccumulator(const RecordAccumulator&) = delete;
  RecordAccumulator& operator=(const RecordAccumulator&) = delete;

  // A new partition without a leader.
  PartitionSlot AddPartition(TopicPartition partition);
  [[nodiscard]] const TopicPartition& PartitionOf(PartitionSlot slot) const {
    return partitions_[slot].id;
  }
  [[nodiscard]] PartitionSlot partition_count() const {
    return static_cast<PartitionSlot>(partitions_.size());
  }
  void SetLeader(PartitionSlot slot, BrokerId leader, core::MonotonicTime now);

  // Whether a record of this size would need a new batch, and then whether memory is left for one.
  [[nodiscard]] bool NeedsNewBatch(PartitionSlot slot, size_t record_size) const;
  [[nodiscard]] bool HasMemoryFor(size_t record_size) const;
  // REQUIRES: !NeedsNewBatch or HasMemoryFor. `record_size`: as RecordBatchBuilder::MaxRecordSize
  // says.
  void Append(PartitionSlot slot, const ProducerRecord& record, int64_t timestamp_ms,
              size_t record_size, SendCallback callback, core::MonotonicTime now);

  // Looks at every partition anew: the TransactionManager may allow more.
  void Reconsider(core::MonotonicTime now);
  // Makes due what waited for `now`: linger and back-off.
  void Advance(core::MonotonicTime now);
  // The next instant at which Advance or TakeExpired would do something; Never() if none.
  [[nodiscard]] core::MonotonicTime NextEvent() const;
  // The brokers that got something to send since the last call, in the order in which they got it.
  void TakeWoken(std::vector<BrokerId>& out) {
    out.clear();
    out.swap(woken_);
  }
  [[nodiscard]] bool HasReady(BrokerId broker) const;
  // Something could be sent if it had a leader.
  [[nodiscard]] bool HasLeaderless() const { return HasReady(kNoBroker); }

  // Takes closed batches for one request to `broker`: one a partition, together at most `max_bytes`
  // (but at least one batch, if the TransactionManager allows one). They count as attempted and in
  // flight.
  void Drain(BrokerId broker, int64_t max_bytes, core::MonotonicTime now,
             std::vector<ProducerBatch*>& out);

  // A batch that was in flight goes back into its partition's queue, to be sent again after the
  // back-off.
  void Retry(ProducerBatch& batch, core::MonotonicTime now);
  // Replaces a batch that was in flight by batches of about half its size, in its place. False, and
  // nothing happens, if it has only one record.
  bool Split(ProducerBatch& batch, core::MonotonicTime now);
  // Takes the callbacks of a batch which is queued or in flight, in the order of its records, and
  // lets go of the batch.
  [[nodiscard]] std::vector<PendingRecord> Finish(ProducerBatch& batch, core::MonotonicTime now);
  // As Finish for a batch in flight whose response is still to come: the batch stays until
  // ForgetAbandoned.
  [[nodiscard]] std::vector<PendingRecord> Abandon(ProducerBatch& batch);
  void ForgetAbandoned(ProducerBatch& batch, core::MonotonicTime now);

  // The oldest batch if its delivery timeout has passed; nullptr otherwise. It must be finished or
  // abandoned.
  [[nodiscard]] ProducerBatch* FindExpired(core::MonotonicTime now);
  // The oldest batch, nullptr if there is none.
  [[nodiscard]] ProducerBatch* Oldest() { return live_.empty() ? nullptr : &live_.front(); }
  // The number that the next new batch gets.
  [[nodiscard]] uint64_t next_number() const { return next_number_; }

  // While hurried nothing lingers: a flush, a close, or somebody who waits for memory. Nests.
  void BeginHurry(core::MonotonicTime now);
  void EndHurry();

  [[nodiscard]] int64_t buffered_bytes() const { return buffered_bytes_; }

 private:
  enum class Queueing : uint8_t { kNone, kTimed, kReady };

  struct Partition {
    TopicPartition id;
    BrokerId leader = kNoBroker;
    std::deque<ProducerBatch*> queue;
    int64_t in_flight = 0;
    Queueing queueing = Queueing::kNone;
    core::MonotonicTime due;  // while kTimed
  };

  ProducerBatch& NewBatch(PartitionSlot slot, core::MonotonicTime created, uint64_t number,
                          std::list<ProducerBatch>::iterator before);
  void Close(ProducerBatch& batch);
  // The batch as it goes out: closed, with its numbers.
  void Stamp(ProducerBatch& batch);
  [[nodiscard]] bool FitsBehind(int64_t bytes, const ProducerBatch& batch, int64_t max_bytes) const;
  void Insert(Partition& partition, ProducerBatch& batch);
  void Release(ProducerBatch& batch);
  [[nodiscard]] core::MonotonicTime DueTime(const Partition& partition) const;
  // Brings a partition to where it belongs: nowhere, among the timed, or ready at its leader.
  void Requeue(PartitionSlot slot, core::MonotonicTime now);
  void Unqueue(PartitionSlot slot);

  const Options options_;
  TransactionManager* const transactions_;
  std::vector<Partition> partitions_;
  std::map<BrokerId, std::deque<PartitionSlot>> ready_;  // kNoBroker: leaderless
  std::set<std::pair<core::MonotonicTime, PartitionSlot>> timed_;
  std::vector<BrokerId> woken_;
  std::list<ProducerBatch> live_;  // by creation
  std::list<ProducerBatch> abandoned_;
  std::list<ProducerBatch> free_;
  uint64_t next_number_ = 0;
  int64_t buffered_bytes_ = 0;
  int hurries_ = 0;
};

}  // namespace highwater::broker::client
