// Defects of a ZooKeeper ensemble: elections, epochs, synchronisation, what is acknowledged.

#include <algorithm>
#include <tuple>

#include "broker/zookeeper/ensemble/zab_rules.h"
#include "scenarios/zoo/mutants.h"

namespace highwater::scenarios {
namespace {

namespace zookeeper = broker::zookeeper;
using zookeeper::LearnerPhase;
using zookeeper::NewLeaderStep;
using zookeeper::PromiseStep;
using zookeeper::StateSummary;
using zookeeper::SyncKind;
using zookeeper::SyncPlan;
using zookeeper::SyncView;
using zookeeper::Vote;
using zookeeper::Zxid;

constexpr PromiseStep kAnswerFirst[] = {PromiseStep::kAnswer, PromiseStep::kStoreAcceptedEpoch};
constexpr NewLeaderStep kAckBeforeLog[] = {NewLeaderStep::kInstallBase,
                                           NewLeaderStep::kStoreCurrentEpoch, NewLeaderStep::kAck,
                                           NewLeaderStep::kSyncLog};
constexpr NewLeaderStep kEpochBeforeLog[] = {NewLeaderStep::kInstallBase,
                                             NewLeaderStep::kStoreCurrentEpoch,
                                             NewLeaderStep::kSyncLog, NewLeaderStep::kAck};

constexpr Mutant kMutants[] = {
    {"ZK1", "zookeeper", "ZOOKEEPER-3023, ZOOKEEPER-4646 class",
     "a proposal is acknowledged before it is on the disk",
     [](RunHooks& hooks) {
       hooks.zab_rules.AckPoint = [](Zxid appended, Zxid) { return appended; };
     }},
    {"ZK16", "zookeeper", "ZOOKEEPER-1343 class",
     "an epoch is promised before the promise is on the disk",
     [](RunHooks& hooks) {
       hooks.zab_rules.PromiseOrder = [] { return absl::MakeConstSpan(kAnswerFirst); };
     }},
    {"ZK17", "zookeeper", "ZOOKEEPER-335, ZOOKEEPER-1081, ZOOKEEPER-1082",
     "an election compares the last zxid and not the epoch that a history belongs to",
     [](RunHooks& hooks) {
       hooks.zab_rules.Beats = [](const Vote& a, const Vote& b) {
         return std::tie(a.zxid, a.leader) > std::tie(b.zxid, b.leader);
       };
       hooks.zab_rules.IsAhead = [](const StateSummary&, const StateSummary&) { return false; };
     }},
    {"ZK19", "zookeeper", "ZOOKEEPER-2832 class",
     "a leader takes in a server whose history is more recent than its own",
     [](RunHooks& hooks) {
       hooks.zab_rules.IsAhead = [](const StateSummary&, const StateSummary&) { return false; };
     }},
    {"ZK21", "zookeeper", "ZooKeeper 3.3",
     "in a new round of an election the best vote of the old one is kept",
     [](RunHooks& hooks) {
       hooks.zab_rules.VoteInNewRound = [](const Vote& theirs, const Vote&, const Vote& current) {
         return zookeeper::zab::Beats(theirs, current) ? theirs : current;
       };
     }},
    {"ZK26", "zookeeper", "ZOOKEEPER-1154",
     "a server is sent what is newer than its last transaction, whether that is the leader's or "
     "not",
     [](RunHooks& hooks) {
       hooks.zab_rules.DecideSync = [](const SyncView& view) {
         const SyncPlan safe = zookeeper::zab::DecideSync(view);
         const bool covered = !view.history.empty() && view.peer_last >= view.history.front();
         if (safe.kind == SyncKind::kDiff || !covered) return safe;
         return SyncPlan{SyncKind::kDiff, view.history.back(), view.peer_last};
       };
     }},
    {"ZK27", "zookeeper", "ZOOKEEPER-962",
     "what is proposed while a server synchronises is not sent to it",
     [](RunHooks& hooks) {
       hooks.zab_rules.GetsProposals = [](LearnerPhase phase) {
         return phase >= LearnerPhase::kSynced;
       };
     }},
    {"ZK34", "zookeeper", "ZOOKEEPER-3911, ZOOKEEPER-3023, ZOOKEEPER-4646",
     "a server acknowledges its new leader before it has the history on its disk",
     [](RunHooks& hooks) {
       hooks.zab_rules.NewLeaderOrder = [] { return absl::MakeConstSpan(kAckBeforeLog); };
     }},
    {"ZK35", "zookeeper", "ZOOKEEPER-4643, ZOOKEEPER-4785",
     "a server stores the new epoch before the history that goes with it",
     [](RunHooks& hooks) {
       hooks.zab_rules.NewLeaderOrder = [] { return absl::MakeConstSpan(kEpochBeforeLog); };
     }},
    {"ZK43", "zookeeper", "Zab, phase 3", "a server serves clients before a quorum has what it has",
     [](RunHooks& hooks) {
       hooks.zab_rules.MayServe = [](bool acknowledged_new_leader, bool up_to_date) {
         return acknowledged_new_leader || up_to_date;
       };
     }},
    {"ZK61", "zookeeper", "ZooKeeper 3.6",
     "what a server acknowledged before its history was cut off still counts",
     [](RunHooks& hooks) { hooks.zab_rules.KeepsEarlierAcks = [](SyncKind) { return true; }; }},
    {"ZQ1", "zookeeper", "Zab, phase 3", "half of the servers commit, the greater half or not",
     [](RunHooks& hooks) {
       hooks.zab_rules.MayCommit = [](size_t count, size_t voters) { return count >= voters / 2; };
     }},
    {"ZQ2", "zookeeper", "Zab, phase 1", "a leader takes an epoch that no quorum has promised",
     [](RunHooks& hooks) {
       hooks.zab_rules.MayTakeEpoch = [](size_t count, size_t) { return count > 0; };
       hooks.zab_rules.MayEstablish = [](size_t count, size_t) { return count > 0; };
       hooks.zab_rules.MayElect = [](size_t count, size_t) { return count > 0; };
     }},
};

}  // namespace

absl::Span<const Mutant> ZooKeeperMutants() { return kMutants; }

}  // namespace highwater::scenarios
