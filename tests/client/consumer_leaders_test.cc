// The consumer in a cluster whose leaders, logs, sessions and replicas change: one test a rule.

#include "tests/client/polled.h"

namespace highwater::tests {
namespace {

using broker::client::Consumer;
using broker::client::ResetReason;
namespace protocol = broker::protocol;
using ::testing::IsEmpty;

ConsumerConfig FromTheStart(broker::client::Properties more = {}) {
  more.insert({"auto.offset.reset", "earliest"});
  return ConfigOf<ConsumerConfig>(more);
}

// Three brokers; "orders" has ten records, in batches of five, led by broker 0.
struct LeadersWorld : ClientWorld {
  explicit LeadersWorld(int brokers = 3) : ClientWorld(1, sim::StrategyKind::kFifo, brokers) {
    orders().Append(Numbered(0, 5));
    orders().Append(Numbered(5, 10));
  }
  FakePartition& orders() { return cluster.partition("orders"); }
  // Runs `main` with a consumer that has read everything.
  void RunReader(const ConsumerConfig& config,
                 const std::function<void(core::Environment&, Consumer&)>& main) {
    Run([&](core::Environment& env) {
      Consumer consumer(env, config);
      consumer.Assign({kOrders});
      PollFor(env, consumer, polled, absl::Seconds(1));
      main(env, consumer);
    });
  }
  // The first reset is that to the beginning.
  [[nodiscard]] size_t jumps() const { return polled.resets.size() - 1; }

