#include "broker/zookeeper/ensemble/fast_leader_election.h"

#include <algorithm>

#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::zookeeper {

using core::MonotonicTime;

FastLeaderElection::FastLeaderElection(ServerId self, std::vector<ServerId> voters,
                                       core::Bytes config, ElectionTiming timing,
                                       const ZabRules& rules)
    : self_(self),
      voters_(std::move(voters)),
      config_(std::move(config)),
      timing_(timing),
      rules_(rules) {
  HW_CHECK(IsVoter(self_), "server {} takes part in an election in which it has no vote", self_);
}

void FastLeaderElection::Look(Zxid last_logged, ZabEpoch current_epoch, MonotonicTime now,
                              Effects& effects) {
  state_ = PeerState::kLooking;
  ++round_;
  initial_ = {.leader = self_, .zxid = last_logged, .peer_epoch = current_epoch};
  votes_.clear();
  out_of_election_.clear();
  settled_at_ = MonotonicTime::Never();
  resend_interval_ = timing_.first_resend;
  resend_at_ = now + resend_interval_;
  Adopt(initial_, effects);
  if (QuorumFor(votes_, votes_.at(self_))) settled_at_ = now + timing_.settle;
  CheckInvariants();
}

void FastLeaderElection::Receive(ServerId from, const Notification& notification, MonotonicTime now,
                                 Effects& effects) {
  if (from == self_ || !IsVoter(from) || !IsVoter(notification.vote.leader)) return;
  if (notification.state == PeerState::kObserving) return;
  const Received theirs{notification.state, notification.vote, notification.round};
  if (state_ != PeerState::kLooking) {
    // [3.3] A server that looks is told where the others are.
    if (theirs.state == PeerState::kLooking) effects.messages.push_back({from, Current()});
    return;
  }
  resend_at_ = now + resend_interval_;
  if (theirs.state == PeerState::kLooking) {
    ReceiveLooking(from, theirs, now, effects);
  } else {
    ReceiveSettled(from, theirs, effects);
  }
  CheckInvariants();
}

void FastLeaderElection::ReceiveLooking(ServerId from, const Received& theirs, MonotonicTime now,
                                        Effects& effects) {
  if (theirs.round < round_) {
    HW_MARK("zk_election_older_round");
    effects.messages.push_back({from, Current()});
    return;
  }
  if (theirs.round > round_) {
    round_ = theirs.round;
    votes_.clear();
    Adopt(rules_.VoteInNewRound(theirs.vote, initial_, vote_), effects);
  } else if (rules_.Beats(theirs.vote, vote_)) {
    Adopt(theirs.vote, effects);
  }
  votes_[from] = theirs;
  // [3.3] Wait for anything better. A better vote begins the wait anew; a supporter that went to
  // another one ends it.
  if (!QuorumFor(votes_, votes_.at(self_))) {
    settled_at_ = MonotonicTime::Never();
  } else if (settled_at_ == MonotonicTime::Never()) {
    settled_at_ = now + timing_.settle;
  }
}

void FastLeaderElection::ReceiveSettled(ServerId from, const Received& theirs, Effects& effects) {
  if (theirs.round == round_) {
    votes_[from] = theirs;
    if (QuorumFor(votes_, theirs) && LeaderAgrees(votes_, theirs)) {
      Decide(theirs.vote, effects);
      return;
    }
  }
  // A leader that this server did not help to elect.
  out_of_election_[from] = theirs;
  if (QuorumFor(out_of_election_, theirs) && LeaderAgrees(out_of_election_, theirs)) {
    HW_MARK("zk_election_joined_out_of_election");
    round_ = theirs.round;
    Decide(theirs.vote, effects);
  }
}

void FastLeaderElection::OnTime(MonotonicTime now, Effects& effects) {
  if (state_ != PeerState::kLooking) return;
  if (settled_at_ <= now) {
    Decide(vote_, effects);
    return;
  }
  if (resend_at_ <= now) {
    SendToAll(effects);
    resend_interval_ = std::min(resend_interval_ * 2, timing_.max_resend);
    resend_at_ = now + resend_interval_;
  }
}

MonotonicTime FastLeaderElection::deadline() const {
  if (state_ != PeerState::kLooking) return MonotonicTime::Never();
  return std::min(settled_at_, resend_at_);
}

bool FastLeaderElection::IsVoter(ServerId server) const {
  return std::find(voters_.begin(), voters_.end(), server) != voters_.end();
}

Notification FastLeaderElection::Current() const {
  return {.state = state_, .vote = vote_, .round = round_, .config = config_};
}

void FastLeaderElection::SendToAll(Effects& effects) {
  for (const ServerId voter : voters_) {
    if (voter != self_) effects.messages.push_back({voter, Current()});
  }
}

void FastLeaderElection::Adopt(const Vote& vote, Effects& effects) {
  vote_ = vote;
  votes_[self_] = {PeerState::kLooking, vote_, round_};
  settled_at_ = MonotonicTime::Never();
  SendToAll(effects);
}

bool FastLeaderElection::QuorumFor(const Votes& votes, const Received& wanted) const {
  size_t count = 0;
  for (const auto& [server, received] : votes) {
    const bool same = received.state == PeerState::kLooking || wanted.state == PeerState::kLooking
                          ? received.vote == wanted.vote && received.round == wanted.round
                          // [3.3] Settled servers agree on the leader and its epoch; where their
                          // histories or rounds stood when they decided says nothing.
                          : received.vote.leader == wanted.vote.leader &&
                                received.vote.peer_epoch == wanted.vote.peer_epoch;
    if (same) ++count;
  }
  return rules_.MayElect(count, voters_.size());
}

bool FastLeaderElection::LeaderAgrees(const Votes& votes, const Received& theirs) const {
  if (theirs.vote.leader == self_) return theirs.round == round_;
  const auto leader = votes.find(theirs.vote.leader);
  return leader != votes.end() && leader->second.state == PeerState::kLeading;
}

void FastLeaderElection::Decide(const Vote& vote, Effects& effects) {
  vote_ = vote;
  state_ = vote.leader == self_ ? PeerState::kLeading : PeerState::kFollowing;
  settled_at_ = MonotonicTime::Never();
  effects.decided = state_;
}

void FastLeaderElection::CheckInvariants() const {
  if (state_ != PeerState::kLooking) return;
  HW_CHECK(votes_.at(self_).vote == vote_ && votes_.at(self_).round == round_,
           "server {} counts another own vote than the one that it tells", self_);
}

}  // namespace highwater::broker::zookeeper
