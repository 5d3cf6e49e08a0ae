// Whatever happens to leaders, logs, replicas, sessions, brokers and answers: the consumer's
// reading is the log.

#include "tests/client/polled.h"

namespace highwater::tests {
namespace {

using broker::client::Consumer;
using broker::client::PositionReset;
using broker::client::ResetReason;
namespace protocol = broker::protocol;

// What a reader has, as it would be written down: cut where the consumer says that the log was cut.
class Reading {
 public:
  void Take(const broker::client::PolledPartition& polled) {
    for (const auto& record : polled.records) {
      ASSERT_EQ(record.offset, end()) << "skipped, or went back without saying so";
      values_.push_back(record.value->ToString());
    }
  }
  // `log_start`: as it is now; it only grows.
  void Take(const PositionReset& reset, Offset log_start) {
    ASSERT_TRUE(reset.from == end() || reset.from == broker::kNoOffset);
    if (reset.reason == ResetReason::kTruncation && reset.to <= end()) {
      values_.resize(static_cast<size_t>(reset.to.value()));
      return;
    }
    // Only what retention has taken away is jumped over.
    ASSERT_GE(reset.to, end());
    ASSERT_LE(reset.to, log_start);
    values_.resize(static_cast<size_t>(reset.to.value()));
  }
  [[nodiscard]] Offset end() const { return Offset(static_cast<int64_t>(values_.size())); }
  [[nodiscard]] std::vector<std::string> From(Offset offset) const {
    return {values_.begin() + std::min(offset, end()).value(), values_.end()};
  }

 private:
  std::vector<std::string> values_;
};

// Draws what happens to one partition next.
class Trouble {
 public:
  Trouble(ClientWorld& world, uint64_t seed, bool retention)
      : world_(world), random_(core::Mix(seed, 11)), retention_(retention) {
    chance_ = random_.Below(40);
    world.cluster.script = [this](BrokerId, ApiKey key, int) { return Judge(key); };
    world.cluster.edit_metadata = [this](BrokerId from, protocol::MetadataResponse& response) {
      Edit(from, response);
    };
  }

  void Strike() {
    switch (random_.Below(10)) {
      case 0:
      case 1:
      case 2:
        return Append();
      case 3:
        return Elect();
      case 4:
        // An unclean election: the new leader's log ends earlier.
        log().Truncate(Offset(random_.Between(log().start.value(), log().end.value())));
        return Elect();
      case 5:
        return world_.cluster.EvictSessions();
      case 6:
        if (retention_) {
          log().DeleteBefore(Offset(random_.Between(log().start.value(), log().end.value())));
        }
        return;
      case 7:
        return Follow();
      case 8:
        stale_ = world_.cluster.topics;
        stale_teller_ = AnyBroker();
        return;
      default:
        return CrashOrStart();
    }
  }

  void End() {
    world_.cluster.script = nullptr;
    world_.cluster.edit_metadata = nullptr;
    for (int b = 0; b < world_.cluster.broker_count(); ++b) {
      if (!world_.cluster.host(b).running()) world_.cluster.host(b).Start();
    }
    log().preferred_read_replica.reset();
    if (log().end == log().start) Append();
  }

  FakePartition& log() { return world_.cluster.partition("orders"); }
  core::KeyedRandom& random() { return random_; }

