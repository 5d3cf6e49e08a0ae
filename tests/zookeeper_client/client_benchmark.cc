// What a request to ZooKeeper costs in simulation: client, both network ends and the fake server.
// An item is a request; with `requests` at a time.

#include <benchmark/benchmark.h>

#include "broker/zookeeper/client/session_client.h"
#include "sim/network/simulated_network.h"
#include "tests/zookeeper_client/fake_ensemble.h"

namespace highwater::tests {
namespace {

using namespace broker::zookeeper;  // NOLINT: the whole vocabulary

template <typename MakeRequest>
void Ask(benchmark::State& state, MakeRequest make) {
  sim::World world({.seed = 1});
  FakeEnsemble ensemble(world, 1);
  ensemble.Put("/a", std::string(100, 'x'));
  sim::Host& client = world.AddHost({.name = "client", .zone = world.network().AddZone("az-0")});
  const auto batch = static_cast<size_t>(state.range(0));
  uint64_t answered = 0;
  client.SetMain([&](core::Environment& env) {
    const auto zk = MakeZooKeeperClient(
        env, {.servers = ensemble.endpoints(), .max_in_flight = state.range(0)});
    HW_CHECK(zk->Connect().ok());
    while (true) answered += zk->HandleRequests(std::vector<Request>(batch, make())).size();
  });
  ensemble.StartAll();
  client.Start();
  world.Run(absl::Seconds(1));
  const uint64_t before = answered;
  for (auto _ : state) {
    const uint64_t start = answered;
    while (answered < start + 1000) world.Run(world.Elapsed() + absl::Milliseconds(10));
    ensemble.seen.clear();
  }
  state.SetItemsProcessed(static_cast<int64_t>(answered - before));
}

void BM_GetData(benchmark::State& state) {
  Ask(state, [] { return GetDataRequest{.path = "/a"}; });
}
BENCHMARK(BM_GetData)->Arg(1)->Arg(10)->Arg(100);

void BM_SetData(benchmark::State& state) {
  const core::Bytes data = core::Bytes::Copy(std::string(100, 'y'));
  Ask(state, [&] { return SetDataRequest{.path = "/a", .data = data}; });
}
BENCHMARK(BM_SetData)->Arg(1)->Arg(10)->Arg(100);

}  // namespace
}  // namespace highwater::tests
