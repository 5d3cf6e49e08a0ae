#pragma once

// ZabFollower: one term of following one leader: discovery, synchronisation, broadcast. A state
// machine without I/O; made when an election decided FOLLOWING and the leader was connected to,
// destroyed at GiveUp.
//
//   ZabFollower follower(self, history, timing, committed_log, rules, now);
//   follower.Connect(effects);
//   follower.Receive(packet, now, effects);        // in the order in which they came
//   follower.OnLogSynced(zxid, effects);           // and the other completions of the disk
//   follower.OnTime(now, effects);                 // at follower.deadline(), after what has come
//   follower.Forward({session, cxid, OpCode::kSetData, record}, ids, effects);
//
// Follows ZooKeeper facts 3.5 (2, 3), 3.6 (the follower's part), 3.7, 3.8, 2.1, 2.3, 2.5. Not
// responsible for: the election, connecting, reading the snapshot's body (the driver does that
// before it hands over the SNAP packet, into a tree that is thrown away unless InstallSnapshot
// comes), waiting client requests (server/).
//
// Invariants, checked after each step:
//   1. Received transactions are contiguous from the base that the leader gave, and so are appended
//   and applied ones; applied <= committed <= received, applied <= appended <= received.
//   2. Nothing is applied before clients are served [#43].
//   3. After GiveUp no step has an effect.
// And by ZabRules:
//   4. Acknowledged <= synced, in order, and never before NEWLEADER was acknowledged.
//   5. No client is served before UPTODATE.

#include <absl/container/btree_map.h>

#include <deque>
#include <string>

#include "broker/zookeeper/ensemble/committed_log.h"
#include "broker/zookeeper/ensemble/ensemble_timing.h"
#include "broker/zookeeper/ensemble/zab_effects.h"
#include "broker/zookeeper/ensemble/zab_rules.h"
#include "core/monotonic_time.h"

namespace highwater::broker::zookeeper {

// The only connection that a follower has.
inline constexpr PeerConnection kToLeader{0};

class ZabFollower {
 public:
  enum class Phase {
    kDiscovery,   // FOLLOWERINFO was sent, or waits for the disk
    kAwaitSync,   // ACKEPOCH was sent
    kSyncing,     // sync data comes
    kPersisting,  // NEWLEADER has come; its steps are under way
    kAwaitUpToDate,
    kBroadcast,
    kGone,
  };

  // REQUIRES: everything up to history.last_zxid is durable and in the tree. `now` is when the
  // connection came to be. `config_version` goes into FOLLOWERINFO.
  ZabFollower(ServerId self, const ServerHistory& history, const EnsembleTiming& timing,
              CommittedLog& committed_log, const ZabRules& rules, core::MonotonicTime now,
              int64_t config_version = 0);

  void Connect(ZabEffects& effects);
  void Receive(const QuorumPacket& packet, core::MonotonicTime now, ZabEffects& effects);
  void OnDisconnected(ZabEffects& effects) { GiveUp("the leader's connection is gone", effects); }
  void OnTime(core::MonotonicTime now, ZabEffects& effects);
  [[nodiscard]] core::MonotonicTime deadline() const;

  // ---- The disk is done.

  void OnAcceptedEpochStored(ZabEffects& effects);
  void OnBaseInstalled(ZabEffects& effects);
  // The log could not be cut. The term ends; in the next one, and only in that,
  // history.wants_snapshot is to be set: a server whose promises never count can keep an ensemble
  // from ever having a leader.
  void OnCutFailed(ZabEffects& effects);
  void OnLogSynced(Zxid through, ZabEffects& effects);
  void OnCurrentEpochStored(ZabEffects& effects);

  // ---- From this server's clients. REQUIRES: serving().

  // A write, createSession, closeSession or sync. A sync is answered by CompleteSync, in order.
  void Forward(const ForwardedRequest& request, const std::vector<Id>& authinfo,
               ZabEffects& effects);
  void Revalidate(const SessionTouch& session, ZabEffects& effects);
  // A client was heard from: the leader learns it with the next PING [2.1].
  void Touch(const SessionTouch& touch) { touched_[touch.session] = touch.timeout_ms; }

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool serving() const { return serving_ && phase_ != Phase::kGone; }
  // Of the leader; what the vote's epoch becomes once serving.
  [[nodiscard]] ZabEpoch epoch() const { return epoch_; }
  [[nodiscard]] Zxid last_applied() const { return last_applied_; }

 private:
  void ReceiveLeaderInfo(const QuorumPacket& packet, ZabEffects& effects);
  void ReceiveSyncStart(const QuorumPacket& packet, ZabEffects& effects);
  void ReceiveProposal(const QuorumPacket& packet, ZabEffects& effects);
  void ReceiveCommit(Zxid zxid, ZabEffects& effects);
  void ReceiveNewLeader(const QuorumPacket& packet, ZabEffects& effects);
  void ReceiveUpToDate(ZabEffects& effects);
  void ReceivePing(const QuorumPacket& packet, ZabEffects& effects);
  void ReceiveRevalidated(const QuorumPacket& packet, ZabEffects& effects);

  void NextPromiseStep(ZabEffects& effects);
  void AnswerEpoch(ZabEffects& effects);
  // Carries out steps of NewLeaderOrder until one has to wait for the disk.
  void NextNewLeaderSteps(ZabEffects& effects);
  // Whether the step is done already; else the disk will report it.
  [[nodiscard]] bool DoStep(NewLeaderStep step, ZabEffects& effects);
  // The disk has done what `step` waits for.
  void FinishStep(NewLeaderStep step, ZabEffects& effects);
  [[nodiscard]] bool WaitsIn(NewLeaderStep step) const;
  void AppendPending(ZabEffects& effects);
  void AppendOne(const LoggedTxn& txn, ZabEffects& effects);
  void MaybeAck(ZabEffects& effects);
  void MaybeServe(ZabEffects& effects);
  void ApplyCommitted(ZabEffects& effects);
  void Send(PacketType type, Zxid zxid, std::optional<core::Bytes> data, ZabEffects& effects);
  void GiveUp(std::string why, ZabEffects& effects);
  void CheckInvariants() const;

  ServerId self_;
  ServerHistory history_;  // at the start of the term; accepted_epoch moves
  EnsembleTiming timing_;
  CommittedLog& committed_log_;
  const ZabRules& rules_;
  int64_t config_version_;

  Phase phase_ = Phase::kDiscovery;
  core::MonotonicTime last_heard_;
  ZabEpoch epoch_;
  bool already_promised_ = false;
  size_t promise_step_ = 0;

  SyncKind sync_kind_ = SyncKind::kDiff;
  Zxid base_;  // what the tree and the log are to hold before `pending_`
  bool new_leader_came_ = false;
  size_t new_leader_step_ = 0;
  Zxid sync_log_until_;     // what the step kSyncLog waits for
  bool appending_ = false;  // what comes is appended at once
  bool acked_new_leader_ = false;
  bool up_to_date_ = false;
  bool serving_ = false;

  std::deque<LoggedTxn> pending_;  // received and not applied
  Zxid last_received_;
  Zxid last_appended_;
  Zxid last_synced_;
  Zxid last_committed_;
  Zxid last_applied_;
  std::deque<Zxid> unacked_;  // appended and not acknowledged
  absl::btree_map<SessionId, int32_t> touched_;
};

}  // namespace highwater::broker::zookeeper
