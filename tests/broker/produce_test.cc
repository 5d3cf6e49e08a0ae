// What a producer is told.

#include "broker/protocol/produce.h"

#include "tests/broker/broker_world.h"

namespace highwater::tests {
namespace {

using namespace broker::protocol;  // the messages
using broker::PartitionIndex;
using broker::ProducerId;
using broker::TopicPartition;
using ::testing::SizeIs;

core::ByteChain Changed(const core::ByteChain& batch, size_t at, char to) {
  std::string bytes = batch.ToString();
  bytes[at] = to;
  return core::Bytes::Copy(bytes);
}

// [Wire 5]
TEST(ProduceTest, GivesOffsetsInEachVersion) {
  BrokerWorld w;
  w.Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    for (int16_t version = 0; version <= 9; ++version) {
      for (const int16_t acks : {1, -1}) {
        const auto response = client.Call(ProduceOf("a", BatchOf({"x", "y"}), acks), version);
        ASSERT_TRUE(response.ok()) << response.status();
        const auto& result = response->responses.at(0).partition_responses.at(0);
        EXPECT_EQ(result.error_code, ErrorCode::NONE);
        EXPECT_EQ(result.base_offset, 4 * version + (acks == 1 ? 0 : 2));
        EXPECT_EQ(result.log_append_time_ms, -1);
        EXPECT_EQ(result.log_start_offset, version >= 5 ? 0 : -1);
      }
    }
  });
  EXPECT_EQ((w.events.acknowledged[TopicPartition{"a", PartitionIndex(0)}]), 39);
}

TEST(ProduceTest, AnswersForEachPartitionByItself) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a", 2);
    ProduceRequest request = ProduceOf("a", BatchOf({"x"}));
    request.topic_data[0].partition_data.push_back({.index = 1, .records = BatchOf({"y"})});
    request.topic_data[0].partition_data.push_back({.index = 2, .records = BatchOf({"z"})});
    request.topic_data.push_back({.name = "none", .partition_data = {{.records = BatchOf({"n"})}}});
    const auto response = client.Call(request, 9);
    ASSERT_TRUE(response.ok()) << response.status();
    const auto& results = response->responses.at(0).partition_responses;
    EXPECT_EQ(results.at(0).error_code, ErrorCode::NONE);
    EXPECT_EQ(results.at(1).error_code, ErrorCode::NONE);
    EXPECT_EQ(results.at(2).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    EXPECT_EQ(response->responses.at(1).partition_responses.at(0).error_code,
              ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  });
}

// [P1, P2]
TEST(ProduceTest, RefusesWhatIsNoProperBatch) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a", 1, {{"max.message.bytes", "300"}});
    const core::ByteChain good = BatchOf({"x"});
    const auto refused = [&](core::ByteChain records, int16_t version = 9, int16_t acks = -1) {
      return ErrorOf(client.Call(ProduceOf("a", std::move(records), acks), version));
    };
    EXPECT_EQ(refused(good, 9, 2), ErrorCode::INVALID_REQUIRED_ACKS);
    EXPECT_EQ(refused(good, 9, -2), ErrorCode::INVALID_REQUIRED_ACKS);
    EXPECT_EQ(refused(Changed(good, 65, '!')), ErrorCode::CORRUPT_MESSAGE);
    EXPECT_EQ(refused(Changed(good, 16, 1), 2), ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT);
    EXPECT_EQ(refused(Changed(good, 16, 0), 0), ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT);
    EXPECT_EQ(refused(Changed(good, 16, 1), 3), ErrorCode::INVALID_RECORD);
    EXPECT_EQ(refused(BatchOf({std::string(400, 'x')})), ErrorCode::MESSAGE_TOO_LARGE);
    core::ByteChain two = good;
    two.Append(good);
    EXPECT_EQ(refused(two), ErrorCode::INVALID_RECORD);
    EXPECT_EQ(refused(core::ByteChain()), ErrorCode::INVALID_RECORD);
    EXPECT_EQ(refused(core::Bytes::Copy("garbage")), ErrorCode::CORRUPT_MESSAGE);
    EXPECT_EQ(refused(BatchOf({"x"}, 0, {.codec = Codec::kZstd}), 6),
              ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    EXPECT_EQ(refused(BatchOf({"x"}, 0, {.codec = Codec::kZstd}), 7), ErrorCode::NONE);
    EXPECT_EQ(refused(BatchOf({"x"}, 0,
                              {.producer_id = ProducerId(1),
                               .producer_epoch = 0,
                               .base_sequence = 0,
                               .is_transactional = true})),
              ErrorCode::INVALID_TXN_STATE);
    EXPECT_EQ(ErrorOf(client.Call(ProduceOf("__consumer_offsets", good), 9)),
              ErrorCode::INVALID_TOPIC_EXCEPTION);
  });
}

