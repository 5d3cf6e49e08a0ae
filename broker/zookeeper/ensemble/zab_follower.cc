#include "broker/zookeeper/ensemble/zab_follower.h"

#include <fmt/format.h>

#include <utility>

#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::zookeeper {

using core::MonotonicTime;

ZabFollower::ZabFollower(ServerId self, const ServerHistory& history, const EnsembleTiming& timing,
                         CommittedLog& committed_log, const ZabRules& rules, MonotonicTime now,
                         int64_t config_version)
    : self_(self),
      history_(history),
      timing_(timing),
      committed_log_(committed_log),
      rules_(rules),
      config_version_(config_version),
      last_heard_(now) {}

void ZabFollower::Connect(ZabEffects& effects) {
  Send(PacketType::kFollowerInfo, NewLeaderZxid(history_.accepted_epoch),
       EncodeLearnerInfo({.server = self_, .config_version = config_version_}), effects);
}

void ZabFollower::Receive(const QuorumPacket& packet, MonotonicTime now, ZabEffects& effects) {
  if (phase_ == Phase::kGone) return;
  last_heard_ = now;
  const bool synchronising = phase_ >= Phase::kSyncing;
  switch (packet.type) {
    case PacketType::kLeaderInfo:
      if (phase_ == Phase::kDiscovery && promise_step_ == 0) {
        return ReceiveLeaderInfo(packet, effects);
      }
      break;
    case PacketType::kDiff:
    case PacketType::kTrunc:
    case PacketType::kSnap:
      if (phase_ == Phase::kAwaitSync) return ReceiveSyncStart(packet, effects);
      break;
    case PacketType::kProposal:
      if (synchronising) return ReceiveProposal(packet, effects);
      break;
    case PacketType::kCommit:
      if (synchronising) return ReceiveCommit(packet.zxid, effects);
      break;
    case PacketType::kNewLeader:
      if (phase_ == Phase::kSyncing) return ReceiveNewLeader(packet, effects);
      break;
    case PacketType::kUpToDate:
      if (acked_new_leader_ && !up_to_date_) return ReceiveUpToDate(effects);
      break;
    case PacketType::kPing:
      return ReceivePing(packet, effects);
    case PacketType::kRevalidate:
      if (serving_) return ReceiveRevalidated(packet, effects);
      break;
    case PacketType::kSync:
      if (!serving_) break;
      effects.emplace_back(zab::CompleteSync{});
      return;
    default:
      break;
  }
  GiveUp(fmt::format("the leader sent {} out of turn", PacketTypeName(packet.type)), effects);
}

// ---- Discovery [3.5].

void ZabFollower::ReceiveLeaderInfo(const QuorumPacket& packet, ZabEffects& effects) {
  const absl::StatusOr<int32_t> version = DecodeInt(packet);
  if (!version.ok() || *version < kZabProtocolVersion) {
    return GiveUp("the leader speaks a protocol without epochs", effects);
  }
  epoch_ = ZabEpochOf(packet.zxid);
  switch (rules_.JudgeEpoch(epoch_, history_.accepted_epoch)) {
    case EpochVerdict::kRefuse:
      HW_MARK("zk_follower_refused_epoch");
      return GiveUp(fmt::format("the leader's epoch {} is below the accepted {}", epoch_,
                                history_.accepted_epoch),
                    effects);
    case EpochVerdict::kAlreadyPromised:
      already_promised_ = true;
      promise_step_ = rules_.PromiseOrder().size();
      return AnswerEpoch(effects);
    case EpochVerdict::kPromise:
      return NextPromiseStep(effects);
  }
}

void ZabFollower::NextPromiseStep(ZabEffects& effects) {
  const auto order = rules_.PromiseOrder();
  while (promise_step_ < order.size()) {
    if (order[promise_step_++] == PromiseStep::kStoreAcceptedEpoch) {
      effects.emplace_back(zab::StoreAcceptedEpoch{epoch_});
      return;  // goes on in OnAcceptedEpochStored
    }
    AnswerEpoch(effects);
  }
}

