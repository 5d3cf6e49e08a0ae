#include "broker/zookeeper/ensemble/zab_leader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/zookeeper/ensemble/zab_transcript.h"

namespace highwater::broker::zookeeper {
namespace {

using core::MonotonicTime;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

constexpr Zxid Z(int64_t epoch, int64_t counter) { return Zxid(epoch << 32 | counter); }
constexpr EnsembleTiming kTiming{.tick = absl::Seconds(1), .init_limit = 10, .sync_limit = 4};

// Server 3 of three (or of `voters`): accepted 4, current 3, committed 3:1 to 3:3.
struct Leader {
  explicit Leader(std::vector<ServerId> voters = {ServerId(1), ServerId(2), ServerId(3)},
                  ZabRules with = {})
      : rules(with),
        committed_log(FilledLog()),
        machine(ServerId(3), std::move(voters), {ZabEpoch(4), ZabEpoch(3), Z(3, 3)}, kTiming,
                committed_log, core::Bytes::Copy("version=0"), rules, now) {
    Do([&](auto& out) { machine.Start(now, out); });
  }
  static CommittedLog FilledLog() {
    CommittedLog log;
    for (int i = 1; i <= 3; ++i) log.Add({Z(3, i), core::Bytes::Copy("txn")});
    return log;
  }

  template <typename Step>
  Words Do(Step step) {
    ZabEffects effects;
    step(effects);
    return EffectWords(effects);
  }
  Words Hears(int64_t from, const QuorumPacket& packet) {
    return Do([&](auto& out) { machine.Receive(PeerConnection(from), packet, now, out); });
  }
  Words HearsFollowerInfo(int64_t from, int64_t server, int64_t accepted = 4) {
    return Hears(from, {.type = PacketType::kFollowerInfo,
                        .zxid = Z(accepted, 0),
                        .data = EncodeLearnerInfo({.server = ServerId(server)})});
  }
  Words HearsAckEpoch(int64_t from, int32_t current, Zxid last) {
    return Hears(from, {.type = PacketType::kAckEpoch, .zxid = last, .data = EncodeInt(current)});
  }
  Words HearsAck(int64_t from, Zxid zxid) {
    return Hears(from, {.type = PacketType::kAck, .zxid = zxid});
  }
  Words AcceptedStored() {
    return Do([&](auto& out) { machine.OnAcceptedEpochStored(now, out); });
  }
  Words CurrentStored() {
    return Do([&](auto& out) { machine.OnCurrentEpochStored(out); });
  }
  Words Synced(Zxid zxid) {
    return Do([&](auto& out) { machine.OnLogSynced(zxid, out); });
  }
  Words Propose(Zxid zxid) {
    return Do([&](auto& out) { machine.Propose({zxid, core::Bytes::Copy("txn")}, now, out); });
  }
  Words HalfTicks(int count) {
    Words words;
    for (int i = 0; i < count; ++i) {
      now = now + kTiming.tick / 2;
      for (std::string& word : Do([&](auto& out) { machine.OnTime(now, out); })) {
        words.push_back(std::move(word));
      }
    }
    return words;
  }
  // A learner up to ACKEPOCH. Connection and server have one number.
  Words Join(int64_t server, Zxid last = Z(3, 3)) {
    HearsFollowerInfo(server, server);
    return HearsAckEpoch(server, 3, last);
  }
  // Leads epoch 5 with server 1.
  void Establish() {
    HearsFollowerInfo(1, 1);
    AcceptedStored();
    HearsAckEpoch(1, 3, Z(3, 3));
    CurrentStored();
    HearsAck(1, Z(5, 0));
  }

