#include "broker/client/transaction_manager.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <limits>
#include <memory>

namespace highwater::broker::client {
namespace {

using protocol::ErrorCode;

constexpr PartitionSlot kSlot = 0;
constexpr ProducerIdAndEpoch kProducer{ProducerId(7), 0};

class TransactionManagerTest : public ::testing::Test {
 protected:
  TransactionManagerTest() { manager_.OnProducerId(kProducer); }

  // A new batch, sent.
  SequencedBatch& Send(int32_t records = 1, PartitionSlot slot = kSlot) {
    SequencedBatch& batch = batches_.emplace_back();
    EXPECT_TRUE(manager_.MaySend(slot, batch));
    manager_.Number(batch, slot, records);
    manager_.OnSent(batch);
    return batch;
  }
  // Gets the partition over its first batch, behind which several may follow.
  void Establish() { manager_.OnAcknowledged(Send()); }
  bool MaySendNew(PartitionSlot slot = kSlot) const { return manager_.MaySend(slot, {}); }
  bool Lose(SequencedBatch& batch) {
    return manager_.OnError(batch, ErrorCode::NETWORK_EXCEPTION, true);
  }
  bool Refuse(SequencedBatch& batch, ErrorCode error) {
    return manager_.OnError(batch, error, false);
  }
  void SendAgain(SequencedBatch& batch) {
    ASSERT_TRUE(manager_.MaySend(kSlot, batch));
    manager_.OnSent(batch);
  }

