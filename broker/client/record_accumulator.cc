#include "broker/client/record_accumulator.h"

#include <algorithm>

#include "broker/protocol/record.h"
#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::client {

using core::MonotonicTime;
using protocol::RecordBatchBuilder;

PartitionSlot RecordAccumulator::AddPartition(TopicPartition partition) {
  partitions_.push_back({.id = std::move(partition)});
  return static_cast<PartitionSlot>(partitions_.size() - 1);
}

void RecordAccumulator::SetLeader(PartitionSlot slot, BrokerId leader, MonotonicTime now) {
  Partition& partition = partitions_[slot];
  if (partition.leader == leader) return;
  Unqueue(slot);
  partition.leader = leader;
  Requeue(slot, now);
}

bool RecordAccumulator::NeedsNewBatch(PartitionSlot slot, size_t record_size) const {
  const Partition& partition = partitions_[slot];
  if (partition.queue.empty() || !partition.queue.back()->builder.has_value()) return true;
  return partition.queue.back()->builder->uncompressed_size() + record_size >
         static_cast<size_t>(options_.batch_size);
}

bool RecordAccumulator::HasMemoryFor(size_t record_size) const {
  const int64_t charge = std::max(options_.batch_size, static_cast<int64_t>(record_size));
  return buffered_bytes_ + charge <= options_.buffer_memory;
}

void RecordAccumulator::Append(PartitionSlot slot, const ProducerRecord& record,
                               int64_t timestamp_ms, size_t record_size, SendCallback callback,
                               MonotonicTime now) {
  Partition& partition = partitions_[slot];
  if (NeedsNewBatch(slot, record_size)) {
    // An idempotent producer's batch is closed once it has its numbers: one checksum is enough.
    if (!partition.queue.empty() && transactions_ == nullptr) Close(*partition.queue.back());
    ProducerBatch& batch = NewBatch(slot, now, next_number_++, live_.end());
    batch.builder.emplace(
        protocol::RecordBatchOptions{.codec = options_.codec, .expected_bytes = record_size});
    batch.charge = std::max(options_.batch_size, static_cast<int64_t>(record_size));
    buffered_bytes_ += batch.charge;
    partition.queue.push_back(&batch);
  }
  ProducerBatch& batch = *partition.queue.back();
  if (record.headers.empty()) {
    batch.builder->Append(timestamp_ms, record.key, record.value);
  } else {
    std::vector<protocol::RecordHeaderView> headers;
    for (const RecordHeader& header : record.headers) headers.push_back({header.key, header.value});
    batch.builder->Append(timestamp_ms, record.key, record.value, headers);
  }
  batch.records.push_back({std::move(callback), timestamp_ms});
  if (partition.queueing != Queueing::kReady) Requeue(slot, now);
}

ProducerBatch& RecordAccumulator::NewBatch(PartitionSlot slot, MonotonicTime created,
                                           uint64_t number,
                                           std::list<ProducerBatch>::iterator before) {
  if (free_.empty()) free_.emplace_back();
  const auto batch = free_.begin();
  live_.splice(before, free_, batch);
  batch->self = batch;
  batch->slot = slot;
  batch->number = number;
  batch->part = 0;
  batch->created = created;
  batch->attempts = 0;
  batch->charge = 0;
  batch->state = ProducerBatch::State::kQueued;
  batch->maybe_written = false;
  batch->sequence = {};
  return *batch;
}

void RecordAccumulator::Close(ProducerBatch& batch) {
  if (!batch.builder.has_value()) return;
  const auto built = std::move(*batch.builder).Build();
  HW_CHECK(built.ok(), "{}", built.status().ToString());
  batch.bytes = built->bytes();
  batch.builder.reset();
}

void RecordAccumulator::Stamp(ProducerBatch& batch) {
  if (transactions_ == nullptr) return Close(batch);
  SequencedBatch& sequence = batch.sequence;
  if (!sequence.numbered()) {
    transactions_->Number(sequence, batch.slot, static_cast<int32_t>(batch.records.size()));
  }
  transactions_->OnSent(sequence);
  if (batch.builder.has_value()) {
    batch.builder->SetProducer(sequence.producer.id, sequence.producer.epoch,
                               sequence.base_sequence);
    return Close(batch);
  }
  const auto built = protocol::RecordBatch::Parse(batch.bytes);
  HW_CHECK(built.ok());
  protocol::RecordBatchHeader header = built->header();
  if (header.producer_id == sequence.producer.id &&
      header.producer_epoch == sequence.producer.epoch &&
      header.base_sequence == sequence.base_sequence) {
    return;
  }
  header.producer_id = sequence.producer.id;
  header.producer_epoch = sequence.producer.epoch;
  header.base_sequence = sequence.base_sequence;
  batch.bytes = built->WithHeader(header).bytes();
}

