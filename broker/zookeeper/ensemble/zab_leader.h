#pragma once

// ZabLeader: one term of leading: an epoch of its own by a quorum's promises, learners brought to
// its history, then proposals that commit when a quorum has them. A state machine without I/O; made
// when an election decided LEADING, destroyed at GiveUp.
//
//   ZabLeader leader(self, voters, history, timing, committed_log, config, rules, now);
//   leader.Start(effects);
//   leader.Receive(connection, packet, now, effects);      // a connection begins with FOLLOWERINFO
//   leader.OnLogSynced(zxid, effects);                     // and the other completions of the disk
//   leader.OnTime(now, effects);                           // at leader.deadline()
//   if (leader.leading()) leader.Propose({leader.next_zxid(), txn}, now, effects);
//
// Follows ZooKeeper facts 3.5 (2, 4), 3.6 (the leader's part), 3.7, 3.8, 2.1, 2.3, 2.5. Not
// responsible for: what a write becomes (server/), sessions' deadlines (server/), observers and
// reconfiguration: an OBSERVERINFO is refused.
//
// Invariants, checked after each step:
//   1. Proposed zxids are contiguous in the leader's own epoch; what is outstanding reaches from
//   last committed to last proposed, without a gap.
//   2. Nothing is proposed before the leader is established.
//   3. An acknowledgement counts once per voter and proposal, and for as long as the voter is not
//   sent something that takes the proposal off its disk.
//   4. A server has at most one connection here; the newest counts [#61].
// And by ZabRules:
//   5. A proposal commits when a quorum of voters has it durably, the leader being one voter like
//   the others, and in order.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/zookeeper/ensemble/committed_log.h"
#include "broker/zookeeper/ensemble/ensemble_timing.h"
#include "broker/zookeeper/ensemble/zab_effects.h"
#include "broker/zookeeper/ensemble/zab_rules.h"
#include "core/monotonic_time.h"

namespace highwater::broker::zookeeper {

class ZabLeader {
 public:
  enum class Phase {
    kDiscovery,        // waits for a quorum of FOLLOWERINFO
    kStoringEpoch,     // its own promise goes to the disk
    kPromises,         // waits for a quorum of ACKEPOCH
    kSynchronisation,  // waits for a quorum of ACKs of NEWLEADER
    kBroadcast,
    kGone,
  };

  // REQUIRES: everything up to history.last_zxid is durable and in the tree, and committed_log ends
  // there.
  ZabLeader(ServerId self, std::vector<ServerId> voters, const ServerHistory& history,
            const EnsembleTiming& timing, CommittedLog& committed_log, core::Bytes config,
            const ZabRules& rules, core::MonotonicTime now);

  // A server without peers is a quorum at once.
  void Start(core::MonotonicTime now, ZabEffects& effects);

  void Receive(PeerConnection from, const QuorumPacket& packet, core::MonotonicTime now,
               ZabEffects& effects);
  void OnDisconnected(PeerConnection connection) { learners_.erase(connection); }
  void OnTime(core::MonotonicTime now, ZabEffects& effects);
  [[nodiscard]] core::MonotonicTime deadline() const;

  // ---- The disk is done.

  void OnAcceptedEpochStored(core::MonotonicTime now, ZabEffects& effects);
  void OnCurrentEpochStored(ZabEffects& effects);
  void OnLogSynced(Zxid through, ZabEffects& effects);
  // `behind`: what the log has behind the zxid that was asked for; nullopt if it does not reach
  // back or is not worth it.
  void OnLogRead(PeerConnection learner, std::optional<std::vector<LoggedTxn>> behind,
                 ZabEffects& effects);

  // ---- From this server.

