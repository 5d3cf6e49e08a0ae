// The clients against the real broker in the simulator, over its crashes, power losses and clean
// restarts.

#include "broker/server/broker.h"
#include "sim/disk/disk.h"
#include "tests/client/client_world.h"

namespace highwater::tests {
namespace {

using broker::client::Consumer;
using broker::client::Producer;

class RealBroker {
 public:
  RealBroker(sim::World& world, const std::map<std::string, std::string>& more = {})
      : host_(world.AddHost({.name = "broker-0",
                             .zone = world.network().AddZone("az-a"),
                             .disk = sim::MakeDiskFactory({})})) {
    std::map<std::string, std::string> properties = {
        {"broker.id", "0"},
        {"log.dirs", "data"},
        {"listeners", "PLAINTEXT://:9092"},
        {"advertised.listeners", "PLAINTEXT://broker-0:9092"}};
    properties.insert(more.begin(), more.end());
    host_.SetMain([this, properties](core::Environment& env) {
      auto config = broker::BrokerConfig::FromMap(properties);
      HW_CHECK(config.ok(), "{}", config.status().ToString());
      broker::Broker broker(env, *config, observer_);
      const absl::Status started = broker.Start();
      HW_CHECK(started.ok(), "{}", started.ToString());
      static_cast<void>(broker.Run());
    });
  }
  [[nodiscard]] sim::Host& host() { return host_; }

 private:
  sim::Host& host_;
  broker::Observer observer_;
};

struct Trouble {
  std::string name;
  std::function<void(sim::Host&)> strike;
};

// Produces `count` records while `trouble` strikes every second, then reads the log from the start.
void ProduceAndConsume(uint64_t seed, const Trouble& trouble,
                       const broker::client::Properties& producer_settings) {
  SCOPED_TRACE(trouble.name + ", seed " + std::to_string(seed));
  constexpr int kCount = 300;
  sim::World world({.seed = seed, .strategy = sim::StrategyKind::kRandom});
  // A record is durable before it is acknowledged, so that power losses lose nothing.
  RealBroker real(world, {{"log.flush.interval.messages", "1"}});
  sim::Host& client = world.AddHost({.name = "client", .zone = world.network().AddZone("az-a")});
  Outcomes outcomes;
  std::vector<std::string> read;
  bool done = false;
  client.SetMain([&](core::Environment& env) {
    auto config = ConfigOf<ProducerConfig>(producer_settings);
    config.bootstrap_servers.resize(1);
    Producer producer(env, config);
    for (int i = 0; i < kCount; ++i) {
      const std::string value = "v" + std::to_string(i);
      producer.Send({.topic = "orders", .partition = PartitionIndex(0), .value = value},
                    outcomes.For(value));
      env.fibers.SleepFor(absl::Milliseconds(10));
    }
    producer.Close(core::MonotonicTime::Never());
    auto consumer_config = ConfigOf<ConsumerConfig>({{"auto.offset.reset", "earliest"}});
    consumer_config.bootstrap_servers.resize(1);
    Consumer consumer(env, consumer_config);
    consumer.Assign({{"orders", PartitionIndex(0)}});
    const core::MonotonicTime until = env.clock.Now() + absl::Seconds(10);
    int64_t next = 0;
    while (env.clock.Now() < until) {
      const auto polled = consumer.Poll(until);
      EXPECT_TRUE(polled.errors.empty());
      for (const auto& p : polled.partitions) {
        for (const auto& record : p.records) {
          EXPECT_EQ(record.offset, Offset(next++));
          read.push_back(record.value->ToString());
        }
      }
    }
    done = true;
  });
  int ends = 0;
  real.host().OnProcessEnd([&](sim::ProcessEnd) {
    ++ends;
    world.At(world.Elapsed() + absl::Milliseconds(300), [&] { real.host().Start(); });
  });
  for (int s = 1; s <= 3 && trouble.strike; ++s) {
    world.At(absl::Milliseconds(900 * s), [&] { trouble.strike(real.host()); });
  }
  real.host().Start();
  client.Start();
  sim::RunEnd end = sim::RunEnd::kTime;
  while (!done && end == sim::RunEnd::kTime && world.Elapsed() < absl::Minutes(5)) {
    end = world.Run(world.Elapsed() + absl::Seconds(1));
  }
  ASSERT_TRUE(done) << sim::RunEndName(end) << "\n"
                    << world.DescribeFibers() << world.DescribeLastEvents();
  EXPECT_EQ(ends, trouble.strike ? 3 : 0);
  ASSERT_EQ(outcomes.all.size(), static_cast<size_t>(kCount));
  size_t acknowledged = 0;
  for (const auto& [value, one] : outcomes.all) {
    if (one.outcome == SendOutcome::kFailed) {
      EXPECT_EQ(std::count(read.begin(), read.end(), value), 0) << value;
    }
    if (one.outcome != SendOutcome::kAcknowledged) continue;
    ++acknowledged;
    ASSERT_LT(one.offset, Offset(static_cast<int64_t>(read.size()))) << value;
    EXPECT_EQ(read[static_cast<size_t>(one.offset.value())], value);
  }
  EXPECT_EQ(acknowledged, static_cast<size_t>(kCount));
}

TEST(EndToEndTest, EveryRecordOnceInOrderWithoutTrouble) {
  ProduceAndConsume(1, {.name = "no trouble"}, {});
}

TEST(EndToEndTest, NothingAcknowledgedIsLostOverRestarts) {
  const std::vector<Trouble> troubles = {
      {"crash", [](sim::Host& host) { host.Crash(); }},
      {"clean stop", [](sim::Host& host) { host.RequestStop(); }},
      {"power loss", [](sim::Host& host) { host.LosePower(); }},
  };
  for (const Trouble& trouble : troubles) {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      ProduceAndConsume(
          seed, trouble,
          {{"max.in.flight.requests.per.connection", "1"}, {"request.timeout.ms", "2000"}});
    }
  }
}

}  // namespace
}  // namespace highwater::tests
