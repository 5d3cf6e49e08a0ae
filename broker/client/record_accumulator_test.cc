#include "broker/client/record_accumulator.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "broker/protocol/record.h"

namespace highwater::broker::client {
namespace {

using core::MonotonicTime;

constexpr BrokerId kBroker{1};

MonotonicTime At(int64_t ms) { return MonotonicTime::FromNanos(ms * 1'000'000); }

size_t SizeOf(const ProducerRecord& record) {
  return protocol::RecordBatchBuilder::MaxRecordSize(record.key, record.value);
}

void AppendValue(RecordAccumulator& accumulator, PartitionSlot slot, std::string_view value,
                 MonotonicTime now) {
  const ProducerRecord record{.topic = "t", .value = value};
  accumulator.Append(slot, record, 0, SizeOf(record), nullptr, now);
}

std::vector<ProducerBatch*> DrainAll(RecordAccumulator& accumulator, MonotonicTime now) {
  std::vector<ProducerBatch*> batches;
  accumulator.Drain(kBroker, 1 << 20, now, batches);
  return batches;
}

std::vector<std::string> ValuesOf(const ProducerBatch& batch) {
  std::vector<std::string> values;
  const auto parsed = protocol::RecordBatch::Parse(batch.bytes);
  EXPECT_TRUE(parsed.ok() && parsed->Validate().ok());
  auto reader = protocol::RecordReader::Open(*parsed);
  while (const auto* record = reader->Next()) values.emplace_back(*record->value);
  EXPECT_TRUE(reader->status().ok());
  return values;
}

class RecordAccumulatorTest : public ::testing::Test {
 protected:
  PartitionSlot Led(RecordAccumulator& accumulator, int32_t partition = 0) {
    const PartitionSlot slot = accumulator.AddPartition({"t", PartitionIndex(partition)});
    accumulator.SetLeader(slot, kBroker, At(0));
    return slot;
  }
};

TEST_F(RecordAccumulatorTest, WithoutLingerARecordIsReadyAtOnce) {
  RecordAccumulator accumulator({});
  const PartitionSlot slot = Led(accumulator);
  AppendValue(accumulator, slot, "a", At(0));
  std::vector<BrokerId> woken;
  accumulator.TakeWoken(woken);
  EXPECT_EQ(woken, std::vector<BrokerId>{kBroker});
  AppendValue(accumulator, slot, "b", At(0));
  const auto batches = DrainAll(accumulator, At(0));
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(ValuesOf(*batches[0]), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(accumulator.HasReady(kBroker));
}

TEST_F(RecordAccumulatorTest, LingeringEndsAfterItsTimeOrWithAFullBatchOrInAHurry) {
  RecordAccumulator accumulator({.batch_size = 200, .linger = absl::Milliseconds(10)});
  const PartitionSlot slot = Led(accumulator);
  AppendValue(accumulator, slot, "a", At(0));
  EXPECT_FALSE(accumulator.HasReady(kBroker));
  EXPECT_EQ(accumulator.NextEvent(), At(10));
  accumulator.Advance(At(9));
  EXPECT_FALSE(accumulator.HasReady(kBroker));
  accumulator.Advance(At(10));
  EXPECT_TRUE(accumulator.HasReady(kBroker));
  DrainAll(accumulator, At(10));

  AppendValue(accumulator, slot, "b", At(20));
  AppendValue(accumulator, slot, std::string(120, 'x'), At(20));
  EXPECT_TRUE(accumulator.HasReady(kBroker))
      << "the second record did not fit: the first batch is full";
  EXPECT_EQ(ValuesOf(*DrainAll(accumulator, At(20))[0]), std::vector<std::string>{"b"});

  EXPECT_FALSE(accumulator.HasReady(kBroker));
  accumulator.BeginHurry(At(21));
  EXPECT_TRUE(accumulator.HasReady(kBroker));
}

// [N4]
TEST_F(RecordAccumulatorTest, ARetriedBatchWaitsAndNothingOvertakesIt) {
  RecordAccumulator accumulator({.retry_backoff = absl::Milliseconds(100)});
  const PartitionSlot slot = Led(accumulator);
  AppendValue(accumulator, slot, "a", At(0));
  ProducerBatch* first = DrainAll(accumulator, At(0))[0];
  AppendValue(accumulator, slot, "b", At(1));
  ProducerBatch* second = DrainAll(accumulator, At(1))[0];
  AppendValue(accumulator, slot, "c", At(2));
  accumulator.Retry(*second, At(3));
  accumulator.Retry(*first, At(4));
  EXPECT_FALSE(accumulator.HasReady(kBroker));
  accumulator.Advance(At(103));
  EXPECT_FALSE(accumulator.HasReady(kBroker)) << "the front is the one that was created first";
  accumulator.Advance(At(104));
  EXPECT_EQ(DrainAll(accumulator, At(104)), std::vector<ProducerBatch*>{first});
  EXPECT_EQ(DrainAll(accumulator, At(104)), std::vector<ProducerBatch*>{second});
  EXPECT_EQ(ValuesOf(*DrainAll(accumulator, At(104))[0]), std::vector<std::string>{"c"});
}

// [N1]
TEST_F(RecordAccumulatorTest, KeepingOrderThereIsOneBatchInFlight) {
  RecordAccumulator accumulator({.keep_order = true});
  const PartitionSlot slot = Led(accumulator);
  AppendValue(accumulator, slot, "a", At(0));
  ProducerBatch* first = DrainAll(accumulator, At(0))[0];
  AppendValue(accumulator, slot, "b", At(0));
  EXPECT_FALSE(accumulator.HasReady(kBroker));
  EXPECT_EQ(accumulator.Abandon(*first).size(), 1u);
  EXPECT_FALSE(accumulator.HasReady(kBroker)) << "its request is still out";
  accumulator.ForgetAbandoned(*first, At(1));
  EXPECT_TRUE(accumulator.HasReady(kBroker));
}

TEST_F(RecordAccumulatorTest, APartitionFollowsItsLeader) {
  RecordAccumulator accumulator({});
  const PartitionSlot slot = accumulator.AddPartition({"t", PartitionIndex(0)});
  AppendValue(accumulator, slot, "a", At(0));
  EXPECT_TRUE(accumulator.HasLeaderless());
  accumulator.SetLeader(slot, BrokerId(7), At(0));
  EXPECT_FALSE(accumulator.HasLeaderless());
  EXPECT_TRUE(accumulator.HasReady(BrokerId(7)));
  accumulator.SetLeader(slot, BrokerId(8), At(0));
  EXPECT_FALSE(accumulator.HasReady(BrokerId(7)));
  EXPECT_TRUE(accumulator.HasReady(BrokerId(8)));
}

TEST_F(RecordAccumulatorTest, TheOldestExpiresFirstCountedFromItsCreation) {
  RecordAccumulator accumulator({.delivery_timeout = absl::Seconds(1)});
  const PartitionSlot slot = Led(accumulator);
  AppendValue(accumulator, slot, "a", At(0));
  ProducerBatch* first = DrainAll(accumulator, At(0))[0];
  AppendValue(accumulator, slot, "b", At(400));
  accumulator.Retry(*first, At(900));
  EXPECT_EQ(accumulator.FindExpired(At(999)), nullptr);
  EXPECT_EQ(accumulator.FindExpired(At(1000)), first);
  EXPECT_EQ(accumulator.Finish(*first, At(1000)).size(), 1u);
  EXPECT_EQ(accumulator.FindExpired(At(1399)), nullptr);
  EXPECT_TRUE(accumulator.HasReady(kBroker)) << "what stood behind the retried batch may go";
}

TEST_F(RecordAccumulatorTest, MemoryIsChargedByBatchAndGivenBack) {
  RecordAccumulator accumulator({.batch_size = 1000, .buffer_memory = 2500});
  const PartitionSlot slot = Led(accumulator);
  AppendValue(accumulator, slot, "a", At(0));
  AppendValue(accumulator, slot, std::string(990, 'x'), At(0));
  EXPECT_EQ(accumulator.buffered_bytes(), 1000 + 1015);
  EXPECT_FALSE(accumulator.HasMemoryFor(10));
  EXPECT_EQ(accumulator.Finish(*DrainAll(accumulator, At(0))[0], At(1)).size(), 1u);
  EXPECT_TRUE(accumulator.HasMemoryFor(10));
  EXPECT_EQ(accumulator.Finish(*DrainAll(accumulator, At(1))[0], At(1)).size(), 1u);
  EXPECT_EQ(accumulator.buffered_bytes(), 0);
}

TEST_F(RecordAccumulatorTest, ASplitBatchKeepsItsRecordsAndItsPlace) {
  RecordAccumulator accumulator({});
  const PartitionSlot slot = Led(accumulator);
  std::vector<std::string> all;
  for (int i = 0; i < 10; ++i) {
    all.push_back(std::string(static_cast<size_t>(i * 7), 'a' + static_cast<char>(i)));
    AppendValue(accumulator, slot, all.back(), At(0));
  }
  ProducerBatch* big = DrainAll(accumulator, At(0))[0];
  AppendValue(accumulator, slot, "behind", At(0));
  all.push_back("behind");
  big->maybe_written = true;
  ASSERT_TRUE(accumulator.Split(*big, At(1)));
  std::vector<std::string> seen;
  size_t parts = 0;
  while (accumulator.HasReady(kBroker)) {
    for (ProducerBatch* batch : DrainAll(accumulator, At(1))) {
      ++parts;
      const auto values = ValuesOf(*batch);
      EXPECT_EQ(batch->maybe_written, values[0] != "behind");
      EXPECT_EQ(batch->records.size(), values.size());
      seen.insert(seen.end(), values.begin(), values.end());
      EXPECT_EQ(accumulator.Finish(*batch, At(2)).size(), values.size());
    }
  }
  EXPECT_EQ(seen, all);
  EXPECT_GE(parts, 3u);
  EXPECT_EQ(accumulator.buffered_bytes(), 0);
}

TEST_F(RecordAccumulatorTest, ABatchOfOneRecordCannotBeSplit) {
  RecordAccumulator accumulator({});
  AppendValue(accumulator, Led(accumulator), "a", At(0));
  EXPECT_FALSE(accumulator.Split(*DrainAll(accumulator, At(0))[0], At(0)));
}

// Random commands against the invariants of the header: order kept, nothing lost or doubled, sizes
// respected, back-off and linger waited for.
class Model {
 public:
  Model(RecordAccumulator::Options options, int partitions)
      : options_(options), accumulator_(options) {
    for (int p = 0; p < partitions; ++p) {
      accumulator_.SetLeader(accumulator_.AddPartition({"t", PartitionIndex(p)}), kBroker, now_);
    }
    last_drained_.resize(static_cast<size_t>(partitions));
  }

  void Append(PartitionSlot slot, size_t value_size) {
    const std::string value(value_size, 'v');
    const std::string key = std::to_string(next_++);
    const ProducerRecord record{.topic = "t", .key = key, .value = value};
    const size_t size = SizeOf(record);
    if (accumulator_.NeedsNewBatch(slot, size) && !accumulator_.HasMemoryFor(size)) return;
    appended_.insert(std::stoull(key));
    accumulator_.Append(slot, record, 0, size, [](const SendResult&) {}, now_);
  }
  void Drain(int64_t max_bytes) {
    if (!accumulator_.HasReady(kBroker)) return;
    std::vector<ProducerBatch*> batches;
    accumulator_.Drain(kBroker, max_bytes, now_, batches);
    RC_ASSERT(!batches.empty());
    std::set<PartitionSlot> slots;
    int64_t bytes = 0;
    for (ProducerBatch* batch : batches) {
      bytes += static_cast<int64_t>(batch->bytes.size());
      RC_ASSERT(slots.insert(batch->slot).second);
      CheckDrained(*batch);
      in_flight_.push_back(batch);
    }
    RC_ASSERT(bytes <= max_bytes || batches.size() == 1);
  }
  void CheckDrained(ProducerBatch& batch) {
    const auto keys = KeysOf(batch);
    RC_ASSERT(!keys.empty());
    RC_ASSERT(keys.size() == batch.records.size());
    RC_ASSERT(std::is_sorted(keys.begin(), keys.end()));
    RC_ASSERT(keys.size() == 1 || static_cast<int64_t>(batch.bytes.size()) <= options_.batch_size);
    if (batch.attempts > 1) RC_ASSERT(batch.retry_at <= now_);
    // Nothing of its partition that is older is left behind in the queue.
    for (const uint64_t key : waiting_retry_[batch.slot]) RC_ASSERT(keys.front() <= key);
    for (const uint64_t key : keys) waiting_retry_[batch.slot].erase(key);
    if (options_.keep_order) {
      for (const ProducerBatch* other : in_flight_) RC_ASSERT(other->slot != batch.slot);
      RC_ASSERT(keys.front() >= last_drained_[batch.slot]);
      last_drained_[batch.slot] = keys.front();
    }
  }
  void End(size_t pick, int how) {
    if (in_flight_.empty()) return;
    pick %= in_flight_.size();
    ProducerBatch* batch = in_flight_[pick];
    in_flight_.erase(in_flight_.begin() + static_cast<long>(pick));
    const auto keys = KeysOf(*batch);
    const PartitionSlot slot = batch->slot;
    if (how == 0) {
      accumulator_.Retry(*batch, now_);
      waiting_retry_[slot].insert(keys.begin(), keys.end());
    } else if (how == 1 && accumulator_.Split(*batch, now_)) {
      waiting_retry_[slot].insert(keys.begin(), keys.end());
    } else {
      RC_ASSERT(accumulator_.Finish(*batch, now_).size() == keys.size());
      for (const uint64_t key : keys) RC_ASSERT(finished_.insert(key).second);
    }
  }
  void Pass(int64_t ms) {
    now_ = now_ + absl::Milliseconds(ms);
    accumulator_.Advance(now_);
  }
  void CheckAllComesOut() {
    accumulator_.BeginHurry(now_);
    for (int round = 0; round < 100000 && accumulator_.Oldest() != nullptr; ++round) {
      Drain(1 << 20);
      End(0, 2);
      if (in_flight_.empty() && !accumulator_.HasReady(kBroker)) Pass(1000);
    }
    RC_ASSERT(finished_ == appended_);
    RC_ASSERT(accumulator_.buffered_bytes() == 0);
  }

 private:
  static std::vector<uint64_t> KeysOf(const ProducerBatch& batch) {
    std::vector<uint64_t> keys;
    const auto parsed = protocol::RecordBatch::Parse(batch.bytes);
    RC_ASSERT(parsed.ok());
    auto reader = protocol::RecordReader::Open(*parsed);
    while (const auto* record = reader->Next())
      keys.push_back(std::stoull(std::string(*record->key)));
    return keys;
  }

  RecordAccumulator::Options options_;
  RecordAccumulator accumulator_;
  MonotonicTime now_;
  uint64_t next_ = 0;
  std::set<uint64_t> appended_;
  std::set<uint64_t> finished_;
  std::vector<ProducerBatch*> in_flight_;
  std::map<PartitionSlot, std::set<uint64_t>> waiting_retry_;
  std::vector<uint64_t> last_drained_;
};

// [N4]
RC_GTEST_PROP(RecordAccumulatorProperty, KeepsOrderSizesAndEveryRecord, ()) {
  RecordAccumulator::Options options;
  options.batch_size = *rc::gen::inRange<int64_t>(0, 600);
  options.buffer_memory = *rc::gen::inRange<int64_t>(500, 20000);
  options.linger = absl::Milliseconds(*rc::gen::element(0, 0, 5, 50));
  options.keep_order = *rc::gen::arbitrary<bool>();
  options.codec = *rc::gen::element(protocol::Codec::kNone, protocol::Codec::kLz4);
  Model model(options, 3);
  const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(rc::gen::tuple(
      rc::gen::inRange(0, 10), rc::gen::inRange(0, 1000), rc::gen::inRange(0, 1000)));
  for (const auto& [kind, a, b] : steps) {
    if (kind < 5) {
      model.Append(static_cast<PartitionSlot>(a % 3), static_cast<size_t>(b % 250));
    } else if (kind < 7) {
      model.Drain(1 + a * 3);
    } else if (kind < 9) {
      model.End(static_cast<size_t>(a), b % 3);
    } else {
      model.Pass(a % 120);
    }
  }
  model.CheckAllComesOut();
}

}  // namespace
}  // namespace highwater::broker::client
