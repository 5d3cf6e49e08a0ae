// Record batches against those that Kafka wrote (testdata/record-vectors.txt), and against
// themselves.

#include "broker/protocol/record_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "broker/protocol/legacy_messages.h"
#include "broker/protocol/record.h"
#include "broker/protocol/record_batch_builder.h"
#include "broker/protocol/testing/arbitrary.h"
#include "broker/protocol/testing/vectors.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace highwater::broker::protocol {
namespace {

using core::ByteChain;
using core::Bytes;
using testing::ArbitrarySource;
using testing::ToHex;

constexpr int64_t kBaseTimestamp = 1'600'000'000'000;

Bytes Vector(std::string_view name) {
  for (const auto& words : testing::ReadVectorFile("record-vectors.txt")) {
    if (words.at(0) == name) return Bytes::Copy(*testing::FromHex(words.at(1)));
  }
  HW_UNREACHABLE("no vector {}", std::string(name));
}

RecordBatch ParseVector(std::string_view name) {
  const absl::StatusOr<RecordBatch> batch = RecordBatch::Parse(Vector(name));
  HW_CHECK(batch.ok(), "{}", batch.status().ToString());
  HW_CHECK(batch->size() == Vector(name).size());
  return *batch;
}

// A record with its strings, to compare.
struct Owned {
  int64_t offset;
  int64_t timestamp_ms;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  friend bool operator==(const Owned&, const Owned&) = default;
};

std::optional<std::string> Own(std::optional<std::string_view> view) {
  if (!view.has_value()) return std::nullopt;
  return std::string(*view);
}

absl::StatusOr<std::vector<Owned>> ReadAll(const RecordBatch& batch) {
  HW_ASSIGN_OR_RETURN(RecordReader reader, RecordReader::Open(batch));
  std::vector<Owned> records;
  while (const RecordView* record = reader.Next()) {
    Owned& owned = records.emplace_back(Owned{
        record->offset.value(), record->timestamp_ms, Own(record->key), Own(record->value), {}});
    for (const RecordHeaderView& header : record->headers) {
      owned.headers.emplace_back(std::string(header.key), Own(header.value));
    }
  }
  HW_RETURN_IF_ERROR(reader.status());
  return records;
}

// The three records that all v2 vectors but the markers hold.
std::vector<Owned> PlainRecords(int64_t base_offset) {
  return {
      {base_offset, kBaseTimestamp, "k1", "v1", {}},
      {base_offset + 1, kBaseTimestamp + 5, std::nullopt, "v2", {{"h", "x"}, {"n", std::nullopt}}},
      {base_offset + 2, kBaseTimestamp + 3, "k3", std::nullopt, {}}};
}

RecordBatch BuildPlain(const RecordBatchOptions& options) {
  RecordBatchBuilder builder(options);
  builder.Append(kBaseTimestamp, "k1", "v1");
  const RecordHeaderView headers[] = {{"h", "x"}, {"n", std::nullopt}};
  builder.Append(kBaseTimestamp + 5, std::nullopt, "v2", headers);
  builder.Append(kBaseTimestamp + 3, "k3", std::nullopt);
  absl::StatusOr<RecordBatch> batch = std::move(builder).Build();
  HW_CHECK(batch.ok(), "{}", batch.status().ToString());
  return *batch;
}

std::string HexOf(const RecordBatch& batch) { return ToHex(batch.bytes().ToString()); }
std::string HexOf(const Bytes& bytes) { return ToHex(bytes.view()); }

// [V2, Wire 8]
TEST(RecordBatchVectorsTest, ReadsEveryBatchOfMagic2) {
  const std::map<std::string, int64_t> base_offsets = {{"v2_plain", 0},
                                                       {"v2_base100_epoch7_pid9_pe2_seq5", 100},
                                                       {"v2_txn_pid9_pe2_seq5", 0},
                                                       {"v2_gzip", 0},
                                                       {"v2_snappy", 0},
                                                       {"v2_lz4", 0},
                                                       {"v2_zstd", 0}};
  for (const auto& [name, base_offset] : base_offsets) {
    SCOPED_TRACE(name);
    const RecordBatch batch = ParseVector(name);
    EXPECT_TRUE(batch.Validate().ok()) << batch.Validate();
    const absl::StatusOr<std::vector<Owned>> records = ReadAll(batch);
    ASSERT_TRUE(records.ok()) << records.status();
    EXPECT_EQ(*records, PlainRecords(base_offset));
    EXPECT_EQ(batch.header().last_offset(), Offset(base_offset + 2));
    EXPECT_EQ(batch.header().base_timestamp_ms, kBaseTimestamp);
    EXPECT_EQ(batch.header().max_timestamp_ms, kBaseTimestamp + 5);
  }
}

// [V1]
TEST(RecordBatchVectorsTest, ReadsTheHeader) {
  const RecordBatchHeader header = ParseVector("v2_base100_epoch7_pid9_pe2_seq5").header();
  EXPECT_EQ(header.base_offset, Offset(100));
  EXPECT_EQ(header.partition_leader_epoch, LeaderEpoch(7));
  EXPECT_EQ(header.producer_id, ProducerId(9));
  EXPECT_EQ(header.producer_epoch, 2);
  EXPECT_EQ(header.base_sequence, 5);
  EXPECT_EQ(header.last_sequence(), 7);
  EXPECT_EQ(header.record_count, 3);
  EXPECT_FALSE(header.is_transactional());
  EXPECT_TRUE(ParseVector("v2_txn_pid9_pe2_seq5").header().is_transactional());
  EXPECT_EQ(ParseVector("v2_lz4").header().codec(), Codec::kLz4);
}

// [V2, V4]
TEST(RecordBatchVectorsTest, BuildsKafkasOwnBytes) {
  EXPECT_EQ(HexOf(BuildPlain({})), HexOf(Vector("v2_plain")));
  EXPECT_EQ(HexOf(BuildPlain({.base_offset = Offset(100),
                              .partition_leader_epoch = LeaderEpoch(7),
                              .producer_id = ProducerId(9),
                              .producer_epoch = 2,
                              .base_sequence = 5})),
            HexOf(Vector("v2_base100_epoch7_pid9_pe2_seq5")));
  EXPECT_EQ(HexOf(BuildPlain({.producer_id = ProducerId(9),
                              .producer_epoch = 2,
                              .base_sequence = 5,
                              .is_transactional = true})),
            HexOf(Vector("v2_txn_pid9_pe2_seq5")));
}

// What the packaged libraries happen to write as Java does.
TEST(RecordBatchVectorsTest, CompressesSnappyAndLz4AsJavaDoes) {
  EXPECT_EQ(HexOf(BuildPlain({.codec = Codec::kSnappy})), HexOf(Vector("v2_snappy")));
  EXPECT_EQ(HexOf(BuildPlain({.codec = Codec::kLz4})), HexOf(Vector("v2_lz4")));
}

// [V6]
TEST(RecordBatchVectorsTest, ReadsAndBuildsTransactionMarkers) {
  const TransactionMarker commit{.type = ControlType::kCommit,
                                 .producer_id = ProducerId(9),
                                 .producer_epoch = 2,
                                 .coordinator_epoch = 3,
                                 .timestamp_ms = kBaseTimestamp};
  TransactionMarker abort = commit;
  abort.type = ControlType::kAbort;
  const char* const commit_name = "ctrl_commit_off10_pid9_pe2_cepoch3_ts1600000000000_ple7";
  const char* const abort_name = "ctrl_abort_off11_pid9_pe2_cepoch3_ts1600000000000_ple7";
  EXPECT_EQ(HexOf(MakeMarkerBatch(commit, Offset(10), LeaderEpoch(7))), HexOf(Vector(commit_name)));
  EXPECT_EQ(HexOf(MakeMarkerBatch(abort, Offset(11), LeaderEpoch(7))), HexOf(Vector(abort_name)));
  for (const auto& [name, type] :
       {std::pair(commit_name, ControlType::kCommit), std::pair(abort_name, ControlType::kAbort)}) {
    const RecordBatch batch = ParseVector(name);
    EXPECT_TRUE(batch.Validate().ok());
    EXPECT_TRUE(batch.header().is_control());
    EXPECT_EQ(batch.header().base_sequence, kNoSequence);
    absl::StatusOr<RecordReader> reader = RecordReader::Open(batch);
    ASSERT_TRUE(reader.ok());
    const RecordView* record = reader->Next();
    ASSERT_NE(record, nullptr);
    const absl::StatusOr<ControlRecord> control = ParseControlRecord(*record);
    ASSERT_TRUE(control.ok()) << control.status();
    EXPECT_EQ(control->type, static_cast<int16_t>(type));
    EXPECT_EQ(control->coordinator_epoch, 3);
  }
}

TEST(RecordBatchVectorsTest, ReadsAndWritesMessagesOfMagic0And1) {
  for (const int8_t magic : {int8_t{0}, int8_t{1}}) {
    const Bytes bytes = Vector(magic == 0 ? "v0_plain" : "v1_plain");
    RecordBatchReader reader{ByteChain(bytes)};
    std::string written;
    std::vector<LegacyMessage> messages;
    while (const std::optional<RecordBatch> batch = reader.Next()) {
      const absl::StatusOr<LegacyMessage> message = ReadLegacyMessage(*batch);
      ASSERT_TRUE(message.ok()) << message.status();
      messages.push_back(*message);
      written += WriteLegacyMessage(*message).view();
    }
    EXPECT_EQ(reader.remaining(), 0u);
    EXPECT_EQ(ToHex(written), HexOf(bytes));
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(messages[0],
              (LegacyMessage{.offset = Offset(0),
                             .magic = magic,
                             .timestamp_ms = magic == 1 ? kBaseTimestamp : kNoTimestamp,
                             .key = Bytes::Copy("k1"),
                             .value = Bytes::Copy("v1")}));
    EXPECT_EQ(messages[1].key, std::nullopt);
    EXPECT_EQ(messages[1].value, Bytes::Copy("v2"));
  }
}

TEST(RecordBatchVectorsTest, UnwrapsACompressedSetOfMagic1) {
  const absl::StatusOr<LegacyMessage> outer = ReadLegacyMessage(ParseVector("v1_gzip"));
  ASSERT_TRUE(outer.ok()) << outer.status();
  EXPECT_EQ(outer->codec(), Codec::kGzip);
  const absl::StatusOr<std::vector<LegacyMessage>> inner = UnwrapLegacyMessage(*outer);
  ASSERT_TRUE(inner.ok()) << inner.status();
  std::string plain;
  for (const LegacyMessage& message : *inner) plain += WriteLegacyMessage(message).view();
  EXPECT_EQ(ToHex(plain), HexOf(Vector("v1_plain")));
}

TEST(RecordBatchTest, FindsAChangedByteAnywhereUnderTheChecksum) {
  const std::string plain = Vector("v2_plain").ToString();
  for (size_t at = kBatchChecksumStart; at < plain.size(); ++at) {
    std::string changed = plain;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    const absl::StatusOr<RecordBatch> batch = RecordBatch::Parse(Bytes::Copy(changed));
    ASSERT_TRUE(batch.ok());
    EXPECT_EQ(batch->Validate().code(), absl::StatusCode::kDataLoss) << "byte " << at;
  }
}

TEST(RecordBatchTest, ValidatesABatchHoweverItIsCut) {
  const std::string plain = Vector("v2_plain").ToString();
  for (size_t first = 1; first < plain.size(); ++first) {
    const ByteChain cut{Bytes::Copy(plain.substr(0, first)), Bytes::Copy(plain.substr(first))};
    const absl::StatusOr<RecordBatch> batch = RecordBatch::Parse(cut);
    ASSERT_TRUE(batch.ok()) << first;
    EXPECT_TRUE(batch->Validate().ok()) << first;
    EXPECT_EQ(*ReadAll(*batch), PlainRecords(0)) << first;
  }
}

// [V1]
TEST(RecordBatchTest, MovesToAnotherOffsetWithoutTouchingWhatIsChecksummed) {
  const RecordBatch plain = ParseVector("v2_plain");
  const RecordBatch moved = plain.WithOffset(Offset(4711), LeaderEpoch(12));
  EXPECT_TRUE(moved.Validate().ok());
  EXPECT_EQ(moved.header().crc, plain.header().crc);
  EXPECT_EQ(*ReadAll(moved), PlainRecords(4711));
  EXPECT_EQ(RecordBatch::Parse(moved.bytes())->header(), moved.header());
  // The covered bytes are the same memory: nothing was copied but 21 bytes.
  ASSERT_EQ(moved.bytes().slices().size(), 2u);
  EXPECT_EQ(moved.bytes().slices()[1].data(),
            plain.bytes().slices()[0].data() + kBatchChecksumStart);
}

// [V1, V5]
TEST(RecordBatchTest, StampsTheAppendTimeAndComputesTheChecksumAgain) {
  const RecordBatch plain = ParseVector("v2_zstd");
  const RecordBatch stamped = plain.WithAppendTime(Offset(5), LeaderEpoch(1), 1234);
  EXPECT_TRUE(stamped.Validate().ok()) << stamped.Validate();
  EXPECT_EQ(stamped.header().timestamp_type(), TimestampType::kLogAppendTime);
  const std::vector<Owned> records = *ReadAll(stamped);
  EXPECT_THAT(records, ::testing::Each(::testing::Field(&Owned::timestamp_ms, 1234)));
  EXPECT_EQ(stamped.bytes().slices()[1].data(), plain.body().slices()[0].data());
}

// [V5]
TEST(RecordBatchTest, WrapsSequences) {
  RecordBatchHeader header;
  header.base_sequence = 2147483646;
  header.last_offset_delta = 3;
  EXPECT_EQ(header.last_sequence(), 1);
  EXPECT_EQ(AdvanceSequence(2147483647, 1), 0);
}

TEST(RecordBatchTest, WrapsHostileOffsets) {
  RecordBatchHeader header;
  header.base_offset = Offset(INT64_MAX);
  header.last_offset_delta = 1;
  EXPECT_EQ(header.last_offset(), Offset(INT64_MIN));
}

// [V8]
TEST(RecordBatchReaderTest, StopsInFrontOfABatchThatIsCutOff) {
  const Bytes plain = Vector("v2_plain");
  for (size_t kept = 0; kept < plain.size(); ++kept) {
    RecordBatchReader reader{ByteChain{plain, plain.Slice(0, kept)}};
    EXPECT_TRUE(reader.Next().has_value());
    EXPECT_FALSE(reader.Next().has_value());
    EXPECT_TRUE(reader.status().ok()) << reader.status();
    EXPECT_EQ(reader.remaining(), kept);
  }
}

TEST(RecordBatchReaderTest, RefusesALengthOrMagicThatCannotBe) {
  const auto status_with = [](size_t at, char value) {
    std::string bytes = Vector("v2_plain").ToString();
    bytes[at] = value;
    RecordBatchReader reader{ByteChain(Bytes::Copy(bytes))};
    EXPECT_FALSE(reader.Next().has_value());
    return reader.status().code();
  };
  EXPECT_EQ(status_with(kBatchMagicAt, 3), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status_with(kBatchMagicAt, -1), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status_with(8, '\x80'), absl::StatusCode::kDataLoss) << "a negative length";
  EXPECT_EQ(status_with(11, 48), absl::StatusCode::kDataLoss) << "shorter than the header";
}

TEST(RecordReaderTest, RefusesACountThatIsNotThatOfTheRecords) {
  for (const int count : {-1, 2, 4, INT32_MAX}) {
    const RecordBatch plain = ParseVector("v2_plain");
    RecordBatchHeader header = plain.header();
    header.record_count = count;
    EXPECT_EQ(ReadAll(plain.WithHeader(header)).status().code(), absl::StatusCode::kDataLoss)
        << count;
  }
}

// A batch of one record with this body, its checksum right.
RecordBatch BatchWithBody(std::string_view body_hex) {
  const std::string body = *testing::FromHex(body_hex);
  RecordBatchHeader header;
  header.batch_length = static_cast<int32_t>(kRecordBatchHeaderSize - kBatchOverhead + body.size());
  header.record_count = 1;
  std::string bytes(kRecordBatchHeaderSize, '\0');
  header.Write(reinterpret_cast<uint8_t*>(bytes.data()));
  const RecordBatch batch(header, ByteChain(Bytes::Copy(bytes + body)));
  return batch.WithHeader(header);
}

// [V4]
TEST(RecordReaderTest, RefusesMalformedRecords) {
  // Length, attributes, timestamp delta, offset delta, key "k", value "v", one header "h" without a
  // value.
  const RecordBatch good = BatchWithBody(
      "1c000000026b0276020268"
      "01"
      "0000");
  EXPECT_EQ(ReadAll(good).status().code(), absl::StatusCode::kDataLoss) << "longer than its fields";
  ASSERT_TRUE(ReadAll(BatchWithBody("16000000026b027602026801")).ok());
  for (const char* body : {
           "",                          // no record
           "01",                        // a negative length
           "00",                        // no room for the attributes
           "18000000026b027602026801",  // longer than the batch
           "14000000026b027602026801",  // shorter than its fields
           "16000000046b027602026801",  // the key takes the value's length
           "16000000026b047602026801",  // the value takes the header count
           "16000000026b027604026801",  // two headers announced
           "16000000026b0276fe026801",  // very many headers announced
           "10000000026b027601",        // a negative header count
           "16000000026b027602016801",  // a header with a null key
           "16000000026b027602046801",  // a header key longer than the record
           "16000000026b027602026804",  // a header value longer than the record
           "16ffffffffffffffffffffff",  // a varint that does not end
       }) {
    EXPECT_EQ(ReadAll(BatchWithBody(body)).status().code(), absl::StatusCode::kDataLoss) << body;
  }
}

TEST(RecordReaderTest, KeepsAViewAsASharedSlice) {
  absl::StatusOr<RecordReader> reader = RecordReader::Open(ParseVector("v2_gzip"));
  ASSERT_TRUE(reader.ok());
  const RecordView* record = reader->Next();
  ASSERT_NE(record, nullptr);
  const Bytes kept = reader->Keep(*record->value);
  EXPECT_EQ(kept.data(), reinterpret_cast<const uint8_t*>(record->value->data()));
  EXPECT_EQ(kept.view(), "v1");
}

// [V5]
TEST(RecordBatchBuilderTest, LeavesGapsAndKeepsTheLastOffset) {
  RecordBatchBuilder builder({.base_offset = Offset(10), .delete_horizon_ms = 77});
  builder.AppendAt(Offset(12), 100, "a", std::nullopt);
  builder.AppendAt(Offset(15), 90, "b", "x");
  builder.SetLastOffset(Offset(20));
  const absl::StatusOr<RecordBatch> batch = std::move(builder).Build();
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->Validate().ok());
  EXPECT_EQ(batch->header().last_offset(), Offset(20));
  EXPECT_TRUE(batch->header().has_delete_horizon());
  EXPECT_EQ(batch->header().base_timestamp_ms, 77);
  EXPECT_EQ(batch->header().max_timestamp_ms, 100);
  EXPECT_EQ(*ReadAll(*batch),
            (std::vector<Owned>{{12, 100, "a", std::nullopt, {}}, {15, 90, "b", "x", {}}}));
}

