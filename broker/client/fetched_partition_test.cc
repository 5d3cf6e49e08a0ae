#include "broker/client/fetched_partition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/protocol/record_batch_builder.h"

namespace highwater::broker::client {
namespace {

using protocol::RecordBatch;
using protocol::RecordBatchBuilder;
using protocol::RecordBatchOptions;
using ::testing::ElementsAre;
using Aborted = std::vector<FetchedPartition::AbortedTransaction>;

RecordBatch Batch(RecordBatchOptions options, int records) {
  RecordBatchBuilder builder(options);
  for (int i = 0; i < records; ++i) {
    builder.Append(1000 + i, std::nullopt, "v" + std::to_string(options.base_offset.value() + i));
  }
  auto batch = std::move(builder).Build();
  EXPECT_TRUE(batch.ok());
  return *batch;
}

RecordBatch TransactionalBatch(int64_t base, int records, int64_t producer) {
  return Batch({.base_offset = Offset(base),
                .producer_id = ProducerId(producer),
                .producer_epoch = 0,
                .base_sequence = 0,
                .is_transactional = true},
               records);
}

RecordBatch Marker(int64_t base, int64_t producer, protocol::ControlType type) {
  return protocol::MakeMarkerBatch({.type = type, .producer_id = ProducerId(producer)},
                                   Offset(base), LeaderEpoch(3));
}

core::ByteChain Join(std::initializer_list<RecordBatch> batches) {
  core::ByteChain chain;
  for (const RecordBatch& batch : batches) chain.Append(batch.bytes());
  return chain;
}

std::vector<int64_t> OffsetsOf(FetchedPartition& fetched, size_t at_a_time = 1000) {
  std::vector<ConsumerRecord> records;
  while (fetched.Take(at_a_time, records)) {
  }
  std::vector<int64_t> offsets;
  for (const ConsumerRecord& record : records) {
    EXPECT_EQ(record.value->ToString(), "v" + std::to_string(record.offset.value()));
    offsets.push_back(record.offset.value());
  }
  return offsets;
}

// [N33]
TEST(FetchedPartitionTest, GivesRecordsFromThePositionOn) {
  const auto bytes =
      Join({Batch({.base_offset = Offset(10)}, 3), Batch({.base_offset = Offset(13)}, 2)});
  FetchedPartition fetched(bytes, Offset(11), {}, IsolationLevel::kReadUncommitted, true);
  EXPECT_THAT(OffsetsOf(fetched), ElementsAre(11, 12, 13, 14));
  EXPECT_EQ(fetched.position(), Offset(15));
  EXPECT_TRUE(fetched.status().ok());
}

// [N33]
TEST(FetchedPartitionTest, AHoleMovesThePositionToTheEndOfItsBatch) {
  RecordBatchBuilder builder({.base_offset = Offset(5), .partition_leader_epoch = LeaderEpoch(4)});
  builder.AppendAt(Offset(6), 0, std::nullopt, "v6");
  builder.SetLastOffset(Offset(9));
  FetchedPartition fetched(std::move(builder).Build()->bytes(), Offset(5), {},
                           IsolationLevel::kReadUncommitted, true);
  EXPECT_THAT(OffsetsOf(fetched), ElementsAre(6));
  EXPECT_EQ(fetched.position(), Offset(10));
  EXPECT_EQ(fetched.last_epoch(), LeaderEpoch(4));
}

// [V8]
TEST(FetchedPartitionTest, ACutOffBatchAtTheEndIsIgnored) {
  const auto bytes =
      Join({Batch({.base_offset = Offset(0)}, 2), Batch({.base_offset = Offset(2)}, 2)});
  FetchedPartition fetched(bytes.Slice(0, bytes.size() - 3), Offset(0), {},
                           IsolationLevel::kReadUncommitted, true);
  EXPECT_THAT(OffsetsOf(fetched), ElementsAre(0, 1));
  EXPECT_TRUE(fetched.status().ok());
}

TEST(FetchedPartitionTest, ABatchThatDoesNotFitIsAnError) {
  const auto bytes = Batch({.base_offset = Offset(0)}, 2).bytes();
  FetchedPartition fetched(bytes.Slice(0, bytes.size() - 3), Offset(0), {},
                           IsolationLevel::kReadUncommitted, true);
  EXPECT_THAT(OffsetsOf(fetched), ElementsAre());
  EXPECT_TRUE(absl::IsResourceExhausted(fetched.status()));
}

TEST(FetchedPartitionTest, ACorruptBatchStopsInFrontOfIt) {
  std::string raw =
      Join({Batch({.base_offset = Offset(0)}, 2), Batch({.base_offset = Offset(2)}, 2)}).ToString();
  raw[raw.size() - 2] ^= 1;
  FetchedPartition checked(core::Bytes::Copy(raw), Offset(0), {}, IsolationLevel::kReadUncommitted,
                           true);
  EXPECT_THAT(OffsetsOf(checked), ElementsAre(0, 1));
  EXPECT_TRUE(absl::IsDataLoss(checked.status()));
  EXPECT_EQ(checked.position(), Offset(2));
}

// [N34]
TEST(FetchedPartitionTest, ReadCommittedSkipsAbortedTransactions) {
  const auto bytes =
      Join({TransactionalBatch(0, 2, 7), TransactionalBatch(2, 2, 8),
            Marker(4, 7, protocol::ControlType::kAbort), TransactionalBatch(5, 1, 7),
            Marker(6, 8, protocol::ControlType::kCommit),
            Marker(7, 7, protocol::ControlType::kCommit), Batch({.base_offset = Offset(8)}, 1)});
  const Aborted aborted = {{.producer_id = 7, .first_offset = 0}};
  FetchedPartition committed(bytes, Offset(0), aborted, IsolationLevel::kReadCommitted, true);
  EXPECT_THAT(OffsetsOf(committed), ElementsAre(2, 3, 5, 8));
  FetchedPartition all(bytes, Offset(0), aborted, IsolationLevel::kReadUncommitted, true);
  EXPECT_THAT(OffsetsOf(all), ElementsAre(0, 1, 2, 3, 5, 8));
}

RC_GTEST_PROP(FetchedPartitionProperty, HoweverItIsTakenTheRecordsAreTheSame, ()) {
  core::ByteChain bytes;
  int64_t end = 0;
  for (const int records : *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 6))) {
    const auto codec = *rc::gen::element(protocol::Codec::kNone, protocol::Codec::kZstd);
    bytes.Append(Batch({.base_offset = Offset(end), .codec = codec}, records).bytes());
    end += records;
  }
  const int64_t start = *rc::gen::inRange<int64_t>(0, end + 1);
  const size_t step = *rc::gen::inRange<size_t>(1, 9);
  FetchedPartition fetched(bytes, Offset(start), {}, IsolationLevel::kReadUncommitted, true);
  const std::vector<int64_t> offsets = OffsetsOf(fetched, step);
  RC_ASSERT(static_cast<int64_t>(offsets.size()) == end - start);
  for (size_t i = 0; i < offsets.size(); ++i)
    RC_ASSERT(offsets[i] == start + static_cast<int64_t>(i));
}

RC_GTEST_PROP(FetchedPartitionProperty, HostileBytesGiveRecordsOrAnError,
              (const std::string& noise)) {
  std::string raw = Batch({.base_offset = Offset(0)}, 3).bytes().ToString();
  const size_t at = *rc::gen::inRange<size_t>(0, raw.size());
  raw.replace(at, std::min(noise.size(), raw.size() - at), noise, 0,
              std::min(noise.size(), raw.size() - at));
  FetchedPartition fetched(core::Bytes::Copy(raw), Offset(0), {}, IsolationLevel::kReadCommitted,
                           *rc::gen::arbitrary<bool>());
  std::vector<ConsumerRecord> records;
  for (int i = 0; i < 1000 && fetched.Take(10, records); ++i) {
  }
  RC_ASSERT(records.size() <= 10000u);
}

}  // namespace
}  // namespace highwater::broker::client
