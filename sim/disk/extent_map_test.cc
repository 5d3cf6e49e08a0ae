#include "sim/disk/extent_map.h"

#include <string>

#include "core/random.h"

namespace highwater::sim {
namespace {

using core::ByteChain;
using core::Bytes;

std::string ContentOf(const ExtentMap& map, uint64_t length, ZeroBlock& zeros) {
  return map.Read(0, length, zeros).ToString();
}

TEST(ExtentMapTest, SharesTheSlicesThatItWasGiven) {
  ExtentMap map;
  ZeroBlock zeros;
  const Bytes slice = Bytes::Copy(std::string(1000, 'x'));
  map.Write(10, slice);
  EXPECT_EQ(map.Read(10, 1000, zeros).slices()[0].data(), slice.data());
  EXPECT_EQ(map.Read(110, 5, zeros).slices()[0].data(), slice.data() + 100);
}

TEST(ExtentMapTest, ReadsHolesAsZeros) {
  ExtentMap map;
  ZeroBlock zeros;
  map.Write(3, Bytes::Copy("abc"));
  EXPECT_EQ(ContentOf(map, 8, zeros), std::string("\0\0\0abc\0\0", 8));
  EXPECT_EQ(map.Read(0, 200'000, zeros).size(), 200'000u);
}

RC_GTEST_PROP(ExtentMapTest, IsAStringWithHoles, (uint32_t seed)) {
  core::KeyedRandom random(seed);
  constexpr size_t kLength = 6000;
  ExtentMap map;
  ZeroBlock zeros;
  std::string content(kLength, '\0');
  std::string written(kLength, 0);
  for (int i = 0; i < 300; ++i) {
    const size_t offset = random.Below(kLength);
    const size_t longest = random.Chance(1, 10) ? 3000 : 40;
    const size_t length = std::min(kLength - offset, random.Below(longest) + 1);
    if (random.Chance(1, 4)) {
      map.Erase(offset, length);
      std::fill_n(content.begin() + offset, length, '\0');
      std::fill_n(written.begin() + offset, length, 0);
    } else {
      const std::string data(length, static_cast<char>('a' + i % 26));
      const size_t cut = random.Below(length + 1);
      map.Write(offset, ByteChain{Bytes::Copy(data.substr(0, cut)), Bytes::Copy(data.substr(cut))});
      content.replace(offset, length, data);
      std::fill_n(written.begin() + offset, length, 1);
    }
    const auto covered = std::count(written.begin(), written.end(), 1);
    RC_ASSERT(map.covered() == static_cast<uint64_t>(covered));
    const size_t last = written.rfind('\1');
    RC_ASSERT(map.end() == (last == std::string::npos ? 0 : last + 1));
  }
  RC_ASSERT(ContentOf(map, kLength, zeros) == content);
  const size_t from = random.Below(kLength);
  const size_t n = random.Below(kLength - from);
  RC_ASSERT(map.Read(from, n, zeros).ToString() == content.substr(from, n));
  RC_ASSERT(map.CoveredIn(from, n) == static_cast<uint64_t>(std::count(
                                          written.begin() + from, written.begin() + from + n, 1)));
}

TEST(ExtentMapTest, KeepsFewExtentsForManyTinyAppends) {
  ExtentMap map;
  for (uint64_t i = 0; i < 100'000; ++i) map.Write(i * 8, Bytes::Copy("12345678"));
  EXPECT_LT(map.extent_count(), 5'000u);
  EXPECT_EQ(map.covered(), 800'000u);
}

TEST(ExtentMapTest, LetsGoOfBlocksOfWhichLittleIsInUse) {
  ExtentMap map;
  ZeroBlock zeros;
  const Bytes block = Bytes::Copy(std::string(1 << 20, 'x'));
  map.Write(0, block);
  map.Erase(1000, 1 << 20);
  EXPECT_EQ(map.Read(0, 1000, zeros).ToString(), std::string(1000, 'x'));
  EXPECT_NE(map.Read(0, 1000, zeros).slices()[0].data(), block.data());
}

}  // namespace
}  // namespace highwater::sim
