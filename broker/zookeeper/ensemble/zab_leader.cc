#include "broker/zookeeper/ensemble/zab_leader.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::zookeeper {

using core::MonotonicTime;

ZabLeader::ZabLeader(ServerId self, std::vector<ServerId> voters, const ServerHistory& history,
                     const EnsembleTiming& timing, CommittedLog& committed_log, core::Bytes config,
                     const ZabRules& rules, MonotonicTime now)
    : self_(self),
      voters_(std::move(voters)),
      history_(history),
      timing_(timing),
      committed_log_(committed_log),
      config_(std::move(config)),
      rules_(rules),
      phase_deadline_(now + timing.tick * timing.init_limit),
      next_half_tick_(now + timing.tick / 2),
      greatest_accepted_(history.accepted_epoch),
      last_proposed_(history.last_zxid),
      last_committed_(history.last_zxid),
      last_synced_(history.last_zxid),
      last_own_ack_(history.last_zxid) {
  HW_CHECK(IsVoter(self_), "server {} leads without a vote", self_);
  HW_CHECK(committed_log_.EndsAt(history.last_zxid),
           "the committed log ends at {:#x}, the log at {:#x}", committed_log_.max().value(),
           history.last_zxid.value());
}

void ZabLeader::Start(MonotonicTime now, ZabEffects& effects) {
  phase_deadline_ = now + timing_.tick * timing_.init_limit;
  connecting_.insert(self_);
  MaybeChooseEpoch(effects);
}

void ZabLeader::Receive(PeerConnection from, const QuorumPacket& packet, MonotonicTime now,
                        ZabEffects& effects) {
  if (phase_ == Phase::kGone) return;
  Learner& learner = learners_[from];
  if (learner.phase >= LearnerPhase::kSynced) {
    learner.alive_until_tick = tick_ + timing_.sync_limit;
  }
  switch (packet.type) {
    case PacketType::kFollowerInfo:
      if (learner.phase == LearnerPhase::kConnected) {
        ReceiveFollowerInfo(from, packet, effects);
        return CheckInvariants();
      }
      break;
    case PacketType::kAckEpoch:
      if (learner.phase == LearnerPhase::kOffered) {
        ReceiveAckEpoch(from, learner, packet, now, effects);
        return CheckInvariants();
      }
      break;
    case PacketType::kAck:
      if (learner.phase >= LearnerPhase::kSyncing) {
        ReceiveAck(from, learner, packet.zxid, effects);
        return CheckInvariants();
      }
      break;
    default:
      if (learner.phase >= LearnerPhase::kSynced) {
        return ReceiveFromServing(from, packet, effects);
      }
      break;
  }
  Drop(from, fmt::format("{} out of turn", PacketTypeName(packet.type)), effects);
}

// ---- Discovery [3.5].

void ZabLeader::MaybeChooseEpoch(ZabEffects& effects) {
  if (phase_ != Phase::kDiscovery) return;
  if (!rules_.MayTakeEpoch(connecting_.size(), voters_.size())) return;
  epoch_ = rules_.NewEpoch(greatest_accepted_);
  phase_ = Phase::kStoringEpoch;
  // The leader's own promise, durable before anybody hears of the epoch.
  effects.emplace_back(zab::StoreAcceptedEpoch{epoch_});
}

void ZabLeader::OnAcceptedEpochStored(MonotonicTime now, ZabEffects& effects) {
  if (phase_ != Phase::kStoringEpoch) return;
  phase_ = Phase::kPromises;
  phase_deadline_ = now + timing_.tick * timing_.init_limit;
  promised_.insert(self_);
  for (auto& [connection, learner] : learners_) {
    if (learner.phase == LearnerPhase::kDiscovered) Offer(connection, learner, effects);
  }
  MaybeTakeEpoch(now, effects);
  CheckInvariants();
}

void ZabLeader::MaybeTakeEpoch(MonotonicTime now, ZabEffects& effects) {
  if (phase_ != Phase::kPromises) return;
  if (!rules_.MayTakeEpoch(promised_.size(), voters_.size())) return;
  phase_ = Phase::kSynchronisation;
  phase_deadline_ = now + timing_.tick * timing_.init_limit;
  effects.emplace_back(zab::StoreCurrentEpoch{epoch_});
  for (auto& [connection, learner] : learners_) {
    if (learner.phase == LearnerPhase::kPromised) BeginSync(connection, learner, effects);
  }
}

