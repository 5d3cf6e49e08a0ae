#include "broker/protocol/compression.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/protocol/encoder.h"
#include "broker/protocol/testing/arbitrary.h"

namespace highwater::broker::protocol {
namespace {

using core::Bytes;

constexpr Codec kAll[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};
constexpr Codec kReal[] = {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

Bytes CompressToBytes(Codec codec, std::string_view data) {
  core::BytesBuilder builder;
  EXPECT_TRUE(Compress(codec, data, builder).ok());
  return std::move(builder).Freeze();
}

// Text that compresses, longer than a block of any codec.
std::string LongText() {
  std::string text;
  for (int i = 0; text.size() < 300'000; ++i)
    text += "record " + std::to_string(i * 7919 % 1000) + ";";
  return text;
}

TEST(CompressionTest, GivesBackWhatWasCompressed) {
  for (const Codec codec : kAll) {
    for (const std::string& data : {std::string("x"), LongText(), std::string(1 << 20, 'a')}) {
      const absl::StatusOr<Bytes> out =
          Decompress(codec, CompressToBytes(codec, data), data.size());
      ASSERT_TRUE(out.ok()) << NameOf(codec) << ": " << out.status();
      EXPECT_EQ(out->view(), data) << NameOf(codec);
    }
  }
}

TEST(CompressionTest, Compresses) {
  for (const Codec codec : kReal) {
    EXPECT_LT(CompressToBytes(codec, LongText()).size(), LongText().size() / 2) << NameOf(codec);
  }
}

TEST(CompressionTest, StopsAtTheBound) {
  const std::string zeros(4 << 20, '\0');
  for (const Codec codec : kReal) {
    const Bytes bomb = CompressToBytes(codec, zeros);
    EXPECT_TRUE(Decompress(codec, bomb, zeros.size()).ok()) << NameOf(codec);
    for (const size_t bound : {size_t{0}, size_t{1}, size_t{4096}, zeros.size() - 1}) {
      EXPECT_EQ(Decompress(codec, bomb, bound).status().code(),
                absl::StatusCode::kResourceExhausted)
          << NameOf(codec) << " bounded to " << bound;
    }
  }
}

TEST(CompressionTest, RefusesWhatIsCutOff) {
  for (const Codec codec : kReal) {
    const Bytes whole = CompressToBytes(codec, LongText());
    for (const size_t size :
         {size_t{1}, size_t{5}, size_t{17}, whole.size() / 2, whole.size() - 1}) {
      EXPECT_EQ(Decompress(codec, whole.Slice(0, size), 1 << 20).status().code(),
                absl::StatusCode::kDataLoss)
          << NameOf(codec) << " cut to " << size;
    }
  }
}

TEST(CompressionTest, ReadsOneRawSnappyBlock) {
  // Length 5, then a literal of five bytes.
  const Bytes raw = Bytes::Copy("\x05\x10hello");
  EXPECT_EQ(Decompress(Codec::kSnappy, raw, 100)->view(), "hello");
}

TEST(CompressionTest, ReadsSnappyWrittenInTwoParts) {
  const std::string twice = CompressToBytes(Codec::kSnappy, "one ").ToString() +
                            CompressToBytes(Codec::kSnappy, "two").ToString();
  EXPECT_EQ(Decompress(Codec::kSnappy, Bytes::Copy(twice), 100)->view(), "one two");
}

TEST(CompressionTest, ReadsFramesInARow) {
  for (const Codec codec : {Codec::kGzip, Codec::kLz4, Codec::kZstd}) {
    const std::string twice =
        CompressToBytes(codec, "one ").ToString() + CompressToBytes(codec, "two").ToString();
    const absl::StatusOr<Bytes> out = Decompress(codec, Bytes::Copy(twice), 100);
    ASSERT_TRUE(out.ok()) << NameOf(codec) << ": " << out.status();
    EXPECT_EQ(out->view(), "one two") << NameOf(codec);
  }
}

TEST(CompressionTest, RefusesASnappyBlockThatClaimsMoreThanItCanHold) {
  const Bytes claims = Bytes::Copy("\xff\xff\xff\x7f\x10hello");
  // Refused as corrupt before the bound is looked at, so before memory is taken.
  EXPECT_EQ(Decompress(Codec::kSnappy, claims, 1000).status().code(), absl::StatusCode::kDataLoss);
}

RC_GTEST_PROP(CompressionTest, AnyBytesGiveDataOrAnError, (uint64_t seed)) {
  testing::ArbitrarySource source(seed);
  for (const Codec codec : kReal) {
    const std::string data = source.String() + source.Bytes().ToString();
    const core::ByteChain mutated = testing::Mutate(source.random(), CompressToBytes(codec, data));
    const absl::StatusOr<Bytes> out = Decompress(codec, mutated.Flatten(), 1000);
    if (out.ok()) RC_ASSERT(out->size() <= 1000u);
  }
}

}  // namespace
}  // namespace highwater::broker::protocol