  // Whether the term is established, so that writes may be proposed.
  [[nodiscard]] bool leading() const { return phase_ == Phase::kBroadcast; }
  [[nodiscard]] Zxid next_zxid() const { return last_proposed_ + 1; }
  // May give up instead, when the epoch has no more zxids. REQUIRES: leading(), txn.zxid is
  // next_zxid().
  void Propose(LoggedTxn txn, core::MonotonicTime now, ZabEffects& effects);
  // A sync that HandleRequest brought, or one of this server's own clients (no connection), reached
  // its place among the writes: answered by SYNC or CompleteSync.
  void Sync(std::optional<PeerConnection> asker, ZabEffects& effects);
  void AnswerRevalidate(PeerConnection asker, const Revalidated& answer, ZabEffects& effects);

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] ZabEpoch epoch() const { return epoch_; }
  [[nodiscard]] Zxid last_proposed() const { return last_proposed_; }
  [[nodiscard]] Zxid last_committed() const { return last_committed_; }
  // Servers that acknowledged NEWLEADER, this one included.
  [[nodiscard]] const absl::btree_set<ServerId>& synced() const { return acked_new_leader_; }

 private:
  struct Learner {
    ServerId server;
    LearnerPhase phase = LearnerPhase::kConnected;
    Zxid last_zxid;  // as ACKEPOCH said
    int64_t alive_until_tick = 0;
    std::deque<std::pair<Zxid, core::MonotonicTime>> unacked;  // proposals, and since when
  };
  struct Proposal {
    LoggedTxn txn;
    std::vector<ServerId> acks;
  };
  struct PendingSync {
    Zxid proposed;  // what was proposed when it came
    std::optional<PeerConnection> asker;
  };

  // zab_leader_learners.cc: one learner on its way to the leader's history.
  void ReceiveFollowerInfo(PeerConnection from, const QuorumPacket& packet, ZabEffects& effects);
  void Offer(PeerConnection to, Learner& learner, ZabEffects& effects);
  void ReceiveAckEpoch(PeerConnection from, Learner& learner, const QuorumPacket& packet,
                       core::MonotonicTime now, ZabEffects& effects);
  void BeginSync(PeerConnection to, Learner& learner, ZabEffects& effects);
  void QueueSync(PeerConnection to, Learner& learner, const std::vector<LoggedTxn>& history,
                 ZabEffects& effects);
  void ReceiveAck(PeerConnection from, Learner& learner, Zxid zxid, ZabEffects& effects);
  void ReceiveFromServing(PeerConnection from, const QuorumPacket& packet, ZabEffects& effects);
  void SendUpToDate(PeerConnection to, Learner& learner, ZabEffects& effects);
  // The learner is out of turn, refused or too slow.
  void Drop(PeerConnection connection, std::string why, ZabEffects& effects);

  void MaybeChooseEpoch(ZabEffects& effects);
  void MaybeTakeEpoch(core::MonotonicTime now, ZabEffects& effects);
  void MaybeEstablish(ZabEffects& effects);
  void AckProposal(ServerId voter, Zxid zxid, ZabEffects& effects);
  void AckOwn(ZabEffects& effects);
  void CommitOldest(ZabEffects& effects);
  void AnswerSync(const PendingSync& sync, ZabEffects& effects);
  void HalfTick(core::MonotonicTime now, ZabEffects& effects);
  void CheckQuorum(ZabEffects& effects);
  void SendToForwarding(const QuorumPacket& packet, ZabEffects& effects);
  void GiveUp(std::string why, ZabEffects& effects);
  [[nodiscard]] bool IsVoter(ServerId server) const;
  void CheckInvariants() const;

  ServerId self_;
  std::vector<ServerId> voters_;
  ServerHistory history_;
  EnsembleTiming timing_;
  CommittedLog& committed_log_;
  core::Bytes config_;
  const ZabRules& rules_;

  Phase phase_ = Phase::kDiscovery;
  core::MonotonicTime phase_deadline_;
  core::MonotonicTime next_half_tick_;
  bool second_half_ = false;
  int64_t tick_ = 0;

  ZabEpoch epoch_;
  ZabEpoch greatest_accepted_;
  absl::btree_set<ServerId> connecting_;
  absl::btree_set<ServerId> promised_;
  absl::btree_set<ServerId> acked_new_leader_;
  absl::btree_map<PeerConnection, Learner> learners_;

  Zxid last_proposed_;
  Zxid last_committed_;
  Zxid last_synced_;  // of the own log
  Zxid last_own_ack_;
  std::deque<Proposal> outstanding_;
  std::deque<PendingSync> pending_syncs_;
};

}  // namespace highwater::broker::zookeeper
