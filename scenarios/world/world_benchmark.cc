// What a simulated broker costs: an acked produce through the full wire protocol, and booting the
// smallest world.

#include <benchmark/benchmark.h>
#include <malloc.h>

#include "broker/client/producer.h"
#include "broker/server/broker.h"
#include "sim/disk/disk.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"

namespace highwater::scenarios {
namespace {

class BrokerApplication final : public sim::Application {
 public:
  BrokerApplication(core::Environment& env, broker::BrokerConfig config)
      : broker_(env, std::move(config), observer_) {}
  void Run(core::Environment&) override {
    HW_CHECK(broker_.Start().ok());
    HW_CHECK(broker_.Run().ok());
  }

 private:
  broker::Observer observer_;
  broker::Broker broker_;
};

// One broker, and clients that the benchmark adds.
class OneBroker {
 public:
  OneBroker() : world_({.seed = 1}) {
    const sim::ZoneId zone = world_.network().AddZone("az-a");
    sim::Host& host =
        world_.AddHost({.name = "broker-0", .zone = zone, .disk = sim::MakeDiskFactory({})});
    auto config = broker::BrokerConfig::FromMap(
        {{"broker.id", "0"}, {"log.dirs", "/data"}, {"listeners", "PLAINTEXT://broker-0:9092"}});
    HW_CHECK(config.ok());
    host.SetProgram(
        [config = *config](core::Environment& env) -> std::unique_ptr<sim::Application> {
          return std::make_unique<BrokerApplication>(env, config);
        });
    host.Start();
  }

  void AddClient(std::function<void(core::Environment&)> main) {
    sim::Host& host = world_.AddHost({.name = "client", .zone = sim::ZoneId(0)});
    host.SetProgram(sim::ProgramOf(std::move(main)));
    host.Start();
  }

  sim::World& world() { return world_; }

 private:
  sim::World world_;
};

broker::client::ProducerConfig ProducerSettings(int64_t in_flight) {
  broker::client::ProducerConfig config;
  config.bootstrap_servers = {{.host = "broker-0", .port = 9092}};
  config.max_in_flight = in_flight;
  return config;
}

// Keeps `window` records in flight, each in a request of its own, until `total` are acknowledged.
void ProduceOneByOne(core::Environment& env, sim::World& world, int64_t window, int64_t total) {
  broker::client::ProducerConfig config = ProducerSettings(window);
  config.batch_size = 0;
  broker::client::Producer producer(env, config);
  const std::string value(1024, 'v');
  int64_t acked = 0;
  core::WaitQueue progress;
  for (int64_t sent = 0; sent < total; ++sent) {
    while (sent - acked >= window) {
      static_cast<void>(
          progress.Wait(env.fibers, "an acknowledgement", core::MonotonicTime::Never()));
    }
    producer.Send({.topic = "t", .partition = broker::PartitionIndex(0), .value = value},
                  [&](const broker::client::SendResult& result) {
                    HW_CHECK(result.outcome == broker::client::SendOutcome::kAcknowledged);
                    ++acked;
                    progress.WakeOne();
                  });
  }
  producer.Close(core::MonotonicTime::Never());
  HW_CHECK(acked == total);
  world.Stop();
}

// The CPU time of an acked produce of one 1 KiB record, acks=all: client, both codecs, network,
// broker, disk, everything.
void BM_AckedProduce(benchmark::State& state) {
  constexpr int64_t kRecords = 20'000;
  for (auto _ : state) {
    state.PauseTiming();
    auto world = std::make_unique<OneBroker>();
    world->AddClient([&](core::Environment& env) {
      ProduceOneByOne(env, world->world(), state.range(0), kRecords);
    });
    static_cast<void>(world->world().Run(absl::Milliseconds(50)));
    state.ResumeTiming();
    static_cast<void>(world->world().Run(absl::Hours(10)));
    state.PauseTiming();
    world.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_AckedProduce)->Arg(1)->Arg(5)->Unit(benchmark::kMillisecond);

// From nothing to the first acknowledged record: world, broker, producer, consumer's host.
void BM_BootOneBrokerWorld(benchmark::State& state) {
  size_t bytes = 0;
  for (auto _ : state) {
    const size_t before = mallinfo2().uordblks;
    OneBroker world;
    world.AddClient([&](core::Environment& env) { ProduceOneByOne(env, world.world(), 1, 1); });
    static_cast<void>(world.world().Run(absl::Hours(1)));
    bytes = mallinfo2().uordblks - before;
  }
  state.counters["heap_KiB"] = static_cast<double>(bytes) / 1024;
}
BENCHMARK(BM_BootOneBrokerWorld)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace highwater::scenarios
