#include "broker/zookeeper/ensemble/zab_rules.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "broker/zookeeper/ensemble/recover_history.h"

namespace highwater::broker::zookeeper {
namespace {

constexpr Zxid Z(int64_t epoch, int64_t counter) { return Zxid(epoch << 32 | counter); }

SyncPlan Plan(Zxid peer, Zxid leader, const std::vector<Zxid>& history) {
  return zab::DecideSync({.peer_last = peer, .leader_last = leader, .history = history});
}

const std::vector<Zxid> kHistory = {Z(1, 4), Z(1, 5), Z(3, 1), Z(3, 2), Z(5, 1)};

// ---- [3.6] One test a row of the table.

TEST(DecideSyncTest, APeerWithTheLeadersLastGetsAnEmptyDiff) {
  EXPECT_EQ(Plan(Z(5, 1), Z(5, 1), kHistory), (SyncPlan{SyncKind::kDiff, Z(5, 1), Z(5, 1)}));
  EXPECT_EQ(Plan(Z(6, 0), Z(6, 0), kHistory), (SyncPlan{SyncKind::kDiff, Z(6, 0), Z(6, 0)}));
}

TEST(DecideSyncTest, APeerBeyondTheLastCommittedOfItsEpochIsCutBack) {
  EXPECT_EQ(Plan(Z(5, 3), Z(5, 1), kHistory), (SyncPlan{SyncKind::kTrunc, Z(5, 1), Z(5, 1)}));
  EXPECT_EQ(Plan(Z(5, 3), Z(6, 0), kHistory), (SyncPlan{SyncKind::kTrunc, Z(5, 1), Z(5, 1)}));
}

// ZOOKEEPER-2832: the peer's tail is of an epoch that the leader has nothing of.
TEST(DecideSyncTest, APeerBeyondTheLastCommittedOfAnotherEpochGetsASnapshot) {
  EXPECT_EQ(Plan(Z(6, 1), Z(7, 0), kHistory).kind, SyncKind::kSnap);
}

TEST(DecideSyncTest, AnExactEntryGetsWhatIsBehindIt) {
  EXPECT_EQ(Plan(Z(1, 5), Z(5, 1), kHistory), (SyncPlan{SyncKind::kDiff, Z(5, 1), Z(1, 5)}));
}

// ZOOKEEPER-1154: within an epoch there is no hole, so such a peer can only be one of a log with
// holes; it is not trusted.
TEST(DecideSyncTest, APeerBetweenTwoEntriesOfItsEpochIsCutToTheFormer) {
  EXPECT_EQ(Plan(Z(3, 2), Z(3, 4), {Z(3, 1), Z(3, 4)}),
            (SyncPlan{SyncKind::kTrunc, Z(3, 1), Z(3, 1)}));
}

TEST(DecideSyncTest, APeerBetweenEntriesOfOtherEpochsGetsASnapshot) {
  EXPECT_EQ(Plan(Z(1, 6), Z(5, 1), kHistory).kind, SyncKind::kSnap);
  EXPECT_EQ(Plan(Z(2, 1), Z(5, 1), kHistory).kind, SyncKind::kSnap);
}

TEST(DecideSyncTest, APeerOlderThanTheHistoryGetsASnapshot) {
  EXPECT_EQ(Plan(Z(1, 3), Z(5, 1), kHistory), (SyncPlan{SyncKind::kSnap, Z(5, 1), Z(5, 1)}));
  EXPECT_EQ(Plan(Zxid(-1), Z(5, 1), kHistory).kind, SyncKind::kSnap);
  EXPECT_EQ(Plan(Z(1, 3), Z(5, 1), {}).kind, SyncKind::kSnap);
}

TEST(DecideSyncTest, APeerThatOnlySawANewLeaderIsNeverCut) {
  EXPECT_EQ(Plan(Z(3, 0), Z(5, 1), kHistory), (SyncPlan{SyncKind::kDiff, Z(5, 1), Z(3, 0)}));
  EXPECT_EQ(Plan(Z(6, 0), Z(7, 0), kHistory), (SyncPlan{SyncKind::kDiff, Z(5, 1), Z(6, 0)}));
}

// Whatever the two logs are, the plan makes the peer's log the leader's, and cuts within an epoch.
RC_GTEST_PROP(DecideSyncTest, ThePlanMakesThePeersLogTheLeaders, ()) {
  // A common history, then what the leader committed and what the peer has alone: of the same epoch
  // or, one of them, of later ones.
  std::vector<Zxid> common;
  int64_t epoch = 1;
  int64_t counter = 0;
  const int length = *rc::gen::inRange(1, 12);
  for (int i = 0; i < length; ++i) {
    if (*rc::gen::inRange(0, 4) == 0) {
      ++epoch;
      counter = 0;
    }
    common.push_back(Z(epoch, ++counter));
  }
  std::vector<Zxid> leader = common;
  std::vector<Zxid> peer = common;
  const int tail = *rc::gen::inRange(0, 3);
  for (int i = 1; i <= tail; ++i) peer.push_back(Z(epoch, counter + i));
  const int more = *rc::gen::inRange(0, 5);
  for (int i = 1; i <= more; ++i) leader.push_back(Z(epoch + 1 + i / 3, i % 3 + 1));
  const size_t window = *rc::gen::inRange<size_t>(0, leader.size() + 1);
  const std::vector<Zxid> history(leader.end() - static_cast<int64_t>(window), leader.end());

  const SyncPlan plan = Plan(peer.back(), leader.back(), history);
  switch (plan.kind) {
    case SyncKind::kSnap:
      return;
    case SyncKind::kTrunc:
      RC_ASSERT(ZabEpochOf(plan.zxid) == ZabEpochOf(peer.back()));
      RC_ASSERT(std::find(peer.begin(), peer.end(), plan.zxid) != peer.end());
      while (peer.back() > plan.zxid) peer.pop_back();
      break;
    case SyncKind::kDiff:
      break;
  }
  for (const Zxid zxid : history) {
    if (zxid > plan.send_after) peer.push_back(zxid);
  }
  RC_ASSERT(peer == leader);
}

// ---- [3.3], [3.5].

TEST(ZabRulesTest, AVoteOfALaterEpochBeatsOneWithMoreTransactions) {
  const Vote newer{ServerId(1), Z(1, 2), ZabEpoch(3)};
  const Vote longer{ServerId(2), Z(2, 9), ZabEpoch(2)};
  EXPECT_TRUE(zab::Beats(newer, longer));
  EXPECT_FALSE(zab::Beats(longer, newer));
  EXPECT_TRUE(zab::Beats({ServerId(1), Z(1, 3), ZabEpoch(3)}, newer));
  EXPECT_TRUE(zab::Beats({ServerId(2), Z(1, 2), ZabEpoch(3)}, newer));
  EXPECT_FALSE(zab::Beats(newer, newer));
}

TEST(ZabRulesTest, ANewRoundBeginsFromTheInitialVote) {
  const Vote initial{ServerId(1), Z(1, 1), ZabEpoch(1)};
  const Vote gone{ServerId(3), Z(1, 9), ZabEpoch(1)};
  const Vote theirs{ServerId(2), Z(1, 1), ZabEpoch(1)};
  EXPECT_EQ(zab::VoteInNewRound(theirs, initial, gone), theirs);
}

TEST(ZabRulesTest, HalfOfTheVotersIsNoQuorum) {
  EXPECT_FALSE(zab::IsMajority(2, 4));
  EXPECT_TRUE(zab::IsMajority(3, 4));
  EXPECT_TRUE(zab::IsMajority(2, 3));
  EXPECT_FALSE(zab::IsMajority(1, 3));
}

TEST(ZabRulesTest, TheNewEpochIsAboveEveryAcceptedOne) {
  EXPECT_EQ(zab::NewEpoch(ZabEpoch(7)), ZabEpoch(8));
}

TEST(ZabRulesTest, ALowerEpochIsRefusedAndAnEqualOneIsNoPromise) {
  EXPECT_EQ(zab::JudgeEpoch(ZabEpoch(8), ZabEpoch(7)), EpochVerdict::kPromise);
  EXPECT_EQ(zab::JudgeEpoch(ZabEpoch(7), ZabEpoch(7)), EpochVerdict::kAlreadyPromised);
  EXPECT_EQ(zab::JudgeEpoch(ZabEpoch(6), ZabEpoch(7)), EpochVerdict::kRefuse);
}

// [3.1]
TEST(ZabRulesTest, TheCounterNeverRunsIntoTheEpoch) {
  EXPECT_FALSE(zab::EpochIsUsedUp(0xfffffffe));
  EXPECT_TRUE(zab::EpochIsUsedUp(0xffffffff));
}

// [3.1]
TEST(ZabRulesTest, TransactionsFollowWithoutAGapAndEpochsBeginWithOne) {
  EXPECT_TRUE(Follows(Z(1, 2), Z(1, 1)));
  EXPECT_FALSE(Follows(Z(1, 3), Z(1, 1)));
  EXPECT_FALSE(Follows(Z(1, 1), Z(1, 1)));
  EXPECT_TRUE(Follows(Z(4, 1), Z(1, 9)));
  EXPECT_FALSE(Follows(Z(4, 2), Z(1, 9)));
  EXPECT_TRUE(Follows(Z(4, 1), Z(4, 0)));
  EXPECT_FALSE(Follows(Z(1, 10), Z(4, 1)));
}

// ---- [3.1]

TEST(RecoverHistoryTest, MissingEpochsComeFromTheLog) {
  EXPECT_EQ(*RecoverHistory({}, {}, Z(3, 2)), (ServerHistory{ZabEpoch(3), ZabEpoch(3), Z(3, 2)}));
}

// A crash between the sync data and the epoch file, in the order that 4643 asks for.
TEST(RecoverHistoryTest, ALogOfALaterEpochThanTheCurrentOneGivesTheEpoch) {
  EXPECT_EQ(*RecoverHistory(ZabEpoch(4), ZabEpoch(2), Z(4, 1)),
            (ServerHistory{ZabEpoch(4), ZabEpoch(4), Z(4, 1)}));
}

TEST(RecoverHistoryTest, ALostPromiseIsRefused) {
  EXPECT_FALSE(RecoverHistory(ZabEpoch(2), ZabEpoch(3), Z(1, 1)).ok());
  EXPECT_FALSE(RecoverHistory(ZabEpoch(2), ZabEpoch(2), Z(3, 1)).ok());
}

}  // namespace
}  // namespace highwater::broker::zookeeper
