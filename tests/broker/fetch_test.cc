// What a consumer is told: Fetch, ListOffsets, OffsetForLeaderEpoch.

#include "broker/protocol/fetch.h"

#include "broker/protocol/delete_topics.h"
#include "broker/protocol/list_offsets.h"
#include "broker/protocol/metadata.h"
#include "broker/protocol/offset_for_leader_epoch.h"
#include "tests/broker/broker_world.h"

namespace highwater::tests {
namespace {

using namespace broker::protocol;  // the messages
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Partition = FetchResponse::PartitionData;

FetchRequest FetchOf(const std::string& topic, int64_t offset, int32_t max_wait_ms = 0) {
  FetchRequest request{.replica_id = -1, .max_wait_ms = max_wait_ms, .min_bytes = 1};
  request.topics.push_back(
      {.topic = topic, .partitions = {{.fetch_offset = offset, .partition_max_bytes = 1 << 20}}});
  return request;
}

Partition Fetch(RawClient& client, const FetchRequest& request, int16_t version = 12) {
  const auto response = client.Call(request, version);
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? response->responses.at(0).partitions.at(0) : Partition{};
}

void Produce(RawClient& client, const std::string& topic, const std::vector<std::string>& values,
             int64_t timestamp_ms = 1000) {
  ASSERT_EQ(ErrorOf(client.Call(ProduceOf(topic, BatchOf(values, timestamp_ms)), 9)),
            ErrorCode::NONE);
}

// [Wire 5]
TEST(FetchTest, ReadsWhatWasProducedInEachVersion) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    Produce(client, "a", {"x", "y"});
    Produce(client, "a", {"z"});
    for (int16_t version = 4; version <= 12; ++version) {
      const Partition partition = Fetch(client, FetchOf("a", 0), version);
      EXPECT_EQ(partition.error_code, ErrorCode::NONE);
      EXPECT_EQ(partition.high_watermark, 3);
      EXPECT_EQ(partition.last_stable_offset, 3);
      EXPECT_EQ(partition.log_start_offset, version >= 5 ? 0 : -1);
      EXPECT_EQ(partition.preferred_read_replica, -1);
      EXPECT_THAT(ValuesOf(partition.records), ElementsAre("x", "y", "z"));
    }
    // Batches are whole: reading begins with the one that holds the offset.
    EXPECT_THAT(ValuesOf(Fetch(client, FetchOf("a", 1)).records), ElementsAre("x", "y", "z"));
    EXPECT_THAT(ValuesOf(Fetch(client, FetchOf("a", 2)).records), ElementsAre("z"));
  });
}

// [Wire 6]
TEST(FetchTest, NeverSendsNullRecords) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    for (int16_t version = 0; version <= 12; ++version) {
      for (const auto& [topic, offset, error] :
           {std::tuple{"a", 0, ErrorCode::NONE}, std::tuple{"a", 1, ErrorCode::OFFSET_OUT_OF_RANGE},
            std::tuple{"a", -1, ErrorCode::OFFSET_OUT_OF_RANGE},
            std::tuple{"none", 0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION}}) {
        const Partition partition = Fetch(client, FetchOf(topic, offset), version);
        EXPECT_EQ(partition.error_code, error);
        EXPECT_FALSE(partition.records.is_null());
        EXPECT_TRUE(partition.records.empty());
      }
    }
  });
}

// [Wire 5]
TEST(FetchTest, OldFormatsCannotCarryNewBatches) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    Produce(client, "a", {"x"});
    for (int16_t version = 0; version <= 3; ++version) {
      EXPECT_EQ(Fetch(client, FetchOf("a", 0), version).error_code, ErrorCode::UNSUPPORTED_VERSION);
      EXPECT_EQ(Fetch(client, FetchOf("a", 1), version).error_code, ErrorCode::NONE);
    }
  });
}

