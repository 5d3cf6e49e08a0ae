#include "broker/controller/producer_id_blocks.h"

#include <gtest/gtest.h>

#include "broker/controller/standalone_producer_id_source.h"

namespace highwater::broker {
namespace {

ProducerIdBlock Block(int64_t first, int64_t size = 1000) {
  return {.first = ProducerId(first), .size = size};
}

// [X45]
TEST(ProducerIdBlocksTest, WithoutABlockThereIsNoId) {
  ProducerIdBlocks blocks;
  EXPECT_TRUE(blocks.NeedsBlock());
  EXPECT_FALSE(blocks.Take().has_value());
}

TEST(ProducerIdBlocksTest, TheNextBlockIsAskedForWhenNineTenthsAreUsed) {
  ProducerIdBlocks blocks;
  ASSERT_TRUE(blocks.Offer(Block(0)));
  for (int64_t id = 0; id < 899; ++id) ASSERT_EQ(blocks.Take(), ProducerId(id));
  EXPECT_FALSE(blocks.NeedsBlock());
  EXPECT_EQ(blocks.Take(), ProducerId(899));
  EXPECT_TRUE(blocks.NeedsBlock());
  ASSERT_TRUE(blocks.Offer(Block(5000)));
  EXPECT_FALSE(blocks.NeedsBlock());
  for (int64_t id = 900; id < 1000; ++id) ASSERT_EQ(blocks.Take(), ProducerId(id));
  EXPECT_EQ(blocks.Take(), ProducerId(5000)) << "gaps are normal";
}

// [M110]
TEST(ProducerIdBlocksTest, ABlockBelowTheOneBeforeIsRefused) {
  ProducerIdBlocks blocks;
  ASSERT_TRUE(blocks.Offer(Block(2000)));
  ASSERT_EQ(blocks.Take(), ProducerId(2000));
  EXPECT_FALSE(blocks.Offer(Block(1000)));
  EXPECT_FALSE(blocks.Offer(Block(2000)));
  EXPECT_FALSE(blocks.Offer(Block(2999)));
  EXPECT_FALSE(blocks.Offer(Block(3000, 0)));
  EXPECT_TRUE(blocks.Offer(Block(3000)));
}

TEST(StandaloneProducerIdSourceTest, ReadsWhatItPrintsAndNothingElse) {
  using Source = StandaloneProducerIdSource;
  EXPECT_EQ(Source::Print(ProducerId(3000)), "version: 0\nnext: 3000\n");
  EXPECT_EQ(*Source::Parse("version: 0\nnext: 3000\n"), ProducerId(3000));
  for (const char* bad :
       {"", "version: 0\nnext: 3000", "version: 1\nnext: 3000\n", "version: 0\nnext: -1\n",
        "version: 0\nnext: 03\n", "version: 0\nnext: 3\n3\n", "version: 0\nnext: \n"}) {
    EXPECT_TRUE(absl::IsDataLoss(Source::Parse(bad).status())) << bad;
  }
}

}  // namespace
}  // namespace highwater::broker
