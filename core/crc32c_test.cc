#include "core/crc32c.h"

#include "core/random.h"

namespace highwater::core {
namespace {

uint32_t OfString(std::string_view text) {
  return Crc32c({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// Check value of the Castagnoli polynomial, and the vectors of RFC 3720, appendix B.4.
TEST(Crc32cTest, KnownVectors) {
  EXPECT_EQ(OfString(""), 0u);
  EXPECT_EQ(OfString("123456789"), 0xe3069283u);
  EXPECT_EQ(OfString(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(OfString(std::string(32, '\xff')), 0x62a8ab43u);
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) {
    ascending += static_cast<char>(i);
    descending += static_cast<char>(31 - i);
  }
  EXPECT_EQ(OfString(ascending), 0x46dd794eu);
  EXPECT_EQ(OfString(descending), 0x113fdb5cu);
}

// Lengths around the three interleaved streams of 256 bytes, at every alignment.
TEST(Crc32cTest, InstructionAndTableAgree) {
  KeyedRandom random(1);
  std::vector<uint8_t> data(6000);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(random.Next());
  for (size_t alignment = 0; alignment < 16; ++alignment) {
    for (const size_t length : {0, 1, 7, 8, 9, 255, 256, 767, 768, 769, 1535, 1536, 1537, 5000}) {
      const absl::Span<const uint8_t> span(data.data() + alignment, length);
      ASSERT_EQ(Crc32c(span), Crc32cExtendPortable(0, span)) << alignment << " " << length;
    }
  }
}

RC_GTEST_PROP(Crc32cTest, ExtendingInPiecesIsTheWhole, (uint64_t seed)) {
  KeyedRandom random(seed);
  std::vector<uint8_t> data(random.Below(5000));
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(random.Next());
  uint32_t hardware = 0;
  uint32_t portable = 0;
  for (size_t at = 0; at < data.size();) {
    const size_t n = 1 + random.Below(data.size() - at);
    hardware = Crc32cExtend(hardware, {data.data() + at, n});
    portable = Crc32cExtendPortable(portable, {data.data() + at, n});
    at += n;
  }
  RC_ASSERT(hardware == Crc32c(data));
  RC_ASSERT(portable == Crc32c(data));
}

TEST(Crc32cTest, EverySingleBitCounts) {
  std::vector<uint8_t> data(900, 0x5a);
  const uint32_t right = Crc32c(data);
  for (size_t bit = 0; bit < data.size() * 8; bit += 13) {
    data[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_NE(Crc32c(data), right) << bit;
    data[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
}

}  // namespace
}  // namespace highwater::core
