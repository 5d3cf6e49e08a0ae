#include "tests/client/polled.h"

namespace highwater::tests {
namespace {

using broker::client::Consumer;
using broker::client::ResetReason;
using ::testing::IsEmpty;

TEST(ConsumerTest, ReadsEverythingInOrderFromTheEarliest) {
  ClientWorld world;
  Polled polled;
  world.Run([&](core::Environment& env) {
    ProduceNow(env, 0, 50);
    Consumer consumer(env, ConfigOf<ConsumerConfig>(
                               {{"auto.offset.reset", "earliest"}, {"max.poll.records", "7"}}));
    consumer.Assign({kOrders});
    PollFor(env, consumer, polled, absl::Seconds(2));
    EXPECT_EQ(consumer.Position(kOrders), Offset(50));
    EXPECT_EQ(consumer.EndOffset(kOrders), Offset(50));
  });
  EXPECT_EQ(polled.values, Numbered(0, 50));
  ASSERT_EQ(polled.resets.size(), 1u);
  EXPECT_EQ(polled.resets[0].from, broker::kNoOffset);
  EXPECT_EQ(polled.resets[0].to, Offset(0));
}

// [N36]
TEST(ConsumerTest, FromTheLatestItSeesOnlyWhatComes) {
  ClientWorld world;
  Polled polled;
  world.Run([&](core::Environment& env) {
    ProduceNow(env, 0, 10);
    Consumer consumer(env, ConfigOf<ConsumerConfig>());
    consumer.Assign({kOrders});
    PollFor(env, consumer, polled, absl::Seconds(1));
    ProduceNow(env, 10, 15);
    PollFor(env, consumer, polled, absl::Seconds(1));
  });
  EXPECT_EQ(polled.values, Numbered(10, 15));
}

// [N36]
TEST(ConsumerTest, WithoutAPolicyItAsksTheApplication) {
  ClientWorld world;
  Polled polled;
  world.Run([&](core::Environment& env) {
    ProduceNow(env, 0, 3);
    Consumer consumer(env, ConfigOf<ConsumerConfig>({{"auto.offset.reset", "none"}}));
    consumer.Assign({kOrders});
    PollFor(env, consumer, polled, absl::Seconds(1));
    ASSERT_EQ(polled.errors.size(), 1u);
    EXPECT_EQ(polled.errors[0].code, ErrorCode::OFFSET_OUT_OF_RANGE);
    consumer.Seek(kOrders, Offset(1));
    PollFor(env, consumer, polled, absl::Seconds(1));
  });
  EXPECT_EQ(polled.values, Numbered(1, 3));
}

TEST(ConsumerTest, SeeksToOffsetsEndsAndTimes) {
  ClientWorld world;
  world.Run([&](core::Environment& env) {
    ProduceNow(env, 0, 10);
    Consumer consumer(env, ConfigOf<ConsumerConfig>({{"max.poll.records", "1"}}));
    consumer.Assign({kOrders});
    const auto next = [&] {
      Polled polled;
      while (polled.values.empty()) polled.Add(consumer.Poll(env.clock.Now() + absl::Seconds(1)));
      return polled.values[0];
    };
    consumer.SeekToBeginning(kOrders);
    EXPECT_EQ(next(), "v0");
    EXPECT_EQ(next(), "v1");
    consumer.Seek(kOrders, Offset(7));
    EXPECT_EQ(next(), "v7");
    consumer.Seek(kOrders, Offset(2));
    EXPECT_EQ(next(), "v2");
    consumer.SeekToTimestamp(kOrders, absl::UnixEpoch());
    EXPECT_EQ(next(), "v0");
    consumer.SeekToTimestamp(kOrders, env.clock.WallNow() + absl::Hours(1));
    Polled polled;
    PollFor(env, consumer, polled, absl::Seconds(1));
    EXPECT_THAT(polled.values, IsEmpty());
    ASSERT_EQ(polled.resets.size(), 1u);
    EXPECT_EQ(polled.resets[0].reason, ResetReason::kNoPosition);
    EXPECT_EQ(consumer.Position(kOrders), Offset(10));
  });
}

// [N32]
// [N36]
TEST(ConsumerTest, AnOffsetOutOfRangeResetsByPolicyAndSaysSo) {
  ClientWorld world;
  Polled polled;
  world.Run([&](core::Environment& env) {
    ProduceNow(env, 0, 5);
    Consumer consumer(env, ConfigOf<ConsumerConfig>({{"auto.offset.reset", "earliest"}}));
    consumer.Assign({kOrders});
    consumer.Seek(kOrders, Offset(100));
    PollFor(env, consumer, polled, absl::Seconds(2));
  });
  EXPECT_EQ(polled.values, Numbered(0, 5));
  ASSERT_EQ(polled.resets.size(), 1u);
  EXPECT_EQ(polled.resets[0].reason, ResetReason::kOutOfRange);
  EXPECT_EQ(polled.resets[0].from, Offset(100));
}

// [N30]
TEST(ConsumerTest, FollowsTheLeaderAndLosesNothing) {
  ClientWorld world;
  Polled polled;
  world.Run([&](core::Environment& env) {
    ProduceNow(env, 0, 5);
    Consumer consumer(env, ConfigOf<ConsumerConfig>({{"auto.offset.reset", "earliest"}}));
    consumer.Assign({kOrders});
    PollFor(env, consumer, polled, absl::Seconds(1));
    world.cluster.partition("orders").MoveTo(BrokerId(1));
    ProduceNow(env, 5, 10);
    PollFor(env, consumer, polled, absl::Seconds(2));
  });
  EXPECT_EQ(polled.values, Numbered(0, 10));
  EXPECT_EQ(polled.resets.size(), 1u);
  EXPECT_GE(world.cluster.CountOf(ApiKey::kOffsetForLeaderEpoch), 1);
}

// [N31]
TEST(ConsumerTest, ALogThatWasCutIsNoticed) {
  ClientWorld world;
  Polled polled;
  world.Run([&](core::Environment& env) {
    ProduceNow(env, 0, 5);
    ProduceNow(env, 5, 8);
    Consumer consumer(env, ConfigOf<ConsumerConfig>({{"auto.offset.reset", "earliest"}}));
    consumer.Assign({kOrders});
    PollFor(env, consumer, polled, absl::Seconds(1));
    FakePartition& partition = world.cluster.partition("orders");
    partition.Truncate(Offset(5));
    partition.MoveTo(BrokerId(1));
    ProduceNow(env, 50, 60);
    PollFor(env, consumer, polled, absl::Seconds(2));
  });
  auto wanted = Numbered(0, 8);
  const auto rest = Numbered(50, 60);
  wanted.insert(wanted.end(), rest.begin(), rest.end());
  EXPECT_EQ(polled.values, wanted);
  ASSERT_EQ(polled.resets.size(), 2u);
  EXPECT_EQ(polled.resets[1].reason, ResetReason::kTruncation);
  EXPECT_EQ(polled.resets[1].from, Offset(8));
  EXPECT_EQ(polled.resets[1].to, Offset(5));
}

TEST(ConsumerTest, FetchesByNamesWhereTheBrokerHasNoTopicIds) {
  ClientWorld world;
  world.cluster.highest_fetch_version = 12;
  Polled polled;
  world.Run([&](core::Environment& env) {
    ProduceNow(env, 0, 5);
    Consumer consumer(env, ConfigOf<ConsumerConfig>({{"auto.offset.reset", "earliest"}}));
    consumer.Assign({kOrders});
    PollFor(env, consumer, polled, absl::Seconds(1));
  });
  EXPECT_EQ(polled.values, Numbered(0, 5));
}

TEST(ConsumerTest, APausedPartitionGivesNothing) {
  ClientWorld world;
  world.cluster.AddTopic("other", 1);
  Polled polled;
  world.Run([&](core::Environment& env) {
    ProduceNow(env, 0, 5);
    ProduceNow(env, 10, 12, "other");
    Consumer consumer(env, ConfigOf<ConsumerConfig>({{"auto.offset.reset", "earliest"}}));
    consumer.Assign({kOrders, {"other", PartitionIndex(0)}});
    consumer.Pause(kOrders);
    PollFor(env, consumer, polled, absl::Seconds(1));
    EXPECT_EQ(polled.values, Numbered(10, 12));
    consumer.Resume(kOrders);
    PollFor(env, consumer, polled, absl::Seconds(1));
  });
  EXPECT_EQ(polled.values.size(), 7u);
}

TEST(ConsumerTest, ACorruptBatchIsTheApplicationsToDecide) {
  ClientWorld world;
  Polled polled;
  world.Run([&](core::Environment& env) {
    ProduceNow(env, 0, 2);
    ProduceNow(env, 2, 4);
    auto& batches = world.cluster.partition("orders").batches;
    std::string raw = batches[1].bytes().ToString();
    raw.back() ^= 1;
    batches[1] = broker::protocol::RecordBatch(batches[1].header(), core::Bytes::Copy(raw));
    Consumer consumer(env, ConfigOf<ConsumerConfig>({{"auto.offset.reset", "earliest"}}));
    consumer.Assign({kOrders});
    PollFor(env, consumer, polled, absl::Seconds(2));
  });
  EXPECT_EQ(polled.values, Numbered(0, 2));
  ASSERT_EQ(polled.errors.size(), 1u);
  EXPECT_EQ(polled.errors[0].code, ErrorCode::CORRUPT_MESSAGE);
  EXPECT_EQ(polled.errors[0].position, Offset(2));
}

// Whatever happens to fetches and connections: every record once, in order.
TEST(ConsumerTest, SeesEveryRecordOnceUnderAnyTrouble) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    ClientWorld world(seed, seed % 2 == 0 ? sim::StrategyKind::kRandom : sim::StrategyKind::kPct);
    core::KeyedRandom random(core::Mix(seed, 7));
    const uint64_t trouble = random.Below(50);
    Polled polled;
    world.Run([&](core::Environment& env) {
      ProduceNow(env, 0, 30);
      world.cluster.script = [&](BrokerId, ApiKey key, int) -> Verdict {
        if (key == ApiKey::kProduce || random.Below(100) >= trouble) return {};
        switch (random.Below(4)) {
          case 0:
            return {.fate = Fate::kClosedAfter};
          case 1:
            return {.fate = Fate::kIgnored};
          case 2:
            return {.fate = Fate::kRefused, .error = ErrorCode::UNKNOWN_LEADER_EPOCH};
          default:
            return {.fate = Fate::kRefused, .error = ErrorCode::NOT_LEADER_OR_FOLLOWER};
        }
      };
      Consumer consumer(
          env, ConfigOf<ConsumerConfig>({{"auto.offset.reset", "earliest"},
                                         {"request.timeout.ms", "700"},
                                         {"max.poll.records", std::to_string(1 + random.Below(10))},
                                         {"max.partition.fetch.bytes", "300"}}));
      consumer.Assign({kOrders});
      for (int move = 0; move < 4; ++move) {
        PollFor(env, consumer, polled, absl::Milliseconds(random.Between(1, 500)));
        world.cluster.partition("orders").MoveTo(BrokerId(static_cast<int32_t>(random.Below(2))));
      }
      world.cluster.script = nullptr;
      PollFor(env, consumer, polled, absl::Seconds(20));
    });
    ASSERT_EQ(polled.values, Numbered(0, 30)) << "seed " << seed;
    ASSERT_TRUE(polled.errors.empty()) << "seed " << seed;
  }
}

