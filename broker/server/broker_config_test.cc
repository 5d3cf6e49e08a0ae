#include "broker/server/broker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace highwater::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ErrorOf(std::string_view text) {
  const auto config = BrokerConfig::FromProperties("server.properties", text);
  return config.ok() ? "no error" : std::string(config.status().message());
}

BrokerConfig ConfigOf(const std::map<std::string, std::string>& properties) {
  auto config = BrokerConfig::FromMap(properties);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : BrokerConfig{};
}

TEST(BrokerConfigTest, ReadsAPropertiesFile) {
  const auto config = BrokerConfig::FromProperties("server.properties",
                                                   "# a comment\n"
                                                   "broker.id = 7\r\n"
                                                   "\n"
                                                   "! another\n"
                                                   "listeners=PLAINTEXT://broker-7:9093\n"
                                                   "log.dirs=/a, /b");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->broker_id, BrokerId(7));
  EXPECT_EQ(config->listener, (core::Endpoint{"broker-7", 9093}));
  EXPECT_EQ(config->advertised_listener, config->listener);
  EXPECT_THAT(config->log_dirs, ElementsAre("/a", "/b"));
}

// [D1, D2, D3, D4, D5, D6, D7, D8, D9, D10, D11, D12, D13, D14, D15, D16, D17, D18, D19, D20, D21, D22, D23, D30, D31, D32, D33, D34, D36]
TEST(BrokerConfigTest, HasKafkasDefaults) {
  const BrokerConfig config = ConfigOf({});
  EXPECT_EQ(config.num_partitions, 1);
  EXPECT_TRUE(config.auto_create_topics_enable);
  EXPECT_EQ(config.fetch_max_bytes, 57671680);
  EXPECT_EQ(config.socket_request_max_bytes, 104857600);
  EXPECT_EQ(config.connections_max_idle, absl::Minutes(10));
  EXPECT_EQ(config.topic_defaults.log.max_message_bytes, 1048588);
  EXPECT_EQ(config.topic_defaults.log.retention_ms, 604'800'000);
  EXPECT_EQ(config.topic_defaults.log.flush_messages, kMaxLong);
  EXPECT_EQ(config.topic_defaults.min_insync_replicas, 1);
  EXPECT_EQ(config.advertised_listener, (core::Endpoint{"localhost", 9092}));
}

// [D11, D12, D13, D14, D15, D16, D17, D18, D19, D20, D21, D22, D23]
TEST(BrokerConfigTest, GivesTopicsTheirDefaults) {
  const BrokerConfig config = ConfigOf({{"log.flush.interval.messages", "1"},
                                        {"log.segment.bytes", "4096"},
                                        {"message.max.bytes", "1000"},
                                        {"min.insync.replicas", "2"}});
  EXPECT_EQ(config.topic_defaults.log.flush_messages, 1);
  EXPECT_EQ(config.topic_defaults.log.segment_bytes, 4096);
  EXPECT_EQ(config.topic_defaults.log.max_message_bytes, 1000);
  EXPECT_EQ(config.topic_defaults.min_insync_replicas, 2);
}

