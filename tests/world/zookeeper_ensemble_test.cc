// A cluster with a ZooKeeper ensemble: its invariants hold, and each is seen to fail when the rule
// that it rests upon is broken.

#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

using broker::zookeeper::EpochVerdict;
using broker::zookeeper::SyncKind;
using broker::zookeeper::SyncPlan;
using broker::zookeeper::SyncView;
using broker::zookeeper::ZabEpoch;

// One broker over three ZooKeeper servers that lose power, each on its own.
Scenario EnsembleScenario() {
  Scenario scenario = SmallScenario();
  scenario.cluster.zones = {"az-a", "az-b", "az-c"};
  scenario.cluster.zookeeper = 3;
  scenario.run.warmup = absl::Seconds(5);
  scenario.run.duration = absl::Seconds(20);
  scenario.check.guarantee = Guarantee::kAny;
  const auto add = [&](std::string_view kind, absl::Duration every, faults::Aim::Role role) {
    RandomFault fault = FaultEvery(kind, every);
    fault.fault.target = {.role = role};
    fault.fault.place = fmt::format("faults.random[{}]", scenario.random.size());
    scenario.random.push_back(std::move(fault));
  };
  add("power_loss", absl::Seconds(3), faults::Aim::Role::kZooKeeperLeader);
  add("power_loss", absl::Seconds(3), faults::Aim::Role::kAnyZooKeeper);
  add("partition_network", absl::Seconds(4), faults::Aim::Role::kAnyZooKeeper);
  return scenario;
}

bool ViolatesZooKeeper(const SeedResult& result) {
  return Violates(result, "zookeeper-committed-kept") ||
         Violates(result, "zookeeper-one-history") ||
         Violates(result, "zookeeper-one-leader-per-epoch");
}

std::optional<SeedResult> Search(const RunHooks& hooks, std::string_view rule) {
  return FindSeed(EnsembleScenario(), 1, 150, hooks,
                  [rule](const SeedResult& result) { return Violates(result, rule); });
}

TEST(ZooKeeperEnsembleTest, KeepsItsGuaranteesThroughLossesOfPowerAndOfTheNetwork) {
  const auto failed = FindSeed(EnsembleScenario(), 1, 20, {}, ViolatesZooKeeper);
  EXPECT_FALSE(failed.has_value()) << failed->violations[0].witnesses[0];
}

// Whoever leads takes the epoch that was accepted last, and is promised it again.
TEST(ZooKeeperMutantTest, AnEpochThatIsUsedAgainIsCaughtByOneLeaderPerEpoch) {
  RunHooks hooks;
  hooks.zab_rules.NewEpoch = [](ZabEpoch greatest) { return std::max(greatest, ZabEpoch(1)); };
  hooks.zab_rules.JudgeEpoch = [](ZabEpoch, ZabEpoch) { return EpochVerdict::kPromise; };
  EXPECT_TRUE(Search(hooks, "zookeeper-one-leader-per-epoch").has_value());
}

// A proposal is committed as soon as one server has it.
TEST(ZooKeeperMutantTest, ACommitWithoutAQuorumIsCaughtByCommittedKept) {
  RunHooks hooks;
  hooks.zab_rules.MayCommit = [](size_t count, size_t) { return count >= 1; };
  EXPECT_TRUE(Search(hooks, "zookeeper-committed-kept").has_value());
}

// A learner is told that it has everything already.
TEST(ZooKeeperMutantTest, ALearnerThatIsBroughtUpToNothingIsCaughtByOneHistory) {
  RunHooks hooks;
  hooks.zab_rules.DecideSync = [](const SyncView& view) {
    return SyncPlan{SyncKind::kDiff, view.leader_last, view.leader_last};
  };
  EXPECT_TRUE(Search(hooks, "zookeeper-one-history").has_value());
}

}  // namespace
}  // namespace highwater::scenarios
