#include "broker/protocol/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/protocol/api_versions.h"
#include "broker/protocol/controlled_shutdown.h"
#include "broker/protocol/fetch.h"
#include "broker/protocol/message.h"
#include "broker/protocol/produce.h"
#include "broker/protocol/testing/arbitrary.h"
#include "broker/protocol/testing/vectors.h"

namespace highwater::broker::protocol {
namespace {

using core::ByteChain;
using core::Bytes;
using testing::ToHex;

std::string HexOf(const absl::StatusOr<core::Payload>& payload) {
  return payload.ok() ? ToHex(ToChain(*payload).ToString()) : payload.status().ToString();
}

ByteChain FromHexToChain(std::string_view hex) { return Bytes::Copy(*testing::FromHex(hex)); }

// The frame without its length.
ByteChain FrameOf(const absl::StatusOr<core::Payload>& payload) {
  ByteChain buffered = ToChain(*payload);
  absl::StatusOr<std::optional<ByteChain>> frame = TakeFrame(buffered, kDefaultMaxRequestBytes);
  HW_CHECK(frame.ok() && frame->has_value() && buffered.empty());
  return **frame;
}

// [Wire 1.4]
TEST(FrameTest, WritesTheRequestHeaderOfEachVersion) {
  // Length, key 18, version, correlation id 7, client id "ab"; version 3 adds a tag section and two
  // empty compact strings with theirs. The client id stays classic.
  EXPECT_EQ(HexOf(EncodeRequest(CorrelationId(7), "ab", ApiVersionsRequest(), 2)),
            "0000000c0012000200000007"
            "00026162");
  EXPECT_EQ(HexOf(EncodeRequest(CorrelationId(7), "ab", ApiVersionsRequest(), 3)),
            "000000100012000300000007"
            "0002616200"
            "010100");
  EXPECT_EQ(HexOf(EncodeRequest(CorrelationId(7), std::nullopt, ApiVersionsRequest(), 2)),
            "0000000a0012000200000007"
            "ffff");
  // ControlledShutdown v0 has no client id.
  EXPECT_EQ(
      HexOf(EncodeRequest(CorrelationId(7), "ab", ControlledShutdownRequest{.broker_id = 1}, 0)),
      "0000000c0007000000000007"
      "00000001");
}

// [Wire 1.4]
TEST(FrameTest, WritesTheResponseHeaderOfEachVersion) {
  EXPECT_EQ(HexOf(EncodeResponse(CorrelationId(7), ProduceResponse(), 8)),
            "0000000c00000007"
            "0000000000000000");
  EXPECT_EQ(HexOf(EncodeResponse(CorrelationId(7), ProduceResponse(), 9)),
            "0000000b00000007"
            "00"
            "010000000000");
  // An ApiVersions response never has header tags.
  EXPECT_EQ(HexOf(EncodeResponse(CorrelationId(7), ApiVersionsResponse(), 3)),
            "0000000c00000007"
            "0000010000000000");
}

TEST(FrameTest, ReadsARequestBack) {
  FetchRequest request;
  request.max_wait_ms = 500;
  request.rack_id = "az-a";
  for (int16_t version = 11; version <= FetchRequest::kHighestVersion; ++version) {
    const absl::StatusOr<ParsedRequest> parsed =
        ParseRequest(FrameOf(EncodeRequest(CorrelationId(-5), "replica-2", request, version)));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->header.api_key, ApiKey::kFetch);
    EXPECT_EQ(parsed->header.api_version, version);
    EXPECT_EQ(parsed->header.correlation_id, CorrelationId(-5));
    EXPECT_EQ(parsed->header.client_id, "replica-2");
    EXPECT_EQ(*DecodeMessage<FetchRequest>(parsed->body, version), request);
  }
}

TEST(FrameTest, ReadsAResponseBack) {
  FetchResponse response;
  response.session_id = 17;
  for (const int16_t version : {int16_t{11}, int16_t{12}}) {
    const ByteChain frame = FrameOf(EncodeResponse(CorrelationId(9), response, version));
    EXPECT_EQ(*PeekCorrelationId(frame), CorrelationId(9));
    const absl::StatusOr<FetchResponse> decoded = DecodeResponse<FetchResponse>(frame, version);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, response);
  }
}