// [P6]
TEST(FetchTest, FindsTopicsByIdFromVersionThirteen) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    Produce(client, "a", {"x"});
    MetadataRequest metadata;
    metadata.topics->push_back({.name = "a"});
    FetchRequest request = FetchOf("", 0);
    request.topics[0].topic_id = client.Call(metadata, 12)->topics.at(0).topic_id;
    EXPECT_THAT(ValuesOf(Fetch(client, request, 13).records), ElementsAre("x"));
    request.topics[0].topic_id = {8, 8};
    const auto unknown = client.Call(request, 13);
    EXPECT_EQ(unknown->responses.at(0).topic_id, (Uuid{8, 8}));
    EXPECT_EQ(unknown->responses.at(0).partitions.at(0).error_code, ErrorCode::UNKNOWN_TOPIC_ID);
  });
}

// An incremental fetch of session `id` that names nothing new.
FetchRequest NextOf(int32_t id, int32_t epoch, int32_t max_wait_ms = 0) {
  FetchRequest request{.replica_id = -1, .max_wait_ms = max_wait_ms, .min_bytes = 1};
  request.session_id = id;
  request.session_epoch = epoch;
  return request;
}

// [P15]
TEST(FetchTest, ASessionTellsOnlyWhatIsNew) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    CreateTopic(client, "b");
    FetchRequest request = FetchOf("a", 0);
    request.topics.push_back(FetchOf("b", 0).topics[0]);
    request.session_epoch = 0;
    auto response = client.Call(request, 12);
    const int32_t id = response->session_id;
    EXPECT_NE(id, 0);
    EXPECT_THAT(response->responses, SizeIs(2));
    EXPECT_THAT(client.Call(NextOf(id, 1), 12)->responses, IsEmpty());
    Produce(client, "b", {"x"});
    response = client.Call(NextOf(id, 2), 12);
    ASSERT_THAT(response->responses, SizeIs(1));
    EXPECT_EQ(response->responses[0].topic, "b");
    EXPECT_THAT(ValuesOf(response->responses[0].partitions.at(0).records), ElementsAre("x"));
    // Whoever does not go on is told again.
    EXPECT_THAT(client.Call(NextOf(id, 3), 12)->responses, SizeIs(1));
    FetchRequest forgets = NextOf(id, 4);
    forgets.forgotten_topics_data.push_back({.topic = "b", .partitions = {0}});
    EXPECT_THAT(client.Call(forgets, 12)->responses, IsEmpty());
  });
}

// [P11]
TEST(FetchTest, ALongPollOfASessionEndsWhenAnyOfItsPartitionsHasRecords) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient consumer(env);
    RawClient producer(env);
    CreateTopic(producer, "a");
    FetchRequest request = FetchOf("a", 0);
    request.session_epoch = 0;
    const int32_t id = consumer.Call(request, 12)->session_id;
    ASSERT_TRUE(consumer.Send(NextOf(id, 1, 20'000), 12).ok());
    env.fibers.SleepFor(absl::Milliseconds(100));
    const core::MonotonicTime before = env.clock.Now();
    Produce(producer, "a", {"x"});
    const auto response = consumer.Receive<FetchResponse>(12);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_THAT(ValuesOf(response->responses.at(0).partitions.at(0).records), ElementsAre("x"));
    EXPECT_LT(env.clock.Now() - before, absl::Seconds(1));
  });
}

