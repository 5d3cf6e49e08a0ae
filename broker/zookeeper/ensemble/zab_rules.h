#pragma once

// ZabRules: the ensemble's decisions, each a named function that can be replaced alone: by a rule
// of another version, or by a mutant that breaks exactly this rule.
//
//   ZabRules rules;                                  // as the facts have them
//   rules.NewLeaderOrder = EpochBeforeLog;           // ZOOKEEPER-4643
//   ZabFollower follower(self, history, timing, committed_log, rules);
//
// Follows ZooKeeper facts 3.3 and 3.5–3.8; the numbers in brackets are theirs, those with a # name
// an entry of part 2 of the known defects. Not responsible for: when a rule is asked, which is what
// the machines are for.

#include <absl/types/span.h>

#include "broker/zookeeper/ensemble/ids.h"

namespace highwater::broker::zookeeper {

// What a follower makes of the epoch that a leader proposes [3.5].
enum class EpochVerdict {
  kPromise,          // newer than all that it accepted: store it, answer with the own epoch
  kAlreadyPromised,  // answer, but it counts for nobody
  kRefuse,           // older: this leader is over
};
enum class PromiseStep { kStoreAcceptedEpoch, kAnswer };

// What a follower does about NEWLEADER; each step begins when the one before it is done.
enum class NewLeaderStep {
  kInstallBase,  // SNAP: tree and log become the snapshot, durably. TRUNC: cut the log.
  kSyncLog,      // append what came behind it, and fsync
  kStoreCurrentEpoch,
  kAck,
};

// What a learner has to be sent so that its history becomes the leader's [3.6].
struct SyncView {
  Zxid peer_last;                  // the learner's last logged zxid
  Zxid leader_last;                // the leader's last applied one
  absl::Span<const Zxid> history;  // committed, ascending, without a gap up to leader_last
};
enum class SyncKind { kDiff, kTrunc, kSnap };
struct SyncPlan {
  SyncKind kind = SyncKind::kSnap;
  Zxid zxid;        // the packet's
  Zxid send_after;  // committed transactions above this one follow