  Polled polled;
};

// [N31]
TEST(ConsumerLeadersTest, ANewEpochOfTheSameLeaderIsFencedThenValidatedThenFetched) {
  LeadersWorld world;
  world.RunReader(FromTheStart(), [&](core::Environment& env, Consumer& consumer) {
    EXPECT_EQ(world.cluster.CountOf(ApiKey::kOffsetForLeaderEpoch), 0);
    world.orders().MoveTo(BrokerId(0));
    world.orders().Append({"v10"});
    PollFor(env, consumer, world.polled, absl::Seconds(1));
    EXPECT_EQ(world.cluster.CountOf(ApiKey::kOffsetForLeaderEpoch), 1);
  });
  EXPECT_EQ(world.polled.values, Numbered(0, 11));
  EXPECT_EQ(world.jumps(), 0u);
}

// [N31] The leader changes while what was fetched still waits to be returned.
TEST(ConsumerLeadersTest, RecordsThatWereFetchedFromADeposedLeaderAreFetchedAgain) {
  LeadersWorld world;
  world.Run([&](core::Environment& env) {
    Consumer consumer(env,
                      FromTheStart({{"max.poll.records", "1"}, {"metadata.max.age.ms", "100"}}));
    consumer.Assign({kOrders});
    while (world.polled.values.empty()) {
      world.polled.Add(consumer.Poll(env.clock.Now() + absl::Seconds(1)));
    }
    world.orders().Truncate(Offset(5));
    world.orders().MoveTo(BrokerId(1));
    world.orders().Append({"other"});
    env.fibers.SleepFor(absl::Seconds(1));
    PollFor(env, consumer, world.polled, absl::Seconds(2));
  });
  auto wanted = Numbered(0, 5);
  wanted.emplace_back("other");
  // What was polled before the news came is one record more than what was returned first.
  EXPECT_EQ(world.polled.values, wanted);
}

// [N32]
// [N20]
TEST(ConsumerLeadersTest, AnUnknownLeaderEpochIsTriedAgainWithoutNewMetadata) {
  LeadersWorld world;
  int refused = 0;
  world.RunReader(FromTheStart(), [&](core::Environment& env, Consumer& consumer) {
    const int metadata = world.cluster.CountOf(ApiKey::kMetadata);
    world.cluster.script = [&](BrokerId, ApiKey key, int) -> Verdict {
      if (key != ApiKey::kFetch || ++refused > 3) return {};
      return {.fate = Fate::kRefused, .error = ErrorCode::UNKNOWN_LEADER_EPOCH};
    };
    world.orders().Append({"v10"});
    PollFor(env, consumer, world.polled, absl::Seconds(3));
    EXPECT_EQ(world.cluster.CountOf(ApiKey::kMetadata), metadata);
  });
  EXPECT_GT(refused, 3);
  EXPECT_EQ(world.polled.values, Numbered(0, 11));
}

// [N20], [N32] Each of these has the leader looked for, with a back-off, and loses nothing.
TEST(ConsumerLeadersTest, ErrorsOfAMovedLeaderRefreshMetadataWithBackOff) {
  for (const ErrorCode error :
       {ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::KAFKA_STORAGE_ERROR,
        ErrorCode::FENCED_LEADER_EPOCH, ErrorCode::OFFSET_NOT_AVAILABLE,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::UNKNOWN_TOPIC_ID}) {
    LeadersWorld world;
    world.RunReader(FromTheStart(), [&](core::Environment& env, Consumer& consumer) {
      const int metadata = world.cluster.CountOf(ApiKey::kMetadata);
      const core::MonotonicTime until = env.clock.Now() + absl::Seconds(1);
      world.cluster.script = [&](BrokerId, ApiKey key, int) -> Verdict {
        if (key != ApiKey::kFetch || env.clock.Now() > until) return {};
        return {.fate = Fate::kRefused, .error = error};
      };
      world.orders().Append({"v10"});
      PollFor(env, consumer, world.polled, absl::Seconds(3));
      const int asked = world.cluster.CountOf(ApiKey::kMetadata) - metadata;
      EXPECT_GE(asked, 3) << protocol::NameOf(error);
      EXPECT_LE(asked, 11) << "at most one each retry.backoff.ms";
    });
    EXPECT_EQ(world.polled.values, Numbered(0, 11));
    EXPECT_EQ(world.jumps(), 0u);
  }
}

// Broker 0 has fallen silent; what broker 1 says of the other topic makes us ask who leads.
struct SilentLeaderWorld : LeadersWorld {
  SilentLeaderWorld() {
    cluster.AddTopic("other", 1);
    cluster.partition("other").leader = BrokerId(1);
  }
  void Silence() {
    cluster.script = [](BrokerId id, ApiKey, int) -> Verdict {
      return {.fate = id == BrokerId(0) ? Fate::kIgnored : Fate::kServed};
    };
  }
  void Elect() {
    orders().MoveTo(BrokerId(2));
    cluster.partition("other").MoveTo(BrokerId(2));
  }
};

// A silent leader is given up as soon as metadata names another, not at request.timeout.ms.
TEST(ConsumerLeadersTest, ASilentLeadersSuccessorIsFetchedFromBeforeTheRequestTimesOut) {
  SilentLeaderWorld world;
  world.Run([&](core::Environment& env) {
    Consumer consumer(env, FromTheStart());
    consumer.Assign({kOrders, {"other", PartitionIndex(0)}});
    PollFor(env, consumer, world.polled, absl::Seconds(1));
    world.Silence();
    PollFor(env, consumer, world.polled, absl::Seconds(1));
    world.Elect();
    world.orders().Append({"v10"});
    PollFor(env, consumer, world.polled, absl::Seconds(3));
  });
  EXPECT_EQ(world.polled.values, Numbered(0, 11));
}

TEST(ConsumerLeadersTest, AResetIsAskedOfTheNewLeaderIfTheOldOneFallsSilent) {
  SilentLeaderWorld world;
  world.Run([&](core::Environment& env) {
    Consumer consumer(env, FromTheStart());
    consumer.Assign({kOrders, {"other", PartitionIndex(0)}});
    PollFor(env, consumer, world.polled, absl::Seconds(1));
    world.polled = {};
    world.Silence();
    consumer.SeekToBeginning(kOrders);
    PollFor(env, consumer, world.polled, absl::Seconds(1));
    EXPECT_THAT(world.polled.values, IsEmpty());
    world.Elect();
    PollFor(env, consumer, world.polled, absl::Seconds(3));
  });
  EXPECT_EQ(world.polled.values, Numbered(0, 10));
}

// Fetches to several leaders run side by side, one to each.
TEST(ConsumerLeadersTest, ASilentLeaderHoldsUpOnlyItsOwnPartitions) {
  LeadersWorld world;
  world.cluster.AddTopic("other", 1);
  world.cluster.partition("other").leader = BrokerId(1);
  world.cluster.partition("other").Append({"a", "b"});
  int at_zero = 0;
  world.cluster.script = [&](BrokerId id, ApiKey key, int) -> Verdict {
    if (id != BrokerId(0) || key != ApiKey::kFetch) return {};
    ++at_zero;
    return {.fate = Fate::kIgnored};
  };
  world.Run([&](core::Environment& env) {
    Consumer consumer(env, FromTheStart());
    consumer.Assign({kOrders, {"other", PartitionIndex(0)}});
    PollFor(env, consumer, world.polled, absl::Seconds(5));
  });
  EXPECT_EQ(world.polled.values, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(at_zero, 1) << "one fetch in flight to a broker";
}

// [N21] A broker that was cut off tells of a leader that nobody follows any more.
TEST(ConsumerLeadersTest, MetadataOfAnOlderEpochSendsNobodyBack) {
  LeadersWorld world;
  bool cut_off = false;
  world.cluster.edit_metadata = [&](BrokerId, protocol::MetadataResponse& response) {
    if (!cut_off || response.topics.empty()) return;
    response.topics[0].partitions[0].leader_id = 0;
    response.topics[0].partitions[0].leader_epoch = 0;
  };
  world.RunReader(FromTheStart({{"metadata.max.age.ms", "50"}}),
                  [&](core::Environment& env, Consumer& consumer) {
                    world.orders().MoveTo(BrokerId(1));
                    world.orders().Append({"v10"});
                    PollFor(env, consumer, world.polled, absl::Seconds(2));
                    cut_off = true;
                    const int before = world.cluster.CountOf(ApiKey::kOffsetForLeaderEpoch);
                    const int metadata = world.cluster.CountOf(ApiKey::kMetadata);
                    PollFor(env, consumer, world.polled, absl::Seconds(5));
                    EXPECT_EQ(world.cluster.CountOf(ApiKey::kOffsetForLeaderEpoch), before)
                        << "who is sent back asks the old leader about its position first";
                    EXPECT_GT(world.cluster.CountOf(ApiKey::kMetadata), metadata);
                  });
  EXPECT_EQ(world.polled.values, Numbered(0, 11));
}

// [P17], [H7]
TEST(ConsumerLeadersTest, AnOffsetThatIsNotAvailableYetIsAskedForAgain) {
  LeadersWorld world;
  world.cluster.script = [](BrokerId, ApiKey key, int serial) -> Verdict {
    if (key != ApiKey::kListOffsets || serial >= 3) return {};
    return {.fate = Fate::kRefused, .error = ErrorCode::OFFSET_NOT_AVAILABLE};
  };
  world.Run([&](core::Environment& env) {
    Consumer consumer(env, ConfigOf<ConsumerConfig>());
    consumer.Assign({kOrders});
    PollFor(env, consumer, world.polled, absl::Seconds(1));
    EXPECT_EQ(consumer.Position(kOrders), Offset(10));
  });
  EXPECT_THAT(world.polled.errors, IsEmpty());
}

// [N31] Cut, led by others, and written again up to the same end: only the epoch can tell.
TEST(ConsumerLeadersTest, ALogThatWasCutAndGrewBackIsReadAgainFromTheCut) {
  LeadersWorld world;
  world.RunReader(FromTheStart(), [&](core::Environment& env, Consumer& consumer) {
    world.orders().Truncate(Offset(5));
    world.orders().MoveTo(BrokerId(1));
    world.orders().Append(Numbered(50, 55));
    world.orders().MoveTo(BrokerId(2));
    PollFor(env, consumer, world.polled, absl::Seconds(2));
  });
  auto wanted = Numbered(0, 10);
  for (const std::string& value : Numbered(50, 55)) wanted.push_back(value);
  EXPECT_EQ(world.polled.values, wanted);
  ASSERT_EQ(world.jumps(), 1u);
  EXPECT_EQ(world.polled.resets[1].reason, ResetReason::kTruncation);
  EXPECT_EQ(world.polled.resets[1].to, Offset(5));
}

// [N31]
TEST(ConsumerLeadersTest, WithoutAPolicyATruncationIsTheApplicationsToDecide) {
  LeadersWorld world;
  world.Run([&](core::Environment& env) {
    Consumer consumer(env, ConfigOf<ConsumerConfig>({{"auto.offset.reset", "none"}}));
    consumer.Assign({kOrders});
    consumer.Seek(kOrders, Offset(0));
    PollFor(env, consumer, world.polled, absl::Seconds(1));
    world.orders().Truncate(Offset(5));
    world.orders().MoveTo(BrokerId(1));
    PollFor(env, consumer, world.polled, absl::Seconds(1));
    ASSERT_EQ(world.polled.errors.size(), 1u);
    EXPECT_EQ(world.polled.errors[0].position, Offset(10));
    world.orders().Append({"new"});
    consumer.Seek(kOrders, Offset(5));
    PollFor(env, consumer, world.polled, absl::Seconds(1));
  });
  EXPECT_EQ(world.polled.values.back(), "new");
  EXPECT_THAT(world.polled.resets, IsEmpty());
}

// [N21], [N31] The epochs of the topic that is gone mean nothing in the new one's log.
TEST(ConsumerLeadersTest, ATopicThatWasCreatedAgainIsReadFromItsStart) {
  LeadersWorld world;
  world.orders().MoveTo(BrokerId(1));
  world.orders().Append({"v10"});
  world.RunReader(FromTheStart(), [&](core::Environment& env, Consumer& consumer) {
    world.cluster.AddTopic("orders", 1);
    world.cluster.topics["orders"].id = {.high = 99, .low = 99};
    world.orders().Append({"fresh"});
    PollFor(env, consumer, world.polled, absl::Seconds(3));
  });
  auto wanted = Numbered(0, 11);
  wanted.emplace_back("fresh");
  EXPECT_EQ(world.polled.values, wanted);
  EXPECT_EQ(world.jumps(), 1u);
}

// [P14]
TEST(ConsumerLeadersTest, ASessionMakesAllFetchesButTheFirstIncremental) {
  LeadersWorld world;
  world.RunReader(FromTheStart(), [&](core::Environment& env, Consumer& consumer) {
    PollFor(env, consumer, world.polled, absl::Seconds(5));
  });
  EXPECT_EQ(world.cluster.full_fetches, 1);
  EXPECT_GE(world.cluster.incremental_fetches, 8);
}

// [P14]
TEST(ConsumerLeadersTest, ALostOrConfusedSessionIsReplacedAndNothingIsLostOrReadTwice) {
  const std::vector<std::function<void(FakeCluster&)>> troubles = {
      [](FakeCluster& cluster) { cluster.EvictSessions(); },
      [](FakeCluster& cluster) {
        for (auto& [id, session] : cluster.sessions) session->epoch += 5;
      },
      [](FakeCluster& cluster) {
        for (auto& [id, session] : cluster.sessions) session->uses_ids = !session->uses_ids;
      },
      [](FakeCluster& cluster) { cluster.host(0).Crash(); },
  };
  for (const auto& trouble : troubles) {
    LeadersWorld world;
    world.RunReader(FromTheStart(), [&](core::Environment& env, Consumer& consumer) {
      trouble(world.cluster);
      if (!world.cluster.host(0).running()) world.cluster.host(0).Start();
      world.orders().Append({"v10"});
      PollFor(env, consumer, world.polled, absl::Seconds(3));
    });
    EXPECT_EQ(world.polled.values, Numbered(0, 11));
    EXPECT_EQ(world.jumps(), 0u);
    EXPECT_EQ(world.cluster.full_fetches, 2);
  }
}

// [P14] "A broker without sessions is legal."
TEST(ConsumerLeadersTest, ABrokerWithoutSessionsGetsFullFetches) {
  LeadersWorld world;
  world.cluster.keeps_sessions = false;
  world.RunReader(FromTheStart(), [&](core::Environment& env, Consumer& consumer) {
    world.orders().Append({"v10"});
    PollFor(env, consumer, world.polled, absl::Seconds(3));
  });
  EXPECT_EQ(world.polled.values, Numbered(0, 11));
  EXPECT_EQ(world.cluster.incremental_fetches, 0);
}

TEST(ConsumerLeadersTest, PartitionsTakeTurnsWhereAnAnswerHasNoRoomForAll) {
  for (const bool sessions : {false, true}) {
    LeadersWorld world;
    world.cluster.keeps_sessions = sessions;
    world.cluster.AddTopic("other", 1);
    for (int i = 0; i < 20; ++i) {
      world.orders().Append({"o"});
      world.cluster.partition("other").Append({"x"});
    }
    std::vector<std::string> values;
    world.Run([&](core::Environment& env) {
      Consumer consumer(env, FromTheStart({{"fetch.max.bytes", "1"}}));
      consumer.Assign({kOrders, {"other", PartitionIndex(0)}});
      while (values.size() < 12) {
        Polled polled;
        polled.Add(consumer.Poll(env.clock.Now() + absl::Seconds(1)));
        values.insert(values.end(), polled.values.begin(), polled.values.end());
      }
    });
    // A consumer that always began with the first topic would never come to the other.
    EXPECT_GE(std::count(values.begin(), values.end(), "x"), 2);
  }
}

struct FollowerWorld : LeadersWorld {
  FollowerWorld() {
    orders().followers = {{BrokerId(1), Offset(10)}};
    orders().preferred_read_replica = BrokerId(1);
  }
  static ConsumerConfig Config(broker::client::Properties more = {}) {
    more.insert({"client.rack", "az-a"});
    return FromTheStart(std::move(more));
  }
};

// [P19]
TEST(ConsumerLeadersTest, ReadsFromTheReplicaThatTheLeaderPrefers) {
  FollowerWorld world;
  world.RunReader(FollowerWorld::Config(), [&](core::Environment& env, Consumer& consumer) {
    EXPECT_EQ(world.cluster.fetches[BrokerId(0)], 1);
    world.orders().Append({"v10"});
    world.orders().followers[BrokerId(1)] = Offset(11);
    PollFor(env, consumer, world.polled, absl::Seconds(1));
    EXPECT_EQ(world.cluster.fetches[BrokerId(0)], 1);
  });
  EXPECT_EQ(world.polled.values, Numbered(0, 11));
}

TEST(ConsumerLeadersTest, WithoutARackItReadsFromTheLeader) {
  FollowerWorld world;
  world.RunReader(FromTheStart(), [](core::Environment&, Consumer&) {});
  EXPECT_EQ(world.cluster.fetches[BrokerId(1)], 0);
  EXPECT_EQ(world.polled.values, Numbered(0, 10));
}

// [P19] The preference lasts metadata.max.age.ms; then the leader is asked again.
TEST(ConsumerLeadersTest, TheLeaderIsAskedAgainWhenThePreferenceIsOld) {
  FollowerWorld world;
  world.RunReader(FollowerWorld::Config({{"metadata.max.age.ms", "2000"}}),
                  [&](core::Environment& env, Consumer& consumer) {
                    PollFor(env, consumer, world.polled, absl::Seconds(4));
                  });
  EXPECT_GE(world.cluster.fetches[BrokerId(0)], 2);
  EXPECT_LE(world.cluster.fetches[BrokerId(0)], 4);
}

// [N32]
// [P19]
TEST(ConsumerLeadersTest, OutOfRangeAtAFollowerIsTheLeadersToJudge) {
  FollowerWorld world;
  world.RunReader(FollowerWorld::Config(), [&](core::Environment& env, Consumer& consumer) {
    world.orders().followers[BrokerId(1)] = Offset(3);  // it has fallen behind what it served
    world.orders().preferred_read_replica.reset();
    world.orders().Append({"v10"});
    PollFor(env, consumer, world.polled, absl::Seconds(1));
  });
  EXPECT_EQ(world.polled.values, Numbered(0, 11));
  EXPECT_EQ(world.jumps(), 0u);
}

TEST(ConsumerLeadersTest, AFollowerThatDiesIsLeftForTheLeader) {
  FollowerWorld world;
  world.RunReader(FollowerWorld::Config(), [&](core::Environment& env, Consumer& consumer) {
    world.cluster.host(1).Crash();
    world.orders().preferred_read_replica.reset();
    world.orders().Append({"v10"});
    PollFor(env, consumer, world.polled, absl::Seconds(3));
  });
  EXPECT_EQ(world.polled.values, Numbered(0, 11));
  EXPECT_EQ(world.jumps(), 0u);
}

// A leader whose metadata is ahead of ours, or behind: nobody is there to read from.
TEST(ConsumerLeadersTest, APreferredReplicaThatNobodyKnowsIsNotAskedForInALoop) {
  FollowerWorld world;
  world.orders().preferred_read_replica = BrokerId(7);
  world.RunReader(FollowerWorld::Config(), [](core::Environment&, Consumer&) {});
  EXPECT_THAT(world.polled.values, IsEmpty());
  EXPECT_LE(world.cluster.fetches[BrokerId(0)], 12);
}

// [N20] All brokers that metadata named are gone, others have taken over.
TEST(ConsumerLeadersTest, GoesBackToTheBootstrapServersWhenNobodyElseIsLeft) {
  LeadersWorld world(4);
  world.cluster.unregistered = {BrokerId(0), BrokerId(1)};
  world.orders().leader = BrokerId(2);
  world.RunReader(FromTheStart(), [&](core::Environment& env, Consumer& consumer) {
    EXPECT_EQ(world.polled.values, Numbered(0, 10));
    world.cluster.host(2).Crash();
    world.cluster.host(3).Crash();
    world.cluster.unregistered = {BrokerId(2), BrokerId(3)};
    world.orders().MoveTo(BrokerId(1));
    world.orders().Append({"v10"});
    PollFor(env, consumer, world.polled, absl::Seconds(10));
  });
  EXPECT_EQ(world.polled.values, Numbered(0, 11));
}

}  // namespace
}  // namespace highwater::tests