// [P14]
TEST(FetchTest, ASessionIsLostByAWrongIdOrEpoch) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    EXPECT_EQ(client.Call(NextOf(5, 3), 12)->error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    FetchRequest request = FetchOf("a", 0);
    request.session_epoch = 0;
    const int32_t id = client.Call(request, 12)->session_id;
    const auto response = client.Call(NextOf(id, 2), 12);
    EXPECT_EQ(response->error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    EXPECT_THAT(response->responses, IsEmpty());
    EXPECT_EQ(client.Call(NextOf(id, 1), 13)->error_code, ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
    EXPECT_EQ(client.Call(NextOf(id, -1), 12)->session_id, 0) << "closes it";
    EXPECT_EQ(client.Call(NextOf(id, 1), 12)->error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
  });
}

// [P13]
TEST(FetchTest, TheFirstBatchComesWholeHoweverLarge) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a", 2);
    const std::string large(5000, 'x');
    Produce(client, "a", {large});
    Produce(client, "a", {"next"});
    ASSERT_EQ(ErrorOf(client.Call(ProduceOf("a", BatchOf({large}), -1, 1), 9)), ErrorCode::NONE);
    FetchRequest request = FetchOf("a", 0);
    request.topics[0].partitions[0].partition_max_bytes = 10;
    EXPECT_THAT(ValuesOf(Fetch(client, request).records), ElementsAre(large));
    request.topics[0].partitions[0].partition_max_bytes = 1 << 20;
    request.max_bytes = 10;
    request.topics[0].partitions.push_back(
        {.partition = 1, .fetch_offset = 0, .partition_max_bytes = 1 << 20});
    const auto response = client.Call(request, 12);
    EXPECT_THAT(ValuesOf(response->responses.at(0).partitions.at(0).records), ElementsAre(large));
    EXPECT_TRUE(response->responses.at(0).partitions.at(1).records.empty());
  });
}

// [H6, P12]
TEST(FetchTest, ALongPollEndsWithTheNextAppend) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient consumer(env);
    RawClient producer(env);
    CreateTopic(producer, "a");
    ASSERT_TRUE(consumer.Send(FetchOf("a", 0, 20'000), 12).ok());
    env.fibers.SleepFor(absl::Seconds(1));
    const core::MonotonicTime before = env.clock.Now();
    Produce(producer, "a", {"x"});
    const auto response = consumer.Receive<FetchResponse>(12);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_THAT(ValuesOf(response->responses.at(0).partitions.at(0).records), ElementsAre("x"));
    EXPECT_LT(env.clock.Now() - before, absl::Seconds(1));
  });
}

// [P11]
TEST(FetchTest, ALongPollEndsEmptyAtItsTime) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    const core::MonotonicTime before = env.clock.Now();
    EXPECT_TRUE(Fetch(client, FetchOf("a", 0, 3000)).records.empty());
    EXPECT_GE(env.clock.Now() - before, absl::Seconds(3));
    EXPECT_LT(env.clock.Now() - before, absl::Seconds(4));
  });
}

// [P11]
TEST(FetchTest, WaitsForMinBytes) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient consumer(env);
    RawClient producer(env);
    CreateTopic(producer, "a");
    FetchRequest request = FetchOf("a", 0, 20'000);
    request.min_bytes = 200;
    ASSERT_TRUE(consumer.Send(request, 12).ok());
    Produce(producer, "a", {"x"});
    Produce(producer, "a", {"y"});
    env.fibers.SleepFor(absl::Seconds(1));
    Produce(producer, "a", {std::string(100, 'z')});
    const auto response = consumer.Receive<FetchResponse>(12);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_THAT(ValuesOf(response->responses.at(0).partitions.at(0).records), SizeIs(3));
  });
}

// [P6]
TEST(FetchTest, EpochsAreFenced) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    FetchRequest request = FetchOf("a", 0);
    request.topics[0].partitions[0].current_leader_epoch = 9;
    EXPECT_EQ(Fetch(client, request).error_code, ErrorCode::UNKNOWN_LEADER_EPOCH);
    request.topics[0].partitions[0].current_leader_epoch = 0;
    EXPECT_EQ(Fetch(client, request).error_code, ErrorCode::NONE);
    FetchRequest follower = FetchOf("a", 0);
    follower.replica_id = 3;
    Produce(client, "a", {"x"});
    const auto stranger = Fetch(client, follower);
    EXPECT_EQ(stranger.error_code, ErrorCode::NONE) << "[P10]";
    EXPECT_TRUE(stranger.records.empty());
  });
}

