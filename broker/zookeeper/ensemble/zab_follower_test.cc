#include "broker/zookeeper/ensemble/zab_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/zookeeper/ensemble/zab_transcript.h"

namespace highwater::broker::zookeeper {
namespace {

using core::MonotonicTime;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

constexpr Zxid Z(int64_t epoch, int64_t counter) { return Zxid(epoch << 32 | counter); }
constexpr EnsembleTiming kTiming{.tick = absl::Seconds(1), .init_limit = 10, .sync_limit = 4};

// Server 1, which has accepted epoch 4, follows the history of epoch 3, and logged up to 3:2.
struct Follower {
  explicit Follower(ServerHistory history = {ZabEpoch(4), ZabEpoch(3), Z(3, 2)})
      : machine(ServerId(1), history, kTiming, committed_log, rules, MonotonicTime()) {}

  template <typename Step>
  Words Do(Step step) {
    ZabEffects effects;
    step(effects);
    return EffectWords(effects);
  }
  Words Hears(PacketType type, Zxid zxid, std::optional<core::Bytes> data = std::nullopt) {
    return Do([&](auto& out) {
      machine.Receive({.type = type, .zxid = zxid, .data = std::move(data)}, now, out);
    });
  }
  Words HearsLeaderInfo(int64_t epoch) {
    return Hears(PacketType::kLeaderInfo, Z(epoch, 0), EncodeInt(kZabProtocolVersion));
  }
  Words HearsProposal(Zxid zxid) {
    return Hears(PacketType::kProposal, zxid, core::Bytes::Copy("txn"));
  }
  Words EpochStored() {
    return Do([&](auto& out) { machine.OnAcceptedEpochStored(out); });
  }
  Words BaseInstalled() {
    return Do([&](auto& out) { machine.OnBaseInstalled(out); });
  }
  Words Synced(Zxid zxid) {
    return Do([&](auto& out) { machine.OnLogSynced(zxid, out); });
  }
  Words CurrentStored() {
    return Do([&](auto& out) { machine.OnCurrentEpochStored(out); });
  }

  // Up to where the sync data begins, in epoch 5.
  void Discover() {
    Do([&](auto& out) { machine.Connect(out); });
    HearsLeaderInfo(5);
    EpochStored();
  }
  // Up to serving, by an empty DIFF.
  void Serve() {
    Discover();
    Hears(PacketType::kDiff, Z(3, 2));
    Hears(PacketType::kNewLeader, Z(5, 0));
    CurrentStored();
    Hears(PacketType::kUpToDate, Zxid(-1));
  }

