// The primitive types, at their edges.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/protocol/decoder.h"
#include "broker/protocol/encoder.h"
#include "broker/protocol/testing/vectors.h"

namespace highwater::broker::protocol {
namespace {

using core::ByteChain;
using core::Bytes;
using testing::ToHex;

std::string HexOf(Encoder encoder) {
  return ToHex(ToChain(std::move(encoder).Finish()).ToString());
}
ByteChain ChainOf(std::string_view hex) { return Bytes::Copy(*testing::FromHex(hex)); }

// [V3, Wire 1.2]
TEST(EncoderTest, WritesVarintsInGroupsOfSevenBits) {
  Encoder encoder;
  for (const uint32_t value : {0u, 127u, 128u, 16383u, 16384u, 0xffffffffu})
    encoder.WriteUnsignedVarint(value);
  EXPECT_EQ(HexOf(std::move(encoder)), "007f8001ff7f808001ffffffff0f");
}

TEST(EncoderTest, RefusesStringsThatKafkaCannotRead) {
  for (const bool compact : {false, true}) {
    Encoder fits;
    fits.WriteString(std::string(32767, 's'), compact);
    EXPECT_TRUE(fits.status().ok());
    Encoder encoder;
    encoder.WriteString(std::string(32768, 's'), compact);
    EXPECT_EQ(encoder.status().message(), "a string is too long");
  }
}

TEST(EncoderTest, KeepsSharedBytesInTheirPlaceBehindATagsSize) {
  const std::string content(300, 'b');
  Encoder encoder;
  encoder.WriteInt8(1);
  const Encoder::TagMark mark = encoder.BeginTag();
  encoder.WriteInt8(2);
  encoder.WriteRaw(ByteChain(Bytes::Copy(content)));
  encoder.WriteInt8(3);
  encoder.EndTag(mark);
  EXPECT_EQ(encoder.size(), 1u + 2u + 302u);
  // 302 takes two bytes as a varint.
  EXPECT_EQ(HexOf(std::move(encoder)), "01ae0202" + ToHex(content) + "03");
}

TEST(EncoderTest, CopiesShortBytesAndSharesLongOnes) {
  const Bytes short_bytes = Bytes::Copy(std::string(Encoder::kShareFromBytes - 1, 's'));
  const Bytes long_bytes = Bytes::Copy(std::string(Encoder::kShareFromBytes, 'l'));
  Encoder encoder;
  encoder.WriteBytes(short_bytes, false);
  encoder.WriteBytes(long_bytes, false);
  const core::Payload payload = std::move(encoder).Finish();
  ASSERT_EQ(payload.pieces().size(), 2u);
  EXPECT_EQ(std::get<Bytes>(payload.pieces()[1]).data(), long_bytes.data());
}

// [V3]
TEST(DecoderTest, RefusesVarintsThatDoNotEnd) {
  const ByteChain longest = ChainOf("ffffffff0f");
  Decoder fits(longest);
  EXPECT_EQ(fits.ReadUnsignedVarint(), 0xffffffffu);
  EXPECT_TRUE(fits.ok());
  const ByteChain endless = ChainOf("ffffffffff01");
  Decoder decoder(endless);
  EXPECT_EQ(decoder.ReadUnsignedVarint(), 0u);
  EXPECT_EQ(decoder.status().message(), "a varint is longer than five bytes (at byte 5 of 6)");
}

// [V3]
TEST(DecoderTest, ReadsSignedVarints) {
  const ByteChain chain = ChainOf("00010203feffffff0fffffffff0f");
  Decoder decoder(chain);
  std::vector<int32_t> values;
  while (decoder.remaining() > 0) values.push_back(decoder.ReadVarint());
  EXPECT_THAT(values, ::testing::ElementsAre(0, -1, 1, -2, 2147483647, -2147483647 - 1));
  const ByteChain longs = ChainOf("ffffffffffffffffff01fffffffffffffffff000");
  Decoder long_decoder(longs);
  EXPECT_EQ(long_decoder.ReadVarlong(), INT64_MIN);
}

TEST(DecoderTest, StaysFailedAndGivesZerosAfterAnError) {
  const ByteChain chain = ChainOf("0102030405");
  Decoder decoder(chain);
  EXPECT_EQ(decoder.ReadInt16(), 0x0102);
  EXPECT_EQ(decoder.ReadInt32(), 0);
  EXPECT_EQ(decoder.status().message(), "the message ends too early (at byte 2 of 5)");
  EXPECT_EQ(decoder.ReadInt8(), 0);
  EXPECT_EQ(decoder.remaining(), 0u);
  std::string text = "before";
  decoder.ReadString(text, true);
  EXPECT_EQ(text, "");
  EXPECT_EQ(decoder.status().message(), "the message ends too early (at byte 2 of 5)");
}

TEST(DecoderTest, ReadsNumbersThatStraddleSlices) {
  const ByteChain chain{Bytes::Copy("\x01"), Bytes::Copy("\x02\x03"),
                        Bytes::Copy("\x04\x05\x06\x07\x08\x09")};
  Decoder decoder(chain);
  EXPECT_EQ(decoder.ReadInt64(), 0x0102030405060708);
  EXPECT_EQ(decoder.position(), 8u);
  EXPECT_EQ(decoder.ReadInt8(), 9);
  EXPECT_TRUE(decoder.ok());
}

// [Wire 1.2]
TEST(DecoderTest, TakesAnyNegativeClassicLengthForNull) {
  const ByteChain chain = ChainOf("fffe8000000080000000");
  Decoder decoder(chain);
  std::optional<std::string> text = "before";
  decoder.ReadNullableString(text, false);
  EXPECT_EQ(text, std::nullopt);
  std::optional<ByteChain> bytes = ByteChain();
  decoder.ReadNullableBytes(bytes, false);
  EXPECT_EQ(bytes, std::nullopt);
  EXPECT_EQ(decoder.ReadNullableArrayLength(1, 1, false), -1);
  EXPECT_TRUE(decoder.ok());
}

}  // namespace
}  // namespace highwater::broker::protocol
