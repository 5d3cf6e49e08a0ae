// What a client meets first: the versions of APIs, metadata, coordinators that are not there.

#include <algorithm>

#include "broker/protocol/api_versions.h"
#include "broker/protocol/describe_cluster.h"
#include "broker/protocol/find_coordinator.h"
#include "broker/protocol/metadata.h"
#include "tests/broker/broker_world.h"

namespace highwater::tests {
namespace {

using namespace broker::protocol;  // the messages
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ApiVersionsRequest Named(std::string name) {
  return {.client_software_name = std::move(name), .client_software_version = "1.0"};
}

// [Wire 2.5, Wire 2.6]
TEST(VersionsTest, ListsWhatIsServedFromVersionZero) {
  BrokerWorld().Run([](core::Environment& env) {
    for (int16_t version = 0; version <= 3; ++version) {
      const auto response = RawClient(env).Call(Named("lib"), version);
      ASSERT_TRUE(response.ok()) << response.status();
      EXPECT_EQ(response->error_code, ErrorCode::NONE);
      std::vector<int16_t> keys;
      for (const auto& api : response->api_keys) {
        keys.push_back(api.api_key);
        EXPECT_EQ(api.min_version, 0);
        EXPECT_EQ(api.max_version, FindApi(api.api_key)->highest_version);
      }
      EXPECT_THAT(keys, ElementsAre(0, 1, 2, 3, 4, 5, 6, 10, 18, 19, 20, 22, 23, 32, 60));
    }
  });
}

// [Wire 2.3]
TEST(VersionsTest, AnUnknownVersionIsAnsweredInVersionZero) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    // As franz-go opens: version 4, a body that nobody here can read.
    const std::string request("\0\0\0\x0d\0\x12\0\x04\0\0\0\x07\xff\xff\0zz", 17);
    ASSERT_TRUE(client.SendBytes(request).ok());
    const auto frame = client.ReceiveFrame();
    ASSERT_TRUE(frame.ok()) << frame.status();
    EXPECT_EQ(frame->ToString(), std::string("\0\0\0\x07\0\x23\0\0\0\x01\0\x12\0\0\0\x03", 16));
    // The connection goes on.
    EXPECT_TRUE(client.Call(Named("franz-go"), 3).ok());
  });
}

// [Wire 2.4]
TEST(VersionsTest, ABadSoftwareNameIsInvalid) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    for (const char* name : {"", "-a", "a-", "a b", "ä"}) {
      const auto response = client.Call(Named(name), 3);
      ASSERT_TRUE(response.ok()) << response.status();
      EXPECT_EQ(response->error_code, ErrorCode::INVALID_REQUEST) << name;
      EXPECT_THAT(response->api_keys, IsEmpty());
    }
    EXPECT_EQ(client.Call(Named("a.b-c9"), 3)->error_code, ErrorCode::NONE);
  });
}

TEST(VersionsTest, CoordinatorsAreNotAvailable) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    for (int16_t version = 0; version <= 3; ++version) {
      const auto response = client.Call(FindCoordinatorRequest{.key = "group"}, version);
      ASSERT_TRUE(response.ok()) << response.status();
      EXPECT_EQ(response->error_code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
      EXPECT_EQ(response->node_id, -1);
      EXPECT_EQ(response->port, -1);
    }
    const auto batch = client.Call(FindCoordinatorRequest{.coordinator_keys = {"a", "b"}}, 4);
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_THAT(batch->coordinators, SizeIs(2));
    EXPECT_EQ(batch->coordinators[1].key, "b");
    EXPECT_EQ(batch->coordinators[1].error_code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    const auto odd = client.Call(FindCoordinatorRequest{.key = "x", .key_type = 9}, 2);
    EXPECT_EQ(odd->error_code, ErrorCode::INVALID_REQUEST);
  });
}

TEST(VersionsTest, DescribesTheCluster) {
  BrokerWorld(Settings{{"broker.rack", "az-a"}}).Run([](core::Environment& env) {
    const auto response = RawClient(env).Call(DescribeClusterRequest{}, 0);
    ASSERT_TRUE(response.ok()) << response.status();
    ASSERT_THAT(response->brokers, SizeIs(1));
    EXPECT_EQ(response->brokers[0].broker_id, 1);
    EXPECT_EQ(response->brokers[0].host, "broker");
    EXPECT_EQ(response->brokers[0].rack, "az-a");
    EXPECT_EQ(response->controller_id, 1);
    EXPECT_EQ(response->cluster_id.size(), 22u);
  });
}

