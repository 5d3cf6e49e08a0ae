#include "broker/storage/offset_index.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::storage {
namespace {

std::string Hex(const core::Bytes& bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

core::Bytes WithZeros(const core::Bytes& content, size_t zeros) {
  return core::ByteChain{content, core::Bytes::Zeros(zeros)}.Flatten();
}

TEST(OffsetIndexTest, AnEntryIsEightBytesBigEndian) {  // [L9]
  OffsetIndex index;
  index.MaybeAppend(0x01020304, 0x0a0b0c0d);
  EXPECT_EQ(Hex(index.Encode(0)), "010203040a0b0c0d");
}

// [L8]
TEST(OffsetIndexTest, LooksUpTheLastEntryAtOrBelow) {
  OffsetIndex index;
  index.MaybeAppend(10, 100);
  index.MaybeAppend(20, 200);
  EXPECT_EQ(index.Lookup(9), 0u);
  EXPECT_EQ(index.Lookup(10), 100u);
  EXPECT_EQ(index.Lookup(19), 100u);
  EXPECT_EQ(index.Lookup(int64_t{1} << 40), 200u);
}

TEST(OffsetIndexTest, IgnoresWhatDoesNotLieAboveTheLastEntry) {
  OffsetIndex index;
  index.MaybeAppend(10, 100);
  index.MaybeAppend(10, 200);
  index.MaybeAppend(11, 100);
  index.MaybeAppend(-1, 300);
  index.MaybeAppend(12, uint64_t{1} << 31);
  EXPECT_EQ(index.entries().size(), 1u);
}

TEST(OffsetIndexTest, ZerosAtTheEndAreNoEntries) {  // [M87]
  OffsetIndex index;
  index.MaybeAppend(10, 256);  // its last byte is a zero too
  const auto decoded = OffsetIndex::Decode(WithZeros(index.Encode(0), 8 * 100), 1000);
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->entries().size(), 1u);
  EXPECT_EQ(decoded->entries()[0], (OffsetIndex::Entry{10, 256}));
}

TEST(OffsetIndexTest, RefusesWhatIsNoIndexOfTheSegment) {  // [M87]
  OffsetIndex index;
  index.MaybeAppend(10, 100);
  index.MaybeAppend(20, 200);
  EXPECT_TRUE(OffsetIndex::Decode(index.Encode(0), 201));
  EXPECT_FALSE(OffsetIndex::Decode(index.Encode(0), 200)) << "points behind the segment";
  EXPECT_FALSE(OffsetIndex::Decode(WithZeros(index.Encode(0), 3), 201)) << "no whole entries";
  const core::Bytes twice = core::ByteChain{index.Encode(0), index.Encode(0)}.Flatten();
  EXPECT_FALSE(OffsetIndex::Decode(twice, 201)) << "not increasing";
}

TEST(TimeIndexTest, AnEntryIsTwelveBytesBigEndian) {  // [L9]
  TimeIndex index;
  index.MaybeAppend(0x0102030405060708, 0x0a0b0c0d);
  EXPECT_EQ(Hex(index.Encode(0)), "01020304050607080a0b0c0d");
}

TEST(TimeIndexTest, LooksUpBelowTheTimestamp) {
  TimeIndex index;
  index.MaybeAppend(1000, 10);
  index.MaybeAppend(2000, 20);
  EXPECT_EQ(index.Lookup(1000), 0);
  EXPECT_EQ(index.Lookup(1001), 10);
  EXPECT_EQ(index.Lookup(9999), 20);
}

// [L9]
RC_GTEST_PROP(TimeIndexTest, SurvivesItsFile, ()) {
  TimeIndex index;
  int64_t timestamp = 1;  // an entry of zeros alone is what preallocation leaves behind [M87]
  int64_t offset = 0;
  for (int i = *rc::gen::inRange(0, 50); i > 0; --i) {
    timestamp += *rc::gen::inRange(0, 300);
    offset += *rc::gen::inRange(0, 300);
    index.MaybeAppend(timestamp, offset);
  }
  if (!index.entries().empty()) index.TruncateTo(*rc::gen::inRange<int64_t>(1, offset + 2));
  const auto decoded = TimeIndex::Decode(index.Encode(0));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(decoded->entries() == index.entries());
}

RC_GTEST_PROP(OffsetIndexTest, AnyBytesGiveAnIndexOrNone, ()) {
  const auto bytes = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  const auto index = OffsetIndex::Decode(core::Bytes::Copy(bytes), 1 << 20);
  if (index && !index->entries().empty()) RC_ASSERT(index->Lookup(int64_t{1} << 33) < (1u << 20));
  static_cast<void>(TimeIndex::Decode(core::Bytes::Copy(bytes)));
}

}  // namespace
}  // namespace highwater::broker::storage
