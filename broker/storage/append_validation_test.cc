#include "broker/storage/append_validation.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/protocol/record.h"
#include "broker/protocol/record_batch_builder.h"

namespace highwater::broker::storage {
namespace {

using protocol::ErrorCode;

protocol::RecordBatch Batch(const protocol::RecordBatchOptions& options = {}, int records = 3) {
  protocol::RecordBatchBuilder builder(options);
  for (int i = 0; i < records; ++i) builder.Append(1000 + i, "key", "value");
  return *std::move(builder).Build();
}

// `batch` with its header changed and the checksum made right again.
core::ByteChain With(const protocol::RecordBatch& batch,
                     const std::function<void(protocol::RecordBatchHeader&)>& change) {
  protocol::RecordBatchHeader header = batch.header();
  change(header);
  return batch.WithHeader(header).bytes();
}

ErrorCode Check(const core::ByteChain& records, const AppendRules& rules = {}) {
  return ValidateForAppend(records, rules).error;
}

// [P2, P2b]
TEST(ValidateForAppendTest, TakesOneGoodBatchAsItIs) {
  const protocol::RecordBatch batch = Batch();
  const ValidatedAppend result = ValidateForAppend(batch.bytes(), {});
  ASSERT_EQ(result.error, ErrorCode::NONE) << result.message;
  EXPECT_EQ(result.batch->bytes(), batch.bytes());
  EXPECT_EQ(result.log_append_time_ms, -1);
}

// [P2]
TEST(ValidateForAppendTest, WantsExactlyOneBatch) {  // [V8]
  EXPECT_EQ(Check({}), ErrorCode::INVALID_RECORD);
  core::ByteChain two = Batch().bytes();
  two.Append(Batch().bytes());
  EXPECT_EQ(Check(two), ErrorCode::INVALID_RECORD);
  const core::ByteChain whole = Batch().bytes();
  EXPECT_EQ(Check(whole.Slice(0, whole.size() - 1)), ErrorCode::CORRUPT_MESSAGE);
}

// [P2]
TEST(ValidateForAppendTest, ComparesTheChecksum) {
  std::string bytes = Batch().bytes().ToString();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  EXPECT_EQ(Check(core::Bytes::Copy(bytes)), ErrorCode::CORRUPT_MESSAGE);
}

// [P2]
TEST(ValidateForAppendTest, KnowsTheSizeLimits) {
  const core::ByteChain bytes = Batch().bytes();
  EXPECT_EQ(Check(bytes, {.max_message_bytes = static_cast<int64_t>(bytes.size())}),
            ErrorCode::NONE);
  EXPECT_EQ(Check(bytes, {.max_message_bytes = static_cast<int64_t>(bytes.size()) - 1}),
            ErrorCode::MESSAGE_TOO_LARGE);
  EXPECT_EQ(Check(bytes, {.segment_bytes = static_cast<int64_t>(bytes.size()) - 1}),
            ErrorCode::RECORD_LIST_TOO_LARGE);
}

TEST(ValidateForAppendTest, RefusesWhatClientsMayNotWrite) {  // [P2]
  using Header = protocol::RecordBatchHeader;
  const protocol::RecordBatch batch = Batch();
  EXPECT_EQ(Check(With(batch, [](Header& h) { h.attributes |= protocol::kControlBit; })),
            ErrorCode::INVALID_RECORD);
  EXPECT_EQ(Check(With(batch, [](Header& h) { h.last_offset_delta = 3; })),
            ErrorCode::INVALID_RECORD);
  EXPECT_EQ(Check(With(batch, [](Header& h) { h.record_count = 0; })), ErrorCode::INVALID_RECORD);
  EXPECT_EQ(Check(With(batch, [](Header& h) { h.base_offset = Offset(1); })),
            ErrorCode::INVALID_RECORD);
  EXPECT_EQ(Check(With(batch, [](Header& h) { h.producer_id = ProducerId(5); })),
            ErrorCode::INVALID_RECORD);
  EXPECT_EQ(Check(With(batch, [](Header& h) { h.attributes |= protocol::kLogAppendTimeBit; })),
            ErrorCode::INVALID_TIMESTAMP);
}

TEST(ValidateForAppendTest, ACoordinatorMayWriteControlBatches) {
  const protocol::RecordBatch marker =
      protocol::MakeMarkerBatch({.producer_id = ProducerId(5)}, Offset(0), kNoLeaderEpoch);
  EXPECT_EQ(Check(marker.bytes(), {.origin = AppendOrigin::kCoordinator}), ErrorCode::NONE);
  EXPECT_EQ(Check(marker.bytes()), ErrorCode::INVALID_RECORD);
}

// [P2]
TEST(ValidateForAppendTest, ACompactedTopicNeedsKeys) {
  protocol::RecordBatchBuilder builder({});
  builder.Append(1000, std::nullopt, "value");
  const core::ByteChain bytes = (*std::move(builder).Build()).bytes();
  EXPECT_EQ(Check(bytes), ErrorCode::NONE);
  EXPECT_EQ(Check(bytes, {.compacted = true}), ErrorCode::INVALID_RECORD);
}

TEST(ValidateForAppendTest, BoundsTheDistanceOfTimestamps) {  // [D35]
  const core::ByteChain bytes = Batch().bytes();              // 1000, 1001, 1002
  EXPECT_EQ(Check(bytes, {.timestamp_difference_max_ms = 100, .now_ms = 1102}),
            ErrorCode::INVALID_TIMESTAMP);
  EXPECT_EQ(Check(bytes, {.timestamp_difference_max_ms = 100, .now_ms = 1100}), ErrorCode::NONE);
  EXPECT_EQ(Check(bytes, {.timestamp_difference_max_ms = 100, .now_ms = 901}),
            ErrorCode::INVALID_TIMESTAMP);
}

TEST(ValidateForAppendTest, StampsLogAppendTime) {  // [D35, V1]
  const protocol::RecordBatch batch = Batch();
  const ValidatedAppend result = ValidateForAppend(
      batch.bytes(), {.timestamp_type = protocol::TimestampType::kLogAppendTime, .now_ms = 777});
  ASSERT_EQ(result.error, ErrorCode::NONE) << result.message;
  EXPECT_EQ(result.log_append_time_ms, 777);
  EXPECT_TRUE(result.batch->Validate().ok());
  EXPECT_EQ(result.batch->header().max_timestamp_ms, 777);
  auto reader = protocol::RecordReader::Open(*result.batch);
  ASSERT_TRUE(reader.ok());
  while (const protocol::RecordView* record = reader->Next()) EXPECT_EQ(record->timestamp_ms, 777);
}

RC_GTEST_PROP(ValidateForAppendTest, ADamagedBatchIsRefusedOrIsTheSame, ()) {
  const std::string good = Batch().bytes().ToString();
  std::string bytes = good;
  const auto at = *rc::gen::inRange<size_t>(0, bytes.size());
  bytes[at] = *rc::gen::arbitrary<char>();
  const ValidatedAppend result = ValidateForAppend(core::Bytes::Copy(bytes), {});
  // Only the leader epoch lies outside of the checksum and is not looked at: the log writes its
  // own.
  if (result.error == ErrorCode::NONE) RC_ASSERT(bytes == good || (at >= 12 && at < 16));
}

}  // namespace
}  // namespace highwater::broker::storage
