#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "broker/zookeeper/ensemble/zab_cluster_model.h"

namespace highwater::broker::zookeeper {
namespace {

struct Campaign {
  uint64_t seed = 0;  // of the first violation
  std::string violation;
  ZabClusterModel::Result sum;
};

Campaign RunSeeds(int64_t servers, uint64_t seeds, const ZabRules& rules = {}, uint64_t first = 1) {
  Campaign campaign;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const ZabClusterModel::Result result =
        ZabClusterModel({.servers = servers, .seed = seed, .rules = rules}).Run();
    campaign.sum.Add(result);
    if (result.violation.empty()) continue;
    campaign.seed = seed;
    campaign.violation = result.violation;
    break;
  }
  return campaign;
}

void ExpectExercised(const ZabClusterModel::Result& sum) {
  EXPECT_GT(sum.committed, 0);
  EXPECT_GT(sum.acknowledged, 0);
  EXPECT_GT(sum.crashes, 0);
  EXPECT_GT(sum.diffs, 0);
  EXPECT_GT(sum.disk_diffs, 0);
  EXPECT_GT(sum.truncs, 0);
  EXPECT_GT(sum.snaps, 0);
  EXPECT_GT(sum.syncs, 0);
  EXPECT_GT(sum.epochs_taken_from_log, 0);
}

// [3.9]
TEST(ZabClusterTest, ThreeServersKeepWhatTheyCommitAndComeToRest) {
  const Campaign campaign = RunSeeds(3, 1500);
  EXPECT_EQ(campaign.violation, "") << "seed " << campaign.seed;
  ExpectExercised(campaign.sum);
}

// [3.9]
TEST(ZabClusterTest, FiveServersKeepWhatTheyCommitAndComeToRest) {
  const Campaign campaign = RunSeeds(5, 500);
  EXPECT_EQ(campaign.violation, "") << "seed " << campaign.seed;
  ExpectExercised(campaign.sum);
}

TEST(ZabClusterTest, ASeedIsTheSameRunEveryTime) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const auto first = ZabClusterModel({.servers = 5, .seed = seed}).Run();
    const auto second = ZabClusterModel({.servers = 5, .seed = seed}).Run();
    EXPECT_EQ(first.digest, second.digest) << seed;
    EXPECT_NE(first.digest, ZabClusterModel({.servers = 5, .seed = seed + 100}).Run().digest);
  }
}

// Seeds that once showed a fault of the protocol or of the model.
TEST(ZabClusterTest, SeedsThatOnceFailedHold) {
  for (const uint64_t seed : {66, 1058, 4909, 12038, 53245}) {
    EXPECT_EQ(ZabClusterModel({.servers = 3, .seed = seed}).Run().violation, "") << seed;
  }
  for (const uint64_t seed : {21, 9178, 10102}) {
    EXPECT_EQ(ZabClusterModel({.servers = 5, .seed = seed}).Run().violation, "") << seed;
  }
}

// ---- Mutants: each breaks one rule, and is caught within the stated number of seeds.

bool IsHalf(size_t count, size_t voters) { return count >= voters / 2; }
bool Always(size_t, size_t) { return true; }

template <NewLeaderStep... kSteps>
absl::Span<const NewLeaderStep> Steps() {
  static constexpr NewLeaderStep kOrder[] = {kSteps...};
  return kOrder;
}
template <PromiseStep... kSteps>
absl::Span<const PromiseStep> Promises() {
  static constexpr PromiseStep kOrder[] = {kSteps...};
  return kOrder;
}

SyncPlan KeepTheTail(const SyncView& view) {
  SyncPlan plan = zab::DecideSync(view);
  if (plan.kind == SyncKind::kTrunc) plan = {SyncKind::kDiff, plan.zxid, view.peer_last};
  return plan;
}
SyncPlan SendNoHistory(const SyncView& view) {
  SyncPlan plan = zab::DecideSync(view);
  if (plan.kind == SyncKind::kDiff) plan.send_after = view.leader_last;
  return plan;
}
SyncPlan CutAcrossEpochs(const SyncView& view) {
  const SyncPlan plan = zab::DecideSync(view);
  if (plan.kind != SyncKind::kSnap || view.history.empty()) return plan;
  if (view.peer_last < view.history.front()) return plan;
  const auto next = std::lower_bound(view.history.begin(), view.history.end(), view.peer_last);
  return {SyncKind::kTrunc, *(next - 1), *(next - 1)};
}
SyncPlan EmptyDiffForWhoeverIsBeyond(const SyncView& view) {
  if (view.peer_last <= view.leader_last) return zab::DecideSync(view);
  return {SyncKind::kDiff, view.leader_last, view.peer_last};
}

using enum NewLeaderStep;
using enum PromiseStep;

struct Mutant {
  const char* name;
  int64_t servers;
  uint64_t within;
  void (*plant)(ZabRules& rules);
  const char* shows;
  uint64_t first = 1;  // where the seeds begin
};