TEST(ProduceTest, NullRecordsAreRefused) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    ProduceRequest request = ProduceOf("a", {});
    request.topic_data[0].partition_data[0].records = Records();
    EXPECT_EQ(ErrorOf(client.Call(request, 9)), ErrorCode::INVALID_RECORD);
  });
}

core::ByteChain Sequenced(int32_t sequence, int16_t epoch = 0, int records = 1) {
  return BatchOf(
      std::vector<std::string>(static_cast<size_t>(records), "x"), 7000,
      {.producer_id = ProducerId(7), .producer_epoch = epoch, .base_sequence = sequence});
}

// [I2]
TEST(ProduceTest, ADuplicateIsAnsweredAsItWasAtFirst) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    for (int32_t i = 0; i < 6; ++i) {
      ASSERT_EQ(ErrorOf(client.Call(ProduceOf("a", Sequenced(2 * i, 0, 2)), 9)), ErrorCode::NONE);
    }
    for (int32_t i = 1; i < 6; ++i) {
      for (const int16_t acks : {1, -1}) {
        const auto again = client.Call(ProduceOf("a", Sequenced(2 * i, 0, 2), acks), 9);
        ASSERT_EQ(ErrorOf(again), ErrorCode::NONE);
        const auto& result = again->responses.at(0).partition_responses.at(0);
        EXPECT_EQ(result.base_offset, 2 * i);
        EXPECT_EQ(result.log_append_time_ms, 7001);
      }
    }
    EXPECT_EQ(ErrorOf(client.Call(ProduceOf("a", Sequenced(0, 0, 2)), 9)),
              ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
        << "older than the five that are remembered";
    const auto next = client.Call(ProduceOf("a", Sequenced(12)), 9);
    EXPECT_EQ(next->responses.at(0).partition_responses.at(0).base_offset, 12);
  });
}

// [I3-I5]
TEST(ProduceTest, SequencesAndEpochsAreChecked) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    const auto produce = [&](int32_t sequence, int16_t epoch) {
      return ErrorOf(client.Call(ProduceOf("a", Sequenced(sequence, epoch)), 9));
    };
    EXPECT_EQ(produce(5, 3), ErrorCode::NONE) << "an unknown producer may begin anywhere";
    EXPECT_EQ(produce(7, 3), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    EXPECT_EQ(produce(6, 3), ErrorCode::NONE);
    EXPECT_EQ(produce(7, 2), ErrorCode::INVALID_PRODUCER_EPOCH);
    EXPECT_EQ(produce(7, 4), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    EXPECT_EQ(produce(0, 4), ErrorCode::NONE);
  });
}

// [P4] Success means the same whoever asks: the record is committed.
TEST(ProduceTest, ADuplicateOfABatchOnItsWayWaitsForItToBeWritten) {
  BrokerWorld w(Settings{{"log.flush.interval.messages", "1"}});
  auto* disk = static_cast<sim::Disk*>(w.host.disk());
  w.Run([&](core::Environment& env) {
    RawClient first(env), second(env);
    CreateTopic(first, "a");
    disk->Begin({.id = sim::kNoFault, .kind = sim::DiskFault::Kind::kStallDevice});
    ASSERT_TRUE(first.Send(ProduceOf("a", Sequenced(0)), 9).ok());
    env.fibers.SleepFor(absl::Milliseconds(20));
    ProduceRequest again = ProduceOf("a", Sequenced(0));
    again.timeout_ms = 200;
    EXPECT_EQ(ErrorOf(second.Call(again, 9)), ErrorCode::REQUEST_TIMED_OUT);
    ASSERT_TRUE(second.Send(ProduceOf("a", Sequenced(0)), 9).ok());
    env.fibers.SleepFor(absl::Milliseconds(20));
    disk->End(sim::kNoFault);
    for (RawClient* client : {&first, &second}) {
      const auto answer = client->Receive<ProduceResponse>(9);
      ASSERT_EQ(ErrorOf(answer), ErrorCode::NONE);
      EXPECT_EQ(answer->responses.at(0).partition_responses.at(0).base_offset, 0);
    }
    EXPECT_EQ(ErrorOf(first.Call(ProduceOf("a", Sequenced(1)), 9)), ErrorCode::NONE);
  });
}

