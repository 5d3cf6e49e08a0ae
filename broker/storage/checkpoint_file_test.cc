#include "broker/storage/checkpoint_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::storage {
namespace {

using ::testing::ElementsAre;

OffsetCheckpointEntry Entry(std::string topic, int partition, int64_t offset) {
  return {{std::move(topic), PartitionIndex(partition)}, Offset(offset)};
}

TEST(CheckpointFileTest, PrintsOffsetsAsKafkaDoes) {  // [K6]
  const std::vector<OffsetCheckpointEntry> entries = {Entry("orders", 0, 42),
                                                      Entry("a.b-c", 11, 0)};
  EXPECT_EQ(PrintOffsetCheckpoint(entries), "0\n2\norders 0 42\na.b-c 11 0\n");
  EXPECT_EQ(PrintOffsetCheckpoint({}), "0\n0\n");
}

// [K6]
TEST(CheckpointFileTest, ReadsWhatItPrints) {
  const std::vector<OffsetCheckpointEntry> entries = {Entry("orders", 0, 42),
                                                      Entry("a.b-c", 11, 0)};
  const auto parsed = ParseOffsetCheckpoint(PrintOffsetCheckpoint(entries));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, entries);
}

TEST(CheckpointFileTest, RefusesAWrongVersionAMalformedLineAndAWrongCount) {  // [K7]
  for (const char* text :
       {"", "1\n0\n", "0\n", "0\nx\n", "0\n1\n", "0\n2\na 0 1\n", "0\n1\na 0 1\nb 0 1\n",
        "0\n1\na 0\n", "0\n1\na 0 1 2\n", "0\n1\na x 1\n", "0\n1\na 0 x\n", "0\n1\n\n",
        "0\n1\na  1\n", "0\n99999999999999999999\n"}) {
    EXPECT_FALSE(ParseOffsetCheckpoint(text).ok()) << text;
  }
}

TEST(CheckpointFileTest, NamesTheLine) {
  EXPECT_EQ(ParseOffsetCheckpoint("0\n2\na 0 1\nb\n").status().message(),
            "line 4: malformed entry");
}

TEST(CheckpointFileTest, PrintsAndReadsEpochs) {  // [K6]
  const std::vector<EpochEntry> entries = {{LeaderEpoch(0), Offset(0)},
                                           {LeaderEpoch(3), Offset(17)}};
  EXPECT_EQ(PrintEpochCheckpoint(entries), "0\n2\n0 0\n3 17\n");
  const auto parsed = ParseEpochCheckpoint("0\n2\n0 0\n3 17\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, entries);
  EXPECT_FALSE(ParseEpochCheckpoint("0\n1\n0\n").ok());
}

TEST(CheckpointFileTest, PrintsAndReadsPartitionMetadata) {  // [L1]
  const protocol::Uuid id{0x0123456789abcdef, 0x1122334455667788};
  const std::string text = PrintPartitionMetadata(id);
  EXPECT_EQ(text, fmt::format("version: 0\ntopic_id: {}", id));
  const auto parsed = ParsePartitionMetadata(text + "\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, id);
  EXPECT_FALSE(ParsePartitionMetadata("version: 1\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ").ok());
  EXPECT_FALSE(ParsePartitionMetadata("version: 0\ntopic_id: short").ok());
  EXPECT_FALSE(ParsePartitionMetadata("").ok());
}

TEST(CheckpointFileTest, ReadsMetaPropertiesWithCommentsAndUnknownNames) {  // [K16]
  const auto parsed = ParseMetaProperties(
      "#\n#Sun Nov 22 17:00:00 UTC 2026\ncluster.id=abc\nversion=0\nbroker.id=7\nx=y\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, (MetaProperties{BrokerId(7), "abc"}));
  EXPECT_FALSE(ParseMetaProperties("version=1\nbroker.id=7\n").ok());
  EXPECT_FALSE(ParseMetaProperties("broker.id=7\n").ok());
  EXPECT_FALSE(ParseMetaProperties("version=0\nbroker.id=x\n").ok());
  const auto own = ParseMetaProperties(PrintMetaProperties({BrokerId(7), "abc"}));
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(*own, (MetaProperties{BrokerId(7), "abc"}));
}

RC_GTEST_PROP(CheckpointFileTest, AnyTextGivesEntriesOrAnError, ()) {
  const auto text =
      *rc::gen::container<std::string>(rc::gen::elementOf(std::string("0123 \n-ab=:")));
  static_cast<void>(ParseOffsetCheckpoint(text));
  static_cast<void>(ParseEpochCheckpoint(text));
  static_cast<void>(ParseMetaProperties(text));
  static_cast<void>(ParsePartitionMetadata(text));
}

}  // namespace
}  // namespace highwater::broker::storage
