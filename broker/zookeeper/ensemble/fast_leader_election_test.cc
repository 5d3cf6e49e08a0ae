#include "broker/zookeeper/ensemble/fast_leader_election.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

using core::MonotonicTime;

constexpr ServerId kOne{1};
constexpr ServerId kTwo{2};
constexpr ServerId kThree{3};
constexpr Zxid kZxid{0x100000005};

MonotonicTime Ms(int64_t ms) { return MonotonicTime::FromNanos(ms * 1'000'000); }

// Server 1 of three, with its clock.
struct Server {
  explicit Server(std::vector<ServerId> voters = {kOne, kTwo, kThree})
      : election(kOne, std::move(voters), core::Bytes(), {}, rules) {
    Do([&](auto& out) { election.Look(kZxid, ZabEpoch(1), now, out); });
  }
  template <typename Step>
  void Do(Step step) {
    sent.clear();
    FastLeaderElection::Effects effects;
    step(effects);
    sent = std::move(effects.messages);
    if (effects.decided) decided = effects.decided;
  }
  void Hears(ServerId from, PeerState state, ServerId leader, int64_t round, Zxid zxid = kZxid,
             int64_t epoch = 1) {
    Do([&](auto& out) {
      election.Receive(
          from,
          {.state = state, .vote = {leader, zxid, ZabEpoch(epoch)}, .round = ElectionRound(round)},
          now, out);
    });
  }
  void Waits(int64_t ms) {
    now = now + absl::Milliseconds(ms);
    Do([&](auto& out) { election.OnTime(now, out); });
  }
  [[nodiscard]] ServerId vote() const { return election.vote().leader; }

  ZabRules rules;
  MonotonicTime now;
  FastLeaderElection election;
  std::vector<FastLeaderElection::Message> sent;
  std::optional<PeerState> decided;
};

constexpr PeerState kLooking = PeerState::kLooking;
constexpr PeerState kFollowing = PeerState::kFollowing;
constexpr PeerState kLeading = PeerState::kLeading;

TEST(FastLeaderElectionTest, ALookingServerVotesForItselfAndTellsTheOthers) {
  Server s;
  EXPECT_EQ(s.vote(), kOne);
  EXPECT_EQ(s.election.round(), ElectionRound(1));
  ASSERT_EQ(s.sent.size(), 2u);
  EXPECT_EQ(s.sent[0].to, kTwo);
  EXPECT_EQ(s.sent[0].content.state, kLooking);
  EXPECT_EQ(s.sent[0].content.vote, (Vote{kOne, kZxid, ZabEpoch(1)}));
}

// [3.3]
TEST(FastLeaderElectionTest, ABetterVoteOfTheRoundIsAdoptedAndTold) {
  Server s;
  s.Hears(kTwo, kLooking, kTwo, 1);
  EXPECT_EQ(s.vote(), kTwo);
  EXPECT_EQ(s.sent.size(), 2u);
  s.Hears(kThree, kLooking, kOne, 1);
  EXPECT_EQ(s.vote(), kTwo) << "a worse one is not";
  EXPECT_TRUE(s.sent.empty());
}

// [3.3]
TEST(FastLeaderElectionTest, AQuorumDecidesAfterTheSettleTime) {
  Server s;
  s.Hears(kTwo, kLooking, kTwo, 1);
  EXPECT_EQ(s.election.deadline(), Ms(200));
  s.Waits(199);
  EXPECT_FALSE(s.decided);
  s.Waits(1);
  EXPECT_EQ(s.decided, kFollowing);
  EXPECT_EQ(s.vote(), kTwo);
  EXPECT_EQ(s.election.deadline(), MonotonicTime::Never());
}

TEST(FastLeaderElectionTest, ABetterVoteWithinTheSettleTimeBeginsItAnew) {
  Server s;
  s.Hears(kTwo, kLooking, kTwo, 1);
  s.now = Ms(150);
  s.Hears(kThree, kLooking, kThree, 1);
  s.now = Ms(200);
  s.Waits(0);
  EXPECT_FALSE(s.decided);
  s.now = Ms(350);
  s.Waits(0);
  EXPECT_EQ(s.decided, kFollowing);
  EXPECT_EQ(s.vote(), kThree);
}

TEST(FastLeaderElectionTest, ItLeadsWhenAQuorumVotesForIt) {
  Server s;
  s.Hears(kTwo, kLooking, kOne, 1);
  s.Waits(200);
  EXPECT_EQ(s.decided, kLeading);
}

// #21: what was best in a former round may have lost its supporters.
// [3.3]
TEST(FastLeaderElectionTest, AHigherRoundClearsTheVotesAndStartsFromTheInitialOne) {
  Server s;
  s.Hears(kThree, kLooking, kThree, 1, kZxid + 4);
  EXPECT_EQ(s.vote(), kThree);
  s.Hears(kTwo, kLooking, kTwo, 5);
  EXPECT_EQ(s.election.round(), ElectionRound(5));
  EXPECT_EQ(s.vote(), kTwo);
  s.Hears(kTwo, kLooking, kOne, 9, kZxid - 1);
  EXPECT_EQ(s.vote(), kOne) << "their vote is worse than the initial one";
  s.Waits(300);
  EXPECT_FALSE(s.decided) << "their vote for me has another zxid than mine";
}