// [I11-I13] Also behind a roll: the snapshot knows all five.
TEST(ProduceTest, DuplicatesAreKnownAfterACrashAndAfterAStop) {
  BrokerWorld w(Settings{{"log.segment.bytes", "300"}});
  const auto produce = [&](int32_t from, int32_t to) {
    w.Run([&](core::Environment& env) {
      RawClient client(env);
      if (from == 0) CreateTopic(client, "a");
      for (int32_t i = from; i < to; ++i) {
        const auto answer = client.Call(ProduceOf("a", Sequenced(i)), 9);
        ASSERT_EQ(ErrorOf(answer), ErrorCode::NONE) << i;
        EXPECT_EQ(answer->responses.at(0).partition_responses.at(0).base_offset, i);
      }
    });
  };
  produce(0, 14);
  w.host.Crash();
  produce(9, 20);
  w.host.RequestStop();
  w.world.Run(w.world.Elapsed() + absl::Seconds(5));
  ASSERT_FALSE(w.host.running());
  produce(15, 21);
}

// [P1, Wire 2.7]
TEST(ProduceTest, AcksZeroHasNoAnswerAndClosesOnAnError) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    ASSERT_TRUE(client.Send(ProduceOf("a", BatchOf({"x"}), 0), 9).ok());
    // The next answer belongs to the next request.
    const auto next = client.Call(ProduceOf("a", BatchOf({"y"}), 1), 9);
    ASSERT_TRUE(next.ok()) << next.status();
    EXPECT_EQ(next->responses.at(0).partition_responses.at(0).base_offset, 1);
    ASSERT_TRUE(client.Send(ProduceOf("none", BatchOf({"x"}), 0), 9).ok());
    EXPECT_TRUE(client.IsClosedByBroker());
  });
}

// [H16]
TEST(ProduceTest, TooFewInSyncReplicasForAcksAll) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a", 1, {{"min.insync.replicas", "2"}});
    EXPECT_EQ(ErrorOf(client.Call(ProduceOf("a", BatchOf({"x"}), -1), 9)),
              ErrorCode::NOT_ENOUGH_REPLICAS);
    EXPECT_EQ(ErrorOf(client.Call(ProduceOf("a", BatchOf({"x"}), 1), 9)), ErrorCode::NONE);
  });
}

TEST(ProduceTest, StampsTheAppendTimeWhereTheTopicSaysSo) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a", 1, {{"message.timestamp.type", "LogAppendTime"}});
    const auto response = client.Call(ProduceOf("a", BatchOf({"x"}, 5)), 9);
    EXPECT_EQ(ErrorOf(response), ErrorCode::NONE);
    EXPECT_GT(response->responses.at(0).partition_responses.at(0).log_append_time_ms, 5);
  });
}

// [P4]
TEST(ProduceTest, AStalledDiskTimesOutAcksAllAndNobodyElse) {
  BrokerWorld w(Settings{{"log.flush.interval.messages", "1"}});
  auto* disk = static_cast<sim::Disk*>(w.host.disk());
  w.Run([&](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    disk->Begin({.id = sim::kNoFault, .kind = sim::DiskFault::Kind::kStallDevice});
    ProduceRequest request = ProduceOf("a", BatchOf({"x"}));
    request.timeout_ms = 300;
    const core::MonotonicTime before = env.clock.Now();
    EXPECT_EQ(ErrorOf(client.Call(request, 9)), ErrorCode::REQUEST_TIMED_OUT);
    EXPECT_GE(env.clock.Now() - before, absl::Milliseconds(300));
    EXPECT_LT(env.clock.Now() - before, absl::Seconds(1));
    disk->End(sim::kNoFault);
    // The record stayed.
    const auto next = client.Call(ProduceOf("a", BatchOf({"y"})), 9);
    EXPECT_EQ(next->responses.at(0).partition_responses.at(0).base_offset, 1);
  });
  EXPECT_EQ((w.events.acknowledged[TopicPartition{"a", PartitionIndex(0)}]), 1);
}

}  // namespace
}  // namespace highwater::tests