  MonotonicTime now;
  ZabRules rules;
  CommittedLog committed_log;
  ZabLeader machine;
};

// ---- Discovery [3.5].

TEST(ZabLeaderTest, TheEpochIsAboveAQuorumsAcceptedOnesAndStoredBeforeItIsOffered) {
  Leader l;
  EXPECT_THAT(l.HearsFollowerInfo(1, 1, 7), ElementsAre("store accepted epoch 8"));
  EXPECT_THAT(l.HearsFollowerInfo(2, 2, 5), IsEmpty());
  EXPECT_THAT(l.AcceptedStored(), ElementsAre("send 1 LEADERINFO 8:0", "send 2 LEADERINFO 8:0"));
}

TEST(ZabLeaderTest, ALateFollowerIsOfferedTheChosenEpoch) {
  Leader l;
  l.HearsFollowerInfo(1, 1);
  l.AcceptedStored();
  EXPECT_THAT(l.HearsFollowerInfo(2, 2, 3), ElementsAre("send 2 LEADERINFO 5:0"));
}

// It would have to refuse this leader for as long as the term lasts.
TEST(ZabLeaderTest, AVoterThatAcceptedALaterEpochEndsTheTerm) {
  Leader l;
  l.HearsFollowerInfo(1, 1);
  l.AcceptedStored();
  EXPECT_THAT(l.HearsFollowerInfo(2, 2, 6), ElementsAre(HasSubstr("give up")));
}

TEST(ZabLeaderTest, AQuorumOfPromisesMakesTheEpochTheLeaders) {
  Leader l;
  l.HearsFollowerInfo(1, 1);
  l.AcceptedStored();
  EXPECT_THAT(l.HearsAckEpoch(1, 3, Z(3, 3)),
              ElementsAre("store current epoch 5", "send 1 DIFF 3:3", "send 1 NEWLEADER 5:0"));
}

TEST(ZabLeaderTest, APromiseGivenBeforeCountsForNobody) {
  Leader l;
  l.HearsFollowerInfo(1, 1);
  l.AcceptedStored();
  EXPECT_THAT(l.HearsAckEpoch(1, -1, Z(3, 3)), IsEmpty());
  EXPECT_THAT(l.Join(2), Contains("send 1 NEWLEADER 5:0")) << "but it is synchronised in time";
}

TEST(ZabLeaderTest, AFollowerThatIsAheadIsRefused) {
  for (const auto& [current, last] : {std::pair(3, Z(3, 4)), std::pair(4, Z(3, 1))}) {
    Leader l;
    l.HearsFollowerInfo(1, 1);
    l.AcceptedStored();
    EXPECT_THAT(l.HearsAckEpoch(1, current, last), ElementsAre(HasSubstr("close 1")));
  }
}

TEST(ZabLeaderTest, StrangersObserversAndOldProtocolsAreRefused) {
  Leader l;
  EXPECT_THAT(l.HearsFollowerInfo(1, 9), ElementsAre(HasSubstr("close 1")));
  EXPECT_THAT(l.HearsFollowerInfo(1, 3), ElementsAre(HasSubstr("close 1"))) << "its own sid";
  EXPECT_THAT(l.HearsFollowerInfo(1, 1, 0x7ffffffe), ElementsAre(HasSubstr("close 1")));
  EXPECT_THAT(l.Hears(1, {.type = PacketType::kObserverInfo}), ElementsAre(HasSubstr("close 1")));
  EXPECT_THAT(
      l.Hears(1, {.type = PacketType::kFollowerInfo,
                  .data = EncodeLearnerInfo({.server = ServerId(1), .protocol_version = 1})}),
      ElementsAre(HasSubstr("close 1")));
  EXPECT_THAT(l.Hears(1, {.type = PacketType::kFollowerInfo}), ElementsAre(HasSubstr("close 1")));
  EXPECT_EQ(l.machine.phase(), ZabLeader::Phase::kDiscovery);
}

// #61: what is still under way on the former connection is of a former incarnation.
TEST(ZabLeaderTest, ANewConnectionOfAServerReplacesTheFormerOne) {
  Leader l;
  l.HearsFollowerInfo(1, 1);
  EXPECT_THAT(l.HearsFollowerInfo(4, 1), ElementsAre(HasSubstr("close 1")));
  EXPECT_THAT(l.AcceptedStored(), ElementsAre("send 4 LEADERINFO 5:0"));
}

// ---- Synchronisation [3.6].

TEST(ZabLeaderTest, AQuorumOfNewLeaderAcksEstablishesTheTerm) {
  Leader l;
  l.HearsFollowerInfo(1, 1);
  l.AcceptedStored();
  l.HearsAckEpoch(1, 3, Z(3, 3));
  EXPECT_THAT(l.HearsAck(1, Z(5, 0)), IsEmpty()) << "its own epoch is not on the disk yet";
  EXPECT_FALSE(l.machine.leading());
  EXPECT_THAT(l.CurrentStored(), ElementsAre("serve epoch 5 at 5:0", "send 1 UPTODATE -"));
  EXPECT_TRUE(l.machine.leading());
  EXPECT_EQ(l.machine.next_zxid(), Z(5, 1));
}

TEST(ZabLeaderTest, AnotherFirstAckThanThatOfNewLeaderEndsTheConnection) {
  Leader l;
  l.HearsFollowerInfo(1, 1);
  l.AcceptedStored();
  l.HearsAckEpoch(1, 3, Z(3, 3));
  EXPECT_THAT(l.HearsAck(1, Z(4, 0)), ElementsAre(HasSubstr("close 1")));
}

TEST(ZabLeaderTest, ALateFollowerGetsHistoryThenOutstandingThenNewLeaderThenUpToDate) {
  Leader l;
  l.Establish();
  l.Propose(Z(5, 1));
  l.HearsAck(1, Z(5, 1));
  l.Synced(Z(5, 1));
  l.Propose(Z(5, 2));
  EXPECT_THAT(l.Join(2, Z(3, 2)),
              ElementsAre("send 2 DIFF 5:1", "send 2 PROPOSAL 3:3", "send 2 COMMIT 3:3",
                          "send 2 PROPOSAL 5:1", "send 2 COMMIT 5:1", "send 2 PROPOSAL 5:2",
                          "send 2 NEWLEADER 5:0"));
  EXPECT_THAT(l.HearsAck(2, Z(5, 0)), ElementsAre("send 2 UPTODATE -"));
}

TEST(ZabLeaderTest, ProposalsReachEveryoneWhoWasGivenNewLeader) {
  Leader l;
  l.Establish();
  l.Join(2);
  EXPECT_THAT(l.Propose(Z(5, 1)),
              ElementsAre("append 5:1", "sync 5:1", "send 1 PROPOSAL 5:1", "send 2 PROPOSAL 5:1"));
}

TEST(ZabLeaderTest, AFollowerOlderThanTheMemoryIsServedFromTheDiskLog) {
  Leader l;
  l.Establish();
  EXPECT_THAT(l.Join(2, Z(2, 9)), ElementsAre("read log for 2 behind 2:9"));
  const auto words = l.Do([&](auto& out) {
    l.machine.OnLogRead(PeerConnection(2), {{{Z(3, 1), core::Bytes::Copy("txn")}}}, out);
  });
  EXPECT_THAT(words, ElementsAre("send 2 DIFF 3:3", "send 2 PROPOSAL 3:1", "send 2 COMMIT 3:1",
                                 "send 2 PROPOSAL 3:2", "send 2 COMMIT 3:2", "send 2 PROPOSAL 3:3",
                                 "send 2 COMMIT 3:3", "send 2 NEWLEADER 5:0"));
}

TEST(ZabLeaderTest, ADiskLogThatDoesNotReachBackOrHasAGapIsASnapshot) {
  for (const bool gap : {false, true}) {
    Leader l;
    l.Establish();
    l.Join(2, Z(1, 9));
    std::optional<std::vector<LoggedTxn>> behind;
    if (gap) behind = {{Z(2, 3), core::Bytes::Copy("txn")}};
    EXPECT_THAT(
        l.Do([&](auto& out) { l.machine.OnLogRead(PeerConnection(2), std::move(behind), out); }),
        ElementsAre("send 2 SNAP 5:0", "send 2 NEWLEADER 5:0"));
  }
}

// ---- Broadcast [3.7].

TEST(ZabLeaderTest, AProposalCommitsOnceAQuorumHasItOnDisk) {
  Leader l;
  l.Establish();
  EXPECT_THAT(l.Propose(Z(5, 1)), ElementsAre("append 5:1", "sync 5:1", "send 1 PROPOSAL 5:1"));
  EXPECT_THAT(l.Synced(Z(5, 1)), IsEmpty()) << "the leader's own fsync is one vote";
  EXPECT_THAT(l.HearsAck(1, Z(5, 1)), ElementsAre("send 1 COMMIT 5:1", "apply 5:1"));
  EXPECT_EQ(l.committed_log.max(), Z(5, 1));
  EXPECT_THAT(l.HearsAck(1, Z(5, 1)), IsEmpty());
}

TEST(ZabLeaderTest, FollowersAloneMayCommitBeforeTheLeadersDiskHasIt) {
  Leader l;
  l.Establish();
  l.Join(2);
  l.HearsAck(2, Z(5, 0));
  l.Propose(Z(5, 1));
  l.HearsAck(1, Z(5, 1));
  EXPECT_THAT(l.HearsAck(2, Z(5, 1)), Contains("apply 5:1"));
}

TEST(ZabLeaderTest, CommitsAreInOrder) {
  Leader l({ServerId(1), ServerId(2), ServerId(3)});
  l.Establish();
  l.Join(2);
  l.HearsAck(2, Z(5, 0));
  l.Propose(Z(5, 1));
  l.Propose(Z(5, 2));
  l.HearsAck(1, Z(5, 2));
  EXPECT_THAT(l.HearsAck(2, Z(5, 2)), IsEmpty()) << "5:1 has no quorum";
  l.HearsAck(1, Z(5, 1));
  EXPECT_THAT(l.HearsAck(2, Z(5, 1)),
              ElementsAre("send 1 COMMIT 5:1", "send 2 COMMIT 5:1", "apply 5:1",
                          "send 1 COMMIT 5:2", "send 2 COMMIT 5:2", "apply 5:2"));
}

TEST(ZabLeaderTest, OneVoterIsOneVoteHoweverOftenItAcknowledges) {
  Leader l;
  l.Establish();
  l.Propose(Z(5, 1));
  EXPECT_THAT(l.HearsAck(1, Z(5, 1)), IsEmpty());
  EXPECT_THAT(l.HearsAck(1, Z(5, 1)), IsEmpty());
  EXPECT_THAT(l.HearsAck(1, Z(5, 0)), IsEmpty()) << "Apache's followers say this at UPTODATE";
}

// What the TRUNC cuts off is not on the follower's disk until it has come again.
TEST(ZabLeaderTest, ATruncTakesBackWhatTheFollowerAcknowledged) {
  Leader l;
  l.Establish();
  l.Propose(Z(5, 1));
  l.HearsAck(1, Z(5, 1));
  l.Synced(Z(5, 1));
  l.Propose(Z(5, 2));
  EXPECT_THAT(l.HearsAck(1, Z(5, 2)), IsEmpty());
  l.HearsFollowerInfo(7, 1, 5);
  EXPECT_THAT(l.HearsAckEpoch(7, -1, Z(5, 2)),
              ElementsAre("send 7 TRUNC 5:1", "send 7 PROPOSAL 5:2", "send 7 NEWLEADER 5:0"));
  EXPECT_THAT(l.Synced(Z(5, 2)), IsEmpty());
  l.HearsAck(7, Z(5, 0));
  EXPECT_THAT(l.HearsAck(7, Z(5, 2)), Contains("apply 5:2"));
}

TEST(ZabLeaderTest, AnEpochWithoutZxidsLeftEndsTheTerm) {
  ZabRules rules;
  rules.EpochIsUsedUp = [](uint32_t counter) { return counter == 3; };
  Leader l({ServerId(1), ServerId(2), ServerId(3)}, rules);
  l.Establish();
  l.Propose(Z(5, 1));
  l.Propose(Z(5, 2));
  EXPECT_THAT(l.Propose(Z(5, 3)), ElementsAre(HasSubstr("give up")));
}

TEST(ZabLeaderTest, AServerOnItsOwnIsAQuorum) {
  Leader l({ServerId(3)});
  EXPECT_THAT(l.AcceptedStored(), ElementsAre("store current epoch 5"));
  EXPECT_THAT(l.CurrentStored(), ElementsAre("serve epoch 5 at 5:0"));
  l.Propose(Z(5, 1));
  EXPECT_THAT(l.Synced(Z(5, 1)), ElementsAre("apply 5:1"));
}

// ---- What learners ask [2.1, 2.3, 2.5].

TEST(ZabLeaderTest, ASyncIsAnsweredBehindTheCommitsOfWhatWasProposed) {
  Leader l;
  l.Establish();
  const auto sync = [&](std::optional<PeerConnection> asker) {
    return l.Do([&](auto& out) { l.machine.Sync(asker, out); });
  };
  EXPECT_THAT(sync(PeerConnection(1)), ElementsAre("send 1 SYNC 0:0"));
  l.Propose(Z(5, 1));
  l.Synced(Z(5, 1));
  EXPECT_THAT(sync(PeerConnection(1)), IsEmpty());
  EXPECT_THAT(sync(std::nullopt), IsEmpty());
  EXPECT_THAT(l.HearsAck(1, Z(5, 1)),
              ElementsAre("send 1 COMMIT 5:1", "apply 5:1", "send 1 SYNC 0:0", "complete sync"));
}

TEST(ZabLeaderTest, RequestsTouchesAndRevalidationsReachTheServer) {
  Leader l;
  l.Establish();
  const std::vector<SessionTouch> touches = {{SessionId(7), 4000}, {SessionId(8), 6000}};
  EXPECT_THAT(l.Hears(1, {.type = PacketType::kPing, .data = EncodeTouches(touches)}),
              ElementsAre("touch 7 for 4000", "touch 8 for 6000"));
  EXPECT_THAT(
      l.Hears(1, {.type = PacketType::kRequest,
                  .data = EncodeForwardedRequest({SessionId(7), Xid(1), OpCode::kDelete, {}})}),
      ElementsAre("request of 1: delete by session 7"));
  EXPECT_THAT(l.Hears(1, {.type = PacketType::kRevalidate, .data = EncodeRevalidate(touches[0])}),
              ElementsAre("revalidate 7 for 1"));
  EXPECT_THAT(l.Do([&](auto& out) {
    l.machine.AnswerRevalidate(PeerConnection(1), {SessionId(7), true}, out);
  }),
              ElementsAre("send 1 REVALIDATE -"));
  EXPECT_THAT(l.Hears(1, {.type = PacketType::kRequest}), ElementsAre(HasSubstr("close 1")));
}

TEST(ZabLeaderTest, APacketOutOfTurnEndsOnlyItsConnection) {
  for (const PacketType type : {PacketType::kUpToDate, PacketType::kProposal, PacketType::kSync,
                                PacketType::kAckEpoch, PacketType::kFollowerInfo}) {
    Leader l;
    l.Establish();
    EXPECT_THAT(l.Hears(1, {.type = type}), ElementsAre(HasSubstr("close 1")));
    EXPECT_TRUE(l.machine.leading());
  }
}

// ---- Time [3.8].

TEST(ZabLeaderTest, LearnersArePingedEveryHalfTick) {
  Leader l;
  l.Establish();
  EXPECT_EQ(l.machine.deadline(), MonotonicTime() + absl::Milliseconds(500));
  EXPECT_THAT(l.HalfTicks(1), ElementsAre("send 1 PING 5:0"));
}

TEST(ZabLeaderTest, WithoutAQuorumWithinSyncLimitItStepsDown) {
  Leader l;
  l.Establish();
  const auto quiet = l.HalfTicks(8);
  EXPECT_THAT(quiet, testing::Not(Contains(HasSubstr("give up"))));
  EXPECT_THAT(l.HalfTicks(2), Contains(HasSubstr("give up")));
}

TEST(ZabLeaderTest, AQuorumThatAnswersKeepsItLeading) {
  Leader l;
  l.Establish();
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(l.HalfTicks(2), testing::Not(Contains(HasSubstr("give up"))));
    l.Hears(1, {.type = PacketType::kPing});
  }
}

TEST(ZabLeaderTest, ALearnerThatDoesNotAcknowledgeItsOldestProposalIsDropped) {
  Leader l;
  l.Establish();
  l.Propose(Z(5, 1));
  for (int i = 0; i < 7; ++i) {
    l.Hears(1, {.type = PacketType::kPing});
    EXPECT_THAT(l.HalfTicks(1), ElementsAre("send 1 PING 5:1"));
  }
  EXPECT_THAT(l.HalfTicks(1), Contains(HasSubstr("close 1")));
}

TEST(ZabLeaderTest, EachStepToTheTermHasInitLimit) {
  Leader l;
  l.now = MonotonicTime() + absl::Seconds(10);
  EXPECT_THAT(l.Do([&](auto& out) { l.machine.OnTime(l.now, out); }),
              ElementsAre(HasSubstr("give up")));
}

}  // namespace
}  // namespace highwater::broker::zookeeper
