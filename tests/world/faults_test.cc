// Every fault of the table is felt by its victim (requested, applied and observed), and a campaign
// in which it only seems to be applied fails.

#include "scenarios/fault_table.h"
#include "scenarios/judge.h"
#include "scenarios/world/operators.h"
#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

struct Case {
  std::string name;
  std::string kind;
  std::map<std::string, ParameterValue, std::less<>> parameters;
};

// A run in which the fault is tried again and again, with whatever it needs to have an effect.
Scenario ScenarioOf(const Case& c) {
  const std::string& kind = c.kind;
  const FaultKind& row = *FindFaultKind(kind);
  const bool of_cluster = Operators::Do(kind) || row.needs != FaultKind::Needs::kNothing;
  Scenario scenario = of_cluster ? ClusterScenario() : SmallScenario();
  if (row.needs == FaultKind::Needs::kVip) scenario.cluster.vip.emplace();
  if (kind == "lose_quorum") scenario.cluster.zookeeper = 3;
  // Somebody is left to move to, there is a topic to be created, and leaders that are not
  // preferred.
  if (kind == "reassign_partition" || kind == "migrate_zone" || kind == "cancel_reassignment" ||
      kind == "add_broker" || kind == "remove_broker") {
    scenario.topics[0].replicas = 2;
  }
  if (kind == "create_topic") {
    scenario.topics.push_back({.name = "audit", .replicas = 3});
    FaultSpec create = FaultEvery(kind, absl::Seconds(1)).fault;
    create.target = {.role = faults::Aim::Role::kTopic, .name = "audit"};
    scenario.timeline = {{absl::Seconds(1), create}};
  }
  // So that somebody is left outside of a zone that is cut off.
  if (kind == "lose_zone") scenario.cluster.zones = {"az-a", "az-b"};
  scenario.random = {FaultEvery(kind, absl::Milliseconds(1500), c.parameters)};
  // What another one brings about: something to call off, leaders that are not the preferred ones.
  if (kind == "cancel_reassignment") {
    scenario.random.push_back(FaultEvery("reassign_partition", absl::Milliseconds(500)));
  }
  if (kind == "elect_leaders") {
    FaultSpec crash = FaultEvery("crash_broker", absl::Seconds(1)).fault;
    crash.parameters["for"] = DurationRange{absl::Milliseconds(200), absl::Milliseconds(200)};
    scenario.timeline = {{absl::ZeroDuration(), crash}};
  }
  return scenario;
}

class FaultIsFeltTest : public ::testing::TestWithParam<Case> {};