void ZabFollower::OnAcceptedEpochStored(ZabEffects& effects) {
  if (phase_ == Phase::kGone) return;
  history_.accepted_epoch = epoch_;
  NextPromiseStep(effects);
}

void ZabFollower::AnswerEpoch(ZabEffects& effects) {
  phase_ = Phase::kAwaitSync;
  if (history_.wants_snapshot) {
    // A zxid below every other one asks for a SNAP. It hides what this server has, so it must not
    // help to elect a leader that may lack some of it.
    HW_MARK("zk_follower_asks_for_a_snapshot");
    return Send(PacketType::kAckEpoch, Zxid(-1), EncodeInt(-1), effects);
  }
  // A promise that was given before, perhaps to another leader of this epoch, counts for nobody.
  const auto current = static_cast<int32_t>(history_.current_epoch.value());
  Send(PacketType::kAckEpoch, history_.last_zxid, EncodeInt(already_promised_ ? -1 : current),
       effects);
}

// ---- Synchronisation [3.6].

void ZabFollower::ReceiveSyncStart(const QuorumPacket& packet, ZabEffects& effects) {
  phase_ = Phase::kSyncing;
  if (history_.wants_snapshot && packet.type != PacketType::kSnap) {
    return GiveUp("the leader did not send the snapshot that was asked for", effects);
  }
  switch (packet.type) {
    case PacketType::kTrunc:
      if (packet.zxid > history_.last_zxid) {
        return GiveUp("the leader cuts the log behind its end", effects);
      }
      HW_MARK("zk_follower_trunc");
      sync_kind_ = SyncKind::kTrunc;
      base_ = packet.zxid;
      break;
    case PacketType::kSnap:
      HW_MARK("zk_follower_snap");
      sync_kind_ = SyncKind::kSnap;
      base_ = packet.zxid;
      break;
    default:
      sync_kind_ = SyncKind::kDiff;
      base_ = history_.last_zxid;
      break;
  }
  // The tree that it goes with is about to be replaced.
  if (sync_kind_ != SyncKind::kDiff) committed_log_.Clear();
  last_received_ = base_;
  last_appended_ = base_;
  last_synced_ = base_;
  last_committed_ = base_;
  last_applied_ = base_;
  CheckInvariants();
}

void ZabFollower::ReceiveProposal(const QuorumPacket& packet, ZabEffects& effects) {
  // [I3] A hole would be acknowledged with what is behind it.
  if (!Follows(packet.zxid, last_received_) || !packet.data.has_value()) {
    return GiveUp(fmt::format("proposal {:#x} came behind {:#x}", packet.zxid.value(),
                              last_received_.value()),
                  effects);
  }
  pending_.push_back({packet.zxid, *packet.data});
  last_received_ = packet.zxid;
  if (appending_) {
    AppendOne(pending_.back(), effects);
    effects.emplace_back(zab::SyncLog{last_appended_});
    MaybeAck(effects);
  }
  CheckInvariants();
}

void ZabFollower::ReceiveCommit(Zxid zxid, ZabEffects& effects) {
  // [3.7] It must be the oldest proposal that is not committed yet.
  Zxid oldest;
  for (const LoggedTxn& txn : pending_) {
    if (txn.zxid <= last_committed_) continue;
    oldest = txn.zxid;
    break;
  }
  if (zxid != oldest) {
    return GiveUp(fmt::format("commit of {:#x} while {:#x} is the oldest proposal", zxid.value(),
                              oldest.value()),
                  effects);
  }
  last_committed_ = zxid;
  ApplyCommitted(effects);
  CheckInvariants();
}

void ZabFollower::ReceiveNewLeader(const QuorumPacket& packet, ZabEffects& effects) {
  if (packet.zxid != NewLeaderZxid(epoch_)) {
    return GiveUp("NEWLEADER of another epoch than was promised", effects);
  }
  phase_ = Phase::kPersisting;
  new_leader_came_ = true;
  NextNewLeaderSteps(effects);
  CheckInvariants();
}

void ZabFollower::NextNewLeaderSteps(ZabEffects& effects) {
  const auto order = rules_.NewLeaderOrder();
  while (new_leader_step_ < order.size() && DoStep(order[new_leader_step_], effects)) {
    ++new_leader_step_;
  }
}

