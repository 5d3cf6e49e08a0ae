#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <map>

#include "broker/storage/producer_state_manager.h"

namespace highwater::broker::storage {
namespace {

using protocol::ErrorCode;

constexpr int32_t kMaxSequence = std::numeric_limits<int32_t>::max();

// A batch of producer 7.
ProducerAppend Append(int32_t first_sequence, int64_t first_offset, int32_t records = 1,
                      int16_t epoch = 0) {
  return {.producer_id = ProducerId(7),
          .epoch = epoch,
          .first_sequence = first_sequence,
          .last_sequence = protocol::AdvanceSequence(first_sequence, records - 1),
          .first_offset = Offset(first_offset),
          .last_offset = Offset(first_offset + records - 1),
          .timestamp = 1000 + first_offset};
}

ProducerAppend Marker(int64_t offset, int16_t epoch = 0) {
  return {.producer_id = ProducerId(7),
          .epoch = epoch,
          .first_offset = Offset(offset),
          .last_offset = Offset(offset),
          .timestamp = 5000,
          .transactional = true,
          .control = true};
}

class ProducerStateTest : public ::testing::Test {
 protected:
  // Ten batches of three records each, from sequence 0 and offset 100.
  void WriteTen() {
    for (int32_t i = 0; i < 10; ++i) producers_.Apply(Append(3 * i, 100 + 3 * i, 3));
  }
  ErrorCode ErrorOf(const ProducerAppend& append) const { return producers_.Check(append).error; }