TEST_P(FaultIsFeltTest, IsObservedByItsVictim) {
  uint64_t requested = 0, applied = 0;
  const auto felt = FindSeed(ScenarioOf(GetParam()), 1, 20, {}, [&](const SeedResult& result) {
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

// The worst bug that a harness can have: a fault that says that it has changed the world, and did
// nothing.
TEST_P(FaultIsFeltTest, FailsTheCampaignWhereItDoesNothing) {
  const std::string& kind = GetParam().kind;
  const Scenario scenario = ScenarioOf(GetParam());
  CampaignResult campaign{.scenarios = {SummaryOf(scenario)}};
  const RunHooks sham{.sham_fault = kind};
  uint64_t applied = 0;
  // Until a run has tried it.
  (void)FindSeed(scenario, 1, 20, sham, [&](SeedResult result) {
    for (const LedgerRow& row : result.ledger) applied += row.kind == kind ? row.applied : 0;
    JudgeSeed(scenario, result);
    (void)AddCase({.result = std::move(result)}, campaign);
    return applied > 0;
  });
  ASSERT_GT(applied, 0u);
  JudgeCampaign(campaign);
  EXPECT_EQ(campaign.exit_code, ExitCode::kInconclusive);
  EXPECT_TRUE(
      std::any_of(campaign.findings.begin(), campaign.findings.end(), [&](const Finding& finding) {
        return finding.text.starts_with(fmt::format("the fault {} was never observed", kind));
      }));
}

DurationRange Exactly(absl::Duration duration) { return {duration, duration}; }

std::vector<Case> Cases() {
  std::vector<Case> cases{
      {"AddBroker", "add_broker", {}},
      {"AlterConfig", "alter_config", {{"set", std::string("retention.ms=60000")}}},
      {"CancelReassignment", "cancel_reassignment", {}},
      {"ClockDrift", "clock_drift", {}},
      {"ClockJump", "clock_jump", {{"by", Exactly(absl::Hours(1))}}},
      {"CrashBroker", "crash_broker", {}},
      {"CreatePartitions", "create_partitions", {}},
      {"CreateTopic", "create_topic", {}},
      {"DeleteTopic", "delete_topic", {}},
      {"DiskErrorRead", "disk_error", {{"operation", std::string("read")}}},
      {"DiskErrorWrite", "disk_error", {{"operation", std::string("write")}}},
      {"DiskErrorSync", "disk_error", {{"operation", std::string("sync")}}},
      {"DriftVipForget", "drift_vip", {}},
      {"DriftVipReset", "drift_vip", {{"connections", std::string("reset")}}},
      {"ElectLeaders", "elect_leaders", {}},
      {"ExpireSession", "expire_session", {}},
      {"FillDisk", "fill_disk", {}},
      {"FlipBits", "flip_bits", {{"count", IntegerRange{2000, 2000}}}},
      {"Freeze", "freeze", {}},
      {"LieSync", "lie_sync", {}},
      {"LoseQuorumCrash", "lose_quorum", {}},
      {"LoseQuorumPower", "lose_quorum", {{"how", std::string("power")}}},
      {"LoseQuorumNetwork", "lose_quorum", {{"how", std::string("network")}}},
      {"LoseReply", "lose_reply", {}},
      {"LoseWrite", "lose_write", {}},
      {"LoseZonePower", "lose_zone", {}},
      {"LoseZoneNetwork", "lose_zone", {{"power", std::string("network")}}},
      {"MigrateZone", "migrate_zone", {}},
      {"MisdirectWrite", "misdirect_write", {}},
      {"PartitionTwoWay", "partition_network", {}},
      {"PartitionOneWay", "partition_network", {{"cut", std::string("one-way")}}},
      {"PartitionReset", "partition_network", {{"cut", std::string("reset")}}},
      {"PartitionSilence", "partition_network", {{"cut", std::string("silence")}}},
      {"PowerLoss", "power_loss", {}},
      {"ReassignPartition", "reassign_partition", {}},
      {"RemoveBroker", "remove_broker", {}},
      {"ReplaceDisk", "replace_disk", {}},
      {"ResetConnections", "reset_connections", {}},
      {"RollingRestart", "rolling_restart", {}},
      {"SlowDisk", "slow_disk", {}},
      {"SlowNetwork", "slow_network", {}},
      {"SlowNetworkLoss", "slow_network", {{"loss", IntegerRange{200'000, 200'000}}}},
      {"SlowNetworkJitter",
       "slow_network",
       {{"delay", Exactly(absl::ZeroDuration())}, {"jitter", Exactly(absl::Seconds(1))}}},
      {"SplitBrainTwoToOne", "split_brain", {}},
      {"SplitBrainOneToOne", "split_brain", {{"shape", std::string("1:1")}}},
      {"SqueezeNetwork", "squeeze_network", {}},
      {"StopBroker", "stop_broker", {}},
      {"StallDevice", "stall_disk", {}},
      {"StallWrites", "stall_disk", {{"kind", std::string("writes")}}},
      {"SurgeLoad", "surge_load", {}},
      {"SwapDisks", "swap_disks", {}},
      {"TearWrite", "tear_write", {}},
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
    EXPECT_FALSE(kind.observed.empty()) << kind.name;
  }
}

}  // namespace
}  // namespace highwater::scenarios
