#include "broker/zookeeper/ensemble/zab_rules.h"

#include <algorithm>
#include <tuple>

namespace highwater::broker::zookeeper::zab {

bool Beats(const Vote& a, const Vote& b) {
  return std::tie(a.peer_epoch, a.zxid, a.leader) > std::tie(b.peer_epoch, b.zxid, b.leader);
}

Vote VoteInNewRound(const Vote& theirs, const Vote& initial, const Vote& /*current*/) {
  return Beats(theirs, initial) ? theirs : initial;
}

bool IsMajority(size_t count, size_t voters) { return count > voters / 2; }

ZabEpoch NewEpoch(ZabEpoch greatest_accepted) { return greatest_accepted + 1; }

EpochVerdict JudgeEpoch(ZabEpoch proposed, ZabEpoch accepted) {
  if (proposed > accepted) return EpochVerdict::kPromise;
  return proposed == accepted ? EpochVerdict::kAlreadyPromised : EpochVerdict::kRefuse;
}

absl::Span<const PromiseStep> PromiseOrder() {
  static constexpr PromiseStep kOrder[] = {PromiseStep::kStoreAcceptedEpoch, PromiseStep::kAnswer};
  return kOrder;
}

bool YieldsTo(ZabEpoch accepted_by_voter, ZabEpoch own) { return accepted_by_voter > own; }

bool IsAhead(const StateSummary& learner, const StateSummary& leader) {
  return std::tie(learner.current_epoch, learner.last_zxid) >
         std::tie(leader.current_epoch, leader.last_zxid);
}

SyncPlan DecideSync(const SyncView& view) {
  const Zxid peer = view.peer_last;
  const Zxid min = view.history.empty() ? view.leader_last : view.history.front();
  const Zxid max = view.history.empty() ? view.leader_last : view.history.back();
  const SyncPlan snap{SyncKind::kSnap, view.leader_last, view.leader_last};
  // A peer at an epoch's counter 0 has exactly the history with which that epoch began: it has
  // nothing to be cut off, and whatever of ours is greater is what it lacks.
  const bool only_saw_new_leader = CounterOf(peer) == 0;

  if (peer == view.leader_last) return {SyncKind::kDiff, peer, peer};
  if (peer < min) return snap;
  if (peer > max) {
    if (only_saw_new_leader) return {SyncKind::kDiff, max, peer};
    // Apache cuts here whatever the epochs are. A peer that joined its epoch by a SNAP then has
    // nothing left to cut back to, and no way to ask for more: so another epoch is a SNAP too.
    if (ZabEpochOf(peer) != ZabEpochOf(max)) return snap;
    return {SyncKind::kTrunc, max, max};
  }
  const auto next = std::lower_bound(view.history.begin(), view.history.end(), peer);
  if (*next == peer || only_saw_new_leader) return {SyncKind::kDiff, max, peer};
  // #1154: the peer's last one is not ours. Within one epoch it stands behind our previous one.
  const Zxid previous = *(next - 1);
  if (ZabEpochOf(previous) != ZabEpochOf(peer) || ZabEpochOf(*next) != ZabEpochOf(peer)) {
    return snap;
  }
  return {SyncKind::kTrunc, previous, previous};
}

bool KeepsEarlierAcks(SyncKind kind) { return kind == SyncKind::kDiff; }

absl::Span<const NewLeaderStep> NewLeaderOrder() {
  static constexpr NewLeaderStep kOrder[] = {NewLeaderStep::kInstallBase, NewLeaderStep::kSyncLog,
                                             NewLeaderStep::kStoreCurrentEpoch,
                                             NewLeaderStep::kAck};
  return kOrder;
}

bool GetsProposals(LearnerPhase phase) { return phase >= LearnerPhase::kSyncing; }

bool MayServe(bool /*acknowledged_new_leader*/, bool up_to_date) { return up_to_date; }

Zxid AckPoint(Zxid /*appended*/, Zxid synced) { return synced; }

bool SyncIsDue(Zxid proposed_when_asked, Zxid committed) {
  return committed >= proposed_when_asked;
}

bool EpochIsUsedUp(uint32_t counter) { return counter == 0xffffffffu; }

}  // namespace highwater::broker::zookeeper::zab
