// Every message in every version: against the bytes that Kafka's own serializer makes, and against
// itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "broker/protocol/api_versions.h"
#include "broker/protocol/fetch.h"
#include "broker/protocol/group_metadata.h"
#include "broker/protocol/message.h"
#include "broker/protocol/metadata.h"
#include "broker/protocol/produce.h"
#include "broker/protocol/testing/message_table.h"
#include "broker/protocol/testing/vectors.h"
#include "core/mix.h"

namespace highwater::broker::protocol {
namespace {

using core::ByteChain;
using core::Bytes;
using testing::AllMessages;
using testing::ArbitrarySource;
using testing::FromHex;
using testing::MessageType;
using testing::Recoded;
using testing::ToHex;

const MessageType* FindMessage(std::string_view name) {
  for (const MessageType& type : AllMessages()) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

// Calls visit(type, version, seed) for each version of each message.
template <typename Visit>
void ForEachVersion(uint64_t seed, Visit visit) {
  for (const MessageType& type : AllMessages()) {
    for (int16_t version = type.lowest_version; version <= type.highest_version; ++version) {
      const uint64_t key =
          core::Mix(core::Mix(seed, core::MixName(type.name)), static_cast<uint64_t>(version));
      visit(type, version, key);
    }
  }
}

std::string NameOf(const MessageType& type, int16_t version) {
  return fmt::format("{} v{}", std::string(type.name), version);
}

// [Wire 1.2, Wire 2.9, Wire 4]
TEST(MessagesTest, DecodesAndEncodesKafkasOwnBytes) {
  int lines = 0;
  for (const auto& words : testing::ReadVectorFile("wire-vectors.txt")) {
    ASSERT_EQ(words.size(), 4u);
    SCOPED_TRACE(words[0] + " v" + words[1] + " " + words[2]);
    const MessageType* type = FindMessage(words[0]);
    ASSERT_NE(type, nullptr);
    const auto version = static_cast<int16_t>(std::stoi(words[1]));
    const std::optional<std::string> bytes = FromHex(words[3]);
    ASSERT_TRUE(bytes.has_value());
    const absl::StatusOr<Recoded> recoded = type->recode(Bytes::Copy(*bytes), version);
    ASSERT_TRUE(recoded.ok()) << recoded.status();
    EXPECT_EQ(ToHex(recoded->bytes.ToString()), words[3]);
    EXPECT_EQ(recoded->left_over, 0u);
    if (words[2] == "empty") {
      const absl::StatusOr<ByteChain> encoded = type->encode_default(version);
      ASSERT_TRUE(encoded.ok()) << encoded.status();
      EXPECT_EQ(ToHex(encoded->ToString()), words[3]);
    }
    ++lines;
  }
  EXPECT_EQ(lines, 1040);
}

TEST(MessagesTest, RefusesEveryTruncationOfKafkasOwnBytes) {
  for (const auto& words : testing::ReadVectorFile("wire-vectors.txt")) {
    const MessageType* type = FindMessage(words[0]);
    const auto version = static_cast<int16_t>(std::stoi(words[1]));
    const Bytes whole = Bytes::Copy(*FromHex(words[3]));
    for (size_t size = 0; size < whole.size(); ++size) {
      // Tag sections make a message longer, never shorter: no proper prefix of a message is a
      // message.
      EXPECT_FALSE(type->recode(whole.Slice(0, size), version).ok())
          << words[0] << " v" << version << " cut to " << size;
    }
  }
}

RC_GTEST_PROP(MessagesTest, AnyMessageComesBackEqualFromSlicesCutAnywhere, (uint64_t seed)) {
  ForEachVersion(seed, [](const MessageType& type, int16_t version, uint64_t key) {
    ArbitrarySource source(key);
    if (!type.comes_back_equal(source, version)) RC_FAIL(NameOf(type, version));
  });
}

RC_GTEST_PROP(MessagesTest, DecodingAndEncodingAgainGivesTheSameBytes, (uint64_t seed)) {
  ForEachVersion(seed, [](const MessageType& type, int16_t version, uint64_t key) {
    ArbitrarySource source(key);
    const absl::StatusOr<ByteChain> bytes = type.encode_arbitrary(source, version);
    if (!bytes.ok()) RC_FAIL(NameOf(type, version) + ": " + std::string(bytes.status().message()));
    const absl::StatusOr<Recoded> recoded = type.recode(*bytes, version);
    if (!recoded.ok())
      RC_FAIL(NameOf(type, version) + ": " + std::string(recoded.status().message()));
    if (!(recoded->bytes == *bytes)) RC_FAIL(NameOf(type, version) + ": other bytes");
  });
}

RC_GTEST_PROP(MessagesTest, MutatedBytesGiveAMessageOrAnErrorWhereverTheyAreCut, (uint64_t seed)) {
  ForEachVersion(seed, [](const MessageType& type, int16_t version, uint64_t key) {
    ArbitrarySource source(key);
    const absl::StatusOr<ByteChain> bytes = type.encode_arbitrary(source, version);
    if (!bytes.ok()) RC_FAIL(NameOf(type, version));
    const ByteChain mutated = testing::Mutate(source.random(), *bytes);
    const ByteChain cut = testing::CutAtRandom(source.random(), mutated);
    const absl::StatusOr<Recoded> whole = type.recode(mutated, version);
    const absl::StatusOr<Recoded> in_slices = type.recode(cut, version);
    if (whole.ok() != in_slices.ok()) RC_FAIL(NameOf(type, version) + ": cuts decide");
    if (whole.ok()) {
      if (!(whole->bytes == in_slices->bytes))
        RC_FAIL(NameOf(type, version) + ": cuts change bytes");
      // What was accepted has a canonical form that is stable.
      const absl::StatusOr<Recoded> again = type.recode(whole->bytes, version);
      if (!again.ok() || !(again->bytes == whole->bytes)) RC_FAIL(NameOf(type, version));
    }
  });
}

TEST(MessagesTest, RefusesVersionsThatDoNotExist) {
  for (const MessageType& type : AllMessages()) {
    for (const int version : {type.lowest_version - 1, type.highest_version + 1, -32768, 32767}) {
      const auto wrong = static_cast<int16_t>(version);
      EXPECT_EQ(type.encode_default(wrong).status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(type.recode(Bytes::Zeros(64), wrong).status().code(),
                absl::StatusCode::kInvalidArgument);
    }
  }
}

// [Wire 1.5]
TEST(MessagesTest, RefusesToDropAValueThatTheVersionLacks) {
  ProduceRequest request;
  request.transactional_id = "orders-tx";
  const absl::Status status = EncodeMessage(request, 2).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "ProduceRequest::transactional_id is not in this version");
  EXPECT_TRUE(EncodeMessage(request, 3).ok());
}

// [Wire 1.5]
TEST(MessagesTest, DropsAnIgnorableValueThatTheVersionLacks) {
  FetchRequest request;
  request.max_bytes = 17;
  ASSERT_TRUE(EncodeMessage(request, 2).ok());
  EXPECT_EQ(DecodeMessage<FetchRequest>(ToChain(*EncodeMessage(request, 2)), 2)->max_bytes,
            2147483647);
  EXPECT_EQ(DecodeMessage<FetchRequest>(ToChain(*EncodeMessage(request, 3)), 3)->max_bytes, 17);
}

TEST(MessagesTest, AllowsNullOnlyWhereTheVersionDoes) {
  MetadataRequest request;
  request.topics = std::nullopt;
  EXPECT_FALSE(EncodeMessage(request, 0).ok());
  EXPECT_TRUE(EncodeMessage(request, 1).ok());
  const ByteChain null_topics(Bytes::Copy("\xff\xff\xff\xff"));
  EXPECT_FALSE(DecodeMessage<MetadataRequest>(null_topics, 0).ok());
  EXPECT_EQ(DecodeMessage<MetadataRequest>(null_topics, 1)->topics, std::nullopt);
}

// [Wire 1.5]
TEST(MessagesTest, GivesAbsentFieldsTheirDefaults) {
  const absl::StatusOr<FetchRequest> request = DecodeMessage<FetchRequest>(Bytes::Zeros(16), 0);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->session_epoch, -1);
  EXPECT_EQ(request->max_bytes, 2147483647);
  EXPECT_EQ(request->rack_id, "");
  EXPECT_EQ(request->cluster_id, std::nullopt);
}

// [Wire 1.3]
TEST(MessagesTest, SkipsUnknownTagsAndRefusesBadTagSections) {
  const auto decode = [](std::string_view tags) {
    // Two empty compact strings, then the tag section.
    return DecodeMessage<ApiVersionsRequest>(Bytes::Copy("\x01\x01" + std::string(tags)), 3);
  };
  using namespace std::string_view_literals;
  EXPECT_TRUE(decode("\x00"sv).ok());
  EXPECT_TRUE(decode("\x02\x05\x03"
                     "abc\x06\x00"sv)
                  .ok());
  EXPECT_FALSE(decode("\x02\x05\x03"
                      "abc\x05\x00"sv)
                   .ok())
      << "a tag twice";
  EXPECT_FALSE(decode("\x02\x05\x03"
                      "abc\x04\x00"sv)
                   .ok())
      << "tags descend";
  EXPECT_FALSE(decode("\x01\x05\x04"
                      "abc"sv)
                   .ok())
      << "longer than the message";
  EXPECT_FALSE(decode("\xff\xff\xff\xff\x0f"sv).ok()) << "a count without tags";
}

// [Wire 1.3]
TEST(MessagesTest, RefusesATaggedFieldOfAnotherSizeThanGiven) {
  ApiVersionsResponse response;
  response.finalized_features_epoch = 7;
  std::string bytes = ToChain(*EncodeMessage(response, 3)).ToString();
  ASSERT_TRUE(DecodeMessage<ApiVersionsResponse>(Bytes::Copy(bytes), 3).ok());
  // count, tag 1, size 8, the epoch: say 9 and append a byte.
  ASSERT_EQ(bytes[bytes.size() - 9], 8);
  bytes[bytes.size() - 9] = 9;
  bytes += '\0';
  EXPECT_FALSE(DecodeMessage<ApiVersionsResponse>(Bytes::Copy(bytes), 3).ok());
}

// [Wire 1.3]
TEST(MessagesTest, WritesATaggedFieldLongerThan127Bytes) {
  ApiVersionsResponse response;
  for (int i = 0; i < 100; ++i) {
    response.supported_features.push_back(
        {.name = std::string(50, 'f'), .min_version = 1, .max_version = 2});
  }
  const ByteChain bytes = ToChain(*EncodeMessage(response, 3));
  EXPECT_EQ(*DecodeMessage<ApiVersionsResponse>(bytes, 3), response);
}

// [Wire 1.2]
TEST(MessagesTest, RefusesAnArrayLongerThanTheMessageBeforeReservingMemory) {
  // 0x7fffffff topics in a message of twenty bytes.
  std::string bytes(16, '\0');
  bytes += "\x7f\xff\xff\xff";
  EXPECT_EQ(DecodeMessage<FetchRequest>(Bytes::Copy(bytes.substr(4)), 0).status().message(),
            "an array has more elements than the message has bytes for (at byte 16 of 16)");
}

TEST(MessagesTest, BoundsTheMemoryThatAMessageMayTake) {
  // 40 million empty strings: one byte each on the wire, 32 in memory.
  Encoder encoder;
  encoder.WriteArrayLength(40'000'000, true);
  const Bytes head = std::get<Bytes>(std::move(encoder).Finish().pieces()[0]);
  const ByteChain body{head, Bytes::Copy(std::string(40'000'002, '\x01'))};
  const MessageType* type = FindMessage("DescribeGroupsRequest");
  EXPECT_THAT(std::string(type->recode(body, 5).status().message()),
              ::testing::HasSubstr("too much memory"));
}

TEST(MessagesTest, SharesRecordsInsteadOfCopyingThem) {
  const Bytes batch = Bytes::Copy(std::string(1000, 'r'));
  ProduceRequest request;
  request.topic_data.push_back(
      {.name = "orders", .partition_data = {{.index = 3, .records = batch}}});
  const ByteChain bytes = ToChain(*EncodeMessage(request, 9));
  const absl::StatusOr<ProduceRequest> decoded = DecodeMessage<ProduceRequest>(bytes, 9);
  ASSERT_TRUE(decoded.ok());
  const ByteChain& records = decoded->topic_data[0].partition_data[0].records.bytes();
  ASSERT_EQ(records.slices().size(), 1u);
  EXPECT_EQ(records.slices()[0].data(), batch.data());
}

class NoFile : public core::File {
 public:
  absl::StatusOr<ByteChain> ReadAt(uint64_t, size_t) override {
    return absl::UnimplementedError("");
  }
  absl::Status WriteAt(uint64_t, const ByteChain&) override { return absl::UnimplementedError(""); }
  absl::Status Truncate(uint64_t) override { return absl::UnimplementedError(""); }
  absl::Status Sync() override { return absl::UnimplementedError(""); }
  absl::StatusOr<uint64_t> Size() override { return absl::UnimplementedError(""); }
};

TEST(MessagesTest, SendsRecordsOutOfFilesAsRanges) {
  const auto file = std::make_shared<NoFile>();
  FetchResponse response;
  response.responses.push_back({.topic = "orders"});
  response.responses[0].partitions.push_back(
      {.partition_index = 1,
       .records = std::vector<core::FileRange>{{file, 100, 500}, {file, 9000, 70}}});
  response.responses[0].partitions.push_back({.partition_index = 2, .records = Records::Empty()});
  const absl::StatusOr<core::Payload> payload = EncodeMessage(response, 11);
  ASSERT_TRUE(payload.ok());
  ASSERT_EQ(payload->pieces().size(), 4u);
  const auto& first = std::get<core::FileRange>(payload->pieces()[1]);
  EXPECT_EQ(first.offset, 100u);
  EXPECT_EQ(first.length, 500u);
  EXPECT_EQ(std::get<core::FileRange>(payload->pieces()[2]).length, 70u);
  // The length in front of the ranges is their sum.
  const Bytes& before = std::get<Bytes>(payload->pieces()[0]);
  EXPECT_EQ(LoadBigEndian<uint32_t>(before.data() + before.size() - 4), 570u);
  // With the file's bytes in the ranges' place, the answer decodes.
  ByteChain received{before, Bytes::Zeros(570), std::get<Bytes>(payload->pieces()[3])};
  const absl::StatusOr<FetchResponse> decoded = DecodeMessage<FetchResponse>(received, 11);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->responses[0].partitions[0].records.size(), 570u);
  EXPECT_TRUE(decoded->responses[0].partitions[1].records.empty());
  EXPECT_FALSE(decoded->responses[0].partitions[1].records.is_null());
}

// [Wire 8]
TEST(MessagesTest, ReadsAStoredMessageOfALaterVersionAsFarAsItIsKnown) {
  GroupMetadataKey key;
  key.group = "billing";
  const absl::StatusOr<Bytes> bytes = EncodeVersioned(key, 2);
  ASSERT_TRUE(bytes.ok());
  std::string later = bytes->ToString();
  later[1] = 9;
  const auto decoded = DecodeVersioned<GroupMetadataKey>(ByteChain(Bytes::Copy(later + "more")));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->version, 9);
  EXPECT_EQ(decoded->message.group, "billing");
  EXPECT_FALSE(
      DecodeVersioned<GroupMetadataKey>(ByteChain(Bytes::Copy(std::string("\0\1\0\0", 4)))).ok());
}

}  // namespace
}  // namespace highwater::broker::protocol
