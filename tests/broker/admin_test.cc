// Topics are created, described and deleted.

#include <algorithm>

#include "broker/protocol/create_topics.h"
#include "broker/protocol/delete_topics.h"
#include "broker/protocol/describe_configs.h"
#include "broker/protocol/metadata.h"
#include "tests/broker/broker_world.h"

namespace highwater::tests {
namespace {

using namespace broker::protocol;  // the messages
using ::testing::HasSubstr;
using ::testing::SizeIs;

CreateTopicsRequest::CreatableTopic Topic(std::string name, int32_t partitions = 1,
                                          int16_t replicas = 1) {
  return {.name = std::move(name), .num_partitions = partitions, .replication_factor = replicas};
}

ErrorCode Create(RawClient& client, CreateTopicsRequest::CreatableTopic topic, int16_t version,
                 bool validate_only = false) {
  CreateTopicsRequest request{.validate_only = version >= 1 && validate_only};
  request.topics.push_back(std::move(topic));
  const auto response = client.Call(request, version);
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? response->topics.at(0).error_code : ErrorCode::UNKNOWN_SERVER_ERROR;
}

ErrorCode Delete(RawClient& client, const std::string& name, int16_t version) {
  DeleteTopicsRequest request{.timeout_ms = 5000};
  if (version >= 6) {
    request.topics.push_back({.name = name});
  } else {
    request.topic_names.push_back(name);
  }
  const auto response = client.Call(request, version);
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? response->responses.at(0).error_code : ErrorCode::UNKNOWN_SERVER_ERROR;
}

// [Wire 5]
TEST(AdminTest, CreatesAndDeletesInEachVersion) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    for (int16_t version = 0; version <= 7; ++version) {
      const std::string name = "t" + std::to_string(version);
      EXPECT_EQ(Create(client, Topic(name, 2), version), ErrorCode::NONE);
      EXPECT_EQ(Create(client, Topic(name, 2), version), ErrorCode::TOPIC_ALREADY_EXISTS);
      EXPECT_EQ(Delete(client, name, std::min<int16_t>(version, 6)), ErrorCode::NONE);
      EXPECT_EQ(Delete(client, name, std::min<int16_t>(version, 6)),
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
  });
}

TEST(AdminTest, TellsFromVersionFiveWhatWasMade) {
  BrokerWorld(Settings{{"num.partitions", "4"}, {"log.retention.ms", "77"}})
      .Run([](core::Environment& env) {
        RawClient client(env);
        CreateTopicsRequest request;
        request.topics.push_back(Topic("a", -1, -1));
        request.topics[0].configs.push_back({.name = "flush.messages", .value = "1"});
        const auto response = client.Call(request, 7);
        ASSERT_TRUE(response.ok()) << response.status();
        const auto& topic = response->topics.at(0);
        EXPECT_EQ(topic.error_code, ErrorCode::NONE);
        EXPECT_EQ(topic.error_message, std::nullopt);
        EXPECT_EQ(topic.num_partitions, 4);
        EXPECT_EQ(topic.replication_factor, 1);
        EXPECT_FALSE(topic.topic_id.is_zero());
        for (const auto& config : *topic.configs) {
          if (config.name == "flush.messages") {
            EXPECT_EQ(config.config_source, 1);
          }
          if (config.name == "retention.ms") {
            EXPECT_EQ(config.value, "77");
            EXPECT_EQ(config.config_source, 4);
          }
          if (config.name == "segment.bytes") {
            EXPECT_EQ(config.config_source, 5);
          }
        }
        EXPECT_GT(topic.configs->size(), 20u);
      });
}

TEST(AdminTest, RefusesWhatCannotBe) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    EXPECT_EQ(Create(client, Topic("a/b"), 7), ErrorCode::INVALID_TOPIC_EXCEPTION);
    EXPECT_EQ(Create(client, Topic("a", 0), 7), ErrorCode::INVALID_PARTITIONS);
    EXPECT_EQ(Create(client, Topic("a", 1, 2), 7), ErrorCode::INVALID_REPLICATION_FACTOR);
    auto topic = Topic("a", -1, -1);
    topic.assignments.push_back({.partition_index = 0, .broker_ids = {5}});
    EXPECT_EQ(Create(client, topic, 7), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    topic.num_partitions = 1;
    EXPECT_EQ(Create(client, topic, 7), ErrorCode::INVALID_REQUEST);
    topic = Topic("a");
    topic.configs.push_back({.name = "retention.ms", .value = "soon"});
    EXPECT_EQ(Create(client, topic, 7), ErrorCode::INVALID_CONFIG);
    topic.configs[0].value = std::nullopt;
    EXPECT_EQ(Create(client, topic, 7), ErrorCode::INVALID_REQUEST);
    CreateTopicsRequest twice;
    twice.topics = {Topic("a"), Topic("a"), Topic("b")};
    const auto response = client.Call(twice, 7);
    ASSERT_THAT(response->topics, SizeIs(3));
    EXPECT_EQ(response->topics[0].error_code, ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(response->topics[1].error_code, ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(response->topics[2].error_code, ErrorCode::NONE);
  });
}

TEST(AdminTest, ValidatingOnlyMakesNothing) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    EXPECT_EQ(Create(client, Topic("a"), 4, true), ErrorCode::NONE);
    EXPECT_EQ(Delete(client, "a", 4), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  });
}

