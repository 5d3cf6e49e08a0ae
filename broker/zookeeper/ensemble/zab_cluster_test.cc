#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "broker/zookeeper/ensemble/zab_cluster_model.h"

namespace highwater::broker::zookeeper {
namespace {

struct Campaign {
  uint64_t seed = 0;  // of the first violation
  std::string violation;
  ZabClusterModel::Result sum;
};

Campaign RunSeeds(int64_t servers, uint64_t seeds, const ZabRules& rules = {}) {
  Campaign campaign;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto result = ZabClusterModel({.servers = servers, .seed = seed, .rules = rules}).Run();
    campaign.sum.committed += result.committed;
    campaign.sum.acknowledged += result.acknowledged;
    campaign.sum.terms += result.terms;
    campaign.sum.crashes += result.crashes;
    campaign.sum.diffs += result.diffs;
    campaign.sum.truncs += result.truncs;
    campaign.sum.snaps += result.snaps;
    campaign.sum.disk_diffs += result.disk_diffs;
    campaign.sum.failed_cuts += result.failed_cuts;
    campaign.sum.epochs_taken_from_log += result.epochs_taken_from_log;
    campaign.sum.syncs += result.syncs;
    if (result.violation.empty()) continue;
    campaign.seed = seed;
    campaign.violation = result.violation;
    break;
  }
  return campaign;
}

TEST(ZabClusterTest, Explore) {
  if (getenv("SEED")) {
    auto r = ZabClusterModel({.servers = getenv("FIVE") ? 5 : 3,
                              .seed = strtoull(getenv("SEED"), nullptr, 10),
                              .trace = true})
                 .Run();
    return;
  }
  const uint64_t n = std::strtoull(getenv("N") ? getenv("N") : "1000", nullptr, 10);
  for (int servers : {3, 5}) {
    auto c = RunSeeds(servers, n);
    auto& all = c.sum;
    printf(
        "%d: seed %lu %s committed %ld acked %ld terms %ld crashes %ld diffs %ld truncs %ld snaps "
        "%ld disk %ld syncs %ld failed cuts %ld epochs %ld\n",
        servers, c.seed, c.violation.c_str(), all.committed, all.acknowledged, all.terms,
        all.crashes, all.diffs, all.truncs, all.snaps, all.disk_diffs, all.syncs, all.failed_cuts,
        all.epochs_taken_from_log);
  }
  if (getenv("ONLY")) return;
  auto mutant = [&](const char* name, auto change) {
    ZabRules rules;
    change(rules);
    for (int servers : {3, 5}) {
      auto c = RunSeeds(servers, n, rules);
      printf("%s %d: seed %lu %s\n", name, servers, c.seed, c.violation.c_str());
    }
  };
  mutant("beats-by-zxid", [](ZabRules& r) {
    r.Beats = [](const Vote& a, const Vote& b) {
      return std::tie(a.zxid, a.leader) > std::tie(b.zxid, b.leader);
    };
  });
  mutant("keeps-vote", [](ZabRules& r) {
    r.VoteInNewRound = [](const Vote& t, const Vote&, const Vote& c) {
      return zab::Beats(t, c) ? t : c;
    };
  });
  mutant("elect-half",
         [](ZabRules& r) { r.MayElect = [](size_t c, size_t v) { return c >= v / 2; }; });
  mutant("epoch-not-above",
         [](ZabRules& r) { r.NewEpoch = [](ZabEpoch g) { return std::max(g, ZabEpoch(1)); }; });
  mutant("accept-lower", [](ZabRules& r) {
    r.JudgeEpoch = [](ZabEpoch, ZabEpoch) { return EpochVerdict::kPromise; };
  });
  mutant("promise-first", [](ZabRules& r) {
    r.PromiseOrder = [] {
      static constexpr PromiseStep k[] = {PromiseStep::kAnswer, PromiseStep::kStoreAcceptedEpoch};
      return absl::Span<const PromiseStep>(k);
    };
  });
  mutant("promise-memory", [](ZabRules& r) {
    r.PromiseOrder = [] {
      static constexpr PromiseStep k[] = {PromiseStep::kAnswer};
      return absl::Span<const PromiseStep>(k);
    };
  });
  mutant("take-epoch-half",
         [](ZabRules& r) { r.MayTakeEpoch = [](size_t c, size_t v) { return c >= v / 2; }; });
  mutant("never-ahead", [](ZabRules& r) {
    r.IsAhead = [](const StateSummary&, const StateSummary&) { return false; };
  });
  mutant("epoch-before-log", [](ZabRules& r) {
    r.NewLeaderOrder = [] {
      static constexpr NewLeaderStep k[] = {NewLeaderStep::kStoreCurrentEpoch,
                                            NewLeaderStep::kInstallBase, NewLeaderStep::kSyncLog,
                                            NewLeaderStep::kAck};
      return absl::Span<const NewLeaderStep>(k);
    };
  });
  mutant("ack-before-sync", [](ZabRules& r) {
    r.NewLeaderOrder = [] {
      static constexpr NewLeaderStep k[] = {NewLeaderStep::kInstallBase,
                                            NewLeaderStep::kStoreCurrentEpoch, NewLeaderStep::kAck,
                                            NewLeaderStep::kSyncLog};
      return absl::Span<const NewLeaderStep>(k);
    };
  });
  mutant("ack-before-epoch", [](ZabRules& r) {
    r.NewLeaderOrder = [] {
      static constexpr NewLeaderStep k[] = {NewLeaderStep::kInstallBase, NewLeaderStep::kSyncLog,
                                            NewLeaderStep::kAck, NewLeaderStep::kStoreCurrentEpoch};
      return absl::Span<const NewLeaderStep>(k);
    };
  });
  mutant("establish-half",
         [](ZabRules& r) { r.MayEstablish = [](size_t c, size_t v) { return c >= v / 2; }; });
  mutant("proposals-after-ack", [](ZabRules& r) {
    r.GetsProposals = [](LearnerPhase p) { return p >= LearnerPhase::kSynced; };
  });
  mutant("serve-early", [](ZabRules& r) { r.MayServe = [](bool a, bool) { return a; }; });
  mutant("ack-appended", [](ZabRules& r) { r.AckPoint = [](Zxid a, Zxid) { return a; }; });
  mutant("commit-half",
         [](ZabRules& r) { r.MayCommit = [](size_t c, size_t v) { return c >= v / 2; }; });
  mutant("sync-now", [](ZabRules& r) { r.SyncIsDue = [](Zxid, Zxid) { return true; }; });
  mutant("lead-on", [](ZabRules& r) { r.MayKeepLeading = [](size_t, size_t) { return true; }; });
  mutant("diff-keeps-tail", [](ZabRules& r) {
    r.DecideSync = [](const SyncView& v) {
      SyncPlan p = zab::DecideSync(v);
      if (p.kind == SyncKind::kTrunc) return SyncPlan{SyncKind::kDiff, p.zxid, v.peer_last};
      return p;
    };
  });
  mutant("diff-loses", [](ZabRules& r) {
    r.DecideSync = [](const SyncView& v) {
      SyncPlan p = zab::DecideSync(v);
      if (p.kind == SyncKind::kDiff) p.send_after = v.leader_last;
      return p;
    };
  });
  mutant("trunc-across", [](ZabRules& r) {
    r.DecideSync = [](const SyncView& v) {
      SyncPlan p = zab::DecideSync(v);
      if (p.kind == SyncKind::kSnap && !v.history.empty() && v.peer_last > v.history.front()) {
        auto n = std::lower_bound(v.history.begin(), v.history.end(), v.peer_last);
        return SyncPlan{SyncKind::kTrunc, *(n - 1), *(n - 1)};
      }
      return p;
    };
  });
  mutant("never-trunc-2832", [](ZabRules& r) {
    r.DecideSync = [](const SyncView& v) {
      if (v.peer_last > v.leader_last) return SyncPlan{SyncKind::kDiff, v.leader_last, v.peer_last};
      return zab::DecideSync(v);
    };
  });
}

}  // namespace
}  // namespace highwater::broker::zookeeper