TEST(FrameTest, TakesANullClientIdForEmpty) {
  const auto parsed = ParseRequest(FromHexToChain("0012000200000007ffff"));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->header.client_id, "");
}

// [Wire 2.3]
TEST(FrameTest, LetsApiVersionsThroughInAnyVersion) {
  // Version 4 counts as flexible.
  const auto parsed = ParseRequest(FromHexToChain("00120004000000070002616200ffff"));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->header.api_version, 4);
  EXPECT_EQ(parsed->body.size(), 2u);
}

// [Wire 2.2]
TEST(FrameTest, RefusesUnknownApisAndVersionsAndMalformedHeaders) {
  EXPECT_FALSE(ParseRequest(FromHexToChain("0034000000000007ffff00")).ok()) << "Vote is not served";
  EXPECT_FALSE(ParseRequest(FromHexToChain("7fff000000000007ffff00")).ok());
  EXPECT_FALSE(ParseRequest(FromHexToChain("ffff000000000007ffff00")).ok());
  EXPECT_FALSE(ParseRequest(FromHexToChain("0001000e00000007ffff00")).ok()) << "Fetch v14";
  EXPECT_FALSE(ParseRequest(FromHexToChain("0001ffff00000007ffff00")).ok());
  EXPECT_FALSE(ParseRequest(FromHexToChain("000000090000000700ff6162")).ok())
      << "client id cut off";
  EXPECT_FALSE(ParseRequest(FromHexToChain("00000009000000")).ok());
  EXPECT_FALSE(ParseRequest(ByteChain()).ok());
}

TEST(TakeFrameTest, TakesFramesAsTheyComeIn) {
  const std::string stream = *testing::FromHex(
      "00000003"
      "616263"
      "00000000"
      "00000001"
      "64");
  ByteChain buffered;
  std::vector<std::string> frames;
  for (const char c : stream) {
    buffered.Append(Bytes::Copy({&c, 1}));
    while (true) {
      const absl::StatusOr<std::optional<ByteChain>> frame = TakeFrame(buffered, 3);
      ASSERT_TRUE(frame.ok());
      if (!frame->has_value()) break;
      frames.push_back((*frame)->ToString());
    }
  }
  EXPECT_THAT(frames, ::testing::ElementsAre("abc", "", "d"));
  EXPECT_TRUE(buffered.empty());
}

TEST(TakeFrameTest, RefusesLengthsBeforeTheirBytesHaveCome) {
  ByteChain too_long = FromHexToChain("00000004");
  EXPECT_EQ(TakeFrame(too_long, 3).status().code(), absl::StatusCode::kResourceExhausted);
  ByteChain negative = FromHexToChain("ffffffff");
  EXPECT_EQ(TakeFrame(negative, 3).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(FrameTest, WritesRawTokens) {
  EXPECT_EQ(ToHex(ToChain(EncodeRawFrame(Bytes::Copy("tok"))).ToString()), "00000003746f6b");
}

RC_GTEST_PROP(FrameTest, AnyBytesGiveAHeaderOrAnError, (uint64_t seed)) {
  testing::ArbitrarySource source(seed);
  const ByteChain frame =
      ToChain(*EncodeRequest(CorrelationId(7), source.String(), ApiVersionsRequest(), 3));
  const ByteChain mutated = testing::Mutate(source.random(), frame.Slice(4, frame.size() - 4));
  const absl::StatusOr<ParsedRequest> whole = ParseRequest(mutated);
  const absl::StatusOr<ParsedRequest> cut =
      ParseRequest(testing::CutAtRandom(source.random(), mutated));
  RC_ASSERT(whole.ok() == cut.ok());
  if (whole.ok()) RC_ASSERT(whole->body == cut->body);
}

}  // namespace
}  // namespace highwater::broker::protocol