TEST(FastLeaderElectionTest, ALowerRoundIsAnsweredAndNotCounted) {
  Server s;
  s.Hears(kTwo, kLooking, kOne, 3);
  s.Hears(kThree, kLooking, kThree, 2, kZxid + 1);
  EXPECT_EQ(s.vote(), kOne);
  ASSERT_EQ(s.sent.size(), 1u);
  EXPECT_EQ(s.sent[0].to, kThree);
  EXPECT_EQ(s.sent[0].content.round, ElectionRound(3));
}

TEST(FastLeaderElectionTest, ASupporterThatGoesAwayStopsTheSettling) {
  Server s;
  s.Hears(kTwo, kLooking, kOne, 1);
  s.Hears(kTwo, kLooking, kTwo, 1, kZxid - 1);
  s.Waits(250);
  EXPECT_FALSE(s.decided);
}

// ---- Servers that have settled.

// [3.3]
TEST(FastLeaderElectionTest, AStandingLeaderIsJoinedWhenAQuorumAndItselfSaySo) {
  Server s;
  s.Hears(kTwo, kFollowing, kThree, 7, kZxid + 9, 4);
  EXPECT_FALSE(s.decided);
  s.Hears(kThree, kLeading, kThree, 6, kZxid, 4);
  EXPECT_EQ(s.decided, kFollowing) << "rounds and zxids of settled servers say nothing";
  EXPECT_EQ(s.vote(), kThree);
  EXPECT_EQ(s.election.round(), ElectionRound(6));
}

TEST(FastLeaderElectionTest, FollowersOfALeaderThatDoesNotSayItLeadsAreNotEnough) {
  Server s({kOne, kTwo, kThree, ServerId(4), ServerId(5)});
  for (const ServerId from : {kTwo, ServerId(4), ServerId(5)}) {
    s.Hears(from, kFollowing, kThree, 7, kZxid, 4);
  }
  EXPECT_FALSE(s.decided);
}

TEST(FastLeaderElectionTest, SettledServersOfAnotherEpochDoNotCountTogether) {
  Server s;
  s.Hears(kTwo, kFollowing, kThree, 7, kZxid, 3);
  s.Hears(kThree, kLeading, kThree, 7, kZxid, 4);
  EXPECT_FALSE(s.decided);
}

TEST(FastLeaderElectionTest, FollowersOfMyRoundMakeMeLead) {
  Server s({kOne, kTwo, kThree, ServerId(4), ServerId(5)});
  s.Hears(kTwo, kFollowing, kOne, 1);
  EXPECT_FALSE(s.decided);
  s.Hears(kThree, kFollowing, kOne, 1);
  EXPECT_EQ(s.decided, kLeading) << "two and my own vote";
}

TEST(FastLeaderElectionTest, FollowersOfAFormerRoundDoNotMakeMeLead) {
  Server s;
  s.Hears(kTwo, kFollowing, kOne, 9);
  s.Hears(kThree, kFollowing, kOne, 9);
  EXPECT_FALSE(s.decided);
}

TEST(FastLeaderElectionTest, ASettledServerTellsALookingOneWhereItIs) {
  Server s;
  s.Hears(kTwo, kLooking, kOne, 1);
  s.Waits(200);
  s.election.SetVoteEpoch(ZabEpoch(2));
  s.Hears(kThree, kLooking, kThree, 8, kZxid + 100);
  ASSERT_EQ(s.sent.size(), 1u);
  EXPECT_EQ(s.sent[0].content.state, kLeading);
  EXPECT_EQ(s.sent[0].content.vote, (Vote{kOne, kZxid, ZabEpoch(2)}));
  s.Hears(kThree, kFollowing, kOne, 8);
  EXPECT_TRUE(s.sent.empty());
}

TEST(FastLeaderElectionTest, StrangersAndVotesForStrangersChangeNothing) {
  Server s;
  s.Hears(ServerId(9), kLooking, kThree, 4, kZxid + 1);
  s.Hears(kTwo, kLooking, ServerId(9), 4, kZxid + 1);
  s.Hears(kTwo, PeerState::kObserving, kThree, 4, kZxid + 1);
  EXPECT_EQ(s.vote(), kOne);
  EXPECT_EQ(s.election.round(), ElectionRound(1));
}

TEST(FastLeaderElectionTest, SilenceIsAnsweredByResendingEverMoreRarely) {
  Server s;
  std::vector<int64_t> waits;
  for (int i = 0; i < 11; ++i) {
    const MonotonicTime at = s.election.deadline();
    waits.push_back((at - s.now) / absl::Milliseconds(1));
    s.Waits(waits.back());
    EXPECT_EQ(s.sent.size(), 2u);
  }
  EXPECT_THAT(waits, testing::ElementsAre(200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200,
                                          60000, 60000));
}

TEST(FastLeaderElectionTest, AServerOnItsOwnElectsItself) {
  Server s({kOne});
  s.Waits(200);
  EXPECT_EQ(s.decided, kLeading);
}

TEST(FastLeaderElectionTest, EachElectionIsARoundOfItsOwn) {
  Server s;
  s.Hears(kTwo, kLooking, kOne, 1);
  s.Waits(200);
  s.Do([&](auto& out) { s.election.Look(kZxid + 2, ZabEpoch(2), s.now, out); });
  EXPECT_EQ(s.election.round(), ElectionRound(2));
  EXPECT_EQ(s.election.vote(), (Vote{kOne, kZxid + 2, ZabEpoch(2)}));
  EXPECT_EQ(s.election.state(), kLooking);
}

}  // namespace
}  // namespace highwater::broker::zookeeper
