#include "broker/controller/election.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/controller/controller_rules.h"

namespace highwater::broker::controller {
namespace {

using protocol::ErrorCode;
using zk::Contains;
using zk::LeaderRecoveryState;

std::vector<BrokerId> Ids(std::initializer_list<int32_t> ids) {
  std::vector<BrokerId> brokers;
  for (const int32_t id : ids) brokers.emplace_back(id);
  return brokers;
}

LeaderAndIsr State(std::vector<BrokerId> isr, BrokerId leader = kNoBroker) {
  return {.leader = leader, .leader_epoch = LeaderEpoch(5), .isr = std::move(isr)};
}

ElectionFacts Facts(const LeaderAndIsr& state, std::vector<BrokerId> live) {
  return {.state = state,
          .replicas = Ids({1, 2, 3}),
          .live = live,
          .live_or_shutting_down = live,
          .target = Ids({1, 2, 3})};
}

// [C37, C38]
TEST(ElectionTest, TakesTheFirstLiveMemberOfTheIsrInTheOrderOfTheAssignmentC32) {
  const LeaderAndIsr state = State(Ids({3, 2, 1}), BrokerId(1));
  const Elected elected = ElectOffline(Facts(state, Ids({2, 3})));
  EXPECT_EQ(elected.error, ErrorCode::NONE);
  EXPECT_EQ(elected.state.leader, BrokerId(2));
  EXPECT_EQ(elected.state.isr, Ids({3, 2}));  // the order of the ISR stays
  EXPECT_EQ(elected.recipients, Ids({2, 3}));
  EXPECT_EQ(elected.state.leader_epoch, LeaderEpoch(5));
}

TEST(ElectionTest, LeavesAPartitionOfflineWithoutALiveMemberC32) {
  const LeaderAndIsr state = State(Ids({1}));
  EXPECT_EQ(ElectOffline(Facts(state, Ids({2, 3}))).error,
            ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE);
}

TEST(ElectionTest, TakesAnybodyLiveWhereUncleanElectionsAreAllowedC32) {
  const LeaderAndIsr state = State(Ids({1}));
  ElectionFacts facts = Facts(state, Ids({2, 3}));
  facts.unclean_allowed = true;
  for (const auto rule : {ElectOffline, ElectOfflineOfKafka323}) {
    const Elected elected = rule(facts);
    EXPECT_EQ(elected.state.leader, BrokerId(2));
    EXPECT_EQ(elected.state.isr, Ids({2}));
    EXPECT_EQ(elected.state.recovery, LeaderRecoveryState::kRecovering);
  }
}

TEST(ElectionTest, AReassignmentPrefersItsTargetAndKeepsTheIsrC34) {
  const LeaderAndIsr state = State(Ids({1, 2, 3}), BrokerId(1));
  ElectionFacts facts = Facts(state, Ids({1, 3}));
  facts.target = Ids({2, 3});
  const Elected elected = ElectReassigned(facts);
  EXPECT_EQ(elected.state.leader, BrokerId(3));
  EXPECT_EQ(elected.state.isr, Ids({1, 2, 3}));
  EXPECT_EQ(elected.recipients, Ids({3}));
}

// [C37]
TEST(ElectionTest, WhoIsNoReplicaAnyMoreLeavesTheIsrWithTheSameWriteC93) {
  LeaderAndIsr state = State(Ids({1, 2, 3, 4}), BrokerId(3));
  state.unclean = Ids({1});
  state.eligible = Ids({2, 5});
  const LeaderAndIsr limited = LimitedTo(state, Ids({3, 4, 5}));
  EXPECT_EQ(limited.isr, Ids({3, 4}));
  EXPECT_EQ(limited.leader, BrokerId(3));
  EXPECT_EQ(limited.unclean, Ids({}));
  EXPECT_EQ(limited.eligible, Ids({5}));
}

TEST(ElectionTest, ALeaderThatIsNoReplicaAnyMoreKeepsItsIsrUntilItIsStoppedC93) {
  const LeaderAndIsr state = State(Ids({1, 2, 3}), BrokerId(1));
  EXPECT_EQ(LimitedTo(state, Ids({2, 3})).isr, Ids({1, 2, 3}));
}

TEST(ElectionTest, TheOnlyCopiesInSyncAreNotDroppedC94) {
  const LeaderAndIsr state = State(Ids({1, 4}), BrokerId(4));
  EXPECT_FALSE(MayDropOthers(state, Ids({2, 3}), 1));
  EXPECT_FALSE(MayDropOthers(state, Ids({1, 2, 3}), 2));
  EXPECT_TRUE(MayDropOthers(state, Ids({1, 2, 3}), 1));
  EXPECT_TRUE(MayDropOthers(state, Ids({1}), 2));
  LeaderAndIsr suspect = state;
  suspect.unclean = Ids({1});
  EXPECT_FALSE(MayDropOthers(suspect, Ids({1, 2, 3}), 1));
}

TEST(ElectionTest, AnIsrIsNeverEmptiedByANewAssignmentC93) {
  const LeaderAndIsr state = State(Ids({1}));
  EXPECT_EQ(LimitedTo(state, Ids({2, 3})).isr, Ids({1}));
}

TEST(ElectionTest, ThePreferredReplicaMustBeLiveAndInSyncC35) {
  const LeaderAndIsr state = State(Ids({1, 2}), BrokerId(2));
  EXPECT_EQ(ElectPreferred(Facts(state, Ids({1, 2}))).state.leader, BrokerId(1));
  EXPECT_EQ(ElectPreferred(Facts(state, Ids({2}))).error,
            ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE);
  const LeaderAndIsr behind = State(Ids({2}), BrokerId(2));
  EXPECT_EQ(ElectPreferred(Facts(behind, Ids({1, 2}))).error,
            ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE);
}

// [C33, C37]
TEST(ElectionTest, AShutdownTakesTheBrokerFromTheIsrC36) {
  const LeaderAndIsr state = State(Ids({1, 2, 3}), BrokerId(1));
  ElectionFacts facts = Facts(state, Ids({2, 3}));
  facts.live_or_shutting_down = Ids({1, 2, 3});
  facts.shutting_down = Ids({1});
  const Elected elected = ElectAtShutdown(facts);
  EXPECT_EQ(elected.state.leader, BrokerId(2));
  EXPECT_EQ(elected.state.isr, Ids({2, 3}));
  EXPECT_EQ(elected.recipients, Ids({1, 2, 3}));
}

TEST(ElectionTest, TheLastMemberOfTheIsrStaysC41) {
  const LeaderAndIsr two = WithoutReplica(State(Ids({1, 2}), BrokerId(1)), BrokerId(1));
  EXPECT_EQ(two.isr, Ids({2}));
  EXPECT_EQ(two.leader, kNoBroker);
  const LeaderAndIsr one = WithoutReplica(State(Ids({1}), BrokerId(1)), BrokerId(1));
  EXPECT_EQ(one.isr, Ids({1}));
  EXPECT_EQ(one.leader, kNoBroker);
}

// ---- W1.

TEST(ElectionTest, WhoLeavesATooSmallIsrStaysEligibleW1) {
  const LeaderAndIsr state = State(Ids({1, 2, 3}), BrokerId(1));
  EXPECT_TRUE(EligibleAfter(state, Ids({1, 2}), 2).empty());
  EXPECT_EQ(EligibleAfter(state, Ids({1}), 2), Ids({2, 3}));
  LeaderAndIsr small = State(Ids({1}), BrokerId(1));
  small.eligible = Ids({2});
  EXPECT_TRUE(EligibleAfter(small, Ids({1, 3}), 2).empty());
  EXPECT_EQ(EligibleAfter(small, Ids({1}), 2), Ids({2}));
}

TEST(ElectionTest, AnUncleanBrokerLeavesTheIsrWhileSomebodyCleanIsThereW1) {
  const LeaderAndIsr next = AfterUncleanStart(State(Ids({1, 2, 3}), BrokerId(2)), BrokerId(2), 2);
  EXPECT_EQ(next.isr, Ids({1, 3}));
  EXPECT_EQ(next.leader, kNoBroker);
  EXPECT_TRUE(next.unclean.empty());
}

// Two were in sync. One crashes and comes back, having lost nothing; then the other loses power.
TEST(ElectionTest, AnEligibleReplicaThatCameBackUncleanIsComparedWithTheLastMemberW1) {
  LeaderAndIsr state = State(Ids({1}), BrokerId(1));
  state.eligible = Ids({2});
  state = AfterUncleanStart(state, BrokerId(2), 2);
  EXPECT_EQ(state.leader, BrokerId(1));
  EXPECT_EQ(state.eligible, Ids({2}));
  EXPECT_EQ(state.unclean, Ids({2}));
  state = AfterUncleanStart(state, BrokerId(1), 2);
  EXPECT_EQ(ElectOffline(Facts(state, Ids({1, 2, 3}))).error,
            ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE);
  EXPECT_EQ(ReplicasToCompare(state, Ids({1, 2, 3})), Ids({1, 2}));
}

TEST(ElectionTest, TheLastCleanMemberStaysAndIsMarkedW1) {
  const LeaderAndIsr next = AfterUncleanStart(State(Ids({1})), BrokerId(1), 2);
  EXPECT_EQ(next.isr, Ids({1}));
  EXPECT_EQ(next.unclean, Ids({1}));
  EXPECT_EQ(ElectOffline(Facts(next, Ids({1, 2, 3}))).error,
            ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE);
  EXPECT_EQ(ElectOfflineOfKafka323(Facts(next, Ids({1, 2, 3}))).state.leader, BrokerId(1));
  EXPECT_EQ(ReplicasToCompare(next, Ids({1, 2, 3})), Ids({1}));
}

TEST(ElectionTest, WhoCameBackUncleanIsAskedTooIfTheLastOfTheIsrDoesW1) {
  // 1 was killed and has lost nothing; 2, which stays alone, has lost its tail.
  LeaderAndIsr state = AfterUncleanStart(State(Ids({1, 2}), BrokerId(1)), BrokerId(1), 2);
  EXPECT_EQ(state.isr, Ids({2}));
  ElectionFacts facts = Facts(state, Ids({1, 2, 3}));
  facts.min_insync_replicas = 2;
  state = ElectOffline(facts).state;
  EXPECT_EQ(state.leader, BrokerId(2));
  EXPECT_EQ(state.isr, Ids({2}));
  state = AfterUncleanStart(state, BrokerId(2), 2);
  EXPECT_EQ(ReplicasToCompare(state, Ids({1, 2, 3})), Ids({1, 2}));
}

TEST(ElectionTest, WhoCameBackUncleanIsForgottenWhereTheIsrCanCommitWithoutItW1) {
  const LeaderAndIsr state = AfterUncleanStart(State(Ids({1, 2, 3})), BrokerId(1), 2);
  EXPECT_TRUE(state.eligible.empty());
  EXPECT_TRUE(state.unclean.empty());
}

TEST(ElectionTest, ACleanEligibleReplicaIsWaitedForAndElectedW1) {
  LeaderAndIsr state = State(Ids({1}));
  state.unclean = Ids({1});
  state.eligible = Ids({2});
  EXPECT_TRUE(ReplicasToCompare(state, Ids({1, 2, 3})).empty());
  EXPECT_EQ(ElectOffline(Facts(state, Ids({1, 3}))).error,
            ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE);
  const Elected elected = ElectOffline(Facts(state, Ids({1, 2})));
  EXPECT_EQ(elected.state.leader, BrokerId(2));
  EXPECT_EQ(elected.state.isr, Ids({2}));
  EXPECT_TRUE(elected.state.unclean.empty());
}

TEST(ElectionTest, TheGreatestEpochCountsBeforeTheLongestLogW1) {
  LeaderAndIsr state = State(Ids({1, 2}));
  state.eligible = Ids({3});
  state.unclean = Ids({1, 2, 3});
  const ElectionFacts facts = Facts(state, Ids({1, 2, 3}));
  const LogEnd old{LeaderEpoch(4), Offset(100)};
  const LogEnd recent{LeaderEpoch(5), Offset(50)};
  EXPECT_EQ(ElectByLogEnd(facts, {{BrokerId(1), old}, {BrokerId(2), recent}, {BrokerId(3), old}})
                .state.leader,
            BrokerId(2));
  EXPECT_EQ(ElectByLogEnd(facts, {{BrokerId(1), old}, {BrokerId(2), old}, {BrokerId(3), old}})
                .state.leader,
            BrokerId(1));
  const Elected eligible =
      ElectByLogEnd(facts, {{BrokerId(1), {}}, {BrokerId(2), old}, {BrokerId(3), recent}});
  EXPECT_EQ(eligible.state.leader, BrokerId(3));
  EXPECT_EQ(eligible.state.isr, Ids({3}));
  EXPECT_TRUE(eligible.state.unclean.empty()) << "one replica is enough here";
  ElectionFacts two = facts;
  two.min_insync_replicas = 2;
  const Elected kept =
      ElectByLogEnd(two, {{BrokerId(1), {}}, {BrokerId(2), old}, {BrokerId(3), recent}});
  EXPECT_EQ(kept.state.eligible, Ids({1, 2}));
  EXPECT_EQ(kept.state.unclean, Ids({1, 2})) << "compared again should 3 come back unclean";
}

// A model of one partition: which replica holds all that was committed. Damage never meets as many
// as min.insync.replicas between two comparisons; then no election may lose anything.
RC_GTEST_PROP(ElectionTest, NoElectionLosesWhatWasCommittedWithinTheGuaranteeW1, ()) {
  const int32_t min_insync = *rc::gen::inRange(1, 4);
  LeaderAndIsr state = State(Ids({1, 2, 3}), BrokerId(1));
  std::vector<BrokerId> live = Ids({1, 2, 3});
  // Those that hold every committed record.
  std::vector<BrokerId> complete = Ids({1, 2, 3});
  std::vector<BrokerId> damaged;
  const auto commit = [&] {
    // A leader commits only with enough in sync; who is not, misses it.
    if (state.leader == kNoBroker || !Contains(live, state.leader)) return;
    if (static_cast<int32_t>(state.isr.size()) < min_insync) return;
    RC_ASSERT(Contains(complete, state.leader));
    complete = state.isr;
    damaged = zk::Without(damaged, state.isr);
  };
  const int steps = *rc::gen::inRange(20, 80);
  for (int i = 0; i < steps; ++i) {
    const BrokerId id(*rc::gen::inRange(1, 4));
    switch (*rc::gen::inRange(0, 6)) {
      case 0:  // dies
        if (!Contains(live, id)) break;
        live = zk::Without(live, {id});
        if (Contains(state.isr, id)) {
          LeaderAndIsr next = WithoutReplica(state, id);
          if (next.isr != state.isr) next.eligible = EligibleAfter(state, next.isr, min_insync);
          state = next;
        }
        break;
      case 1:  // comes back clean
        if (Contains(live, id)) break;
        live.push_back(id);
        break;
      case 2: {  // comes back having lost records
        if (Contains(live, id)) break;
        std::vector<BrokerId> after = damaged;
        if (!Contains(after, id)) after.push_back(id);
        if (static_cast<int32_t>(after.size()) >= min_insync) break;
        damaged = after;
        complete = zk::Without(complete, {id});
        live.push_back(id);
        state = AfterUncleanStart(state, id, min_insync);
        break;
      }
      case 3:  // comes back unclean, but has lost nothing
        if (Contains(live, id)) break;
        live.push_back(id);
        state = AfterUncleanStart(state, id, min_insync);
        break;
      case 4:  // catches up
        if (state.leader == kNoBroker || !Contains(live, state.leader)) break;
        if (!Contains(live, id) || Contains(state.isr, id)) break;
        if (!Contains(complete, id)) complete.push_back(id);
        damaged = zk::Without(damaged, {id});
        {
          std::vector<BrokerId> isr = state.isr;
          isr.push_back(id);
          state.eligible = EligibleAfter(state, isr, min_insync);
          state.unclean = UncleanAfter(state, state.eligible);
          state.isr = isr;
        }
        break;
      default:
        commit();
        break;
    }
    std::sort(live.begin(), live.end());
    if (state.leader == kNoBroker) {
      ElectionFacts facts = Facts(state, live);
      facts.min_insync_replicas = min_insync;
      const Elected elected = ElectOffline(facts);
      if (elected.error == ErrorCode::NONE) {
        state = elected.state;
        RC_ASSERT(Contains(complete, state.leader));
      } else if (const auto compared = ReplicasToCompare(state, facts.replicas);
                 !compared.empty()) {
        bool all = true;
        std::map<BrokerId, LogEnd> ends;
        for (const BrokerId replica : compared) {
          all = all && Contains(live, replica);
          ends[replica] = {LeaderEpoch(0), Offset(Contains(complete, replica) ? 10 : 5)};
        }
        if (!all) continue;
        state = ElectByLogEnd(facts, ends).state;
        RC_ASSERT(Contains(complete, state.leader));
      }
    }
    RC_ASSERT(!state.isr.empty());
    if (state.leader != kNoBroker) RC_ASSERT(Contains(state.isr, state.leader));
  }
}

// Whatever is offered, the winner is live, assigned, in its own ISR, and from the ISR before or the
// eligible ones.
RC_GTEST_PROP(ElectionTest, AnOrdinaryWinnerIsVouchedFor, ()) {
  const auto some = [] {
    const int drawn = *rc::gen::inRange(0, 8);
    std::vector<BrokerId> ids;
    for (int32_t id = 1; id <= 3; ++id) {
      if ((drawn >> (id - 1) & 1) != 0) ids.emplace_back(id);
    }
    return ids;
  };
  LeaderAndIsr state = State(some());
  state.eligible = zk::Without(some(), state.isr);
  state.unclean = some();
  const Elected elected = ElectOffline(Facts(state, some()));
  if (elected.error != ErrorCode::NONE) return;
  RC_ASSERT(Contains(state.isr, elected.state.leader) ||
            Contains(state.eligible, elected.state.leader));
  RC_ASSERT(!Contains(state.unclean, elected.state.leader));
  RC_ASSERT(Contains(elected.state.isr, elected.state.leader));
  for (const BrokerId id : elected.state.isr) RC_ASSERT(!Contains(state.unclean, id));
}

}  // namespace
}  // namespace highwater::broker::controller