void ZabLeader::OnCurrentEpochStored(ZabEffects& effects) {
  if (phase_ != Phase::kSynchronisation && phase_ != Phase::kBroadcast) return;
  acked_new_leader_.insert(self_);
  MaybeEstablish(effects);
  CheckInvariants();
}

void ZabLeader::MaybeEstablish(ZabEffects& effects) {
  if (phase_ != Phase::kSynchronisation) return;
  if (!rules_.MayEstablish(acked_new_leader_.size(), voters_.size())) return;
  // [3.6] Everything in the leader's log is a quorum's now: it is committed.
  phase_ = Phase::kBroadcast;
  last_proposed_ = last_committed_ = last_synced_ = last_own_ack_ = NewLeaderZxid(epoch_);
  effects.emplace_back(zab::StartServing{epoch_, last_committed_});
  for (auto& [connection, learner] : learners_) {
    if (learner.phase == LearnerPhase::kSynced) SendUpToDate(connection, learner, effects);
  }
}

// ---- Broadcast [3.7].

void ZabLeader::Propose(LoggedTxn txn, MonotonicTime now, ZabEffects& effects) {
  HW_CHECK(leading() && txn.zxid == next_zxid(), "{:#x} proposed behind {:#x}", txn.zxid.value(),
           last_proposed_.value());
  if (rules_.EpochIsUsedUp(CounterOf(txn.zxid))) {
    HW_MARK("zk_epoch_used_up");
    return GiveUp("the epoch has no more zxids", effects);
  }
  last_proposed_ = txn.zxid;
  effects.emplace_back(zab::Append{txn});
  effects.emplace_back(zab::SyncLog{txn.zxid});
  SendToForwarding({.type = PacketType::kProposal, .zxid = txn.zxid, .data = txn.txn}, effects);
  for (auto& [connection, learner] : learners_) {
    if (learner.phase >= LearnerPhase::kSynced) learner.unacked.emplace_back(txn.zxid, now);
  }
  outstanding_.push_back({.txn = std::move(txn)});
  AckOwn(effects);
  CheckInvariants();
}

void ZabLeader::OnLogSynced(Zxid through, ZabEffects& effects) {
  if (phase_ != Phase::kBroadcast) return;
  HW_CHECK(through <= last_proposed_, "{:#x} is durable but was never proposed", through.value());
  last_synced_ = std::max(last_synced_, through);
  AckOwn(effects);
  CheckInvariants();
}

void ZabLeader::AckOwn(ZabEffects& effects) {
  const Zxid point = rules_.AckPoint(last_proposed_, last_synced_);
  while (last_own_ack_ < point) {
    ++last_own_ack_;
    AckProposal(self_, last_own_ack_, effects);
  }
}

void ZabLeader::AckProposal(ServerId voter, Zxid zxid, ZabEffects& effects) {
  // What is committed needs no more votes.
  if (outstanding_.empty() || zxid < outstanding_.front().txn.zxid || zxid > last_proposed_) return;
  const auto index = static_cast<size_t>(zxid - outstanding_.front().txn.zxid);
  std::vector<ServerId>& acks = outstanding_[index].acks;
  if (std::find(acks.begin(), acks.end(), voter) != acks.end()) return;
  acks.push_back(voter);
  // [3.7] In order: a later proposal whose quorum was faster waits.
  while (!outstanding_.empty() &&
         rules_.MayCommit(outstanding_.front().acks.size(), voters_.size())) {
    CommitOldest(effects);
  }
}

void ZabLeader::CommitOldest(ZabEffects& effects) {
  LoggedTxn txn = std::move(outstanding_.front().txn);
  outstanding_.pop_front();
  last_committed_ = txn.zxid;
  committed_log_.Add(txn);
  SendToForwarding({.type = PacketType::kCommit, .zxid = txn.zxid}, effects);
  effects.emplace_back(zab::Apply{std::move(txn)});
  while (!pending_syncs_.empty() &&
         rules_.SyncIsDue(pending_syncs_.front().proposed, last_committed_)) {
    AnswerSync(pending_syncs_.front(), effects);
    pending_syncs_.pop_front();
  }
}

void ZabLeader::Sync(std::optional<PeerConnection> asker, ZabEffects& effects) {
  if (phase_ != Phase::kBroadcast) return;
  const PendingSync sync{.proposed = last_proposed_, .asker = asker};
  if (rules_.SyncIsDue(sync.proposed, last_committed_)) return AnswerSync(sync, effects);
  pending_syncs_.push_back(sync);
}

