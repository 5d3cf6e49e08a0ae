// StrongInt, MonotonicTime, marks, random draws: the types that need no file each.

#include <set>

#include "core/mark.h"
#include "core/monotonic_time.h"
#include "core/nearest_name.h"
#include "core/random.h"
#include "core/strong_int.h"

namespace highwater::core {
namespace {

using Offset = StrongInt<struct OffsetTag, int64_t>;
using Epoch = StrongInt<struct EpochTag, int32_t>;

static_assert(!std::is_convertible_v<int64_t, Offset>);
static_assert(!std::is_convertible_v<Offset, int64_t>);
static_assert(!std::is_convertible_v<Epoch, Offset>);
static_assert(sizeof(Epoch) == 4);

TEST(StrongIntTest, CountsAndFormatsAsItsNumber) {
  Offset offset(41);
  ++offset;
  EXPECT_EQ(offset, Offset(42));
  EXPECT_EQ(offset + 8, Offset(50));
  EXPECT_EQ(offset - 2, Offset(40));
  EXPECT_EQ(Offset(50) - Offset(42), 8);
  EXPECT_LT(Offset(1), Offset(2));
  EXPECT_EQ(Offset(), Offset(0));
  EXPECT_EQ(fmt::format("{}", Offset(-7)), "-7");
  EXPECT_EQ((std::set<Offset>{Offset(2), Offset(1), Offset(2)}).size(), 2u);
}

TEST(NearestNameTest, FindsWhatWasProbablyMeant) {
  const std::vector<std::string_view> known = {"flush.ms", "flush.messages", "acks"};
  EXPECT_EQ(NearestName("flush.mesages", known), "flush.messages");
  EXPECT_EQ(NearestName("FLUSH.SM", known), "flush.ms");
  EXPECT_EQ(NearestName("aks", known), "acks");
  EXPECT_EQ(NearestName("compression.type", known), "");
  EXPECT_EQ(NearestName("x", known), "");
  EXPECT_EQ(NearestName(std::string(101, 'a'), known), "");
  EXPECT_EQ(NearestName("flush.m", std::vector<std::string_view>{}), "");
}

TEST(MonotonicTimeTest, AdditionSaturatesAtNever) {
  const MonotonicTime t = MonotonicTime::FromNanos(1'000);
  EXPECT_EQ((t + absl::Microseconds(1)).nanos(), 2'000);
  EXPECT_EQ((t - absl::Microseconds(1)).nanos(), 0);
  EXPECT_EQ(t + absl::InfiniteDuration(), MonotonicTime::Never());
  EXPECT_EQ(MonotonicTime::Never() + absl::Hours(1), MonotonicTime::Never());
  EXPECT_EQ(MonotonicTime::Never() + -absl::Hours(1), MonotonicTime::Never());
  EXPECT_EQ(MonotonicTime::FromNanos(5'000) - t, absl::Microseconds(4));
}

void ReachRareBranch() { HW_MARK("core_test_rare_branch"); }

TEST(MarkTest, CountsWhatWasReachedAndSumsEqualNames) {
  const auto count_of = [](std::string_view name) -> int64_t {
    for (const Mark::Count& count : Mark::Counts()) {
      if (count.name == name) return static_cast<int64_t>(count.count);
    }
    return -1;
  };
  Mark::ResetCounts();
  EXPECT_EQ(count_of("core_test_rare_branch"), 0) << "known before it is reached";
  for (int i = 0; i < 3; ++i) ReachRareBranch();
  HW_MARK("core_test_rare_branch");
  EXPECT_EQ(count_of("core_test_rare_branch"), 4);
  EXPECT_EQ(count_of("never declared"), -1);
  const auto counts = Mark::Counts();
  EXPECT_TRUE(std::is_sorted(counts.begin(), counts.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
  Mark::ResetCounts();
  EXPECT_EQ(count_of("core_test_rare_branch"), 0);
}

TEST(RandomTest, BelowIsUniform) {
  // Chi-square over 64 cells of 1,000 expected draws each: 63 degrees of freedom stay below 120
  // with all but one in 50,000 keys.
  for (uint64_t key = 0; key < 8; ++key) {
    KeyedRandom random(key);
    std::array<int64_t, 64> cells{};
    for (int i = 0; i < 64'000; ++i) ++cells[random.Below(64)];
    int64_t sum = 0;
    for (const int64_t cell : cells) sum += (cell - 1000) * (cell - 1000);
    EXPECT_LT(sum / 1000, 120) << "key " << key;
  }
}

// Draws of neighbouring keys and of neighbouring indices, as keys count up: the way they are used.
TEST(RandomTest, NeighbouringKeysAreUnrelated) {
  for (uint64_t index = 0; index < 4; ++index) {
    std::array<int64_t, 64> cells{};
    for (uint64_t key = 0; key < 64'000; ++key) ++cells[KeyedRandom::Draw(key, index) >> 58];
    int64_t sum = 0;
    for (const int64_t cell : cells) sum += (cell - 1000) * (cell - 1000);
    EXPECT_LT(sum / 1000, 120) << "index " << index;
    // A flipped key bit flips half of the draw's bits.
    int64_t flipped = 0;
    for (uint64_t key = 0; key < 1'000; ++key) {
      flipped += std::popcount(KeyedRandom::Draw(key, index) ^ KeyedRandom::Draw(key ^ 1, index));
    }
    EXPECT_GT(flipped, 31'000);
    EXPECT_LT(flipped, 33'000);
  }
}

TEST(RandomTest, AStreamIsAFunctionOfItsKey) {
  KeyedRandom a(7);
  KeyedRandom b(7);
  KeyedRandom c(8);
  bool differs = false;
  for (uint64_t i = 0; i < 100; ++i) {
    const uint64_t draw = a.Next();
    EXPECT_EQ(draw, b.Next());
    EXPECT_EQ(draw, KeyedRandom::Draw(7, i));
    differs |= draw != c.Next();
  }
  EXPECT_TRUE(differs);
}

TEST(RandomTest, RangesKeepTheirEnds) {
  KeyedRandom random(3);
  std::set<int64_t> seen;
  for (int i = 0; i < 1'000; ++i) {
    const int64_t draw = random.Between(-2, 2);
    EXPECT_GE(draw, -2);
    EXPECT_LE(draw, 2);
    seen.insert(draw);
    EXPECT_EQ(random.Below(1), 0u);
    EXPECT_TRUE(random.Chance(1, 1));
    EXPECT_FALSE(random.Chance(0, 1));
    static_cast<void>(
        random.Between(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()));
  }
  EXPECT_EQ(seen.size(), 5u);
}

}  // namespace
}  // namespace highwater::core
