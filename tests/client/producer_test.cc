#include "tests/client/client_world.h"

namespace highwater::tests {
namespace {

using broker::client::Producer;
using ::testing::ElementsAre;

// Sends `values` to orders-0 one after the other and waits for the end.
Outcomes SendAll(ClientWorld& world, const std::vector<std::string>& values,
                 const broker::client::Properties& properties) {
  Outcomes outcomes;
  world.Run([&](core::Environment& env) {
    Producer producer(env, ConfigOf<ProducerConfig>(properties));
    for (const std::string& value : values) {
      producer.Send({.topic = "orders", .value = value}, outcomes.For(value));
    }
    producer.Close(core::MonotonicTime::Never());
  });
  return outcomes;
}

std::vector<std::string> Numbered(int count) {
  std::vector<std::string> values;
  for (int i = 0; i < count; ++i) values.push_back("v" + std::to_string(i));
  return values;
}

// Refuses the first `count` produce requests like this.
std::function<Verdict(BrokerId, ApiKey, int)> FirstProduces(int count, Verdict verdict) {
  return [=](BrokerId, ApiKey key, int serial) {
    return key == ApiKey::kProduce && serial < count ? verdict : Verdict{};
  };
}

TEST(ProducerTest, AcknowledgesEachRecordWithItsOffset) {
  ClientWorld world;
  const auto values = Numbered(100);
  const Outcomes outcomes = SendAll(world, values, {});
  EXPECT_EQ(world.cluster.partition("orders").Values(), values);
  ASSERT_EQ(outcomes.all.size(), 100u);
  for (int64_t i = 0; i < 100; ++i) {
    const auto& [value, one] = outcomes.all[static_cast<size_t>(i)];
    EXPECT_EQ(value, values[static_cast<size_t>(i)]);
    EXPECT_EQ(one.outcome, SendOutcome::kAcknowledged);
    EXPECT_EQ(one.offset, Offset(i));
  }
  EXPECT_EQ(world.cluster.CountOf(ApiKey::kProduce), 1)
      << "sent in one run of the fiber: one batch";
}

// [N3]
TEST(ProducerTest, ALostAnswerLeavesTheOutcomeUnknown) {
  for (const Fate fate : {Fate::kClosedAfter, Fate::kClosedBefore}) {
    ClientWorld world;
    world.cluster.script = FirstProduces(1, {.fate = fate});
    const Outcomes outcomes = SendAll(world, {"a"}, {{"retries", "0"}});
    ASSERT_EQ(outcomes.all.size(), 1u);
    EXPECT_EQ(outcomes.all[0].second.outcome, SendOutcome::kUnknown);
    EXPECT_EQ(outcomes.all[0].second.error, ErrorCode::NETWORK_EXCEPTION);
    const size_t written = fate == Fate::kClosedAfter ? 1 : 0;
    EXPECT_EQ(world.cluster.partition("orders").Values().size(), written);
  }
}

// [N3]
TEST(ProducerTest, ALostAnswerIsRetriedAndMayDuplicate) {
  ClientWorld world;
  world.cluster.script = FirstProduces(1, {.fate = Fate::kClosedAfter});
  const Outcomes outcomes = SendAll(world, {"a"}, {{"enable.idempotence", "false"}});
  EXPECT_EQ(outcomes.Count(SendOutcome::kAcknowledged), 1u);
  EXPECT_THAT(world.cluster.partition("orders").Values(), ElementsAre("a", "a"));
  EXPECT_EQ(outcomes.all[0].second.offset, Offset(1));
}

TEST(ProducerTest, AnIdempotentProducersLostAnswerIsFoundAgain) {
  ClientWorld world;
  world.cluster.script = FirstProduces(1, {.fate = Fate::kClosedAfter});
  const Outcomes outcomes = SendAll(world, {"a"}, {});
  EXPECT_EQ(outcomes.Count(SendOutcome::kAcknowledged), 1u);
  EXPECT_THAT(world.cluster.partition("orders").Values(), ElementsAre("a"));
  EXPECT_EQ(outcomes.all[0].second.offset, Offset(0));
}

// [N5]
TEST(ProducerTest, ADuplicateOfWhichTheBrokerKnowsNoOffsetIsAcknowledgedWithoutOne) {
  ClientWorld world;
  world.cluster.script = [](BrokerId, ApiKey key, int serial) -> Verdict {
    if (key != ApiKey::kProduce || serial > 1) return {};
    if (serial == 0) return {.fate = Fate::kClosedAfter};
    return {.fate = Fate::kRefused, .error = ErrorCode::DUPLICATE_SEQUENCE_NUMBER};
  };
  const Outcomes outcomes = SendAll(world, {"a"}, {});
  ASSERT_EQ(outcomes.Count(SendOutcome::kAcknowledged), 1u);
  EXPECT_EQ(outcomes.all[0].second.offset, broker::kNoOffset);
}

// What was acknowledged is gone: the sequences cannot go on, the records behind it can [KIP-360].
TEST(ProducerTest, GoesOnInAnotherEpochBehindALoss) {
  ClientWorld world;
  Outcomes outcomes;
  world.Run([&](core::Environment& env) {
    Producer producer(env, ConfigOf<ProducerConfig>({{"batch.size", "0"}}));
    for (const char* value : {"a", "b", "c"}) {
      producer.Send({.topic = "orders", .value = value}, outcomes.For(value));
    }
    producer.Flush(core::MonotonicTime::Never());
    world.cluster.partition("orders").Truncate(Offset(1));
    for (const char* value : {"d", "e", "f"}) {
      producer.Send({.topic = "orders", .value = value}, outcomes.For(value));
    }
    producer.Flush(core::MonotonicTime::Never());
  });
  EXPECT_EQ(outcomes.Count(SendOutcome::kAcknowledged), 6u);
  EXPECT_THAT(world.cluster.partition("orders").Values(), ElementsAre("a", "d", "e", "f"));
  EXPECT_EQ(world.cluster.partition("orders").batches.back().header().producer_epoch, 1);
}

TEST(ProducerTest, WaitsForItsProducerIdAndFailsEverythingIfItMayHaveNone) {
  for (const bool refused : {false, true}) {
    ClientWorld world;
    world.cluster.script = [&](BrokerId, ApiKey key, int serial) -> Verdict {
      if (key != ApiKey::kInitProducerId) return {};
      if (refused) {
        return {.fate = Fate::kRefused, .error = ErrorCode::CLUSTER_AUTHORIZATION_FAILED};
      }
      if (serial < 3) return {.fate = Fate::kClosedBefore};
      return {};
    };
    const Outcomes outcomes = SendAll(world, {"a", "b"}, {});
    EXPECT_EQ(outcomes.Count(refused ? SendOutcome::kFailed : SendOutcome::kAcknowledged), 2u);
    if (refused) {
      EXPECT_EQ(outcomes.all[1].second.error, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
      EXPECT_EQ(world.cluster.CountOf(ApiKey::kProduce), 0);
    }
  }
}

TEST(ProducerTest, ARefusalBeforeTheAppendIsAFailure) {
  ClientWorld world;
  world.cluster.script =
      FirstProduces(1, {.fate = Fate::kRefused, .error = ErrorCode::NOT_ENOUGH_REPLICAS});
  const Outcomes outcomes = SendAll(world, {"a"}, {{"retries", "0"}});
  EXPECT_EQ(outcomes.Count(SendOutcome::kFailed), 1u);
  EXPECT_TRUE(world.cluster.partition("orders").Values().empty());
}

TEST(ProducerTest, AnErrorThatMayFollowAnAppendLeavesTheOutcomeUnknown) {
  for (const ErrorCode error :
       {ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND, ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::KAFKA_STORAGE_ERROR, ErrorCode::UNKNOWN_SERVER_ERROR}) {
    ClientWorld world;
    world.cluster.script = FirstProduces(1, {.fate = Fate::kDoneRefused, .error = error});
    const Outcomes outcomes = SendAll(world, {"a"}, {{"retries", "0"}});
    EXPECT_EQ(outcomes.Count(SendOutcome::kUnknown), 1u) << fmt::format("{}", error);
  }
}

// A later definite refusal cannot take back that the first attempt may have been written.
TEST(ProducerTest, OnceUnknownAlwaysUnknownUnlessAcknowledged) {
  ClientWorld world;
  world.cluster.script = [](BrokerId, ApiKey key, int serial) -> Verdict {
    if (key != ApiKey::kProduce) return {};
    if (serial == 0) return {.fate = Fate::kClosedAfter};
    return {.fate = Fate::kRefused, .error = ErrorCode::INVALID_RECORD};
  };
  const Outcomes outcomes = SendAll(world, {"a"}, {});
  ASSERT_EQ(outcomes.Count(SendOutcome::kUnknown), 1u);
  EXPECT_EQ(outcomes.all[0].second.error, ErrorCode::INVALID_RECORD);
}

TEST(ProducerTest, WhatNeverLeftFailsAtTheDeliveryTimeout) {
  ClientWorld world;
  world.cluster.partition("orders").leader = BrokerId(1);
  Outcomes outcomes;
  world.Run([&](core::Environment& env) {
    Producer producer(env, ConfigOf<ProducerConfig>(
                               {{"delivery.timeout.ms", "5000"}, {"request.timeout.ms", "2000"}}));
    EXPECT_EQ(producer.PartitionsFor("orders", core::MonotonicTime::Never()), 1);
    world.world.At(world.world.Elapsed(), [&] { world.cluster.host(1).Crash(); });
    env.fibers.SleepFor(absl::Milliseconds(10));
    const core::MonotonicTime start = env.clock.Now();
    producer.Send({.topic = "orders", .value = "a"}, outcomes.For("a"));
    producer.Flush(core::MonotonicTime::Never());
    EXPECT_EQ(env.clock.Now() - start, absl::Seconds(5));
  });
  ASSERT_EQ(outcomes.Count(SendOutcome::kFailed), 1u);
  EXPECT_EQ(outcomes.all[0].second.error, ErrorCode::REQUEST_TIMED_OUT);
}

TEST(ProducerTest, ASilentBrokerEndsInUnknownAtTheDeliveryTimeout) {
  ClientWorld world;
  world.cluster.script = FirstProduces(1 << 30, {.fate = Fate::kSilent});
  const Outcomes outcomes =
      SendAll(world, {"a"}, {{"delivery.timeout.ms", "5000"}, {"request.timeout.ms", "2000"}});
  EXPECT_EQ(outcomes.Count(SendOutcome::kUnknown), 1u);
  EXPECT_EQ(outcomes.all[0].second.error, ErrorCode::REQUEST_TIMED_OUT);
  EXPECT_GE(world.cluster.CountOf(ApiKey::kProduce), 2);
}

// [N3]
TEST(ProducerTest, FollowsTheLeader) {
  ClientWorld world;
  Outcomes outcomes;
  world.Run([&](core::Environment& env) {
    Producer producer(env, ConfigOf<ProducerConfig>());
    producer.Send({.topic = "orders", .value = "a"}, outcomes.For("a"));
    producer.Flush(core::MonotonicTime::Never());
    world.cluster.partition("orders").MoveTo(BrokerId(1));
    producer.Send({.topic = "orders", .value = "b"}, outcomes.For("b"));
    producer.Flush(core::MonotonicTime::Never());
  });
  EXPECT_EQ(outcomes.Count(SendOutcome::kAcknowledged), 2u);
  EXPECT_THAT(world.cluster.partition("orders").Values(), ElementsAre("a", "b"));
}

TEST(ProducerTest, WaitsForATopicThatIsNotThereYet) {
  ClientWorld world;
  world.world.At(absl::Seconds(3), [&] { world.cluster.AddTopic("late", 3); });
  Outcomes outcomes;
  world.Run([&](core::Environment& env) {
    Producer producer(env, ConfigOf<ProducerConfig>({{"max.block.ms", "1000"}}));
    producer.Send({.topic = "late", .value = "a"}, outcomes.For("a"));
    EXPECT_EQ(outcomes.Count(SendOutcome::kFailed), 1u) << "max.block.ms was over";
    env.fibers.SleepFor(absl::Seconds(3));
    producer.Send({.topic = "late", .partition = PartitionIndex(2), .value = "b"},
                  outcomes.For("b"));
    producer.Flush(core::MonotonicTime::Never());
  });
  EXPECT_EQ(outcomes.Count(SendOutcome::kAcknowledged), 1u);
  EXPECT_THAT(world.cluster.partition("late", 2).Values(), ElementsAre("b"));
}

// [N3]
TEST(ProducerTest, SplitsABatchThatIsTooLarge) {
  ClientWorld world;
  world.cluster.max_batch_bytes = 200;
  const auto values = Numbered(60);
  const Outcomes outcomes = SendAll(world, values, {});
  EXPECT_EQ(outcomes.Count(SendOutcome::kAcknowledged), 60u);
  auto stored = world.cluster.partition("orders").Values();
  std::sort(stored.begin(), stored.end());
  auto wanted = values;
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(stored, wanted);
}

TEST(ProducerTest, ARecordAboveTheRequestSizeFailsAtOnce) {
  ClientWorld world;
  const Outcomes outcomes =
      SendAll(world, {std::string(2000, 'x')}, {{"max.request.size", "1000"}});
  ASSERT_EQ(outcomes.Count(SendOutcome::kFailed), 1u);
  EXPECT_EQ(outcomes.all[0].second.error, ErrorCode::MESSAGE_TOO_LARGE);
  EXPECT_EQ(world.cluster.CountOf(ApiKey::kProduce), 0);
}

TEST(ProducerTest, FullMemoryMakesSendWait) {
  ClientWorld world;
  const auto values = Numbered(50);
  const Outcomes outcomes = SendAll(world, values,
                                    {{"batch.size", "100"},
                                     {"buffer.memory", "300"},
                                     {"linger.ms", "60000"},
                                     {"delivery.timeout.ms", "200000"}});
  EXPECT_EQ(outcomes.Count(SendOutcome::kAcknowledged), 50u);
  EXPECT_LT(world.world.Elapsed(), absl::Seconds(60))
      << "nothing lingers while somebody waits for memory";
}

TEST(ProducerTest, WithoutAcksNothingIsKnown) {
  ClientWorld world;
  const Outcomes outcomes = SendAll(world, {"a", "b"}, {{"acks", "0"}});
  ASSERT_EQ(outcomes.Count(SendOutcome::kUnknown), 2u);
  EXPECT_EQ(outcomes.all[0].second.error, ErrorCode::NONE);
  world.world.Run(world.world.Elapsed() + absl::Seconds(1));
  EXPECT_THAT(world.cluster.partition("orders").Values(), ElementsAre("a", "b"));
}

TEST(ProducerTest, KeysStayOnTheirPartitions) {
  ClientWorld world;
  world.cluster.AddTopic("keyed", 5);
  Outcomes outcomes;
  world.Run([&](core::Environment& env) {
    Producer producer(env, ConfigOf<ProducerConfig>());
    for (int i = 0; i < 40; ++i) {
      const std::string key = "k" + std::to_string(i % 10);
      producer.Send({.topic = "keyed", .key = key, .value = key}, outcomes.For(key));
    }
    producer.Flush(core::MonotonicTime::Never());
  });
  std::map<std::string, std::set<int32_t>> places;
  for (const auto& [key, one] : outcomes.all) places[key].insert(one.partition.value());
  ASSERT_EQ(places.size(), 10u);
  for (const auto& [key, partitions] : places) EXPECT_EQ(partitions.size(), 1u) << key;
}

TEST(ProducerTest, AnIdleProducerHasNoFiberAndNoticesAClosedConnection) {
  ClientWorld world;
  Outcomes outcomes;
  world.Run([&](core::Environment& env) {
    Producer producer(env, ConfigOf<ProducerConfig>({{"retries", "0"}}));
    producer.Send({.topic = "orders", .value = "a"}, outcomes.For("a"));
    producer.Flush(core::MonotonicTime::Never());
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(env.fibers.live(), 1u);
    world.world.At(world.world.Elapsed(), [&] { world.cluster.host(0).Crash(); });
    env.fibers.SleepFor(absl::Seconds(1));
    world.world.At(world.world.Elapsed(), [&] { world.cluster.host(0).Start(); });
    env.fibers.SleepFor(absl::Seconds(1));
    producer.Send({.topic = "orders", .value = "b"}, outcomes.For("b"));
    producer.Flush(core::MonotonicTime::Never());
  });
  EXPECT_EQ(outcomes.Count(SendOutcome::kAcknowledged), 2u)
      << "with retries=0, so the first attempt did it";
}

// The property that histories are judged by, over many kinds of trouble: an acknowledged record is
// at its offset, a failed one is nowhere, and with one request in flight first occurrences keep the
// order of Send. An idempotent producer's records keep it always, and are there once.
TEST(ProducerTest, OutcomesAreTrueUnderAnyTrouble) {
  size_t acknowledged = 0;
  size_t failed = 0;
  size_t unknown = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    ClientWorld world(seed, seed % 2 == 0 ? sim::StrategyKind::kRandom : sim::StrategyKind::kPct);
    core::KeyedRandom random(core::Mix(seed, 99));
    const uint64_t trouble = random.Below(60);
    world.cluster.script = [&](BrokerId, ApiKey key, int) -> Verdict {
      if (random.Below(100) >= trouble) return {};
      if (key == ApiKey::kInitProducerId) return {.fate = Fate::kClosedAfter};
      switch (random.Below(8)) {
        case 0:
          return {.fate = Fate::kClosedBefore};
        case 1:
          return {.fate = Fate::kClosedAfter};
        case 2:
          return {.fate = Fate::kIgnored};
        case 3:
          return {.fate = Fate::kSilent};
        case 4:
          return {.fate = Fate::kRefused, .error = ErrorCode::NOT_LEADER_OR_FOLLOWER};
        case 5:
          return {.fate = Fate::kDoneRefused, .error = ErrorCode::REQUEST_TIMED_OUT};
        case 6:
          return {.fate = Fate::kRefused, .error = ErrorCode::NOT_ENOUGH_REPLICAS};
        default:
          return {.fate = Fate::kRefused, .error = ErrorCode::INVALID_RECORD};
      }
    };
    const bool in_order = random.Chance(1, 2);
    const bool idempotent = random.Chance(1, 2);
    const uint64_t retries = random.Below(4) + (idempotent ? 1 : 0);
    Outcomes outcomes;
    world.Run([&](core::Environment& env) {
      Producer producer(env, ConfigOf<ProducerConfig>(
                                 {{"max.in.flight.requests.per.connection", in_order ? "1" : "5"},
                                  {"batch.size", random.Chance(1, 2) ? "0" : "200"},
                                  {"retries", std::to_string(retries)},
                                  {"enable.idempotence", idempotent ? "true" : "false"},
                                  {"request.timeout.ms", "500"},
                                  {"delivery.timeout.ms", "2000"}}));
      for (int i = 0; i < 40; ++i) {
        const std::string value = "v" + std::to_string(i);
        producer.Send({.topic = "orders", .value = value}, outcomes.For(value));
        if (random.Chance(1, 3)) env.fibers.SleepFor(absl::Milliseconds(random.Between(0, 200)));
      }
      producer.Close(random.Chance(1, 2) ? env.clock.Now() + absl::Seconds(1)
                                         : core::MonotonicTime::Never());
    });
    const auto stored = world.cluster.partition("orders").Values();
    ASSERT_EQ(outcomes.all.size(), 40u) << "seed " << seed;
    for (const auto& [value, one] : outcomes.all) {
      const auto count = std::count(stored.begin(), stored.end(), value);
      if (one.outcome == SendOutcome::kAcknowledged) {
        ASSERT_EQ(stored.at(static_cast<size_t>(one.offset.value())), value) << "seed " << seed;
      }
      if (one.outcome == SendOutcome::kFailed) {
        ASSERT_EQ(count, 0) << "seed " << seed << " " << value;
      }
      if (idempotent) {
        ASSERT_LE(count, 1) << "seed " << seed << " " << value;
      }
    }
    if (in_order || idempotent) {
      std::vector<int> first_occurrences;
      for (const std::string& value : stored) {
        const int n = std::stoi(value.substr(1));
        if (std::count(first_occurrences.begin(), first_occurrences.end(), n) == 0)
          first_occurrences.push_back(n);
      }
      EXPECT_TRUE(std::is_sorted(first_occurrences.begin(), first_occurrences.end()))
          << "seed " << seed;
    }
    acknowledged += outcomes.Count(SendOutcome::kAcknowledged);
    failed += outcomes.Count(SendOutcome::kFailed);
    unknown += outcomes.Count(SendOutcome::kUnknown);
  }
  EXPECT_GT(acknowledged, 1000u);
  EXPECT_GT(failed, 100u);
  EXPECT_GT(unknown, 100u);
}

// A crash at any point unwinds the client without waiting, and no destructor does anything.
TEST(ProducerTest, SurvivesACrashAtEachOfItsEffects) {
  for (uint64_t point = 1; point < 200; ++point) {
    ClientWorld world;
    bool done = false;
    world.client.SetMain([&](core::Environment& env) {
      Producer producer(env, ConfigOf<ProducerConfig>());
      for (int i = 0; i < 20; ++i) {
        producer.Send({.topic = "orders", .value = "v"}, [](const SendResult&) {});
        env.fibers.SleepFor(absl::Milliseconds(1));
      }
      producer.Close(core::MonotonicTime::Never());
      done = true;
    });
    world.client.CrashAtPoint(point, sim::CrashKind::kProcess);
    world.cluster.StartAll();
    world.client.Start();
    world.world.Run(absl::Seconds(10));
    if (done) {
      EXPECT_GT(point, 20u);
      return;
    }
  }
  FAIL() << "the run never got through";
}

TEST(ProducerTest, EqualSeedsGiveEqualRuns) {
  const auto run = [](uint64_t seed) {
    ClientWorld world(seed, sim::StrategyKind::kRandom);
    world.cluster.script = FirstProduces(3, {.fate = Fate::kClosedAfter});
    SendAll(world, Numbered(30), {{"batch.size", "0"}});
    return world.world.hash().value();
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

}  // namespace
}  // namespace highwater::tests