void ZabLeader::AnswerSync(const PendingSync& sync, ZabEffects& effects) {
  if (!sync.asker.has_value()) {
    effects.emplace_back(zab::CompleteSync{});
  } else if (learners_.contains(*sync.asker)) {
    // In the same queue as the commits: whoever gets it has them.
    effects.emplace_back(zab::Send{*sync.asker, {.type = PacketType::kSync}});
  }
}

void ZabLeader::AnswerRevalidate(PeerConnection asker, const Revalidated& answer,
                                 ZabEffects& effects) {
  if (phase_ == Phase::kGone || !learners_.contains(asker)) return;
  effects.emplace_back(zab::Send{
      asker,
      {.type = PacketType::kRevalidate, .zxid = Zxid(-1), .data = EncodeRevalidated(answer)}});
}

// ---- Time and the end [3.8].

MonotonicTime ZabLeader::deadline() const {
  if (phase_ == Phase::kGone) return MonotonicTime::Never();
  return leading() ? next_half_tick_ : std::min(phase_deadline_, next_half_tick_);
}

void ZabLeader::OnTime(MonotonicTime now, ZabEffects& effects) {
  if (phase_ == Phase::kGone) return;
  if (!leading() && now >= phase_deadline_) {
    return GiveUp("no quorum joined within initLimit", effects);
  }
  if (now < next_half_tick_) return;
  // Half ticks are counted, not computed: whoever was frozen has not waited for anybody meanwhile.
  next_half_tick_ = now + timing_.tick / 2;
  HalfTick(now, effects);
  CheckInvariants();
}

void ZabLeader::HalfTick(MonotonicTime now, ZabEffects& effects) {
  std::vector<PeerConnection> slow;
  for (auto& [connection, learner] : learners_) {
    if (learner.phase < LearnerPhase::kSyncing) continue;
    if (!learner.unacked.empty() &&
        now - learner.unacked.front().second >= timing_.tick * timing_.sync_limit) {
      slow.push_back(connection);
      continue;
    }
    effects.emplace_back(
        zab::Send{connection, {.type = PacketType::kPing, .zxid = last_proposed_}});
  }
  for (const PeerConnection connection : slow) {
    HW_MARK("zk_learner_too_slow");
    Drop(connection, "its oldest proposal is not acknowledged", effects);
  }
  second_half_ = !second_half_;
  if (second_half_) return;
  ++tick_;
  CheckQuorum(effects);
}

void ZabLeader::CheckQuorum(ZabEffects& effects) {
  if (!leading()) return;
  absl::btree_set<ServerId> alive = {self_};
  for (const auto& [connection, learner] : learners_) {
    if (learner.phase >= LearnerPhase::kSyncing && learner.alive_until_tick >= tick_) {
      alive.insert(learner.server);
    }
  }
  if (rules_.MayKeepLeading(alive.size(), voters_.size())) return;
  HW_MARK("zk_leader_lost_its_quorum");
  GiveUp("no quorum was heard from within syncLimit", effects);
}

void ZabLeader::SendToForwarding(const QuorumPacket& packet, ZabEffects& effects) {
  for (const auto& [connection, learner] : learners_) {
    if (rules_.GetsProposals(learner.phase)) effects.emplace_back(zab::Send{connection, packet});
  }
}

void ZabLeader::GiveUp(std::string why, ZabEffects& effects) {
  if (phase_ == Phase::kGone) return;
  phase_ = Phase::kGone;
  effects.emplace_back(zab::GiveUp{std::move(why)});
}

bool ZabLeader::IsVoter(ServerId server) const {
  return std::find(voters_.begin(), voters_.end(), server) != voters_.end();
}

void ZabLeader::CheckInvariants() const {
  if (phase_ == Phase::kGone) return;
  HW_CHECK(leading() || outstanding_.empty(), "proposed before being established");
  HW_CHECK(last_proposed_ - last_committed_ == static_cast<int64_t>(outstanding_.size()),
           "{} outstanding between {:#x} and {:#x}", outstanding_.size(), last_committed_.value(),
           last_proposed_.value());
  HW_CHECK(outstanding_.empty() || outstanding_.front().txn.zxid == last_committed_ + 1);
  HW_CHECK(!leading() || ZabEpochOf(last_proposed_) == epoch_);
  HW_CHECK(last_synced_ <= last_proposed_ && last_own_ack_ <= last_proposed_);
  absl::btree_set<ServerId> servers;
  for (const auto& [connection, learner] : learners_) {
    if (learner.phase == LearnerPhase::kConnected) continue;
    HW_CHECK(servers.insert(learner.server).second, "server {} is connected twice", learner.server);
  }
}

}  // namespace highwater::broker::zookeeper