// When the partition's front batch may be sent; Never() if there is none or it has to wait for
// another one's end.
MonotonicTime RecordAccumulator::DueTime(const Partition& partition) const {
  if (partition.queue.empty()) return MonotonicTime::Never();
  if (options_.keep_order && partition.in_flight > 0) return MonotonicTime::Never();
  const ProducerBatch& front = *partition.queue.front();
  if (transactions_ != nullptr && !transactions_->MaySend(front.slot, front.sequence)) {
    return MonotonicTime::Never();
  }
  if (front.attempts > 0) return front.retry_at;
  const bool full = partition.queue.size() > 1 || !front.builder.has_value() ||
                    front.builder->uncompressed_size() >= static_cast<size_t>(options_.batch_size);
  if (full || hurries_ > 0) return front.created;
  return front.created + options_.linger;
}

void RecordAccumulator::Requeue(PartitionSlot slot, MonotonicTime now) {
  Partition& partition = partitions_[slot];
  const MonotonicTime due = DueTime(partition);
  if (partition.queueing == Queueing::kTimed && partition.due == due && due > now) return;
  Unqueue(slot);
  if (due == MonotonicTime::Never()) return;
  if (due > now) {
    partition.queueing = Queueing::kTimed;
    partition.due = due;
    timed_.emplace(due, slot);
    return;
  }
  partition.queueing = Queueing::kReady;
  std::deque<PartitionSlot>& ready = ready_[partition.leader];
  ready.push_back(slot);
  if (ready.size() == 1 && partition.leader != kNoBroker) woken_.push_back(partition.leader);
}

void RecordAccumulator::Unqueue(PartitionSlot slot) {
  Partition& partition = partitions_[slot];
  if (partition.queueing == Queueing::kTimed) timed_.erase({partition.due, slot});
  if (partition.queueing == Queueing::kReady) {
    std::deque<PartitionSlot>& ready = ready_[partition.leader];
    ready.erase(std::find(ready.begin(), ready.end(), slot));
  }
  partition.queueing = Queueing::kNone;
}

void RecordAccumulator::Reconsider(MonotonicTime now) {
  for (PartitionSlot slot = 0; slot < partitions_.size(); ++slot) {
    if (partitions_[slot].queueing != Queueing::kReady) Requeue(slot, now);
  }
}

void RecordAccumulator::Advance(MonotonicTime now) {
  while (!timed_.empty() && timed_.begin()->first <= now) Requeue(timed_.begin()->second, now);
}

MonotonicTime RecordAccumulator::NextEvent() const {
  MonotonicTime next = timed_.empty() ? MonotonicTime::Never() : timed_.begin()->first;
  if (!live_.empty()) next = std::min(next, live_.front().created + options_.delivery_timeout);
  return next;
}

bool RecordAccumulator::HasReady(BrokerId broker) const {
  const auto found = ready_.find(broker);
  return found != ready_.end() && !found->second.empty();
}

// Whether `batch` may go out together with `bytes` of others. One that is not closed yet counts as
// it is before compression.
bool RecordAccumulator::FitsBehind(int64_t bytes, const ProducerBatch& batch,
                                   int64_t max_bytes) const {
  const size_t size =
      batch.builder.has_value() ? batch.builder->uncompressed_size() : batch.bytes.size();
  return bytes + static_cast<int64_t>(size) <= max_bytes;
}

void RecordAccumulator::Drain(BrokerId broker, int64_t max_bytes, MonotonicTime now,
                              std::vector<ProducerBatch*>& out) {
  out.clear();
  std::deque<PartitionSlot>& ready = ready_[broker];
  int64_t bytes = 0;
  const size_t count = ready.size();  // a partition that stays ready goes behind these
  for (size_t i = 0; i < count; ++i) {
    const PartitionSlot slot = ready.front();
    Partition& partition = partitions_[slot];
    ProducerBatch& batch = *partition.queue.front();
    if (transactions_ != nullptr && !transactions_->MaySend(slot, batch.sequence)) {
      ready.pop_front();  // until something is acknowledged
      partition.queueing = Queueing::kNone;
      continue;
    }
    if (transactions_ == nullptr) Close(batch);
    if (!out.empty() && !FitsBehind(bytes, batch, max_bytes)) return;
    Stamp(batch);
    bytes += static_cast<int64_t>(batch.bytes.size());
    ready.pop_front();
    partition.queueing = Queueing::kNone;
    partition.queue.pop_front();
    ++partition.in_flight;
    batch.state = ProducerBatch::State::kInFlight;
    ++batch.attempts;
    out.push_back(&batch);
    if (!partition.queue.empty()) Requeue(slot, now);
  }
}

void RecordAccumulator::Insert(Partition& partition, ProducerBatch& batch) {
  auto at = partition.queue.begin();
  while (at != partition.queue.end() && !options_.rules.GoesBefore(batch, **at)) ++at;
  partition.queue.insert(at, &batch);
  batch.state = ProducerBatch::State::kQueued;
}

void RecordAccumulator::Retry(ProducerBatch& batch, MonotonicTime now) {
  HW_CHECK(batch.state == ProducerBatch::State::kInFlight);
  Partition& partition = partitions_[batch.slot];
  --partition.in_flight;
  batch.retry_at = now + options_.retry_backoff;
  Insert(partition, batch);
  Requeue(batch.slot, now);
}

