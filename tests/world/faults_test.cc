// Every fault of the table is felt by its victim: requested, applied and observed.

#include "scenarios/fault_table.h"
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
  Scenario scenario = SmallScenario();
  // So that somebody is left outside of a zone that is cut off.
  if (GetParam().kind == "lose_zone") scenario.cluster.zones = {"az-a", "az-b"};
  scenario.random = {FaultEvery(GetParam().kind, absl::Milliseconds(1500), GetParam().parameters)};
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
      {"ClockJump", "clock_jump", {{"by", Exactly(absl::Hours(1))}}},
      {"CrashBroker", "crash_broker", {}},
      {"DiskErrorRead", "disk_error", {{"operation", std::string("read")}}},
      {"DiskErrorWrite", "disk_error", {{"operation", std::string("write")}}},
      {"DiskErrorSync", "disk_error", {{"operation", std::string("sync")}}},
      {"FillDisk", "fill_disk", {}},
      {"FlipBits", "flip_bits", {{"count", IntegerRange{2000, 2000}}}},
      {"Freeze", "freeze", {}},
      {"LoseZonePower", "lose_zone", {}},
      {"LoseZoneNetwork", "lose_zone", {{"power", std::string("network")}}},
      {"PartitionTwoWay", "partition_network", {}},
      {"PartitionOneWay", "partition_network", {{"cut", std::string("one-way")}}},
      {"PartitionReset", "partition_network", {{"cut", std::string("reset")}}},
      {"PartitionSilence", "partition_network", {{"cut", std::string("silence")}}},
      {"PowerLoss", "power_loss", {}},
      {"SlowDisk", "slow_disk", {}},
      {"SlowNetwork", "slow_network", {}},
      {"SlowNetworkLoss", "slow_network", {{"loss", IntegerRange{200'000, 200'000}}}},
      {"StopBroker", "stop_broker", {}},
      {"StallDevice", "stall_disk", {}},
      {"StallWrites", "stall_disk", {{"kind", std::string("writes")}}},
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
