#include "broker/controller/topic_rules.h"

#include <gtest/gtest.h>

#include "broker/server/broker_config.h"

namespace highwater::broker {
namespace {

using protocol::ErrorCode;

ClusterFacts Cluster() {
  return {.brokers = {BrokerId(1)},
          .default_partitions = 4,
          .default_replication_factor = 1,
          .defaults = BrokerConfig::FromMap({})->topic_defaults,
          .topics = {"taken", "with.dot"}};
}

ErrorCode Check(const NewTopic& topic) { return CheckNewTopic(topic, Cluster()).error; }

TEST(TopicRulesTest, KnowsLegalNames) {
  for (const char* name : {"a", "A-z_0.9", "...", "__consumer_offsets"}) {
    EXPECT_EQ(WhyIllegalTopicName(name), "") << name;
  }
  EXPECT_EQ(WhyIllegalTopicName(std::string(249, 'a')), "");
  for (const char* name : {"", ".", "..", "a b", "a/b", "ä", "a\n"}) {
    EXPECT_NE(WhyIllegalTopicName(name), "") << name;
  }
  EXPECT_NE(WhyIllegalTopicName(std::string(250, 'a')), "");
}

TEST(TopicRulesTest, FillsInTheBrokersDefaults) {
  const CheckedTopic checked = CheckNewTopic({.name = "new"}, Cluster());
  EXPECT_EQ(checked.error, ErrorCode::NONE) << checked.message;
  EXPECT_EQ(checked.settings.partitions, 4);
  EXPECT_EQ(checked.settings.replication_factor, 1);
  EXPECT_EQ(checked.settings.config.log.max_message_bytes, 1048588);
}

TEST(TopicRulesTest, RefusesNamesThatAreTakenOrCollide) {
  EXPECT_EQ(Check({.name = "taken"}), ErrorCode::TOPIC_ALREADY_EXISTS);
  EXPECT_EQ(Check({.name = "with_dot"}), ErrorCode::INVALID_TOPIC_EXCEPTION);
  EXPECT_EQ(Check({.name = "no name"}), ErrorCode::INVALID_TOPIC_EXCEPTION);
}

TEST(TopicRulesTest, RefusesCountsThatCannotBe) {
  EXPECT_EQ(Check({.name = "n", .partitions = 0}), ErrorCode::INVALID_PARTITIONS);
  EXPECT_EQ(Check({.name = "n", .partitions = -2}), ErrorCode::INVALID_PARTITIONS);
  EXPECT_EQ(Check({.name = "n", .partitions = 2'000'000'000}), ErrorCode::INVALID_PARTITIONS);
  EXPECT_EQ(Check({.name = "n", .replication_factor = 0}), ErrorCode::INVALID_REPLICATION_FACTOR);
  EXPECT_EQ(Check({.name = "n", .replication_factor = 2}), ErrorCode::INVALID_REPLICATION_FACTOR);
}

TEST(TopicRulesTest, ChecksAssignments) {
  const std::vector<BrokerId> here = {BrokerId(1)};
  EXPECT_EQ(Check({.name = "n", .assignments = {{0, here}, {1, here}}}), ErrorCode::NONE);
  EXPECT_EQ(Check({.name = "n", .partitions = 2, .assignments = {{0, here}, {1, here}}}),
            ErrorCode::INVALID_REQUEST);
  EXPECT_EQ(Check({.name = "n", .assignments = {{1, here}}}),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT);
  EXPECT_EQ(Check({.name = "n", .assignments = {{0, {BrokerId(9)}}}}),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT);
  EXPECT_EQ(Check({.name = "n", .assignments = {{0, {BrokerId(1), BrokerId(1)}}}}),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT);
  EXPECT_EQ(Check({.name = "n", .assignments = {{0, {}}}}), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
}

TEST(TopicRulesTest, ChecksSettings) {
  EXPECT_EQ(Check({.name = "n", .configs = {{"flush.messages", "1"}}}), ErrorCode::NONE);
  EXPECT_EQ(Check({.name = "n", .configs = {{"flush.messages", "0"}}}), ErrorCode::INVALID_CONFIG);
  EXPECT_EQ(Check({.name = "n", .configs = {{"flush.massages", "1"}}}), ErrorCode::INVALID_CONFIG);
  EXPECT_EQ(Check({.name = "n", .configs = {{"flush.messages", std::nullopt}}}),
            ErrorCode::INVALID_REQUEST);
}

}  // namespace
}  // namespace highwater::broker
