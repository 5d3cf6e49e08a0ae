#include "core/bytes.h"

#include "core/crc32c.h"
#include "core/random.h"

namespace highwater::core {
namespace {

std::string RandomString(Random& random, size_t length) {
  std::string result;
  for (size_t i = 0; i < length; ++i) result += static_cast<char>(random.Below(256));
  return result;
}

TEST(BytesTest, ASliceSharesItsBlock) {
  const Bytes whole = Bytes::Copy("highwater");
  const Bytes part = whole.Slice(4, 5);
  EXPECT_EQ(part.view(), "water");
  EXPECT_EQ(part.data(), whole.data() + 4);
}

TEST(BytesTest, ASliceOutlivesTheWhole) {
  Bytes part;
  {
    const Bytes whole = Bytes::Copy(std::string(100'000, 'x') + "tail");
    part = whole.Slice(100'000, 4);
  }
  const Bytes other = Bytes::Copy(std::string(100'000, 'y'));
  EXPECT_EQ(part.view(), "tail");
}

TEST(BytesTest, MovingSliceTakesTheReference) {
  Bytes whole = Bytes::Copy("highwater");
  const Bytes part = std::move(whole).Slice(0, 4);
  EXPECT_EQ(part.view(), "high");
  EXPECT_TRUE(Bytes::Copy("abc").Slice(3, 0).empty());
  EXPECT_TRUE(std::move(whole).Slice(0, 0).empty());
}

TEST(BytesTest, SlicingPastTheEndFailsACheck) {
  const Bytes bytes = Bytes::Copy("abc");
  EXPECT_DEATH(static_cast<void>(bytes.Slice(1, 3)), "slice");
  EXPECT_DEATH(static_cast<void>(bytes.Slice(4, 0)), "slice");
  EXPECT_DEATH(static_cast<void>(bytes.Slice(1, ~size_t{0})), "slice");
  EXPECT_DEATH(static_cast<void>(ByteChain(bytes).Slice(2, ~size_t{0})), "slice");
}

// What is remembered for one slice must never be given for another of the same block.
TEST(BytesTest, RemembersChecksumsForTheRightSliceOnly) {
  const std::string content = "the body of a record batch";
  const auto expect_right = [](const Bytes& bytes) {
    const Bytes fresh = Bytes::Copy(bytes.view());
    EXPECT_EQ(bytes.Crc32c(), Crc32c({fresh.data(), fresh.size()}));
    EXPECT_EQ(bytes.Digest(), fresh.Digest());
  };
  Bytes whole = Bytes::Copy(content);
  expect_right(whole);
  expect_right(whole.Slice(0, 5));
  expect_right(whole.Slice(5, content.size() - 5));
  expect_right(whole);
  whole.RemovePrefix(4);
  expect_right(whole);
  // The other order, and the part first.
  const Bytes other = Bytes::Copy(content);
  expect_right(other.Slice(3, 7));
  EXPECT_EQ(other.Slice(3, 7).Digest(), Bytes::Copy(content.substr(3, 7)).Digest());
  expect_right(other);
  EXPECT_EQ(Bytes().Crc32c(), 0u);
}

TEST(BytesTest, ARecycledBlockRemembersNothing) {
  for (int i = 0; i < 100; ++i) {
    const std::string content(64, static_cast<char>('a' + i % 26));
    const Bytes bytes = Bytes::Copy(content);  // in the block that the last round gave back
    ASSERT_EQ(bytes.Crc32c(), Crc32c({reinterpret_cast<const uint8_t*>(content.data()), 64}));
  }
}

TEST(BytesTest, BlocksOfAllSizesHoldWhatIsWrittenIntoThem) {
  for (int round = 0; round < 2; ++round) {  // the second one takes recycled blocks
    std::vector<Bytes> kept;
    for (size_t size = 1; size < 140'000; size += 1 + size / 64) {
      kept.push_back(Bytes::Copy(std::string(size, static_cast<char>('a' + size % 26))));
    }
    for (const Bytes& bytes : kept) {
      const auto letter = static_cast<char>('a' + bytes.size() % 26);
      ASSERT_EQ(bytes.view().find_first_not_of(letter), std::string_view::npos) << bytes.size();
    }
  }
}

TEST(BytesTest, ABuildersChecksumIsRememberedByWhatItBuilt) {
  BytesBuilder builder;
  builder.Append(std::string_view("the header and the body of a record batch"));
  const uint32_t crc = builder.Crc32cFrom(10);
  builder.data()[3] = 'x';  // in front of what the checksum covers
  const Bytes built = std::move(builder).Freeze();
  EXPECT_EQ(crc, Bytes::Copy(built.view().substr(10)).Crc32c());
  EXPECT_EQ(built.Slice(10, built.size() - 10).Crc32c(), crc);
  EXPECT_EQ(built.Slice(11, built.size() - 11).Crc32c(),
            Bytes::Copy(built.view().substr(11)).Crc32c());
  EXPECT_EQ(built.Digest(), Bytes::Copy(built.view()).Digest());
}

TEST(BytesTest, BuilderKeepsWhatItWasGivenThroughGrowth) {
  BytesBuilder builder(0);
  std::string model;
  for (int i = 0; i < 300; ++i) {
    const std::string part(static_cast<size_t>(i), static_cast<char>('a' + i % 26));
    builder.Append(part);
    model += part;
    if (i % 50 == 49) {
      builder.Truncate(model.size() / 2);
      model.resize(model.size() / 2);
    }
  }
  EXPECT_EQ(builder.size(), model.size());
  EXPECT_EQ(std::move(builder).Freeze().view(), model);
  EXPECT_EQ(builder.size(), 0u);
  builder.Append("again");
  EXPECT_EQ(std::move(builder).Freeze().view(), "again");
}

TEST(ByteChainTest, FlattenSharesASingleSlice) {
  const Bytes bytes = Bytes::Copy("abc");
  EXPECT_EQ(ByteChain(bytes).Flatten().data(), bytes.data());
  EXPECT_EQ((ByteChain{Bytes::Copy("a"), Bytes(), Bytes::Copy("bc")}).Flatten().view(), "abc");
  EXPECT_EQ((ByteChain{Bytes(), bytes}).slices().size(), 1u);
}

// A chain under random operations against a string.
RC_GTEST_PROP(ByteChainTest, BehavesAsAString, (uint64_t seed)) {
  KeyedRandom random(seed);
  ByteChain chain;
  std::string model;
  for (int step = 0; step < 60; ++step) {
    switch (random.Below(6)) {
      case 0:
      case 1: {
        const std::string part = RandomString(random, random.Below(40));
        chain.Append(Bytes::Copy(part));
        model += part;
        break;
      }
      case 2: {
        const size_t n = random.Below(model.size() + 1);
        chain.RemovePrefix(n);
        model.erase(0, n);
        break;
      }
      case 3: {
        const size_t offset = random.Below(model.size() + 1);
        const size_t length = random.Below(model.size() - offset + 1);
        chain = chain.Slice(offset, length);
        model = model.substr(offset, length);
        break;
      }
      case 4: {
        const size_t offset = random.Below(model.size() + 1);
        const size_t length = random.Below(model.size() - offset + 1);
        ByteChain copy = chain.Slice(offset, length);
        chain.Append(copy);
        model += model.substr(offset, length);
        break;
      }
      default: {
        const size_t offset = random.Below(model.size() + 1);
        const size_t length = random.Below(model.size() - offset + 1);
        std::string part(length, '\0');
        chain.CopyTo(offset, length, reinterpret_cast<uint8_t*>(part.data()));
        RC_ASSERT(part == model.substr(offset, length));
        break;
      }
    }
    if (model.size() > 2000) {
      chain.Clear();
      model.clear();
    }
    RC_ASSERT(chain.size() == model.size());
    RC_ASSERT(chain.ToString() == model);
    RC_ASSERT(chain.Flatten().view() == model);
    RC_ASSERT(chain == ByteChain(Bytes::Copy(model)));
    for (const Bytes& slice : chain.slices()) RC_ASSERT(!slice.empty());
    if (!model.empty()) {
      std::string other = model;
      other[random.Below(other.size())] ^= 1;
      RC_ASSERT(!(chain == ByteChain(Bytes::Copy(other))));
    }
  }
}

RC_GTEST_PROP(BytesTest, AnySliceHasTheChecksumOfItsContent,
              (const std::string& content, uint64_t seed)) {
  KeyedRandom random(seed);
  const Bytes whole = Bytes::Copy(content);
  for (int i = 0; i < 8; ++i) {
    const size_t offset = random.Below(content.size() + 1);
    const size_t length = random.Below(content.size() - offset + 1);
    const Bytes slice = whole.Slice(offset, length);
    RC_ASSERT(slice.view() == content.substr(offset, length));
    RC_ASSERT(slice.Crc32c() == Crc32c({slice.data(), slice.size()}));
    RC_ASSERT(slice.Digest() == Bytes::Copy(content.substr(offset, length)).Digest());
  }
}

}  // namespace
}  // namespace highwater::core
