#include "broker/zookeeper/jute/jute.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

core::Bytes Raw(std::initializer_list<int> bytes) {
  std::string content;
  for (const int byte : bytes) content.push_back(static_cast<char>(byte));
  return core::Bytes::Copy(content);
}

// [1.1]
TEST(JuteTest, IntegersAreBigEndian) {
  JuteWriter writer;
  writer(int32_t{0x01020304});
  writer(int64_t{-2});
  writer(true);
  EXPECT_EQ(std::move(writer).Finish(),
            Raw({1, 2, 3, 4, 255, 255, 255, 255, 255, 255, 255, 254, 1}));
}

// [1.1]
TEST(JuteTest, NullAndEmptyBuffersAreKeptApart) {
  JuteWriter writer;
  writer(std::optional<core::Bytes>());
  writer(std::optional<core::Bytes>(core::Bytes()));
  const core::Bytes bytes = std::move(writer).Finish();
  EXPECT_EQ(bytes, Raw({255, 255, 255, 255, 0, 0, 0, 0}));

  JuteReader reader(bytes);
  std::optional<core::Bytes> null = core::Bytes();
  std::optional<core::Bytes> empty;
  reader(null);
  reader(empty);
  ASSERT_TRUE(reader.status().ok());
  EXPECT_FALSE(null.has_value());
  ASSERT_TRUE(empty.has_value());
  EXPECT_TRUE(empty->empty());
}

TEST(JuteTest, ANullStringOrVectorReadsAsAnEmptyOne) {
  JuteReader reader(Raw({255, 255, 255, 255, 255, 255, 255, 255}));
  std::string text = "before";
  std::vector<int32_t> values = {1};
  reader(text);
  reader(values);
  EXPECT_TRUE(reader.status().ok());
  EXPECT_EQ(text, "");
  EXPECT_TRUE(values.empty());
}

TEST(JuteTest, ABufferIsASliceOfTheSameBlock) {
  const core::Bytes bytes = Raw({0, 0, 0, 2, 'a', 'b'});
  JuteReader reader(bytes);
  core::Bytes value;
  reader(value);
  EXPECT_EQ(value.data(), bytes.data() + 4);
}

TEST(JuteTest, ALengthPastTheEndFailsAndStaysFailed) {
  JuteReader reader(Raw({0, 0, 0, 9, 'a', 'b', 0, 0, 0, 1}));
  std::string text;
  reader(text);
  EXPECT_FALSE(reader.status().ok());
  EXPECT_THAT(std::string(reader.status().message()), testing::HasSubstr("string"));
  int32_t after = 7;
  reader(after);
  EXPECT_EQ(after, 0);
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(JuteTest, AVectorsCountIsHeldAgainstWhatIsLeft) {
  JuteReader reader(Raw({0x7f, 0xff, 0xff, 0xff, 1, 2, 3}));
  std::vector<int64_t> values;
  reader(values);
  EXPECT_FALSE(reader.status().ok());
  EXPECT_EQ(values.capacity(), 0u);
}

TEST(JuteTest, ALengthBelowMinusOneFails) {
  JuteReader reader(Raw({255, 255, 255, 254}));
  core::Bytes value;
  reader(value);
  EXPECT_FALSE(reader.status().ok());
}

TEST(JuteTest, PatchLengthCountsWhatFollows) {
  JuteWriter writer;
  writer(int32_t{0});
  writer(int64_t{5});
  writer.PatchLength(0);
  EXPECT_EQ(std::move(writer).Finish().Slice(0, 4), Raw({0, 0, 0, 8}));
}

RC_GTEST_PROP(JuteTest, StringsAndNumbersSurviveARoundTrip,
              (const std::string& text, int32_t i, int64_t l, const std::vector<int64_t>& many)) {
  JuteWriter writer;
  writer(text);
  writer(i);
  writer(l);
  writer(many);
  JuteReader reader(std::move(writer).Finish());
  std::string text_back;
  int32_t i_back = 0;
  int64_t l_back = 0;
  std::vector<int64_t> many_back;
  reader(text_back);
  reader(i_back);
  reader(l_back);
  reader(many_back);
  RC_ASSERT(reader.status().ok());
  RC_ASSERT(reader.remaining() == 0u);
  RC_ASSERT(text_back == text);
  RC_ASSERT(i_back == i);
  RC_ASSERT(l_back == l);
  RC_ASSERT(many_back == many);
}

}  // namespace
}  // namespace highwater::broker::zookeeper
