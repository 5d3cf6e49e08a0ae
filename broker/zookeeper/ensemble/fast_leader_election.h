#pragma once

// FastLeaderElection: how servers agree on who should lead, by telling each other the best vote
// that they know. A state machine without I/O.
//
//   FastLeaderElection election(self, voters, config, timing, rules);
//   election.Look(last_logged, current_epoch, now, effects);   // a term is over
//   election.Receive(from, notification, now, effects);
//   election.OnTime(now, effects);                             // at election.deadline()
//   for (auto& m : effects.messages) connections.Send(m.to, EncodeNotificationFrame(m.content));
//   if (effects.decided) ... lead or follow election.vote().leader
//
// Follows ZooKeeper facts 3.3. Not responsible for: connections (ElectionConnections), whether the
// elected server then wins a quorum of promises (ZabLeader); a wrong election costs time, never
// data, as long as Beats holds.
//
// Invariants:
//   1. The round only grows, except that a server which joins a leader elected without it takes
//   over that leader's round.
//   2. While LOOKING, nothing beats the vote among the initial one and those taken over in this
//      round; the own vote is counted as it stands.
//   3. Decided means: a quorum of voters agreed, and nothing better came within the settle time; or
//      a quorum of settled servers named a leader that says itself that it leads.
//   4. A non-voter's notification changes nothing, nor does a vote for a non-voter.

#include <absl/container/btree_map.h>
#include <absl/time/time.h>

#include <optional>
#include <vector>

#include "broker/zookeeper/ensemble/election_messages.h"
#include "broker/zookeeper/ensemble/zab_rules.h"
#include "core/monotonic_time.h"

namespace highwater::broker::zookeeper {

struct ElectionTiming {
  absl::Duration settle = absl::Milliseconds(200);        // wait for anything better
  absl::Duration first_resend = absl::Milliseconds(200);  // doubles with each silence
  absl::Duration max_resend = absl::Seconds(60);
};

class FastLeaderElection {
 public:
  struct Message {
    ServerId to;
    Notification content;
  };
  struct Effects {
    std::vector<Message> messages;
    // LEADING or FOLLOWING, once per election.
    std::optional<PeerState> decided;
  };

  // `config` goes out with each notification. `voters` holds `self`.
  FastLeaderElection(ServerId self, std::vector<ServerId> voters, core::Bytes config,
                     ElectionTiming timing, const ZabRules& rules);

  // Begins a new round. `last_logged` counts everything in the log, committed or not.
  void Look(Zxid last_logged, ZabEpoch current_epoch, core::MonotonicTime now, Effects& effects);
  void Receive(ServerId from, const Notification& notification, core::MonotonicTime now,
               Effects& effects);
  void OnTime(core::MonotonicTime now, Effects& effects);
  // When OnTime wants to be called: Never() unless LOOKING.
  [[nodiscard]] core::MonotonicTime deadline() const;

  // The term's epoch is established: a server that looks now is told so.
  void SetVoteEpoch(ZabEpoch epoch) { vote_.peer_epoch = epoch; }

  [[nodiscard]] PeerState state() const { return state_; }
  [[nodiscard]] const Vote& vote() const { return vote_; }
  [[nodiscard]] ElectionRound round() const { return round_; }

 private:
  // A vote as it was received.
  struct Received {
    PeerState state = PeerState::kLooking;
    Vote vote;
    ElectionRound round;
  };
  using Votes = absl::btree_map<ServerId, Received>;

  [[nodiscard]] bool IsVoter(ServerId server) const;
  [[nodiscard]] Notification Current() const;
  void SendToAll(Effects& effects);
  void Adopt(const Vote& vote, Effects& effects);
  void ReceiveLooking(ServerId from, const Received& theirs, core::MonotonicTime now,
                      Effects& effects);
  void ReceiveSettled(ServerId from, const Received& theirs, Effects& effects);
  // Whether a quorum of `votes` is for what `wanted` is for.
  [[nodiscard]] bool QuorumFor(const Votes& votes, const Received& wanted) const;
  // [3.3] The leader of `theirs` says itself that it leads, or it is me and the round is mine.
  [[nodiscard]] bool LeaderAgrees(const Votes& votes, const Received& theirs) const;
  void Decide(const Vote& vote, Effects& effects);
  void CheckInvariants() const;

  ServerId self_;
  std::vector<ServerId> voters_;
  core::Bytes config_;
  ElectionTiming timing_;
  const ZabRules& rules_;

  PeerState state_ = PeerState::kLooking;
  ElectionRound round_{0};
  Vote initial_;
  Vote vote_;
  Votes votes_;            // of this round
  Votes out_of_election_;  // of servers that are not LOOKING
  core::MonotonicTime resend_at_ = core::MonotonicTime::Never();
  absl::Duration resend_interval_;
  core::MonotonicTime settled_at_ = core::MonotonicTime::Never();
};

}  // namespace highwater::broker::zookeeper
