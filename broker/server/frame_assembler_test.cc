#include "broker/server/frame_assembler.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace highwater::broker {
namespace {

std::string Frame(const std::string& content) {
  std::string frame(4, '\0');
  for (int i = 0; i < 4; ++i) frame[i] = static_cast<char>(content.size() >> (24 - 8 * i));
  return frame + content;
}

void Add(FrameAssembler& assembler, const std::string& bytes) {
  assembler.Add(core::ByteChain(core::Bytes::Copy(bytes)));
}

// [Wire 1.1]
TEST(FrameAssemblerTest, GivesARequestOnceItIsWhole) {
  FrameAssembler assembler(100);
  Add(assembler, Frame("hello").substr(0, 6));
  auto request = assembler.Take();
  ASSERT_TRUE(request.ok());
  EXPECT_FALSE(request->has_value());
  EXPECT_EQ(assembler.missing(), 3u);
  Add(assembler, Frame("hello").substr(6));
  request = assembler.Take();
  ASSERT_TRUE(request.ok() && request->has_value());
  EXPECT_EQ((*request)->ToString(), "hello");
  EXPECT_EQ(assembler.buffered(), 0u);
}

// [Wire 1.1]
TEST(FrameAssemblerTest, RefusesALengthAboveTheLimitAtOnce) {
  FrameAssembler assembler(5);
  Add(assembler, Frame("123456").substr(0, 4));
  EXPECT_TRUE(absl::IsResourceExhausted(assembler.Take().status()));
}

// [Wire 1.1]
TEST(FrameAssemblerTest, RefusesANegativeLength) {
  FrameAssembler assembler(5);
  Add(assembler, "\xff\xff\xff\xff");
  EXPECT_TRUE(absl::IsInvalidArgument(assembler.Take().status()));
}

TEST(FrameAssemblerTest, ADribbleCostsFewSlices) {
  FrameAssembler assembler(100'000);
  const std::string frame = Frame(std::string(50'000, 'x'));
  for (const char c : frame) Add(assembler, std::string(1, c));
  const auto request = assembler.Take();
  ASSERT_TRUE(request.ok() && request->has_value());
  EXPECT_EQ((*request)->size(), 50'000u);
  EXPECT_LE((*request)->slices().size(), 3u);
}

// However a stream is cut into pieces, the same requests come out.
RC_GTEST_PROP(FrameAssemblerProperty, CutsDoNotMatter, ()) {
  const auto contents = *rc::gen::container<std::vector<std::string>>(rc::gen::oneOf(
      rc::gen::arbitrary<std::string>(),
      rc::gen::map(rc::gen::inRange(0, 5000), [](int n) { return std::string(n, 'y'); })));
  std::string stream;
  for (const std::string& content : contents) stream += Frame(content);
  FrameAssembler assembler(10'000);
  std::vector<std::string> got;
  while (!stream.empty()) {
    const size_t n = std::min<size_t>(stream.size(), *rc::gen::inRange<size_t>(1, 3000));
    Add(assembler, stream.substr(0, n));
    stream.erase(0, n);
    while (true) {
      auto request = assembler.Take();
      RC_ASSERT(request.ok());
      if (!request->has_value()) break;
      got.push_back((*request)->ToString());
    }
  }
  RC_ASSERT(got == contents);
}

}  // namespace
}  // namespace highwater::broker