bool ZabFollower::DoStep(NewLeaderStep step, ZabEffects& effects) {
  switch (step) {
    case NewLeaderStep::kInstallBase:
      if (sync_kind_ == SyncKind::kDiff) return true;
      if (sync_kind_ == SyncKind::kTrunc) {
        effects.emplace_back(zab::TruncateLog{base_});
      } else {
        effects.emplace_back(zab::InstallSnapshot{base_});
      }
      return false;
    case NewLeaderStep::kSyncLog:
      AppendPending(effects);
      sync_log_until_ = last_appended_;
      return last_synced_ >= sync_log_until_;
    case NewLeaderStep::kStoreCurrentEpoch:
      effects.emplace_back(zab::StoreCurrentEpoch{epoch_});
      return false;
    case NewLeaderStep::kAck:
      acked_new_leader_ = true;
      phase_ = Phase::kAwaitUpToDate;
      Send(PacketType::kAck, NewLeaderZxid(epoch_), std::nullopt, effects);
      MaybeAck(effects);
      MaybeServe(effects);
      return true;
  }
  return true;
}

bool ZabFollower::WaitsIn(NewLeaderStep step) const {
  const auto order = rules_.NewLeaderOrder();
  return new_leader_came_ && new_leader_step_ < order.size() && order[new_leader_step_] == step;
}

void ZabFollower::FinishStep(NewLeaderStep step, ZabEffects& effects) {
  if (phase_ == Phase::kGone || !WaitsIn(step)) return;
  ++new_leader_step_;
  NextNewLeaderSteps(effects);
  CheckInvariants();
}

void ZabFollower::OnBaseInstalled(ZabEffects& effects) {
  FinishStep(NewLeaderStep::kInstallBase, effects);
}

void ZabFollower::OnCutFailed(ZabEffects& effects) {
  GiveUp("the log cannot be cut where the leader's history ends", effects);
}

void ZabFollower::OnCurrentEpochStored(ZabEffects& effects) {
  FinishStep(NewLeaderStep::kStoreCurrentEpoch, effects);
}

void ZabFollower::OnLogSynced(Zxid through, ZabEffects& effects) {
  if (phase_ == Phase::kGone) return;
  HW_CHECK(through <= last_appended_, "{:#x} is durable but was never appended", through.value());
  last_synced_ = std::max(last_synced_, through);
  MaybeAck(effects);
  if (last_synced_ >= sync_log_until_) FinishStep(NewLeaderStep::kSyncLog, effects);
}

void ZabFollower::AppendPending(ZabEffects& effects) {
  appending_ = true;
  for (const LoggedTxn& txn : pending_) {
    if (txn.zxid > last_appended_) AppendOne(txn, effects);
  }
  if (last_appended_ != last_synced_) effects.emplace_back(zab::SyncLog{last_appended_});
}

void ZabFollower::AppendOne(const LoggedTxn& txn, ZabEffects& effects) {
  effects.emplace_back(zab::Append{txn});
  last_appended_ = txn.zxid;
  // What the leader committed without us needs no acknowledgement of ours.
  if (txn.zxid > last_committed_) unacked_.push_back(txn.zxid);
}

void ZabFollower::MaybeAck(ZabEffects& effects) {
  // [3.6] Acknowledgements of proposals go out behind that of NEWLEADER: Apache's leader takes
  // anything else for an error.
  if (!acked_new_leader_) return;
  const Zxid point = rules_.AckPoint(last_appended_, last_synced_);
  while (!unacked_.empty() && unacked_.front() <= point) {
    Send(PacketType::kAck, unacked_.front(), std::nullopt, effects);
    unacked_.pop_front();
  }
}

void ZabFollower::ReceiveUpToDate(ZabEffects& effects) {
  up_to_date_ = true;
  MaybeServe(effects);
  CheckInvariants();
}

void ZabFollower::MaybeServe(ZabEffects& effects) {
  if (serving_ || !rules_.MayServe(acked_new_leader_, up_to_date_)) return;
  serving_ = true;
  phase_ = Phase::kBroadcast;
  ApplyCommitted(effects);
  effects.emplace_back(zab::StartServing{epoch_, last_applied_});
}

