// Every fault of the table is felt by its victim: requested, applied and observed.

#include "scenarios/fault_table.h"
#include "scenarios/world/operators.h"
#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

struct Case {
  std::string name;
  std::string kind;
  std::map<std::string, ParameterValue, std::less<>> parameters;
};

class FaultIsFeltTest : public ::testing::TestWithParam<Case> {};

TEST_P(FaultIsFeltTest, IsObservedByItsVictim) {
  const std::string& kind = GetParam().kind;
  const bool of_cluster = Operators::Do(kind) || kind == "swap_disks";
  Scenario scenario = of_cluster ? ClusterScenario() : SmallScenario();
  // Somebody is left to move to, there is a topic to be created, and leaders that are not
  // preferred.
  if (kind == "reassign_partition" || kind == "migrate_zone" || kind == "cancel_reassignment") {
    scenario.topics[0].replicas = 2;
  }
  if (kind == "create_topic") {
    scenario.topics.push_back({.name = "audit", .replicas = 3});
    FaultSpec create = FaultEvery(kind, absl::Seconds(1)).fault;
    create.target = {.role = faults::Aim::Role::kTopic, .name = "audit"};
    scenario.timeline = {{absl::Seconds(1), create}};
  }
  // So that somebody is left outside of a zone that is cut off.
  if (GetParam().kind == "lose_zone") scenario.cluster.zones = {"az-a", "az-b"};
  scenario.random = {FaultEvery(GetParam().kind, absl::Milliseconds(1500), GetParam().parameters)};
  // What another one brings about: something to call off, leaders that are not the preferred ones.
  if (kind == "cancel_reassignment") {
    scenario.random.push_back(FaultEvery("reassign_partition", absl::Milliseconds(500)));
  }
  if (kind == "elect_leaders") {
    FaultSpec crash = FaultEvery("crash_broker", absl::Seconds(1)).fault;
    crash.parameters["for"] = DurationRange{absl::Milliseconds(200), absl::Milliseconds(200)};
    scenario.timeline = {{absl::ZeroDuration(), crash}};
  }
  uint64_t requested = 0, applied = 0;
  const auto felt = FindSeed(scenario, 1, 20, {}, [&](const SeedResult& result) {
    for (const LedgerRow& row : result.ledger) {
      if (row.kind != GetParam().kind) continue;
      requested += row.requested;
      applied += row.applied;
      if (row.observed > 0) return true;
    }
    return false;
  });
  EXPECT_TRUE(felt.has_value()) << "requested " << requested << ", applied " << applied;
}

DurationRange Exactly(absl::Duration duration) { return {duration, duration}; }

std::vector<Case> Cases() {
  std::vector<Case> cases{
      {"AlterConfig", "alter_config", {{"set", std::string("retention.ms=60000")}}},
      {"CancelReassignment", "cancel_reassignment", {}},
      {"ClockJump", "clock_jump", {{"by", Exactly(absl::Hours(1))}}},
      {"CrashBroker", "crash_broker", {}},
      {"CreatePartitions", "create_partitions", {}},
      {"CreateTopic", "create_topic", {}},
      {"DeleteTopic", "delete_topic", {}},
      {"DiskErrorRead", "disk_error", {{"operation", std::string("read")}}},
      {"DiskErrorWrite", "disk_error", {{"operation", std::string("write")}}},
      {"DiskErrorSync", "disk_error", {{"operation", std::string("sync")}}},
      {"ElectLeaders", "elect_leaders", {}},
      {"FillDisk", "fill_disk", {}},
      {"FlipBits", "flip_bits", {{"count", IntegerRange{2000, 2000}}}},
      {"Freeze", "freeze", {}},
      {"LieSync", "lie_sync", {}},
      {"LoseZonePower", "lose_zone", {}},
      {"LoseZoneNetwork", "lose_zone", {{"power", std::string("network")}}},
      {"MigrateZone", "migrate_zone", {}},
      {"PartitionTwoWay", "partition_network", {}},
      {"PartitionOneWay", "partition_network", {{"cut", std::string("one-way")}}},
      {"PartitionReset", "partition_network", {{"cut", std::string("reset")}}},
      {"PartitionSilence", "partition_network", {{"cut", std::string("silence")}}},
      {"PowerLoss", "power_loss", {}},
      {"ReassignPartition", "reassign_partition", {}},
      {"ReplaceDisk", "replace_disk", {}},
      {"SlowDisk", "slow_disk", {}},
      {"SlowNetwork", "slow_network", {}},
      {"SlowNetworkLoss", "slow_network", {{"loss", IntegerRange{200'000, 200'000}}}},
      {"StopBroker", "stop_broker", {}},
      {"StallDevice", "stall_disk", {}},
      {"StallWrites", "stall_disk", {{"kind", std::string("writes")}}},
      {"SwapDisks", "swap_disks", {}},
  };
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, FaultIsFeltTest, ::testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

TEST(FaultTableTest, EveryKindHasItsCase) {
  for (const FaultKind& kind : FaultTable()) {
    const auto cases = Cases();
    const bool covered =
        std::any_of(cases.begin(), cases.end(), [&](const Case& c) { return c.kind == kind.name; });
    EXPECT_TRUE(covered) << kind.name;
  }
}

}  // namespace
}  // namespace highwater::scenarios
