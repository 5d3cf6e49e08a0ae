// The figures of a run, against what its own log says: whoever reads the log can add them up by
// hand.

#include <map>

#include "scenarios/world/simulated_run.h"
#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

struct Watched {
  SeedResult result;
  std::vector<RunEvent> events;
};

Watched Watch(const Scenario& scenario, uint64_t seed) {
  Watched watched;
  RunOptions options;
  options.on_event = [&](const RunEvent& event) { watched.events.push_back(event); };
  watched.result = SimulatedRun(scenario, seed, options).Run();
  return watched;
}

// One broker that crashes: each of its partitions has no leader from then until it leads again.
TEST(FiguresTest, TimeToLeaderAndPartitionSecondsAreThoseOfTheLog) {
  Scenario scenario = SmallScenario();
  scenario.random = {FaultEvery("crash_broker", absl::Seconds(3))};
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Watched watched = Watch(scenario, seed);
    std::map<std::string, bool> led;
    std::map<std::string, absl::Duration> lost_at;
    absl::Duration sum;
    absl::Duration longest;
    uint64_t count = 0;
    for (const RunEvent& event : watched.events) {
      if (event.transition == Transition::kDown) {
        for (const auto& [partition, leads] : led) lost_at.try_emplace(partition, event.event.at);
      }
      if (event.transition != Transition::kLeader) continue;
      led[event.partition] = true;
      const auto lost = lost_at.find(event.partition);
      if (lost == lost_at.end()) continue;
      const absl::Duration length = event.event.at - lost->second;
      lost_at.erase(lost);
      sum += length;
      longest = std::max(longest, length);
      ++count;
    }
    for (const auto& [partition, at] : lost_at) sum += watched.result.simulated - at;
    const SeedMetrics& metrics = watched.result.metrics;
    EXPECT_EQ(metrics.time_to_leader.count(), count) << "seed " << seed;
    EXPECT_EQ(metrics.time_to_leader.max(), longest) << "seed " << seed;
    EXPECT_EQ(metrics.unavailable, sum) << "seed " << seed;
  }
}

bool LacksLeader(const Scenario& scenario) {
  return FindSeed(scenario, 1, 20, {},
                  [](const SeedResult& result) {
                    return result.metrics.unavailable > absl::ZeroDuration();
                  })
      .has_value();
}

TEST(FiguresTest, ABrokerThatIsFrozenLeadsNobody) {
  Scenario scenario = SmallScenario();
  scenario.random = {FaultEvery("freeze", absl::Seconds(3))};
  EXPECT_TRUE(LacksLeader(scenario));
}

TEST(FiguresTest, ABrokerThatIsCutOffFromMostHostsLeadsNobody) {
  Scenario scenario = SmallScenario();
  scenario.cluster.zones = {"az-a", "az-b", "az-c", "az-d"};
  scenario.clients.front().count = 3;  // a client in each zone, the broker in the first
  scenario.random = {
      FaultEvery("lose_zone", absl::Seconds(3), {{"power", std::string("network")}})};
  EXPECT_TRUE(LacksLeader(scenario));
  // With half of the hosts at its side it goes on.
  scenario.clients.front().count = 1;
  scenario.clients.back().count = 1;
  scenario.cluster.zones = {"az-a", "az-a2"};
  EXPECT_FALSE(LacksLeader(scenario));
}

TEST(FiguresTest, ZonesHaveCarriedAllThatWasDelivered) {
  Scenario scenario = SmallScenario();
  scenario.cluster.zones = {"az-a", "az-b"};
  const SeedResult result = Watch(scenario, 1).result;
  uint64_t sum = 0;
  uint64_t between = 0;
  for (const ZoneTraffic& traffic : result.metrics.traffic) {
    sum += traffic.bytes;
    if (traffic.from != traffic.to) between += traffic.bytes;
  }
  EXPECT_EQ(sum, result.metrics.bytes_sent);
  EXPECT_GT(between, 0u);
  EXPECT_EQ(result.metrics.produce_latency.count(), result.metrics.acked);
}

TEST(FiguresTest, ListeningChangesNothing) {
  const Scenario scenario = SmallScenario();
  const SeedResult heard = Watch(scenario, 3).result;
  const SeedResult unheard = SimulatedRun(scenario, 3, RunOptions()).Run();
  EXPECT_EQ(heard.trace_hash, unheard.trace_hash);
  EXPECT_EQ(heard.metrics, unheard.metrics);
}

}  // namespace
}  // namespace highwater::scenarios
