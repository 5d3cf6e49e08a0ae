#include "broker/storage/log_file_names.h"

#include <gtest/gtest.h>

#include "broker/storage/log_config.h"
#include "broker/storage/recent_batches.h"

namespace highwater::broker::storage {
namespace {

// [L8]
TEST(LogFileNamesTest, FilesHaveTwentyDigits) {  // [L1]
  EXPECT_EQ(FileNameOf(Offset(42), kLogSuffix), "00000000000000000042.log");
  EXPECT_EQ(OffsetOfFileName("00000000000000000042.log", kLogSuffix), Offset(42));
  EXPECT_EQ(OffsetOfFileName("00000000000000000042.index", kLogSuffix), std::nullopt);
  EXPECT_EQ(OffsetOfFileName("42.log", kLogSuffix), std::nullopt);
  EXPECT_EQ(OffsetOfFileName("-0000000000000000042.log", kLogSuffix), std::nullopt);
  EXPECT_EQ(OffsetOfFileName("99999999999999999999.log", kLogSuffix), std::nullopt);
}

TEST(LogFileNamesTest, DirectoriesNameTopicAndPartition) {  // [L1]
  const TopicPartition partition{"my-orders", PartitionIndex(3)};
  EXPECT_EQ(DirectoryNameOf(partition), "my-orders-3");
  EXPECT_EQ(PartitionOfDirectoryName("my-orders-3"), partition);
  for (const char* other :
       {"orders", "-3", "orders-", "orders-x", "orders-03",
        "orders-0.0123456789abcdef0123456789abcdef-delete", "orders-3-future"}) {
    EXPECT_EQ(PartitionOfDirectoryName(other), std::nullopt) << other;
  }
}

// [L1]
TEST(LogFileNamesTest, ADeletedDirectoryFitsAFileSystem) {  // [R9]
  const protocol::Uuid unique{1, 2};
  const std::string name = DeleteDirectoryNameOf({"orders", PartitionIndex(0)}, unique);
  EXPECT_EQ(name, "orders-0.00000000000000010000000000000002-delete");
  EXPECT_TRUE(IsDeleteDirectoryName(name));
  EXPECT_FALSE(IsDeleteDirectoryName("orders-0"));
  EXPECT_FALSE(IsDeleteDirectoryName("my-delete"));
  const std::string longest =
      DeleteDirectoryNameOf({std::string(249, 'x'), PartitionIndex(2147483647)}, unique);
  EXPECT_EQ(longest.size(), 255u);
  EXPECT_TRUE(IsDeleteDirectoryName(longest));
}

// [L3]
TEST(LogConfigTest, TakesKafkasNamesAndRefusesWhatIsNoValue) {
  LogConfig config;
  EXPECT_TRUE(config.Set("segment.bytes", "1048576").ok());
  EXPECT_EQ(config.segment_bytes, 1048576);
  EXPECT_TRUE(config.Set("cleanup.policy", "compact, delete").ok());
  EXPECT_TRUE(config.cleanup_compact && config.cleanup_delete);
  EXPECT_TRUE(config.Set("message.timestamp.type", "LogAppendTime").ok());
  EXPECT_TRUE(config.Validate().ok());
  EXPECT_TRUE(absl::IsNotFound(config.Set("min.insync.replicas", "2")));
  EXPECT_TRUE(absl::IsInvalidArgument(config.Set("segment.bytes", "13")));
  EXPECT_TRUE(absl::IsInvalidArgument(config.Set("segment.bytes", "1m")));
  EXPECT_TRUE(absl::IsInvalidArgument(config.Set("cleanup.policy", "keep")));
  EXPECT_TRUE(absl::IsInvalidArgument(config.Set("cleanup.policy", "")));
  EXPECT_EQ(config.segment_bytes, 1048576);
}

// [L8]
TEST(RecentBatchesTest, FindsTheBatchThatHoldsAnOffsetUntilItIsForgotten) {
  RecentBatches recent;
  EXPECT_EQ(recent.Find(Offset(0)), std::nullopt);
  for (int i = 0; i < 100; ++i) {
    recent.Add(Offset(i < 90 ? 0 : 900),
               {.base_offset = Offset(10 * i), .last_offset = Offset(10 * i + 9)});
  }
  EXPECT_EQ(recent.size(), RecentBatches::kCapacity);
  EXPECT_EQ(recent.Find(Offset(359)), std::nullopt) << "forgotten";
  ASSERT_TRUE(recent.Find(Offset(365)));
  EXPECT_EQ(recent[*recent.Find(Offset(365))].batch.base_offset, Offset(360));
  EXPECT_EQ(recent[*recent.Find(Offset(999))].batch.base_offset, Offset(990));
  EXPECT_EQ(recent.Find(Offset(1000)), std::nullopt);
  recent.TruncateTo(Offset(985));
  EXPECT_EQ(recent.Find(Offset(985)), std::nullopt);
  EXPECT_TRUE(recent.Find(Offset(979)));
  recent.DropSegmentsBelow(Offset(900));
  EXPECT_EQ(recent.Find(Offset(899)), std::nullopt);
  EXPECT_TRUE(recent.Find(Offset(900)));
}

}  // namespace
}  // namespace highwater::broker::storage