TEST(BrokerConfigTest, TheFinestUnitThatIsGivenWins) {
  EXPECT_EQ(ConfigOf({{"log.retention.hours", "2"}}).topic_defaults.log.retention_ms, 7'200'000);
  EXPECT_EQ(ConfigOf({{"log.retention.hours", "2"}, {"log.retention.minutes", "3"}})
                .topic_defaults.log.retention_ms,
            180'000);
  EXPECT_EQ(ConfigOf({{"log.retention.minutes", "3"}, {"log.retention.ms", "5"}})
                .topic_defaults.log.retention_ms,
            5);
  EXPECT_EQ(ConfigOf({{"log.retention.hours", "-1"}}).topic_defaults.log.retention_ms, -1);
  EXPECT_EQ(ConfigOf({{"log.roll.hours", "1"}}).topic_defaults.log.segment_ms, 3'600'000);
}

TEST(BrokerConfigTest, NamesTheLineOfAnUnknownPropertyAndSuggestsOne) {
  EXPECT_EQ(ErrorOf("broker.id=1\nlog.retention.hour=3\n"),
            "server.properties:2: unknown property \"log.retention.hour\"; did you mean "
            "\"log.retention.hours\"?");
  EXPECT_EQ(ErrorOf("flush.messages=1"),
            "server.properties:1: unknown property \"flush.messages\"; that is a topic's setting, "
            "a broker's is \"log.flush.interval.messages\"");
  EXPECT_EQ(ErrorOf("entirely.unlike.anything=1"),
            "server.properties:1: unknown property \"entirely.unlike.anything\"");
}

TEST(BrokerConfigTest, RefusesWhatIsNotAValue) {
  EXPECT_EQ(ErrorOf("num.partitions=0"),
            "server.properties:1: num.partitions: expected a number from 1 to 2147483647, got 0");
  EXPECT_EQ(ErrorOf("num.partitions=many"),
            "server.properties:1: num.partitions: expected a whole number, got \"many\"");
  EXPECT_EQ(ErrorOf("log.retention.ms=7d"),
            "server.properties:1: log.retention.ms: expected a whole number of milliseconds "
            "(without a unit), got \"7d\"");
  EXPECT_EQ(ErrorOf("delete.topic.enable=yes"),
            "server.properties:1: delete.topic.enable: expected true or false, got \"yes\"");
  EXPECT_EQ(ErrorOf("log.cleanup.policy=delete,compact"),
            "server.properties:1: log.cleanup.policy: expected one of delete, got \"compact\"");
  EXPECT_EQ(ErrorOf("broker.id"), "server.properties:1: expected name=value, got \"broker.id\"");
}

TEST(BrokerConfigTest, RefusesAPropertyThatIsGivenTwice) {
  EXPECT_EQ(ErrorOf("broker.id=1\n\nbroker.id=1"),
            "server.properties:3: broker.id was already given in line 1");
}

TEST(BrokerConfigTest, RefusesListenersThatItCannotServe) {
  EXPECT_THAT(ErrorOf("listeners=SSL://:9093"), HasSubstr(":1: listeners: expected PLAINTEXT://"));
  EXPECT_THAT(ErrorOf("listeners=PLAINTEXT://:1,PLAINTEXT://:2"), HasSubstr("only one listener"));
  EXPECT_THAT(ErrorOf("listeners=PLAINTEXT://a"), HasSubstr("the port is missing"));
  EXPECT_THAT(ErrorOf("listeners=PLAINTEXT://a:70000"), HasSubstr("bad port"));
  EXPECT_THAT(ErrorOf("\nadvertised.listeners=PLAINTEXT://:9092"),
              HasSubstr(":2: advertised.listeners: clients need a host"));
}

// [D1, D2, D3]
TEST(BrokerConfigTest, ReadsWhereZooKeeperIs) {
  EXPECT_EQ(ErrorOf("zookeeper.connect=zk1:2181,zk2:2181/kafka"), "no error");
  EXPECT_THAT(ErrorOf("zookeeper.connect=zk:port"), HasSubstr("zookeeper.connect"));
  EXPECT_EQ(ErrorOf("zookeeper.connect="), "no error");
}

TEST(BrokerConfigTest, RefusesOneDirectoryTwiceAndNone) {
  EXPECT_THAT(ErrorOf("log.dirs=/a,/b,/a"), HasSubstr("\"/a\" stands there twice"));
  EXPECT_THAT(ErrorOf("broker.id=1\nlog.dirs=,"), HasSubstr(":2: log.dirs: expected at least one"));
}

TEST(BrokerConfigTest, MetricsAreServedNowhereUnlessAListenerIsNamed) {
  EXPECT_EQ(ConfigOf({}).metrics_listener, std::nullopt);
  const auto listener = ConfigOf({{"highwater.metrics.listener", "http://[::1]:9404"}});
  EXPECT_EQ(listener.metrics_listener, (core::Endpoint{"::1", 9404}));
  EXPECT_THAT(ErrorOf("highwater.metrics.listener=:9404"),
              HasSubstr("expected http://host:port, got \":9404\""));
  EXPECT_THAT(ErrorOf("highwater.metrics.listener=http://a"), HasSubstr("the port is missing"));
}

TEST(BrokerConfigTest, ReadsLimitsForSomeAddresses) {
  const BrokerConfig config = ConfigOf({{"max.connections.per.ip.overrides", "10.0.0.1:5,h:0"}});
  EXPECT_EQ(config.max_connections_per_ip_overrides.at("10.0.0.1"), 5);
  EXPECT_EQ(config.max_connections_per_ip_overrides.at("h"), 0);
  EXPECT_THAT(ErrorOf("max.connections.per.ip.overrides=a"), HasSubstr("expected host:count"));
}

TEST(BrokerConfigTest, ItsTablesAreSortedAndTheirDefaultsAreValid) {
  const auto broker = BrokerConfigKeys();
  EXPECT_TRUE(std::is_sorted(broker.begin(), broker.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
  for (const ConfigKey& key : broker) {
    EXPECT_TRUE(ValidateValue(key, key.default_value).ok()) << key.name;
    EXPECT_FALSE(key.about.empty()) << key.name;
    EXPECT_EQ(FindBrokerConfigKey(key.name), &key);
  }
  const auto topic = TopicConfigKeys();
  EXPECT_TRUE(std::is_sorted(topic.begin(), topic.end(),
                             [](const auto& a, const auto& b) { return a.key.name < b.key.name; }));
  for (const TopicConfigKey& key : topic) {
    const ConfigKey* parent = FindBrokerConfigKey(key.broker_name);
    ASSERT_NE(parent, nullptr) << key.broker_name;
    EXPECT_TRUE(ValidateTopicConfig(key.key.name, parent->default_value).ok()) << key.key.name;
  }
}

TEST(BrokerConfigTest, WhatItPrintsItReads) {
  const BrokerConfig config = ConfigOf({{"broker.id", "3"}, {"log.dirs", "/x"}});
  const std::string text = PrintConfig(config);
  EXPECT_THAT(text, HasSubstr("\nbroker.id=3\n"));
  EXPECT_THAT(text, HasSubstr("\n#num.partitions=1\n"));
  const auto again = BrokerConfig::FromProperties("printed", text);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->effective, config.effective);
}

TEST(TopicConfigTest, OwnValuesStandOverDefaults) {
  const TopicConfig defaults = ConfigOf({{"log.retention.ms", "50"}}).topic_defaults;
  const auto config = TopicConfig::Resolve(defaults, {{"flush.messages", "1"}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->log.flush_messages, 1);
  EXPECT_EQ(config->log.retention_ms, 50);
}

TEST(TopicConfigTest, RefusesWhatIsNoTopicSetting) {
  EXPECT_EQ(ValidateTopicConfig("retention.mss", "1").message(),
            "unknown topic setting \"retention.mss\"; did you mean \"retention.ms\"?");
  EXPECT_FALSE(ValidateTopicConfig("segment.bytes", "1").ok());
  EXPECT_FALSE(ValidateTopicConfig("cleanup.policy", "compact").ok());
  EXPECT_FALSE(ValidateTopicConfig("cleanup.policy", "delete\n").ok());
  EXPECT_TRUE(ValidateTopicConfig("retention.ms", "-1").ok());
}

}  // namespace
}  // namespace highwater::broker