bool RecordAccumulator::Split(ProducerBatch& batch, MonotonicTime now) {
  HW_CHECK(batch.state == ProducerBatch::State::kInFlight);
  if (batch.records.size() < 2) return false;
  HW_MARK("client_batch_split");
  const size_t target =
      std::min<size_t>(static_cast<size_t>(options_.batch_size), batch.bytes.size() / 2);
  const auto parsed = protocol::RecordBatch::Parse(batch.bytes);
  HW_CHECK(parsed.ok());
  auto reader = protocol::RecordReader::Open(*parsed);
  HW_CHECK(reader.ok());
  Partition& partition = partitions_[batch.slot];
  std::vector<PendingRecord> records = std::exchange(batch.records, {});
  size_t next = 0;
  ProducerBatch* part = nullptr;
  std::vector<SequencedBatch*> sequences;
  while (const protocol::RecordView* record = reader->Next()) {
    const size_t size =
        RecordBatchBuilder::MaxRecordSize(record->key, record->value, record->headers);
    // Two parts at least: the last record never joins a part that holds all others.
    if (part == nullptr || part->builder->uncompressed_size() + size > target ||
        (next + 1 == records.size() && part->records.size() == next)) {
      if (part != nullptr) Close(*part);
      part = &NewBatch(batch.slot, batch.created, batch.number, batch.self);
      part->builder.emplace(
          protocol::RecordBatchOptions{.codec = options_.codec, .expected_bytes = size});
      part->part = batch.part + next;
      part->maybe_written = batch.maybe_written;
      part->charge = next == 0 ? std::exchange(batch.charge, 0) : 0;
      sequences.push_back(&part->sequence);
      Insert(partition, *part);
    }
    ++part->sequence.records;
    part->builder->Append(record->timestamp_ms, record->key, record->value, record->headers);
    part->records.push_back(std::move(records[next++]));
  }
  HW_CHECK(next == records.size(), "a batch lost records when it was split");
  Close(*part);
  if (batch.sequence.numbered()) transactions_->OnSplit(batch.sequence, sequences);
  --partition.in_flight;
  const PartitionSlot slot = batch.slot;
  Release(batch);
  Requeue(slot, now);
  return true;
}

std::vector<PendingRecord> RecordAccumulator::Finish(ProducerBatch& batch, MonotonicTime now) {
  Partition& partition = partitions_[batch.slot];
  if (batch.state == ProducerBatch::State::kInFlight) {
    --partition.in_flight;
  } else {
    HW_CHECK(batch.state == ProducerBatch::State::kQueued);
    Unqueue(batch.slot);
    partition.queue.erase(std::find(partition.queue.begin(), partition.queue.end(), &batch));
  }
  std::vector<PendingRecord> records = std::move(batch.records);
  const PartitionSlot slot = batch.slot;
  Release(batch);
  // A ready partition keeps its turn; one whose front or whose in-flight count changed finds its
  // new place.
  if (partition.queueing != Queueing::kReady) Requeue(slot, now);
  return records;
}

std::vector<PendingRecord> RecordAccumulator::Abandon(ProducerBatch& batch) {
  HW_CHECK(batch.state == ProducerBatch::State::kInFlight);
  batch.state = ProducerBatch::State::kAbandoned;
  abandoned_.splice(abandoned_.end(), live_, batch.self);
  return std::exchange(batch.records, {});
}

void RecordAccumulator::ForgetAbandoned(ProducerBatch& batch, MonotonicTime now) {
  HW_CHECK(batch.state == ProducerBatch::State::kAbandoned);
  --partitions_[batch.slot].in_flight;
  live_.splice(live_.begin(), abandoned_, batch.self);
  const PartitionSlot slot = batch.slot;
  Release(batch);
  if (partitions_[slot].queueing != Queueing::kReady) Requeue(slot, now);
}

void RecordAccumulator::Release(ProducerBatch& batch) {
  buffered_bytes_ -= batch.charge;
  batch.state = ProducerBatch::State::kFree;
  batch.records.clear();
  batch.builder.reset();
  batch.bytes.Clear();
  free_.splice(free_.begin(), live_, batch.self);
}

ProducerBatch* RecordAccumulator::FindExpired(MonotonicTime now) {
  if (live_.empty() || live_.front().created + options_.delivery_timeout > now) return nullptr;
  return &live_.front();
}

void RecordAccumulator::BeginHurry(MonotonicTime now) {
  ++hurries_;
  // Only what is timed can become due earlier; back-offs find their old place again.
  std::vector<PartitionSlot> timed;
  for (const auto& [due, slot] : timed_) timed.push_back(slot);
  for (const PartitionSlot slot : timed) Requeue(slot, now);
}

void RecordAccumulator::EndHurry() {
  HW_CHECK(hurries_ > 0);
  --hurries_;
}

}  // namespace highwater::broker::client
