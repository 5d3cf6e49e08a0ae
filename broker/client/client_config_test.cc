#include "broker/client/client_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker::client {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(const absl::Status& status) { return std::string(status.message()); }

// [D40, D41, D42, D43, D44, D46, D47, D48]
TEST(ClientConfigTest, DefaultsAreTheReferenceClients) {
  const auto producer = ProducerConfig::FromMap({});
  ASSERT_TRUE(producer.ok());
  EXPECT_EQ(producer->acks, Acks::kAll);
  EXPECT_EQ(producer->linger, absl::ZeroDuration());
  EXPECT_EQ(producer->batch_size, 16384);
  EXPECT_EQ(producer->max_in_flight, 5);
  EXPECT_EQ(producer->delivery_timeout, absl::Seconds(120));
  EXPECT_EQ(producer->request_timeout, absl::Seconds(30));
  const auto consumer = ConsumerConfig::FromMap({});
  ASSERT_TRUE(consumer.ok());
  EXPECT_EQ(consumer->auto_offset_reset, OffsetReset::kLatest);
  EXPECT_EQ(consumer->max_poll_records, 500);
  EXPECT_EQ(consumer->isolation_level, IsolationLevel::kReadUncommitted);
}

TEST(ClientConfigTest, ReadsEachSettingByItsName) {
  const auto config = ProducerConfig::FromMap({{"bootstrap.servers", "b0:9092, [::1]:9093"},
                                               {"acks", "1"},
                                               {"linger.ms", "7"},
                                               {"compression.type", "zstd"},
                                               {"max.in.flight.requests.per.connection", "1"},
                                               {"enable.idempotence", "false"}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->bootstrap_servers, (std::vector<core::Endpoint>{{"b0", 9092}, {"::1", 9093}}));
  EXPECT_EQ(config->acks, Acks::kLeader);
  EXPECT_EQ(config->linger, absl::Milliseconds(7));
  EXPECT_EQ(config->compression, CompressionType::kZstd);
  EXPECT_EQ(config->max_in_flight, 1);
}

TEST(ClientConfigTest, AnUnknownNameIsRefusedWithASuggestion) {
  EXPECT_EQ(ErrorOf(ProducerConfig::FromMap({{"linger.mss", "1"}}).status()),
            "unknown setting \"linger.mss\"; did you mean \"linger.ms\"?");
  EXPECT_EQ(ErrorOf(ConsumerConfig::FromMap({{"nothing.like.it", "1"}}).status()),
            "unknown setting \"nothing.like.it\"");
  EXPECT_FALSE(ConsumerConfig::FromMap({{"acks", "all"}}).ok());
}

TEST(ClientConfigTest, AValueOutOfRangeSaysWhatWasExpected) {
  EXPECT_EQ(ErrorOf(ValidateProducerConfig("acks", "2")),
            "acks: expected one of all, -1, 0, 1, got \"2\"");
  EXPECT_EQ(ErrorOf(ValidateConsumerConfig("max.poll.records", "0")),
            "max.poll.records: expected 1 to 2147483647, got 0");
  EXPECT_THAT(ErrorOf(ValidateProducerConfig("bootstrap.servers", "b0")), HasSubstr("host:port"));
  EXPECT_FALSE(ValidateProducerConfig("linger.ms", "1s").ok());
}

// [D40, D41, D42, D43, D44]
TEST(ClientConfigTest, TheDeliveryTimeoutContainsLingerAndRequest) {
  const auto grown = ProducerConfig::FromMap({{"linger.ms", "100000"}});
  ASSERT_TRUE(grown.ok());
  EXPECT_EQ(grown->delivery_timeout, absl::Seconds(130));
  EXPECT_THAT(ErrorOf(ProducerConfig::FromMap({{"delivery.timeout.ms", "1000"}}).status()),
              HasSubstr("linger.ms + request.timeout.ms = 30000"));
}

// [D60]
TEST(ClientConfigTest, IdempotenceIsOnUnlessAnotherSettingRulesItOut) {
  EXPECT_TRUE(ProducerConfig::FromMap({})->IsIdempotent());
  const std::vector<Properties> obstacles = {
      {{"acks", "1"}}, {{"retries", "0"}}, {{"max.in.flight.requests.per.connection", "6"}}};
  for (Properties properties : obstacles) {
    const auto silent = ProducerConfig::FromMap(properties);
    ASSERT_TRUE(silent.ok()) << silent.status();
    EXPECT_FALSE(silent->IsIdempotent());
    const std::string setting = properties.begin()->first;
    properties["enable.idempotence"] = "true";
    EXPECT_THAT(ErrorOf(ValidateProducerConfigs(properties)), HasSubstr(setting));
    properties["enable.idempotence"] = "false";
    EXPECT_TRUE(ValidateProducerConfigs(properties).ok());
  }
  EXPECT_FALSE(ProducerConfig::FromMap({{"enable.idempotence", "false"}})->IsIdempotent());
}

}  // namespace
}  // namespace highwater::broker::client