TEST(FetchTest, ADeletedTopicEndsALongPoll) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient consumer(env);
    RawClient producer(env);
    CreateTopic(producer, "a");
    ASSERT_TRUE(consumer.Send(FetchOf("a", 0, 20'000), 12).ok());
    env.fibers.SleepFor(absl::Milliseconds(100));
    ASSERT_TRUE(
        producer.Call(DeleteTopicsRequest{.topic_names = {"a"}, .timeout_ms = 5000}, 5).ok());
    const auto response = consumer.Receive<FetchResponse>(12);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->responses.at(0).partitions.at(0).error_code,
              ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  });
}

ListOffsetsRequest ListOf(int64_t timestamp) {
  ListOffsetsRequest request{.replica_id = -1};
  request.topics.push_back({.name = "a", .partitions = {{.timestamp = timestamp}}});
  return request;
}

// [P7, P17]
TEST(ListOffsetsTest, FindsEndsAndTimes) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    Produce(client, "a", {"x", "y"}, 1000);
    Produce(client, "a", {"z"}, 5000);
    for (int16_t version = 1; version <= 7; ++version) {
      const auto find = [&](int64_t timestamp) {
        const auto response = client.Call(ListOf(timestamp), version);
        EXPECT_TRUE(response.ok()) << response.status();
        const auto& found = response->topics.at(0).partitions.at(0);
        EXPECT_EQ(found.error_code, ErrorCode::NONE);
        return std::pair(found.offset, found.timestamp);
      };
      EXPECT_EQ(find(-1), std::pair(int64_t{3}, int64_t{-1}));
      EXPECT_EQ(find(-2), std::pair(int64_t{0}, int64_t{-1}));
      EXPECT_EQ(find(1001), std::pair(int64_t{1}, int64_t{1001}));
      EXPECT_EQ(find(1002), std::pair(int64_t{2}, int64_t{5000}));
      EXPECT_EQ(find(5001), std::pair(int64_t{-1}, int64_t{-1}));
    }
    const auto greatest = client.Call(ListOf(-3), 7);
    EXPECT_EQ(greatest->topics.at(0).partitions.at(0).offset, 2);
    ListOffsetsRequest old = ListOf(-1);
    old.topics[0].partitions[0].max_num_offsets = 5;
    EXPECT_THAT(client.Call(old, 0)->topics.at(0).partitions.at(0).old_style_offsets,
                ElementsAre(3, 0));
  });
}

// [P17]
TEST(ListOffsetsTest, RefusesWhatItMust) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    ListOffsetsRequest request = ListOf(-1);
    request.topics[0].partitions.push_back(request.topics[0].partitions[0]);
    request.topics.push_back({.name = "none", .partitions = {{.timestamp = -1}}});
    const auto response = client.Call(request, 7);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->topics.at(0).partitions.at(0).error_code, ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(response->topics.at(0).partitions.at(1).error_code, ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(response->topics.at(1).partitions.at(0).error_code,
              ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    request = ListOf(-1);
    request.topics[0].partitions[0].current_leader_epoch = 4;
    EXPECT_EQ(client.Call(request, 7)->topics.at(0).partitions.at(0).error_code,
              ErrorCode::UNKNOWN_LEADER_EPOCH);
  });
}

// [P16]
TEST(OffsetForLeaderEpochTest, TellsWhereAnEpochEnds) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    Produce(client, "a", {"x", "y"});
    for (int16_t version = 0; version <= 4; ++version) {
      OffsetForLeaderEpochRequest request;
      request.topics.push_back(
          {.topic = "a",
           .partitions = {{.leader_epoch = 0}, {.leader_epoch = 5}, {.partition = 1}}});
      const auto response = client.Call(request, version);
      ASSERT_TRUE(response.ok()) << response.status();
      const auto& results = response->topics.at(0).partitions;
      EXPECT_EQ(results.at(0).end_offset, 2);
      EXPECT_EQ(results.at(0).leader_epoch, version >= 1 ? 0 : -1);
      EXPECT_EQ(results.at(1).end_offset, -1);
      EXPECT_EQ(results.at(2).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
  });
}

}  // namespace
}  // namespace highwater::tests