  ProducerStateManager producers_;
};

// [I1, I2, M100]
TEST_F(ProducerStateTest, AnyOfTheLastFiveBatchesIsADuplicateWithItsOldOffsets) {
  WriteTen();
  for (int32_t i = 5; i < 10; ++i) {
    const ProducerVerdict verdict = producers_.Check(Append(3 * i, 0, 3));
    ASSERT_EQ(verdict.error, ErrorCode::NONE);
    ASSERT_TRUE(verdict.duplicate.has_value()) << i;
    EXPECT_EQ(verdict.duplicate->first_offset(), Offset(100 + 3 * i));
    EXPECT_EQ(verdict.duplicate->last_offset, Offset(100 + 3 * i + 2));
    EXPECT_EQ(verdict.duplicate->timestamp, 1100 + 3 * i);
  }
}

// [I2]
TEST_F(ProducerStateTest, AnOlderDuplicateIsOutOfOrder) {
  WriteTen();
  EXPECT_EQ(ErrorOf(Append(12, 0, 3)), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
}

// [I2]
TEST_F(ProducerStateTest, ABatchThatOnlyOverlapsIsNoDuplicate) {
  WriteTen();
  EXPECT_EQ(ErrorOf(Append(27, 0, 2)), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  EXPECT_EQ(ErrorOf(Append(28, 0, 2)), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
}

// [I4]
TEST_F(ProducerStateTest, TheNextSequenceIsTheLastPlusOneAndNothingElse) {
  WriteTen();
  EXPECT_EQ(ErrorOf(Append(30, 0)), ErrorCode::NONE);
  EXPECT_FALSE(producers_.Check(Append(30, 0)).duplicate.has_value());
  EXPECT_EQ(ErrorOf(Append(31, 0)), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  EXPECT_EQ(ErrorOf(Append(0, 0)), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
}

// [I4]
TEST_F(ProducerStateTest, SequencesWrapToZero) {
  producers_.Apply(Append(kMaxSequence - 1, 10, 2));
  EXPECT_EQ(ErrorOf(Append(0, 12)), ErrorCode::NONE);
  EXPECT_EQ(ErrorOf(Append(1, 12)), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  producers_.Apply(Append(0, 12, 3));
  // A batch across the end of the sequences is recognised too.
  producers_.Clear();
  producers_.Apply(Append(kMaxSequence - 1, 10, 4));
  const ProducerVerdict verdict = producers_.Check(Append(kMaxSequence - 1, 0, 4));
  ASSERT_TRUE(verdict.duplicate.has_value());
  EXPECT_EQ(verdict.duplicate->first_sequence(), kMaxSequence - 1);
  EXPECT_EQ(ErrorOf(Append(2, 14)), ErrorCode::NONE);
}

// [I5]
TEST_F(ProducerStateTest, AnUnknownProducerMayBeginAnywhere) {
  EXPECT_EQ(ErrorOf(Append(1234, 0)), ErrorCode::NONE);
}

// [I3, I4]
TEST_F(ProducerStateTest, AnOlderEpochIsFencedAndANewOneBeginsAtZero) {
  producers_.Apply(Append(0, 0, 1, 3));
  EXPECT_EQ(ErrorOf(Append(1, 1, 1, 2)), ErrorCode::INVALID_PRODUCER_EPOCH);
  EXPECT_EQ(ErrorOf(Append(1, 1, 1, 4)), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  EXPECT_EQ(ErrorOf(Append(0, 1, 1, 4)), ErrorCode::NONE);
  producers_.Apply(Append(0, 1, 1, 4));
  EXPECT_EQ(ErrorOf(Append(0, 0, 1, 3)), ErrorCode::INVALID_PRODUCER_EPOCH)
      << "the batches of the old epoch are forgotten";
}

TEST_F(ProducerStateTest, AnAdmittedBatchIsADuplicateBeforeItIsWritten) {
  producers_.Admit(Append(0, 40, 2));
  producers_.Admit(Append(2, 42, 2));
  const ProducerVerdict verdict = producers_.Check(Append(0, 0, 2));
  ASSERT_TRUE(verdict.duplicate.has_value());
  EXPECT_EQ(verdict.duplicate->first_offset(), Offset(40));
  EXPECT_EQ(ErrorOf(Append(4, 44)), ErrorCode::NONE);
  EXPECT_EQ(ErrorOf(Append(5, 44)), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
}

// [I8]
// [M104]
TEST_F(ProducerStateTest, WhatIsAdmittedIsNoStateUntilItIsWritten) {
  producers_.Admit(Append(0, 40));
  EXPECT_TRUE(producers_.Entries().empty());
  EXPECT_FALSE(producers_.Find(ProducerId(7)).known());
  producers_.Apply(Append(0, 40));
  ASSERT_EQ(producers_.Entries().size(), 1u);
  EXPECT_EQ(producers_.Entries()[0].last_sequence(), 0);
}

// [I6]
TEST_F(ProducerStateTest, ANonTransactionalBatchInsideATransactionIsRefused) {
  ProducerAppend begin = Append(0, 10);
  begin.transactional = true;
  producers_.Apply(begin);
  EXPECT_EQ(producers_.Find(ProducerId(7)).open_transaction, Offset(10));
  EXPECT_EQ(ErrorOf(Append(1, 11)), ErrorCode::INVALID_TXN_STATE);
  producers_.Apply(Marker(11));
  EXPECT_FALSE(producers_.Find(ProducerId(7)).open_transaction.has_value());
  EXPECT_EQ(ErrorOf(Append(1, 12)), ErrorCode::NONE);
}

// [I7]
TEST_F(ProducerStateTest, AMarkerOfAGreaterEpochForgetsTheBatches) {
  producers_.Apply(Append(5, 10));
  producers_.Apply(Marker(11, 1));
  EXPECT_EQ(ErrorOf(Append(5, 12, 1, 0)), ErrorCode::INVALID_PRODUCER_EPOCH);
  EXPECT_EQ(ErrorOf(Append(1, 12, 1, 1)), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  EXPECT_EQ(ErrorOf(Append(0, 12, 1, 1)), ErrorCode::NONE);
}

// [I14]
TEST_F(ProducerStateTest, OnlyIdleProducersWithoutATransactionExpire) {
  producers_.Apply(Append(0, 0));  // at 1000
  producers_.RemoveExpired(2000, 1001);
  EXPECT_EQ(producers_.size(), 1u);
  producers_.Admit(Append(1, 1));
  producers_.RemoveExpired(2000, 1000);
  EXPECT_EQ(producers_.size(), 1u) << "it is about to write";
  ProducerAppend open = Append(1, 1);
  open.transactional = true;
  producers_.Apply(open);
  producers_.RemoveExpired(20000, 1000);
  EXPECT_EQ(producers_.size(), 1u);
  producers_.Apply(Marker(2));
  producers_.RemoveExpired(6000, 1000);
  EXPECT_EQ(producers_.size(), 0u);
}

// Producers that send, resend and lose answers, against a model that remembers everything.
// [I1]
RC_GTEST_PROP(ProducerStateProperty, EachBatchIsWrittenOnceAndInOrder, ()) {
  ProducerStateManager producers;
  std::map<int64_t, int32_t> written;  // by offset, the first sequence
  std::vector<ProducerAppend> queue;   // admitted
  int64_t next_offset = 0;
  const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 3), rc::gen::inRange(0, 6)));
  int32_t next = 0;
  for (const auto& [kind, back] : steps) {
    if (kind == 0 && !queue.empty()) {
      producers.Apply(queue.front());
      queue.erase(queue.begin());
      continue;
    }
    // One of the last six batches again, or the next one.
    const int32_t sequence = std::max(0, next - back);
    const ProducerAppend append = Append(sequence, next_offset);
    const ProducerVerdict verdict = producers.Check(append);
    if (sequence == next) {
      RC_ASSERT(verdict.error == ErrorCode::NONE && !verdict.duplicate.has_value());
      producers.Admit(append);
      queue.push_back(append);
      written[next_offset++] = sequence;
      ++next;
    } else if (back <= 5) {
      RC_ASSERT(verdict.error == ErrorCode::NONE && verdict.duplicate.has_value());
      RC_ASSERT(written.at(verdict.duplicate->first_offset().value()) == sequence);
    }
  }
  int32_t expected = 0;
  for (const auto& [offset, sequence] : written) RC_ASSERT(sequence == expected++);
}

}  // namespace
}  // namespace highwater::broker::storage