TEST(AdminTest, DeletesByTopicId) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopicsRequest create;
    create.topics.push_back(Topic("a"));
    const Uuid id = client.Call(create, 7)->topics.at(0).topic_id;
    DeleteTopicsRequest request{.timeout_ms = 5000};
    request.topics.push_back({.name = "a", .topic_id = id});
    request.topics.push_back({.name = std::nullopt});
    request.topics.push_back({.name = std::nullopt, .topic_id = {1, 2}});
    request.topics.push_back({.name = std::nullopt, .topic_id = id});
    const auto response = client.Call(request, 6);
    ASSERT_TRUE(response.ok()) << response.status();
    ASSERT_THAT(response->responses, SizeIs(4));
    EXPECT_EQ(response->responses[0].error_code, ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(response->responses[1].error_code, ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(response->responses[2].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
  });
}

TEST(AdminTest, DeletionCanBeForbidden) {
  BrokerWorld(Settings{{"delete.topic.enable", "false"}}).Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    EXPECT_EQ(Delete(client, "a", 2), ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(Delete(client, "a", 3), ErrorCode::TOPIC_DELETION_DISABLED);
    EXPECT_EQ(Delete(client, "a", 6), ErrorCode::TOPIC_DELETION_DISABLED);
  });
}

// [C104]
TEST(AdminTest, ATopicComesBackEmptyUnderItsName) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    EXPECT_EQ(ErrorOf(client.Call(ProduceOf("a", BatchOf({"x", "y"})), 9)), ErrorCode::NONE);
    EXPECT_EQ(Delete(client, "a", 6), ErrorCode::NONE);
    EXPECT_EQ(ErrorOf(client.Call(ProduceOf("a", BatchOf({"x"})), 9)),
              ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    CreateTopic(client, "a");
    const auto again = client.Call(ProduceOf("a", BatchOf({"z"})), 9);
    EXPECT_EQ(again->responses.at(0).partition_responses.at(0).base_offset, 0);
  });
}

TEST(AdminTest, DescribesSettings) {
  BrokerWorld(Settings{{"log.retention.ms", "77"}}).Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a", 1, {{"retention.ms", "5"}});
    DescribeConfigsRequest request{.include_synonyms = true, .include_documentation = true};
    request.resources.push_back({.resource_type = 2, .resource_name = "a"});
    request.resources.back().configuration_keys = {"retention.ms"};
    request.resources.push_back({.resource_type = 2, .resource_name = "b"});
    request.resources.push_back({.resource_type = 4, .resource_name = "1"});
    request.resources.back().configuration_keys = std::nullopt;
    request.resources.push_back({.resource_type = 4, .resource_name = "2"});
    request.resources.push_back({.resource_type = 8, .resource_name = "1"});
    const auto response = client.Call(request, 4);
    ASSERT_TRUE(response.ok()) << response.status();
    ASSERT_THAT(response->results, SizeIs(5));
    ASSERT_THAT(response->results[0].configs, SizeIs(1));
    const auto& entry = response->results[0].configs[0];
    EXPECT_EQ(entry.value, "5");
    EXPECT_EQ(entry.config_source, 1);
    ASSERT_THAT(entry.synonyms, SizeIs(3));
    EXPECT_EQ(entry.synonyms[1].value, "77");
    EXPECT_THAT(entry.documentation.value_or(""), HasSubstr("age"));
    EXPECT_EQ(response->results[1].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    EXPECT_GT(response->results[2].configs.size(), 40u);
    EXPECT_EQ(response->results[3].error_code, ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(response->results[4].error_code, ErrorCode::INVALID_REQUEST);
    for (int16_t version = 0; version <= 4; ++version) {
      EXPECT_TRUE(client.Call(DescribeConfigsRequest{}, version).ok());
    }
  });
}

}  // namespace
}  // namespace highwater::tests
