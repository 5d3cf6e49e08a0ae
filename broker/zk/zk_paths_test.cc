#include "broker/zk/zk_paths.h"

#include <gtest/gtest.h>

namespace highwater::broker::zk {
namespace {

// [Z3, Z5, Z6, Z23]
TEST(ZkPathsTest, ArePathsOfKafka) {
  const TopicPartition partition{"orders", PartitionIndex(3)};
  EXPECT_EQ(BrokerIdPath(BrokerId(7)), "/brokers/ids/7");
  EXPECT_EQ(StatePath(partition), "/brokers/topics/orders/partitions/3/state");
  EXPECT_EQ(PartitionPath(partition), "/brokers/topics/orders/partitions/3");
  EXPECT_EQ(DeleteTopicPath("orders"), "/admin/delete_topics/orders");
  EXPECT_EQ(ConfigPath(ConfigKind::kBrokers, kDefaultEntity), "/config/brokers/<default>");
  EXPECT_EQ(ConfigChangePrefix(), "/config/changes/config_change_");
  EXPECT_EQ(IsrChangePrefix(), "/isr_change_notification/isr_change_");
  EXPECT_EQ(LogDirEventPrefix(), "/log_dir_event_notification/log_dir_event_");
}

// [Z7]
TEST(ZkPathsTest, ReadsBackTheStatePathAndNothingElse) {
  const TopicPartition partition{"a.b_c", PartitionIndex(12)};
  EXPECT_EQ(ParseStatePath(StatePath(partition)), partition);
  EXPECT_EQ(ParseStatePath("/brokers/topics/orders/partitions/x/state"), std::nullopt);
  EXPECT_EQ(ParseStatePath("/brokers/topics/orders"), std::nullopt);
  EXPECT_EQ(ParseStatePath("/other/topics/orders/partitions/1/state"), std::nullopt);
}

TEST(ZkPathsTest, FindsTheNumberOfANotification) {
  EXPECT_EQ(SequenceNumber("config_change_0000000012"), 12);
  EXPECT_EQ(SequenceNumber("config_change_x"), std::nullopt);
  EXPECT_EQ(SequenceNumber("12"), std::nullopt);
}

TEST(ZkPathsTest, NamesEachKindOfConfig) {
  for (const auto kind : {ConfigKind::kTopics, ConfigKind::kBrokers, ConfigKind::kClients,
                          ConfigKind::kUsers, ConfigKind::kIps}) {
    EXPECT_EQ(FindConfigKind(NameOf(kind)), kind);
  }
  EXPECT_EQ(FindConfigKind("cluster"), std::nullopt);
}

}  // namespace
}  // namespace highwater::broker::zk