TEST(ConsumerTest, SurvivesACrashAtEachOfItsEffects) {
  for (uint64_t point = 1; point < 300; ++point) {
    ClientWorld world;
    bool done = false;
    world.client.SetMain([&](core::Environment& env) {
      ProduceNow(env, 0, 10);
      Consumer consumer(env, ConfigOf<ConsumerConfig>({{"auto.offset.reset", "earliest"}}));
      consumer.Assign({kOrders});
      Polled polled;
      while (polled.values.size() < 10)
        polled.Add(consumer.Poll(env.clock.Now() + absl::Seconds(1)));
      done = true;
    });
    world.client.CrashAtPoint(point, sim::CrashKind::kProcess);
    world.cluster.StartAll();
    world.client.Start();
    world.world.Run(absl::Seconds(10));
    if (done) return;
  }
  FAIL() << "the run never got through";
}

TEST(AdminTest, CreatesDescribesListsAndDeletes) {
  ClientWorld world;
  // The first answer comes from a broker that is not the controller any more.
  world.cluster.script = [](BrokerId, ApiKey key, int serial) -> Verdict {
    if (key == ApiKey::kCreateTopics && serial == 0)
      return {.fate = Fate::kRefused, .error = ErrorCode::NOT_CONTROLLER};
    if (key == ApiKey::kMetadata && serial == 1) return {.fate = Fate::kClosedBefore};
    return {};
  };
  world.Run([&](core::Environment& env) {
    broker::client::Admin admin(env, ConfigOf<broker::client::AdminConfig>());
    const core::MonotonicTime deadline = env.clock.Now() + absl::Seconds(20);
    const std::vector<broker::client::NewTopic> topics = {{.name = "fresh", .partitions = 3}};
    auto created = admin.CreateTopics(topics, deadline);
    ASSERT_TRUE(created.ok()) << created.status();
    ASSERT_EQ(created->size(), 1u);
    EXPECT_EQ((*created)[0].error, ErrorCode::NONE);
    created = admin.CreateTopics(topics, deadline);
    EXPECT_EQ((*created)[0].error, ErrorCode::TOPIC_ALREADY_EXISTS);

    const auto all = admin.Describe({}, deadline);
    ASSERT_TRUE(all.ok());
    ASSERT_EQ(all->topics.size(), 2u);
    EXPECT_EQ(all->topics[0].name, "fresh");
    EXPECT_EQ(all->topics[0].partitions.size(), 3u);
    EXPECT_EQ(all->brokers.size(), 2u);

    ProduceNow(env, 0, 4);
    const std::vector<TopicPartition> ids = {kOrders};
    const auto listed = admin.ListOffsets(ids, broker::client::kLatestTimestamp, deadline);
    ASSERT_TRUE(listed.ok()) << listed.status();
    EXPECT_EQ((*listed)[0].offset, Offset(4));

    const std::vector<std::string> names = {"fresh", "nobody"};
    const auto deleted = admin.DeleteTopics(names, deadline);
    ASSERT_TRUE(deleted.ok());
    EXPECT_EQ((*deleted)[0].error, ErrorCode::NONE);
    EXPECT_EQ((*deleted)[1].error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  });
}

TEST(AdminTest, GivesUpAtItsDeadline) {
  ClientWorld world;
  world.cluster.script = [](BrokerId, ApiKey, int) -> Verdict { return {.fate = Fate::kIgnored}; };
  world.Run([&](core::Environment& env) {
    broker::client::Admin admin(env, ConfigOf<broker::client::AdminConfig>());
    const core::MonotonicTime deadline = env.clock.Now() + absl::Seconds(5);
    EXPECT_TRUE(absl::IsDeadlineExceeded(admin.Describe({}, deadline).status()));
    EXPECT_EQ(env.clock.Now(), deadline);
  });
}

}  // namespace
}  // namespace highwater::tests