// [V7]
TEST(RecordBatchBuilderTest, BuildsAnEmptyBatch) {
  RecordBatchBuilder builder({.base_offset = Offset(10), .codec = Codec::kGzip});
  builder.SetLastOffset(Offset(12));
  const absl::StatusOr<RecordBatch> batch = std::move(builder).Build();
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->Validate().ok());
  EXPECT_EQ(batch->size(), kRecordBatchHeaderSize);
  EXPECT_THAT(*ReadAll(*batch), ::testing::IsEmpty());
}

// [V4]
RC_GTEST_PROP(RecordBatchBuilderTest, AnyRecordsComeBackFromAnyCodec, (uint64_t seed)) {
  ArbitrarySource source(seed);
  RecordBatchOptions options;
  options.codec = static_cast<Codec>(source.random().Below(5));
  options.base_offset = Offset(static_cast<int64_t>(source.random().Below(1'000'000)));
  RecordBatchBuilder builder(options);
  std::vector<Owned> expected;
  const uint64_t count = source.random().Below(30);
  for (uint64_t i = 0; i < count; ++i) {
    Owned owned{options.base_offset.value() + static_cast<int64_t>(i),
                source.Int64(),
                std::nullopt,
                std::nullopt,
                {}};
    if (source.Coin()) owned.key = source.String();
    if (source.Coin()) owned.value = source.Bytes().ToString();
    std::vector<RecordHeaderView> views;
    while (source.Null()) owned.headers.emplace_back(source.String(), std::nullopt);
    for (auto& header : owned.headers) {
      if (source.Coin()) header.second = source.String();
      views.push_back({header.first, header.second});
    }
    builder.Append(owned.timestamp_ms, owned.key, owned.value, views);
    expected.push_back(std::move(owned));
  }
  const absl::StatusOr<RecordBatch> batch = std::move(builder).Build();
  RC_ASSERT(batch.ok());
  RC_ASSERT(batch->Validate().ok());
  const absl::StatusOr<RecordBatch> parsed =
      RecordBatch::Parse(testing::CutAtRandom(source.random(), batch->bytes()));
  RC_ASSERT(parsed.ok());
  RC_ASSERT(parsed->header() == batch->header());
  RC_ASSERT(parsed->Validate().ok());
  const absl::StatusOr<std::vector<Owned>> records = ReadAll(*parsed);
  RC_ASSERT(records.ok());
  RC_ASSERT(*records == expected);
}

RC_GTEST_PROP(RecordReaderTest, AnyBytesGiveRecordsOrAnError, (uint64_t seed)) {
  ArbitrarySource source(seed);
  for (const auto& words : testing::ReadVectorFile("record-vectors.txt")) {
    const ByteChain mutated =
        testing::Mutate(source.random(), Bytes::Copy(*testing::FromHex(words.at(1))));
    RecordBatchReader reader{mutated};
    while (const std::optional<RecordBatch> batch = reader.Next()) {
      if (batch->header().magic == kCurrentMagic) {
        (void)batch->Validate();
        (void)ReadAll(*batch);
      } else if (const auto message = ReadLegacyMessage(*batch); message.ok()) {
        (void)UnwrapLegacyMessage(*message);
      }
    }
  }
}

}  // namespace
}  // namespace highwater::broker::protocol
