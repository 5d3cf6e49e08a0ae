// What an acked produce costs with three replicas, through the full wire protocol.

#include <benchmark/benchmark.h>

#include "broker/client/producer.h"
#include "tests/replication/replicated_world.h"

namespace highwater::tests {
namespace {

// Keeps `window` records in flight, each in a request of its own, until `total` are acknowledged.
void ProduceOneByOne(ReplicatedWorld& w, int64_t window, int64_t total) {
  broker::client::ProducerConfig config;
  config.bootstrap_servers = {{.host = "b1", .port = 9092}};
  config.max_in_flight = window;
  config.batch_size = 0;
  config.enable_idempotence = false;  // The controller of this world gives no producer ids.
  broker::client::Producer producer(w.env(), config);
  const std::string value(1024, 'v');
  int64_t acked = 0;
  core::WaitQueue progress;
  for (int64_t sent = 0; sent < total; ++sent) {
    while (sent - acked >= window) {
      static_cast<void>(
          progress.Wait(w.env().fibers, "an acknowledgement", core::MonotonicTime::Never()));
    }
    producer.Send({.topic = "t", .partition = broker::PartitionIndex(0), .value = value},
                  [&](const broker::client::SendResult& result) {
                    HW_CHECK(result.outcome == broker::client::SendOutcome::kAcknowledged);
                    ++acked;
                    progress.WakeAll();
                  });
  }
  static_cast<void>(producer.Flush(core::MonotonicTime::Never()));
  producer.Close(core::MonotonicTime::Never());
}

// CPU per acked produce: acks=all, three replicas, `range(0)` in flight.
void BM_ReplicatedProduce(benchmark::State& state) {
  constexpr int64_t kBatch = 20'000;
  ReplicatedWorld w({.quiet = true});
  int64_t produced = 0;
  uint64_t events = 0;
  w.Run(
      [&] {
        w.Lead(1, {1, 2, 3});
        ProduceOneByOne(w, state.range(0), 2000);
        const uint64_t before = w.world.events();
        for (auto _ : state) {
          ProduceOneByOne(w, state.range(0), kBatch);
          produced += kBatch;
        }
        events = w.world.events() - before;
      },
      absl::Hours(100));
  state.counters["per_produce"] = benchmark::Counter(
      static_cast<double>(produced), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["events_per_produce"] =
      static_cast<double>(events) / static_cast<double>(produced);
}
BENCHMARK(BM_ReplicatedProduce)->Arg(1)->Arg(5)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace highwater::tests
