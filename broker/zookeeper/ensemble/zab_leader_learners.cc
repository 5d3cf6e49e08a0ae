// A learner's way to the leader's history: FOLLOWERINFO, the leader's offer of an epoch, its
// promise, the sync data, NEWLEADER, UPTODATE; and what it says once it serves.

#include <fmt/format.h>

#include <limits>

#include "broker/zookeeper/ensemble/zab_leader.h"
#include "core/mark.h"

namespace highwater::broker::zookeeper {

using core::MonotonicTime;

namespace {

bool IsWhole(const std::vector<LoggedTxn>& history) {
  for (size_t i = 1; i < history.size(); ++i) {
    if (!Follows(history[i].zxid, history[i - 1].zxid)) return false;
  }
  return true;
}

}  // namespace

void ZabLeader::ReceiveFollowerInfo(PeerConnection from, const QuorumPacket& packet,
                                    ZabEffects& effects) {
  const absl::StatusOr<LearnerInfo> info = DecodeLearnerInfo(packet);
  if (!info.ok()) return Drop(from, std::string(info.status().message()), effects);
  if (info->protocol_version < kZabProtocolVersion) {
    return Drop(from, "it speaks a protocol without epochs", effects);
  }
  if (!IsVoter(info->server) || info->server == self_) {
    return Drop(from, fmt::format("server {} is no voter", info->server), effects);
  }
  const ZabEpoch accepted = ZabEpochOf(packet.zxid);
  // There must be an epoch above it that fits a zxid.
  if (accepted < ZabEpoch(0) || accepted >= ZabEpoch(std::numeric_limits<int32_t>::max() - 1)) {
    return Drop(from, fmt::format("accepted epoch {}", accepted), effects);
  }
  if (phase_ != Phase::kDiscovery && rules_.YieldsTo(accepted, epoch_)) {
    HW_MARK("zk_leader_yielded_to_a_promise");
    return GiveUp(fmt::format("server {} accepted epoch {} already", info->server, accepted),
                  effects);
  }
  // [#61] What still comes from its former connection is of a former incarnation.
  for (const auto& [connection, other] : learners_) {
    if (connection == from || other.phase == LearnerPhase::kConnected ||
        other.server != info->server) {
      continue;
    }
    Drop(PeerConnection(connection), "the server connected again", effects);
    break;
  }
  Learner& learner = learners_[from];
  learner.server = info->server;
  learner.phase = LearnerPhase::kDiscovered;
  if (phase_ == Phase::kDiscovery) {
    connecting_.insert(learner.server);
    greatest_accepted_ = std::max(greatest_accepted_, accepted);
    MaybeChooseEpoch(effects);
  } else if (phase_ != Phase::kStoringEpoch) {
    Offer(from, learner, effects);
  }
}

void ZabLeader::Offer(PeerConnection to, Learner& learner, ZabEffects& effects) {
  learner.phase = LearnerPhase::kOffered;
  effects.emplace_back(zab::Send{to,
                                 {.type = PacketType::kLeaderInfo,
                                  .zxid = NewLeaderZxid(epoch_),
                                  .data = EncodeInt(kZabProtocolVersion)}});
}

void ZabLeader::ReceiveAckEpoch(PeerConnection from, Learner& learner, const QuorumPacket& packet,
                                MonotonicTime now, ZabEffects& effects) {
  const absl::StatusOr<int32_t> current = DecodeInt(packet);
  if (!current.ok()) return Drop(from, std::string(current.status().message()), effects);
  learner.last_zxid = packet.zxid;
  learner.phase = LearnerPhase::kPromised;
  if (phase_ != Phase::kPromises) return BeginSync(from, learner, effects);
  if (*current == -1) return;  // promised before: no vote for this leader
  const StateSummary summary{.current_epoch = ZabEpoch(*current), .last_zxid = packet.zxid};
  if (rules_.IsAhead(summary, history_.summary())) {
    HW_MARK("zk_leader_refused_a_learner_ahead");
    return Drop(from, "its history is more recent than the leader's", effects);
  }
  promised_.insert(learner.server);
  MaybeTakeEpoch(now, effects);
}

// ---- Synchronisation [3.6].

void ZabLeader::BeginSync(PeerConnection to, Learner& learner, ZabEffects& effects) {
  const Zxid oldest = committed_log_.empty() ? last_committed_ : committed_log_.min();
  if (learner.last_zxid < oldest) {
    learner.phase = LearnerPhase::kReading;
    effects.emplace_back(zab::ReadLog{to, learner.last_zxid});
    return;
  }
  QueueSync(to, learner, {committed_log_.txns().begin(), committed_log_.txns().end()}, effects);
}

void ZabLeader::OnLogRead(PeerConnection connection, std::optional<std::vector<LoggedTxn>> behind,
                          ZabEffects& effects) {
  const auto found = learners_.find(connection);
  if (phase_ == Phase::kGone || found == learners_.end() ||
      found->second.phase != LearnerPhase::kReading) {
    return;
  }
  const std::deque<LoggedTxn>& recent = committed_log_.txns();
  if (behind.has_value()) {
    // The learner's last one is held by the log, so the history begins with it. What was committed
    // while the disk was read stands in the committed log.
    std::vector<LoggedTxn> history = {{found->second.last_zxid, core::Bytes()}};
    for (LoggedTxn& txn : *behind) {
      if (!recent.empty() && txn.zxid >= recent.front().zxid) break;
      history.push_back(std::move(txn));
    }
    history.insert(history.end(), recent.begin(), recent.end());
    if (IsWhole(history)) {
      QueueSync(connection, found->second, history, effects);
      return CheckInvariants();
    }
    HW_MARK("zk_disk_log_has_a_gap");
  }
  QueueSync(connection, found->second, {recent.begin(), recent.end()}, effects);
  CheckInvariants();
}

void ZabLeader::QueueSync(PeerConnection to, Learner& learner,
                          const std::vector<LoggedTxn>& history, ZabEffects& effects) {
  std::vector<Zxid> zxids;
  zxids.reserve(history.size());
  for (const LoggedTxn& txn : history) zxids.push_back(txn.zxid);
  const SyncPlan plan = rules_.DecideSync(
      {.peer_last = learner.last_zxid, .leader_last = last_committed_, .history = zxids});
  if (!rules_.KeepsEarlierAcks(plan.kind)) {
    for (Proposal& proposal : outstanding_) std::erase(proposal.acks, learner.server);
  }
  switch (plan.kind) {
    case SyncKind::kSnap:
      effects.emplace_back(zab::SendSnapshot{to, plan.zxid});
      break;
    case SyncKind::kTrunc:
      effects.emplace_back(zab::Send{to, {.type = PacketType::kTrunc, .zxid = plan.zxid}});
      break;
    case SyncKind::kDiff:
      effects.emplace_back(zab::Send{to, {.type = PacketType::kDiff, .zxid = plan.zxid}});
      break;
  }
  for (const LoggedTxn& txn : history) {
    if (txn.zxid <= plan.send_after) continue;
    effects.emplace_back(
        zab::Send{to, {.type = PacketType::kProposal, .zxid = txn.zxid, .data = txn.txn}});
    effects.emplace_back(zab::Send{to, {.type = PacketType::kCommit, .zxid = txn.zxid}});
  }
  // [#27] In the same step: what is outstanding goes before NEWLEADER, what is proposed from now on
  // behind it, and nothing twice or never.
  for (const Proposal& proposal : outstanding_) {
    effects.emplace_back(zab::Send{
        to, {.type = PacketType::kProposal, .zxid = proposal.txn.zxid, .data = proposal.txn.txn}});
  }
  // [#29] Behind the sync data, in the same queue.
  effects.emplace_back(zab::Send{
      to, {.type = PacketType::kNewLeader, .zxid = NewLeaderZxid(epoch_), .data = config_}});
  learner.phase = LearnerPhase::kSyncing;
  learner.alive_until_tick = tick_ + timing_.init_limit + timing_.sync_limit;
}

void ZabLeader::ReceiveAck(PeerConnection from, Learner& learner, Zxid zxid, ZabEffects& effects) {
  if (learner.phase == LearnerPhase::kSyncing) {
    if (zxid != NewLeaderZxid(epoch_)) {
      return Drop(from, "its first ACK is not that of NEWLEADER", effects);
    }
    learner.phase = LearnerPhase::kSynced;
    learner.alive_until_tick = tick_ + timing_.sync_limit;
    acked_new_leader_.insert(learner.server);
    if (leading()) return SendUpToDate(from, learner, effects);
    return MaybeEstablish(effects);
  }
  // Apache's followers acknowledge NEWLEADER once more at UPTODATE.
  if (CounterOf(zxid) == 0) return;
  while (!learner.unacked.empty() && learner.unacked.front().first <= zxid) {
    learner.unacked.pop_front();
  }
  AckProposal(learner.server, zxid, effects);
}

void ZabLeader::SendUpToDate(PeerConnection to, Learner& learner, ZabEffects& effects) {
  learner.phase = LearnerPhase::kServing;
  effects.emplace_back(zab::Send{to, {.type = PacketType::kUpToDate, .zxid = Zxid(-1)}});
}

// ---- A learner that serves.

void ZabLeader::ReceiveFromServing(PeerConnection from, const QuorumPacket& packet,
                                   ZabEffects& effects) {
  switch (packet.type) {
    case PacketType::kPing: {
      const auto touches = DecodeTouches(packet);
      if (!touches.ok()) return Drop(from, std::string(touches.status().message()), effects);
      for (const SessionTouch& touch : *touches) effects.emplace_back(zab::TouchSession{touch});
      return;
    }
    case PacketType::kRevalidate: {
      if (!leading()) break;
      const auto question = DecodeRevalidate(packet);
      if (!question.ok()) return Drop(from, std::string(question.status().message()), effects);
      effects.emplace_back(zab::RevalidateSession{from, *question});
      return;
    }
    case PacketType::kRequest: {
      if (!leading()) break;
      auto request = DecodeForwardedRequest(packet);
      if (!request.ok()) return Drop(from, std::string(request.status().message()), effects);
      effects.emplace_back(zab::HandleRequest{from, *std::move(request), packet.authinfo});
      return;
    }
    default:
      break;
  }
  Drop(from, fmt::format("{} out of turn", PacketTypeName(packet.type)), effects);
}

void ZabLeader::Drop(PeerConnection connection, std::string why, ZabEffects& effects) {
  learners_.erase(connection);
  effects.emplace_back(zab::Close{connection, std::move(why)});
}

}  // namespace highwater::broker::zookeeper