const Mutant kMutants[] = {
    // #17, ZOOKEEPER-335
    // Without the leader's own look at who is ahead, as it once was.
    {"ElectsByZxidAlone", 3, 3000,
     [](ZabRules& r) {
       r.IsAhead = [](const StateSummary&, const StateSummary&) { return false; };
       r.Beats = [](const Vote& a, const Vote& b) {
         return std::tie(a.zxid, a.leader) > std::tie(b.zxid, b.leader);
       };
     },
     ""},
    // #16
    {"TakesAnEpochThatIsNotAboveAllAccepted", 3, 10,
     [](ZabRules& r) {
       r.NewEpoch = [](ZabEpoch greatest) { return std::max(greatest, ZabEpoch(1)); };
     },
     "no rest"},
    {"AcceptsALowerEpoch", 3, 600,
     [](ZabRules& r) {
       r.JudgeEpoch = [](ZabEpoch, ZabEpoch) { return EpochVerdict::kPromise; };
       r.YieldsTo = [](ZabEpoch, ZabEpoch) { return false; };
     },
     "accepts epoch"},
    {"LeavesAVoterWithALaterPromiseOutside", 3, 600,
     [](ZabRules& r) { r.YieldsTo = [](ZabEpoch, ZabEpoch) { return false; }; }, "no rest"},
    {"AnswersAnEpochBeforeItIsStored", 3, 100,
     [](ZabRules& r) { r.PromiseOrder = Promises<kAnswer, kStoreAcceptedEpoch>; }, "forgot"},
    {"TakesAnEpochWithoutAQuorum", 3, 300, [](ZabRules& r) { r.MayTakeEpoch = IsHalf; }, ""},
    {"LeadsAFollowerThatIsAhead", 5, 3000,
     [](ZabRules& r) {
       r.IsAhead = [](const StateSummary&, const StateSummary&) { return false; };
     },
     "lacks the committed"},
    // #35, ZOOKEEPER-4643, 4785
    {"StoresTheEpochBeforeTheSyncData", 3, 300,
     [](ZabRules& r) {
       r.NewLeaderOrder = Steps<kStoreCurrentEpoch, kInstallBase, kSyncLog, kAck>;
     },
     "lacks the committed"},
    // #34, ZOOKEEPER-3911, 4646
    {"AcknowledgesNewLeaderBeforeItsDataIsSynced", 3, 600,
     [](ZabRules& r) {
       r.NewLeaderOrder = Steps<kInstallBase, kStoreCurrentEpoch, kAck, kSyncLog>;
     },
     "lacks the committed"},
    // About one seed in ten thousand: the count begins near one.
    {"AcknowledgesNewLeaderBeforeItsEpochIsStored", 3, 100,
     [](ZabRules& r) {
       r.NewLeaderOrder = Steps<kInstallBase, kSyncLog, kAck, kStoreCurrentEpoch>;
     },
     "lacks the committed", 12401},
    {"EstablishesWithoutAQuorum", 3, 300, [](ZabRules& r) { r.MayEstablish = IsHalf; }, ""},
    {"SendsProposalsOnlyToThoseWhoAcknowledgedNewLeader", 3, 100,
     [](ZabRules& r) {
       r.GetsProposals = [](LearnerPhase phase) { return phase >= LearnerPhase::kSynced; };
     },
     ""},
    // #43
    {"ServesAtNewLeader", 3, 20,
     [](ZabRules& r) { r.MayServe = [](bool acknowledged, bool) { return acknowledged; }; },
     "which nobody committed"},
    // #1
    {"AcknowledgesWhatIsOnlyAppended", 3, 100,
     [](ZabRules& r) { r.AckPoint = [](Zxid appended, Zxid) { return appended; }; },
     "lacks the committed"},
    {"CommitsWithoutAQuorum", 3, 20, [](ZabRules& r) { r.MayCommit = IsHalf; },
     "lacks the committed"},
    // Apache's rule; also about one seed in ten thousand.
    {"CountsAcksOfWhatATruncTookAway", 3, 100,
     [](ZabRules& r) { r.KeepsEarlierAcks = [](SyncKind) { return true; }; }, "lacks the committed",
     12001},
    // #77
    {"AnswersASyncAtOnce", 3, 300,
     [](ZabRules& r) { r.SyncIsDue = [](Zxid, Zxid) { return true; }; }, "answers a sync"},
    {"LeadsOnWithoutAQuorum", 3, 20, [](ZabRules& r) { r.MayKeepLeading = Always; }, "no rest"},
    // #26, ZOOKEEPER-1154
    {"KeepsAFollowersTail", 3, 100, [](ZabRules& r) { r.DecideSync = KeepTheTail; }, ""},
    {"LosesCommittedTransactionsInADiff", 3, 20, [](ZabRules& r) { r.DecideSync = SendNoHistory; },
     ""},
    {"CutsAcrossAnEpoch", 3, 100, [](ZabRules& r) { r.DecideSync = CutAcrossEpochs; },
     "across an epoch"},
    // #19, ZOOKEEPER-2832
    {"KeepsATailOfAnEpochThatItHasNothingOf", 3, 100,
     [](ZabRules& r) { r.DecideSync = EmptyDiffForWhoeverIsBeyond; }, ""},
};

class ZabMutantTest : public testing::TestWithParam<Mutant> {};

TEST_P(ZabMutantTest, IsCaught) {
  const Mutant& mutant = GetParam();
  ZabRules rules;
  mutant.plant(rules);
  const Campaign campaign = RunSeeds(mutant.servers, mutant.within, rules, mutant.first);
  EXPECT_NE(campaign.seed, 0u) << "not caught within " << mutant.within << " seeds";
  EXPECT_THAT(campaign.violation, testing::HasSubstr(mutant.shows));
  RecordProperty("seed", static_cast<int>(campaign.seed));
  fmt::print("  seed {}: {}\n", campaign.seed, campaign.violation);
}

INSTANTIATE_TEST_SUITE_P(Zab, ZabMutantTest, testing::ValuesIn(kMutants),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace highwater::broker::zookeeper