  friend bool operator==(const SyncPlan&, const SyncPlan&) = default;
};

// How far a learner has come, as its leader sees it.
enum class LearnerPhase {
  kConnected,   // nothing is known of it
  kDiscovered,  // FOLLOWERINFO has come
  kOffered,     // LEADERINFO was sent
  kPromised,    // ACKEPOCH has come
  kReading,     // older transactions are being read from the disk for it
  kSyncing,     // sync data and NEWLEADER were queued
  kSynced,      // it acknowledged NEWLEADER
  kServing,     // UPTODATE was sent
};

namespace zab {

// [3.3] (peerEpoch, zxid, sid), lexicographically. #17: the zxid alone would let an unacknowledged
// tail of an older leader win over a newer leader's history.
[[nodiscard]] bool Beats(const Vote& a, const Vote& b);
// [3.3] In a higher round the own candidate is the initial vote, not the best of a former round,
// whose supporters may be gone (#21).
[[nodiscard]] Vote VoteInNewRound(const Vote& theirs, const Vote& initial, const Vote& current);
// [3.1] A strict majority.
[[nodiscard]] bool IsMajority(size_t count, size_t voters);
// [3.5] Above every accepted epoch, an equal one included (#16).
[[nodiscard]] ZabEpoch NewEpoch(ZabEpoch greatest_accepted);
[[nodiscard]] EpochVerdict JudgeEpoch(ZabEpoch proposed, ZabEpoch accepted);
// [3.5] The promise is durable before it is given: one that a crash forgets elects two leaders of
// one epoch (#16).
[[nodiscard]] absl::Span<const PromiseStep> PromiseOrder();
// Whether a leader ends its term for a voter that accepted a later epoch than the leader's. That
// voter must refuse this leader ([3.5]: lower), for as long as the term lasts, and Apache leaves it
// outside; a new term's epoch is above its promise.
[[nodiscard]] bool YieldsTo(ZabEpoch accepted_by_voter, ZabEpoch own);
// [3.5] A learner whose history is more recent than the leader's is refused: the leader would cut
// off what may be committed.
[[nodiscard]] bool IsAhead(const StateSummary& learner, const StateSummary& leader);
// [3.6] The table.
[[nodiscard]] SyncPlan DecideSync(const SyncView& view);
// Whether what a learner acknowledged on a former connection still counts after this sync. A TRUNC
// or SNAP takes uncommitted proposals off its disk and sends them anew. Apache keeps the old ACKs:
// with the leader's disk slow, follower A acknowledges z and connects again; it cuts z off and
// crashes before it has it back; the leader's own fsync then makes a quorum of two with A's old
// ACK, z is committed on one disk, and A and the third server elect a leader without it.
[[nodiscard]] bool KeepsEarlierAcks(SyncKind kind);
// [3.6] Log, then epoch, then acknowledgement (#34, #35).
[[nodiscard]] absl::Span<const NewLeaderStep> NewLeaderOrder();
// [3.6] Everybody who was given NEWLEADER gets the proposals that follow, or it would acknowledge a
// history with a hole.
[[nodiscard]] bool GetsProposals(LearnerPhase phase);
// [3.6] What a follower has may be cut off until UPTODATE says that a quorum has it too (#43).
[[nodiscard]] bool MayServe(bool acknowledged_new_leader, bool up_to_date);
// [3.7] What may be acknowledged is what is on the disk (#1).
[[nodiscard]] Zxid AckPoint(Zxid appended, Zxid synced);
// [2.5] A sync is answered once everything that was proposed when it came is committed (#77).
[[nodiscard]] bool SyncIsDue(Zxid proposed_when_asked, Zxid committed);
// [3.1] The next proposal would have this counter: step down instead if the epoch has no more, so
// that it never runs over into the epoch's half (#25).
[[nodiscard]] bool EpochIsUsedUp(uint32_t counter);

}  // namespace zab

struct ZabRules {
  decltype(&zab::Beats) Beats = zab::Beats;
  decltype(&zab::VoteInNewRound) VoteInNewRound = zab::VoteInNewRound;
  // A quorum of equal votes elects.
  decltype(&zab::IsMajority) MayElect = zab::IsMajority;
  decltype(&zab::NewEpoch) NewEpoch = zab::NewEpoch;
  decltype(&zab::JudgeEpoch) JudgeEpoch = zab::JudgeEpoch;
  decltype(&zab::PromiseOrder) PromiseOrder = zab::PromiseOrder;
  // A quorum of promises makes the epoch the leader's.
  decltype(&zab::IsMajority) MayTakeEpoch = zab::IsMajority;
  decltype(&zab::YieldsTo) YieldsTo = zab::YieldsTo;
  decltype(&zab::IsAhead) IsAhead = zab::IsAhead;
  decltype(&zab::DecideSync) DecideSync = zab::DecideSync;
  decltype(&zab::KeepsEarlierAcks) KeepsEarlierAcks = zab::KeepsEarlierAcks;
  decltype(&zab::NewLeaderOrder) NewLeaderOrder = zab::NewLeaderOrder;
  decltype(&zab::GetsProposals) GetsProposals = zab::GetsProposals;
  // A quorum of acknowledged NEWLEADERs commits the whole history.
  decltype(&zab::IsMajority) MayEstablish = zab::IsMajority;
  decltype(&zab::MayServe) MayServe = zab::MayServe;
  decltype(&zab::AckPoint) AckPoint = zab::AckPoint;
  // A quorum of acknowledgements commits a proposal [3.7].
  decltype(&zab::IsMajority) MayCommit = zab::IsMajority;
  decltype(&zab::SyncIsDue) SyncIsDue = zab::SyncIsDue;
  // A quorum that was heard from lately lets a leader go on [3.8].
  decltype(&zab::IsMajority) MayKeepLeading = zab::IsMajority;
  decltype(&zab::EpochIsUsedUp) EpochIsUsedUp = zab::EpochIsUsedUp;
};

}  // namespace highwater::broker::zookeeper