// ---- Broadcast [3.7].

void ZabFollower::ApplyCommitted(ZabEffects& effects) {
  if (!serving_) return;
  while (!pending_.empty() && pending_.front().zxid <= std::min(last_committed_, last_appended_)) {
    last_applied_ = pending_.front().zxid;
    committed_log_.Add(pending_.front());
    effects.emplace_back(zab::Apply{std::move(pending_.front())});
    pending_.pop_front();
  }
}

void ZabFollower::ReceivePing(const QuorumPacket& packet, ZabEffects& effects) {
  // Apache's leader wants the ACK of NEWLEADER to come first.
  if (!acked_new_leader_) return;
  std::vector<SessionTouch> touches;
  for (const auto& [session, timeout_ms] : touched_) touches.push_back({session, timeout_ms});
  touched_.clear();
  Send(PacketType::kPing, packet.zxid, EncodeTouches(touches), effects);
}

void ZabFollower::ReceiveRevalidated(const QuorumPacket& packet, ZabEffects& effects) {
  const absl::StatusOr<Revalidated> answer = DecodeRevalidated(packet);
  if (!answer.ok()) return GiveUp(std::string(answer.status().message()), effects);
  effects.emplace_back(zab::SessionRevalidated{*answer});
}

void ZabFollower::Forward(const ForwardedRequest& request, const std::vector<Id>& authinfo,
                          ZabEffects& effects) {
  if (phase_ == Phase::kGone) return;
  effects.emplace_back(zab::Send{kToLeader,
                                 {.type = PacketType::kRequest,
                                  .zxid = Zxid(-1),
                                  .data = EncodeForwardedRequest(request),
                                  .authinfo = authinfo}});
}

void ZabFollower::Revalidate(const SessionTouch& session, ZabEffects& effects) {
  if (phase_ == Phase::kGone) return;
  Send(PacketType::kRevalidate, Zxid(-1), EncodeRevalidate(session), effects);
}

// ---- Time and the end [3.8].

MonotonicTime ZabFollower::deadline() const {
  if (phase_ == Phase::kGone) return MonotonicTime::Never();
  const int32_t limit = up_to_date_ ? timing_.sync_limit : timing_.init_limit;
  return last_heard_ + timing_.tick * limit;
}

void ZabFollower::OnTime(MonotonicTime now, ZabEffects& effects) {
  if (phase_ == Phase::kGone || now < deadline()) return;
  GiveUp("the leader was silent for too long", effects);
}

void ZabFollower::Send(PacketType type, Zxid zxid, std::optional<core::Bytes> data,
                       ZabEffects& effects) {
  effects.emplace_back(zab::Send{kToLeader, {.type = type, .zxid = zxid, .data = std::move(data)}});
}

void ZabFollower::GiveUp(std::string why, ZabEffects& effects) {
  if (phase_ == Phase::kGone) return;
  phase_ = Phase::kGone;
  effects.emplace_back(zab::GiveUp{std::move(why)});
}

void ZabFollower::CheckInvariants() const {
  if (phase_ == Phase::kGone) return;
  HW_CHECK(last_applied_ <= last_committed_ && last_committed_ <= last_received_,
           "applied {:#x}, committed {:#x}, received {:#x}", last_applied_.value(),
           last_committed_.value(), last_received_.value());
  HW_CHECK(last_applied_ <= last_appended_ && last_synced_ <= last_appended_ &&
               last_appended_ <= last_received_,
           "applied {:#x}, synced {:#x}, appended {:#x}, received {:#x}", last_applied_.value(),
           last_synced_.value(), last_appended_.value(), last_received_.value());
  HW_CHECK(pending_.empty() || (pending_.back().zxid == last_received_ &&
                                Follows(pending_.front().zxid, last_applied_)),
           "pending proposals have a hole behind {:#x}", last_applied_.value());
  HW_CHECK(serving_ || last_applied_ == base_, "applied without serving");
}

}  // namespace highwater::broker::zookeeper