  ZabRules rules;
  CommittedLog committed_log;
  MonotonicTime now;
  ZabFollower machine;
};

// ---- Discovery [3.5].

TEST(ZabFollowerTest, ItIntroducesItselfWithItsAcceptedEpoch) {
  Follower f;
  EXPECT_THAT(f.Do([&](auto& out) { f.machine.Connect(out); }),
              ElementsAre("send 0 FOLLOWERINFO 4:0"));
}

TEST(ZabFollowerTest, APromiseIsDurableBeforeItIsGiven) {
  Follower f;
  EXPECT_THAT(f.HearsLeaderInfo(5), ElementsAre("store accepted epoch 5"));
  ZabEffects effects;
  f.machine.OnAcceptedEpochStored(effects);
  ASSERT_THAT(EffectWords(effects), ElementsAre("send 0 ACKEPOCH 3:2"));
  EXPECT_EQ(*DecodeInt(std::get<zab::Send>(effects[0]).packet), 3) << "its current epoch";
}

TEST(ZabFollowerTest, AnEqualEpochIsAnsweredWithoutAPromise) {
  Follower f;
  ZabEffects effects;
  f.machine.Receive(
      {.type = PacketType::kLeaderInfo, .zxid = Z(4, 0), .data = EncodeInt(kZabProtocolVersion)},
      f.now, effects);
  ASSERT_THAT(EffectWords(effects), ElementsAre("send 0 ACKEPOCH 3:2"));
  EXPECT_EQ(*DecodeInt(std::get<zab::Send>(effects[0]).packet), -1);
}

TEST(ZabFollowerTest, ALowerEpochEndsTheTerm) {
  Follower f;
  EXPECT_THAT(f.HearsLeaderInfo(3), ElementsAre(HasSubstr("give up")));
  EXPECT_THAT(f.HearsLeaderInfo(5), IsEmpty()) << "and nothing has an effect afterwards";
}

// A cut that failed: a zxid below every other asks for a SNAP, without a vote in it.
TEST(ZabFollowerTest, AServerThatNeedsASnapshotAsksForItWithoutAPromise) {
  Follower f({ZabEpoch(4), ZabEpoch(3), Z(3, 2), /*wants_snapshot=*/true});
  f.HearsLeaderInfo(5);
  ZabEffects effects;
  f.machine.OnAcceptedEpochStored(effects);
  ASSERT_THAT(EffectWords(effects), ElementsAre("send 0 ACKEPOCH -"));
  EXPECT_EQ(*DecodeInt(std::get<zab::Send>(effects[0]).packet), -1);
  EXPECT_THAT(f.Hears(PacketType::kDiff, Z(3, 2)), ElementsAre(HasSubstr("give up")));
}

// ---- Synchronisation [3.6].

// ZOOKEEPER-4643, 4646, 3911, 4785.
TEST(ZabFollowerTest, ADiffIsLoggedThenTheEpochIsStoredThenNewLeaderIsAcknowledged) {
  Follower f;
  f.Discover();
  EXPECT_THAT(f.Hears(PacketType::kDiff, Z(3, 3)), IsEmpty());
  EXPECT_THAT(f.HearsProposal(Z(3, 3)), IsEmpty());
  EXPECT_THAT(f.Hears(PacketType::kCommit, Z(3, 3)), IsEmpty()) << "nothing is applied yet";
  EXPECT_THAT(f.Hears(PacketType::kNewLeader, Z(5, 0)), ElementsAre("append 3:3", "sync 3:3"));
  EXPECT_THAT(f.Synced(Z(3, 3)), ElementsAre("store current epoch 5"));
  EXPECT_THAT(f.CurrentStored(), ElementsAre("send 0 ACK 5:0"));
  EXPECT_THAT(f.Hears(PacketType::kUpToDate, Zxid(-1)),
              ElementsAre("apply 3:3", "serve epoch 5 at 3:3"));
  EXPECT_EQ(f.committed_log.max(), Z(3, 3));
}

TEST(ZabFollowerTest, ATruncCutsTheLogBeforeWhatIsBehindItIsAppended) {
  Follower f;
  f.Discover();
  EXPECT_THAT(f.Hears(PacketType::kTrunc, Z(3, 1)), IsEmpty());
  f.HearsProposal(Z(4, 1));
  f.Hears(PacketType::kCommit, Z(4, 1));
  EXPECT_THAT(f.Hears(PacketType::kNewLeader, Z(5, 0)), ElementsAre("truncate 3:1"));
  EXPECT_THAT(f.BaseInstalled(), ElementsAre("append 4:1", "sync 4:1"));
  EXPECT_THAT(f.Synced(Z(4, 1)), ElementsAre("store current epoch 5"));
  EXPECT_THAT(f.CurrentStored(), ElementsAre("send 0 ACK 5:0"));
}

TEST(ZabFollowerTest, ASnapshotIsDurableBeforeNewLeaderIsAcknowledged) {
  Follower f;
  f.committed_log.Add({Z(3, 2), {}});
  f.Discover();
  f.Hears(PacketType::kSnap, Z(5, 7));
  EXPECT_TRUE(f.committed_log.empty()) << "it goes with the tree that is replaced";
  f.HearsProposal(Z(5, 8));
  EXPECT_THAT(f.Hears(PacketType::kNewLeader, Z(5, 0)), ElementsAre("install 5:7"));
  EXPECT_THAT(f.BaseInstalled(), ElementsAre("append 5:8", "sync 5:8"));
  f.Synced(Z(5, 8));
  EXPECT_THAT(f.CurrentStored(), ElementsAre("send 0 ACK 5:0", "send 0 ACK 5:8"))
      << "what is not committed is acknowledged behind NEWLEADER";
}

TEST(ZabFollowerTest, ALeaderThatVanishesBeforeNewLeaderLeavesTheDiskAsItWas) {
  Follower f;
  f.Discover();
  f.Hears(PacketType::kSnap, Z(5, 7));
  f.HearsProposal(Z(5, 8));
  EXPECT_THAT(f.Do([&](auto& out) { f.machine.OnDisconnected(out); }),
              ElementsAre(HasSubstr("give up")));
}

TEST(ZabFollowerTest, ALogThatCannotBeCutEndsTheTerm) {
  Follower f;
  f.Discover();
  f.Hears(PacketType::kTrunc, Z(3, 1));
  f.Hears(PacketType::kNewLeader, Z(5, 0));
  EXPECT_THAT(f.Do([&](auto& out) { f.machine.OnCutFailed(out); }),
              ElementsAre(HasSubstr("give up")));
}

// ZOOKEEPER-4394: a COMMIT between NEWLEADER and UPTODATE, for what is being logged.
TEST(ZabFollowerTest, WhatIsCommittedBeforeUpToDateIsAppliedWithIt) {
  Follower f;
  f.Discover();
  f.Hears(PacketType::kDiff, Z(3, 2));
  f.HearsProposal(Z(5, 1));
  f.Hears(PacketType::kNewLeader, Z(5, 0));
  EXPECT_THAT(f.Hears(PacketType::kCommit, Z(5, 1)), IsEmpty());
  EXPECT_THAT(f.HearsProposal(Z(5, 2)), ElementsAre("append 5:2", "sync 5:2"));
  EXPECT_THAT(f.Synced(Z(5, 1)), ElementsAre("store current epoch 5"));
  EXPECT_THAT(f.CurrentStored(), ElementsAre("send 0 ACK 5:0", "send 0 ACK 5:1"));
  EXPECT_THAT(f.Synced(Z(5, 2)), ElementsAre("send 0 ACK 5:2"));
  EXPECT_THAT(f.Hears(PacketType::kUpToDate, Zxid(-1)),
              ElementsAre("apply 5:1", "serve epoch 5 at 5:1"));
}

TEST(ZabFollowerTest, AHoleInTheHistoryEndsTheTerm) {
  Follower f;
  f.Discover();
  f.Hears(PacketType::kDiff, Z(3, 4));
  EXPECT_THAT(f.HearsProposal(Z(3, 4)), ElementsAre(HasSubstr("proposal")));
}

TEST(ZabFollowerTest, NewLeaderOfAnotherEpochThanWasPromisedEndsTheTerm) {
  Follower f;
  f.Discover();
  f.Hears(PacketType::kDiff, Z(3, 2));
  EXPECT_THAT(f.Hears(PacketType::kNewLeader, Z(6, 0)), ElementsAre(HasSubstr("give up")));
}

TEST(ZabFollowerTest, EveryPacketOutOfTurnEndsTheTerm) {
  for (const PacketType type :
       {PacketType::kProposal, PacketType::kCommit, PacketType::kNewLeader, PacketType::kUpToDate,
        PacketType::kDiff, PacketType::kSync, PacketType::kRevalidate, PacketType::kInform,
        PacketType::kFollowerInfo, PacketType::kCommitAndActivate}) {
    Follower f;
    f.Do([&](auto& out) { f.machine.Connect(out); });
    EXPECT_THAT(f.Hears(type, Z(5, 0)), ElementsAre(HasSubstr("give up"))) << PacketTypeName(type);
  }
}

// ---- Broadcast [3.7].

TEST(ZabFollowerTest, AProposalIsAcknowledgedOnceItIsOnTheDisk) {
  Follower f;
  f.Serve();
  EXPECT_THAT(f.HearsProposal(Z(5, 1)), ElementsAre("append 5:1", "sync 5:1"));
  EXPECT_THAT(f.HearsProposal(Z(5, 2)), ElementsAre("append 5:2", "sync 5:2"));
  EXPECT_THAT(f.Synced(Z(5, 2)), ElementsAre("send 0 ACK 5:1", "send 0 ACK 5:2"))
      << "one fsync may make several good";
}

TEST(ZabFollowerTest, ACommitMustBeOfTheOldestProposal) {
  Follower f;
  f.Serve();
  f.HearsProposal(Z(5, 1));
  f.HearsProposal(Z(5, 2));
  EXPECT_THAT(f.Hears(PacketType::kCommit, Z(5, 1)), ElementsAre("apply 5:1"));
  EXPECT_THAT(f.Hears(PacketType::kCommit, Z(5, 3)), ElementsAre(HasSubstr("give up")));
}

TEST(ZabFollowerTest, TouchesGoToTheLeaderWithTheNextPing) {
  Follower f;
  f.Serve();
  f.machine.Touch({SessionId(8), 4000});
  f.machine.Touch({SessionId(7), 4000});
  f.machine.Touch({SessionId(8), 6000});
  ZabEffects effects;
  f.machine.Receive({.type = PacketType::kPing, .zxid = Z(5, 0)}, f.now, effects);
  ASSERT_THAT(EffectWords(effects), ElementsAre("send 0 PING 5:0"));
  EXPECT_THAT(*DecodeTouches(std::get<zab::Send>(effects[0]).packet),
              ElementsAre(SessionTouch{SessionId(7), 4000}, SessionTouch{SessionId(8), 6000}));
  effects.clear();
  f.machine.Receive({.type = PacketType::kPing, .zxid = Z(5, 0)}, f.now, effects);
  EXPECT_TRUE(DecodeTouches(std::get<zab::Send>(effects[0]).packet)->empty());
}

TEST(ZabFollowerTest, APingIsNotAnsweredBeforeNewLeader) {
  Follower f;
  f.Discover();
  f.Hears(PacketType::kDiff, Z(3, 2));
  EXPECT_THAT(f.Hears(PacketType::kPing, Z(5, 0)), IsEmpty());
}

TEST(ZabFollowerTest, RequestsSyncsAndSessionsGoToTheLeader) {
  Follower f;
  f.Serve();
  EXPECT_THAT(f.Do([&](auto& out) {
    f.machine.Forward({SessionId(7), Xid(1), OpCode::kSync, {}}, {{"world", "anyone"}}, out);
  }),
              ElementsAre("send 0 REQUEST -"));
  EXPECT_THAT(f.Hears(PacketType::kSync, Zxid(0)), ElementsAre("complete sync"));
  EXPECT_THAT(f.Do([&](auto& out) { f.machine.Revalidate({SessionId(7), 4000}, out); }),
              ElementsAre("send 0 REVALIDATE -"));
  EXPECT_THAT(f.Hears(PacketType::kRevalidate, Zxid(-1), EncodeRevalidated({SessionId(7), true})),
              ElementsAre("session 7 is valid"));
  EXPECT_THAT(f.Hears(PacketType::kRevalidate, Zxid(-1)), ElementsAre(HasSubstr("give up")));
}

// ---- Time [3.8].

TEST(ZabFollowerTest, ItWaitsInitLimitUntilUpToDateAndSyncLimitAfterwards) {
  Follower f;
  f.Discover();
  EXPECT_EQ(f.machine.deadline(), MonotonicTime() + absl::Seconds(10));
  f.Hears(PacketType::kDiff, Z(3, 2));
  f.Hears(PacketType::kNewLeader, Z(5, 0));
  f.CurrentStored();
  f.now = MonotonicTime() + absl::Seconds(9);
  f.Hears(PacketType::kUpToDate, Zxid(-1));
  EXPECT_EQ(f.machine.deadline(), MonotonicTime() + absl::Seconds(13));
  EXPECT_THAT(f.Do([&](auto& out) { f.machine.OnTime(f.now, out); }), IsEmpty());
  f.now = MonotonicTime() + absl::Seconds(13);
  EXPECT_THAT(f.Do([&](auto& out) { f.machine.OnTime(f.now, out); }),
              ElementsAre("give up: the leader was silent for too long"));
}

}  // namespace
}  // namespace highwater::broker::zookeeper