MetadataRequest For(std::vector<std::string> names, bool create = true) {
  MetadataRequest request{.allow_auto_topic_creation = create};
  for (std::string& name : names) request.topics->push_back({.name = std::move(name)});
  return request;
}

TEST(MetadataTest, CreatesAnUnknownTopicWhereThatIsAllowed) {
  BrokerWorld(Settings{{"num.partitions", "3"}}).Run([](core::Environment& env) {
    RawClient client(env);
    EXPECT_EQ(client.Call(For({"a"}, false), 4)->topics.at(0).error_code,
              ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    for (int16_t version = 0; version <= 12; ++version) {
      const std::string name = "made-" + std::to_string(version);
      const auto response = client.Call(For({name, name}), version);
      ASSERT_TRUE(response.ok()) << response.status();
      ASSERT_THAT(response->topics, SizeIs(1));
      EXPECT_EQ(response->topics[0].error_code, ErrorCode::NONE);
      ASSERT_THAT(response->topics[0].partitions, SizeIs(3));
      EXPECT_EQ(response->topics[0].partitions[2].leader_id, 1);
      EXPECT_THAT(response->topics[0].partitions[2].isr_nodes, ElementsAre(1));
      EXPECT_EQ(response->topics[0].topic_id.is_zero(), version < 10);
      ASSERT_THAT(response->brokers, SizeIs(1));
    }
    EXPECT_EQ(client.Call(For({"bad name"}), 9)->topics.at(0).error_code,
              ErrorCode::INVALID_TOPIC_EXCEPTION);
  });
}

TEST(MetadataTest, DoesNotCreateWhereTheBrokerForbidsIt) {
  BrokerWorld(Settings{{"auto.create.topics.enable", "false"}}).Run([](core::Environment& env) {
    for (const int16_t version : {0, 4, 12}) {
      EXPECT_EQ(RawClient(env).Call(For({"a"}), version)->topics.at(0).error_code,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
  });
}

// [Wire 5]
TEST(MetadataTest, EmptyAndNullMeanAllOrNothing) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    CreateTopic(client, "b");
    MetadataRequest all;
    all.topics = std::nullopt;
    EXPECT_THAT(client.Call(For({}), 0)->topics, SizeIs(2)) << "version 0: empty is all";
    EXPECT_THAT(client.Call(For({}), 1)->topics, IsEmpty());
    EXPECT_THAT(client.Call(all, 1)->topics, SizeIs(2));
    EXPECT_THAT(client.Call(all, 12)->topics, SizeIs(2));
  });
}

TEST(MetadataTest, AnswersByTopicIdFromVersionTwelve) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    const Uuid id = client.Call(For({"a"}), 12)->topics.at(0).topic_id;
    MetadataRequest by_id;
    by_id.topics->push_back({.topic_id = id, .name = ""});  // as Java sends it
    by_id.topics->push_back({.topic_id = {9, 9}, .name = std::nullopt});
    const auto response = client.Call(by_id, 12);
    ASSERT_TRUE(response.ok()) << response.status();
    ASSERT_THAT(response->topics, SizeIs(2));
    EXPECT_EQ(response->topics[0].name, "a");
    EXPECT_EQ(response->topics[1].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
    EXPECT_EQ(response->topics[1].topic_id, (Uuid{9, 9}));
    EXPECT_EQ(client.Call(by_id, 11)->topics.at(0).error_code, ErrorCode::INVALID_REQUEST);
  });
}

TEST(MetadataTest, GivesOperationsOnlyToThoseWhoAsk) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    MetadataRequest request = For({"a"});
    EXPECT_EQ(client.Call(request, 10)->topics.at(0).topic_authorized_operations,
              std::numeric_limits<int32_t>::min());
    request.include_topic_authorized_operations = true;
    request.include_cluster_authorized_operations = true;
    EXPECT_EQ(client.Call(request, 10)->topics.at(0).topic_authorized_operations, 3576);
    EXPECT_EQ(client.Call(request, 10)->cluster_authorized_operations, 8096);
  });
}

}  // namespace
}  // namespace highwater::tests