 private:
  BrokerId AnyBroker() {
    return BrokerId(
        static_cast<int32_t>(random_.Below(static_cast<uint64_t>(world_.cluster.broker_count()))));
  }
  void Append() {
    std::vector<std::string> values;
    const uint64_t count = 1 + random_.Below(5);
    for (uint64_t i = 0; i < count; ++i) values.push_back("v" + std::to_string(next_value_++));
    log().Append(values);
  }
  void Elect() {
    const BrokerId leader = AnyBroker();
    log().MoveTo(leader);
    log().followers.clear();
    log().preferred_read_replica.reset();
  }
  // A follower that may lag, and later catches up.
  void Follow() {
    const BrokerId follower = AnyBroker();
    if (follower == log().leader) return;
    log().followers[follower] = Offset(random_.Between(log().start.value(), log().end.value()));
    log().preferred_read_replica = follower;
  }
  void CrashOrStart() {
    sim::Host& host = world_.cluster.host(AnyBroker().value());
    if (host.running()) {
      host.Crash();
    } else {
      host.Start();
    }
  }
  Verdict Judge(ApiKey key) {
    if (random_.Below(100) >= chance_) return {};
    switch (random_.Below(7)) {
      case 0:
        return {.fate = Fate::kClosedAfter};
      case 1:
        return {.fate = Fate::kIgnored};
      case 2:
        return {.fate = Fate::kClosedBefore};
      case 3:
        return {.fate = Fate::kRefused, .error = ErrorCode::UNKNOWN_LEADER_EPOCH};
      case 4:
        return {.fate = Fate::kRefused, .error = ErrorCode::KAFKA_STORAGE_ERROR};
      case 5:
        return {.fate = Fate::kRefused,
                .error = key == ApiKey::kListOffsets ? ErrorCode::OFFSET_NOT_AVAILABLE
                                                     : ErrorCode::FENCED_LEADER_EPOCH};
      default:
        return {.fate = Fate::kRefused, .error = ErrorCode::NOT_LEADER_OR_FOLLOWER};
    }
  }
  // One broker tells how it was some time ago.
  void Edit(BrokerId from, protocol::MetadataResponse& response) {
    if (from != stale_teller_ || response.topics.empty()) return;
    const FakePartition& then = stale_.at("orders").partitions[0];
    response.topics[0].partitions[0].leader_id = then.leader.value();
    response.topics[0].partitions[0].leader_epoch = then.leader_epoch.value();
  }

  ClientWorld& world_;
  core::KeyedRandom random_;
  const bool retention_;
  uint64_t chance_;
  int next_value_ = 0;
  std::map<std::string, FakeTopic> stale_;
  BrokerId stale_teller_ = broker::kNoBroker;
};

void ReadThroughTrouble(uint64_t seed, bool retention) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  ClientWorld world(seed, seed % 2 == 0 ? sim::StrategyKind::kRandom : sim::StrategyKind::kPct, 3);
  Trouble trouble(world, seed, retention);
  Reading reading;
  world.Run([&](core::Environment& env) {
    core::KeyedRandom& random = trouble.random();
    broker::client::Properties settings = {{"auto.offset.reset", "earliest"},
                                           {"request.timeout.ms", "700"},
                                           {"metadata.max.age.ms", "1000"},
                                           {"max.partition.fetch.bytes", "300"}};
    settings["max.poll.records"] = std::to_string(1 + random.Below(10));
    if (random.Below(2) == 0) settings["client.rack"] = "az-a";
    Consumer consumer(env, ConfigOf<ConsumerConfig>(settings));
    consumer.Assign({kOrders});
    const auto poll = [&](absl::Duration time) {
      const core::MonotonicTime until = env.clock.Now() + time;
      while (env.clock.Now() < until) {
        const auto polled = consumer.Poll(until);
        ASSERT_TRUE(polled.errors.empty()) << polled.errors[0].message;
        for (const auto& reset : polled.resets) {
          ASSERT_NO_FATAL_FAILURE(reading.Take(reset, trouble.log().start));
        }
        ASSERT_TRUE(polled.resets.empty() || polled.partitions.empty());
        for (const auto& p : polled.partitions) ASSERT_NO_FATAL_FAILURE(reading.Take(p));
      }
    };
    const int64_t steps = random.Between(5, 60);
    for (int64_t step = 0; step < steps && !::testing::Test::HasFatalFailure(); ++step) {
      trouble.Strike();
      poll(absl::Milliseconds(random.Between(0, 300)));
    }
    trouble.End();
    poll(absl::Seconds(10));
  });
  const FakePartition& log = trouble.log();
  ASSERT_EQ(reading.end(), log.end);
  ASSERT_EQ(reading.From(log.start), log.Values());
}

// [N31]
TEST(ConsumerPropertyTest, TheReadingIsTheLogWhateverHappensToLeadersAndTheirLogs) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    ReadThroughTrouble(seed, false);
    if (HasFatalFailure()) return;
  }
}

// [N36]
TEST(ConsumerPropertyTest, OnlyWhatRetentionTookAwayIsJumpedOver) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    ReadThroughTrouble(seed, true);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace highwater::tests