  TransactionManager manager_;
  std::deque<SequencedBatch> batches_;
};

TEST_F(TransactionManagerTest, NothingIsSentWithoutAProducerId) {
  TransactionManager fresh;
  EXPECT_TRUE(fresh.NeedsProducerId());
  EXPECT_FALSE(fresh.MaySend(kSlot, {}));
  fresh.OnProducerId(kProducer);
  EXPECT_TRUE(fresh.MaySend(kSlot, {}));
}

// [N2]
TEST_F(TransactionManagerTest, SequencesCountTheRecordsOfEachPartition) {
  Establish();
  EXPECT_EQ(Send(3).base_sequence, 1);
  EXPECT_EQ(Send(2).base_sequence, 4);
  EXPECT_EQ(Send(1, 5).base_sequence, 0);
  EXPECT_EQ(Send(1).base_sequence, 6);
}

// [N1]
TEST_F(TransactionManagerTest, OneBatchGoesAheadUntilTheBrokerKnowsTheProducer) {
  SequencedBatch& first = Send();
  EXPECT_FALSE(MaySendNew());
  manager_.OnAcknowledged(first);
  for (int i = 0; i < 5; ++i) Send();
  EXPECT_FALSE(MaySendNew()) << "the broker remembers five batches";
  for (size_t i : {2, 3, 4, 5}) {
    manager_.OnAcknowledged(batches_[i]);
    EXPECT_FALSE(MaySendNew()) << "it must still know the first when that comes again";
  }
  manager_.OnAcknowledged(batches_[1]);
  EXPECT_TRUE(MaySendNew());
}

// [N2, N4]
// [M108]
TEST_F(TransactionManagerTest, ARetryKeepsItsNumbersAndNothingOvertakesIt) {
  Establish();
  SequencedBatch& a = Send(2);
  SequencedBatch& b = Send();
  EXPECT_TRUE(Lose(a));
  EXPECT_TRUE(Lose(b));
  EXPECT_FALSE(manager_.MaySend(kSlot, b));
  SendAgain(a);
  EXPECT_EQ(a.base_sequence, 1);
  EXPECT_FALSE(manager_.MaySend(kSlot, b));
  manager_.OnAcknowledged(a);
  SendAgain(b);
  EXPECT_EQ(b.base_sequence, 3);
}

// [N5]
TEST_F(TransactionManagerTest, OutOfOrderBehindABatchThatIsStillToComeIsOnlyTriedAgain) {
  Establish();
  SequencedBatch& a = Send();
  SequencedBatch& b = Send();
  EXPECT_TRUE(Refuse(b, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
  EXPECT_TRUE(Lose(a));
  EXPECT_EQ(a.producer.epoch, 0);
  EXPECT_EQ(b.base_sequence, 2);
}

// [N5, KIP-360]
TEST_F(TransactionManagerTest, AGapBeginsAnotherEpochOnceNothingIsOnTheWire) {
  Establish();
  SequencedBatch& a = Send(2);
  SequencedBatch& b = Send(3);
  EXPECT_TRUE(Refuse(a, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
  EXPECT_EQ(a.producer.epoch, 0) << "b is on the wire";
  EXPECT_FALSE(manager_.MaySend(kSlot, a));
  EXPECT_TRUE(Refuse(b, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
  EXPECT_EQ(a.producer, (ProducerIdAndEpoch{kProducer.id, 1}));
  EXPECT_EQ(a.base_sequence, 0);
  EXPECT_EQ(b.base_sequence, 2);
  SendAgain(a);
  EXPECT_FALSE(MaySendNew());
}

TEST_F(TransactionManagerTest, OtherPartitionsTakeTheNewEpochWhenTheirOldOneIsDrained) {
  Establish();
  manager_.OnAcknowledged(Send(1, 1));
  SequencedBatch& other = Send(1, 1);
  SequencedBatch& gap = Send();
  EXPECT_TRUE(Refuse(gap, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
  EXPECT_EQ(gap.producer.epoch, 1);
  EXPECT_EQ(other.producer.epoch, 0);
  EXPECT_FALSE(MaySendNew(1));
  manager_.OnAcknowledged(other);
  const SequencedBatch& next = Send(1, 1);
  EXPECT_EQ(next.producer.epoch, 1);
  EXPECT_EQ(next.base_sequence, 0);
}

// [N7]
TEST_F(TransactionManagerTest, ADefiniteFailureAtTheEndGivesItsNumbersBack) {
  Establish();
  SequencedBatch& a = Send(4);
  EXPECT_FALSE(Refuse(a, ErrorCode::INVALID_RECORD));
  manager_.OnFailed(a);
  EXPECT_EQ(manager_.producer().epoch, 0);
  EXPECT_EQ(Send().base_sequence, 1);
}

// [N7]
TEST_F(TransactionManagerTest, ADefiniteFailureInFrontOfOthersRenumbersThem) {
  Establish();
  SequencedBatch& a = Send(4);
  SequencedBatch& b = Send(2);
  EXPECT_FALSE(Refuse(a, ErrorCode::INVALID_RECORD));
  manager_.OnFailed(a);
  EXPECT_EQ(b.base_sequence, 5) << "it is on the wire";
  EXPECT_TRUE(Refuse(b, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
  EXPECT_EQ(b.base_sequence, 0);
  EXPECT_EQ(b.producer.epoch, 1);
}

// [N6]
TEST_F(TransactionManagerTest, WhatMayBeInTheLogIsAskedForBeforeItIsRenumbered) {
  Establish();
  SequencedBatch& a = Send();
  SequencedBatch& b = Send();
  SequencedBatch& c = Send();
  EXPECT_TRUE(Lose(a));
  EXPECT_FALSE(Refuse(b, ErrorCode::INVALID_RECORD));
  manager_.OnFailed(b);
  EXPECT_TRUE(Refuse(c, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
  EXPECT_EQ(a.producer.epoch, 0);
  SendAgain(a);
  manager_.OnAcknowledged(a);
  EXPECT_EQ(c.producer.epoch, 1);
  EXPECT_EQ(c.base_sequence, 0);
}

// [N6]
TEST_F(TransactionManagerTest, BehindABatchThatWasGivenUpNothingNewIsSentUntilTheRestIsBack) {
  Establish();
  SequencedBatch& a = Send();
  SequencedBatch& b = Send();
  EXPECT_TRUE(Lose(a));
  manager_.OnFailed(a);
  EXPECT_FALSE(MaySendNew());
  // The next one was taken: so the one before is there.
  manager_.OnAcknowledged(b);
  EXPECT_TRUE(MaySendNew());
  EXPECT_EQ(Send().base_sequence, 3);
  EXPECT_EQ(manager_.producer().epoch, 0);
}

// [N6]
TEST_F(TransactionManagerTest, WithNothingBehindABatchThatWasGivenUpAnotherEpochBegins) {
  Establish();
  SequencedBatch& a = Send();
  EXPECT_TRUE(Lose(a));
  manager_.OnFailed(a);
  const SequencedBatch& next = Send();
  EXPECT_EQ(next.producer.epoch, 1);
  EXPECT_EQ(next.base_sequence, 0);
}

// [N6]
TEST_F(TransactionManagerTest, AGapBehindABatchThatWasGivenUpBeginsAnotherEpoch) {
  Establish();
  SequencedBatch& a = Send();
  SequencedBatch& b = Send();
  EXPECT_TRUE(Lose(a));
  manager_.OnFailed(a);
  EXPECT_TRUE(Refuse(b, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
  EXPECT_EQ(b.producer.epoch, 1);
  EXPECT_EQ(b.base_sequence, 0);
}

// [N6]
TEST_F(TransactionManagerTest, AnAbandonedBatchHoldsUpTheOthersUntilItsAnswerComes) {
  Establish();
  SequencedBatch& a = Send();
  SequencedBatch& b = Send();
  manager_.OnAbandoned(a);
  EXPECT_TRUE(Lose(b));
  EXPECT_FALSE(manager_.MaySend(kSlot, b));
  EXPECT_FALSE(MaySendNew());
  manager_.OnAcknowledged(a);
  SendAgain(b);
  manager_.OnAcknowledged(b);
  EXPECT_EQ(Send().base_sequence, 3);
}

// Old brokers say so when retention took the state with the records.
// [N5]
TEST_F(TransactionManagerTest, AnUnknownProducerIdBeginsAnotherEpoch) {
  Establish();
  SequencedBatch& a = Send();
  EXPECT_TRUE(Refuse(a, ErrorCode::UNKNOWN_PRODUCER_ID));
  EXPECT_EQ(a.producer.epoch, 1);
  EXPECT_EQ(a.base_sequence, 0);
}

// [N5] A leader that was replaced misses what its successor has, and says so in the same words.
TEST_F(TransactionManagerTest, WhatMayBeWrittenIsNotRenumberedBecauseABrokerMissesWhatCameBefore) {
  for (const ErrorCode denial :
       {ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode::UNKNOWN_PRODUCER_ID}) {
    for (const bool safe : {true, false}) {
      TransactionManager manager(safe ? ProducerRules() : ProducerRules::Kafka323());
      manager.OnProducerId(kProducer);
      SequencedBatch a;
      manager.Number(a, kSlot, 3);
      manager.OnSent(a);
      EXPECT_TRUE(manager.OnError(a, ErrorCode::NETWORK_EXCEPTION, true));
      manager.OnSent(a);
      EXPECT_TRUE(manager.OnError(a, denial, false));
      EXPECT_EQ(a.producer.epoch, safe ? 0 : 1);
      EXPECT_TRUE(manager.MaySend(kSlot, a)) << "to whoever leads by then";
      manager.OnSent(a);
      manager.OnAcknowledged(a);
      SequencedBatch b;
      manager.Number(b, kSlot, 1);
      EXPECT_EQ(b.producer.epoch, safe ? 0 : 1);
      EXPECT_EQ(b.base_sequence, 3);
    }
  }
}

TEST_F(TransactionManagerTest, BehindTheLastEpochComesAnotherProducerId) {
  TransactionManager manager;
  manager.OnProducerId({ProducerId(7), std::numeric_limits<int16_t>::max()});
  SequencedBatch a;
  manager.Number(a, kSlot, 1);
  manager.OnSent(a);
  EXPECT_TRUE(manager.OnError(a, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, false));
  EXPECT_TRUE(manager.NeedsProducerId());
  EXPECT_FALSE(manager.MaySend(kSlot, a));
  manager.OnProducerId({ProducerId(8), 0});
  EXPECT_TRUE(manager.MaySend(kSlot, a));
  EXPECT_EQ(a.producer, (ProducerIdAndEpoch{ProducerId(8), 0}));
  EXPECT_EQ(a.base_sequence, 0);
}

TEST_F(TransactionManagerTest, ThePartsOfASplitBatchShareItsNumbers) {
  Establish();
  SequencedBatch& whole = Send(5);
  EXPECT_FALSE(Refuse(whole, ErrorCode::MESSAGE_TOO_LARGE));
  SequencedBatch first{.records = 2}, second{.records = 3};
  manager_.OnSplit(whole, {&first, &second});
  EXPECT_EQ(first.base_sequence, 1);
  EXPECT_EQ(second.base_sequence, 3);
  EXPECT_TRUE(manager_.MaySend(kSlot, first));
  EXPECT_FALSE(manager_.MaySend(kSlot, second));
}

// A broker's partition, as the facts have it [I2-I5].
struct ModelBroker {
  struct Stored {
    ProducerIdAndEpoch producer;
    int32_t sequence;
    int value;
  };
  ErrorCode Append(const SequencedBatch& batch, int value) {
    size_t window = 0;
    for (auto it = log.rbegin(); it != log.rend() && window < 5; ++it, ++window) {
      if (it->producer == batch.producer && it->sequence == batch.base_sequence) {
        return ErrorCode::NONE;
      }
    }
    if (!log.empty()) {
      const Stored& last = log.back();
      if (batch.producer.epoch < last.producer.epoch) return ErrorCode::INVALID_PRODUCER_EPOCH;
      const bool same = batch.producer.epoch == last.producer.epoch;
      if (batch.base_sequence != (same ? last.sequence + 1 : 0)) {
        return ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
      }
    }
    log.push_back({batch.producer, batch.base_sequence, value});
    return ErrorCode::NONE;
  }
  std::vector<Stored> log;
};

// Whatever is lost, refused or given up: each value stands in the log at most once and in the order
// of sending, what was acknowledged is there, what failed for certain is not.
// [N7]
RC_GTEST_PROP(TransactionManagerProperty, NothingIsWrittenTwiceOrOutOfOrder, ()) {
  struct Batch {
    SequencedBatch sequence;
    int value;
    bool maybe_written = false;
  };
  TransactionManager manager;
  manager.OnProducerId(kProducer);
  ModelBroker broker;
  std::deque<std::unique_ptr<Batch>> queue;  // in the order of their values
  std::deque<std::unique_ptr<Batch>> wire;   // the broker takes them in this order
  std::vector<int> acked, failed;
  int next_value = 0;
  const auto requeue = [&](std::unique_ptr<Batch> batch) {
    auto at = queue.begin();
    while (at != queue.end() && (*at)->value < batch->value) ++at;
    queue.insert(at, std::move(batch));
  };
  const auto step = [&](int choice) {
    if (queue.empty()) {
      queue.push_back(std::make_unique<Batch>());
      queue.back()->value = next_value++;
    }
    Batch& front = *queue.front();
    if (choice < 5 && manager.MaySend(kSlot, front.sequence)) {
      if (!front.sequence.numbered()) manager.Number(front.sequence, kSlot, 1);
      manager.OnSent(front.sequence);
      wire.push_back(std::move(queue.front()));
      queue.pop_front();
      return;
    }
    if (wire.empty()) return;
    std::unique_ptr<Batch> batch = std::move(wire.front());
    wire.pop_front();
    // 5: never arrives; 6: refused before it is looked at; 7: given up by its error; else it
    // arrives, and 8: its answer is lost.
    ErrorCode error = ErrorCode::NETWORK_EXCEPTION;
    bool maybe_written = true;
    if (choice == 6 || choice == 7) {
      error = choice == 6 ? ErrorCode::NOT_ENOUGH_REPLICAS : ErrorCode::INVALID_RECORD;
      maybe_written = false;
    } else if (choice != 5) {
      const ErrorCode verdict = broker.Append(batch->sequence, batch->value);
      if (choice != 8) error = verdict, maybe_written = false;
    }
    batch->maybe_written |= maybe_written;
    if (error == ErrorCode::NONE) {
      manager.OnAcknowledged(batch->sequence);
      acked.push_back(batch->value);
      return;
    }
    if (manager.OnError(batch->sequence, error, maybe_written)) return requeue(std::move(batch));
    manager.OnFailed(batch->sequence);
    if (!batch->maybe_written) failed.push_back(batch->value);
  };
  for (const int choice : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 12))) {
    step(choice);
  }
  for (int i = 0; i < 300 && (!queue.empty() || !wire.empty()); ++i) step(i % 2 == 0 ? 0 : 9);
  std::vector<int> stored;
  for (const auto& one : broker.log) stored.push_back(one.value);
  RC_ASSERT(std::adjacent_find(stored.begin(), stored.end(), std::greater_equal<>()) ==
            stored.end());
  for (const int value : acked) RC_ASSERT(std::count(stored.begin(), stored.end(), value) == 1);
  for (const int value : failed) RC_ASSERT(std::count(stored.begin(), stored.end(), value) == 0);
  RC_ASSERT(acked.size() + failed.size() > 0 || next_value == 0 || stored.size() <= 5);
}

}  // namespace
}  // namespace highwater::broker::client
