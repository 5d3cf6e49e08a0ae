// The invariants of a replicated partition, each seen to hold and to be violated.

#include <gmock/gmock.h>

#include "invariants/history.h"
#include "invariants/invariant.h"

namespace highwater::invariants {
namespace {

using broker::BrokerId;
using broker::LeaderEpoch;
using broker::Offset;
using broker::TopicPartition;
using ::testing::HasSubstr;

class Collector final : public ViolationSink {
 public:
  void Report(Violation violation) override { violations.push_back(std::move(violation)); }
  std::vector<Violation> violations;
};

class ClusterInvariantsTest : public ::testing::Test {
 protected:
  void Use(std::string_view id) {
    for (const InvariantInfo& info : CatalogOfInvariants()) {
      if (info.id == id) invariant_ = info.make(facts_, sink_);
    }
    ASSERT_NE(invariant_, nullptr);
    EXPECT_EQ(invariant_->id(), id);
  }
  void Append(int32_t broker, int64_t base, int64_t last, int32_t epoch = 0) {
    const broker::AppendedEvent event{.partition = orders_,
                                      .leader_epoch = LeaderEpoch(epoch),
                                      .base_offset = Offset(base),
                                      .last_offset = Offset(last),
                                      .digest = static_cast<uint64_t>(base + 100)};
    logs_.OnAppended(BrokerId(broker), event);
    invariant_->OnAppended(BrokerId(broker), event, absl::Seconds(1));
  }
  void Load(int32_t broker, int64_t end) {
    const broker::LogLoadedEvent event{.partition = orders_,
                                       .clean = false,
                                       .log_start_offset = Offset(0),
                                       .log_end_offset = Offset(end),
                                       .truncated_bytes = 0};
    logs_.OnLogLoaded(BrokerId(broker), event);
    invariant_->OnLogLoaded(BrokerId(broker), event, absl::Seconds(1));
  }
  void Lead(int32_t broker, int32_t epoch, int64_t log_end) {
    invariant_->OnBecameLeader({.broker = BrokerId(broker),
                                .partition = orders_,
                                .epoch = LeaderEpoch(epoch),
                                .log_end = Offset(log_end),
                                .at = absl::Seconds(2)});
  }
  LeaderState State(int32_t leader, int32_t epoch) {
    return {.leader = BrokerId(leader),
            .partition = orders_,
            .epoch = LeaderEpoch(epoch),
            .at = absl::Seconds(3)};
  }
  void Isr(int32_t leader, int32_t epoch, std::vector<BrokerId> isr) {
    invariant_->OnIsrChanged(State(leader, epoch), isr);
  }
  void HighWatermark(int32_t leader, int32_t epoch, int64_t offset) {
    logs_.OnHighWatermarkMoved(BrokerId(leader), orders_, Offset(offset));
    invariant_->OnHighWatermarkMoved(State(leader, epoch), Offset(offset));
  }
  void FollowerHighWatermark(int32_t follower, int32_t epoch, int64_t offset) {
    invariant_->OnFollowerHighWatermarkMoved({.follower = BrokerId(follower),
                                              .partition = orders_,
                                              .epoch = LeaderEpoch(epoch),
                                              .at = absl::Seconds(3)},
                                             Offset(offset));
  }
  void Fetched(int32_t leader, int32_t epoch, int32_t follower, int64_t offset) {
    invariant_->OnFollowerFetched(State(leader, epoch), BrokerId(follower), Offset(offset));
  }
  // The controller writes that state.
  void Write(int32_t epoch, int32_t partition_epoch, const std::vector<int32_t>& isr,
             const std::vector<int32_t>& live) {
    const std::vector<BrokerId> members(isr.begin(), isr.end());
    const std::vector<BrokerId> alive(live.begin(), live.end());
    invariant_->OnPartitionStateWritten({.partition = orders_,
                                         .controller_epoch = broker::ControllerEpoch(1),
                                         .leader = BrokerId(0),
                                         .leader_epoch = LeaderEpoch(epoch),
                                         .isr = members,
                                         .partition_epoch = broker::PartitionEpoch(partition_epoch),
                                         .unclean = false,
                                         .live = alive,
                                         .eligible = {},
                                         .unclean_replicas = {}},
                                        absl::Seconds(4));
  }
  // It writes that the partition has no leader.
  void WriteNoLeader(const std::vector<BrokerId>& isr, const std::vector<BrokerId>& eligible,
                     const std::vector<BrokerId>& unclean) {
    invariant_->OnPartitionStateWritten({.partition = orders_,
                                         .controller_epoch = broker::ControllerEpoch(1),
                                         .leader = broker::kNoBroker,
                                         .leader_epoch = LeaderEpoch(3),
                                         .isr = isr,
                                         .partition_epoch = broker::PartitionEpoch(3),
                                         .unclean = false,
                                         .live = {},
                                         .eligible = eligible,
                                         .unclean_replicas = unclean},
                                        absl::Seconds(4));
  }
  void AtRest(bool readable = true) {
    invariant_->AtRest({{.partition = orders_, .readable = readable}}, absl::Seconds(9));
  }
  size_t Violations() const { return sink_.violations.size(); }

  TopicPartition orders_{"orders", broker::PartitionIndex(0)};
  ClientHistory history_;
  ReplicaLogs logs_;
  RunFacts facts_{.history = history_, .logs = logs_, .promise = [](std::string_view) {
                    return TopicPromise{.replicas = 3, .min_insync_replicas = 2};
                  }};
  Collector sink_;
  std::unique_ptr<Invariant> invariant_;
};

TEST_F(ClusterInvariantsTest, ALeaderThatLacksACommittedRecordIsSeen) {
  Use("committed-kept");
  Append(0, 0, 4);
  Append(0, 5, 5);
  Append(1, 0, 4);
  HighWatermark(0, 0, 5);
  Lead(1, 1, 5);
  EXPECT_EQ(Violations(), 0u);
  HighWatermark(0, 0, 6);
  Lead(1, 2, 5);
  ASSERT_EQ(Violations(), 1u);
  EXPECT_EQ(sink_.violations[0].offset, Offset(5));
  EXPECT_THAT(sink_.violations[0].witnesses[1], HasSubstr("with a log that ends at 5"));
}

TEST_F(ClusterInvariantsTest, ALeaderThatChangedACommittedRecordIsSeen) {
  Use("committed-kept");
  Append(0, 0, 4, 0);
  Append(1, 0, 4, 1);
  HighWatermark(0, 0, 5);
  Lead(1, 2, 5);
  ASSERT_EQ(Violations(), 1u);
  EXPECT_THAT(sink_.violations[0].witnesses[1], HasSubstr("holds 0..4 of leader epoch 1"));
}

TEST_F(ClusterInvariantsTest, ALeaderThatWasSucceededBeforeItKnewNeedNotHaveEverything) {
  Use("committed-kept");
  Append(0, 0, 4, 2);
  HighWatermark(0, 2, 5);
  invariant_->OnBecameLeader({.broker = BrokerId(1),
                              .partition = orders_,
                              .epoch = LeaderEpoch(1),
                              .log_end = Offset(0),
                              .at = absl::Seconds(2),
                              .newest = false});
  EXPECT_EQ(Violations(), 0u);
}

TEST_F(ClusterInvariantsTest, TwoLeadersOfOneEpochAreSeen) {
  Use("one-leader-per-epoch");
  Lead(0, 3, 0);
  Lead(0, 3, 0);
  Lead(1, 4, 0);
  EXPECT_EQ(Violations(), 0u);
  Lead(2, 3, 0);
  EXPECT_EQ(Violations(), 1u);
}

// [H1, W14]
TEST_F(ClusterInvariantsTest, AHighWatermarkThatGoesBackWithinAnEpochIsSeen) {
  Use("high-watermark-monotone");
  HighWatermark(0, 1, 5);
  HighWatermark(0, 1, 6);
  HighWatermark(1, 2, 4);  // a new leader may begin lower [H7]
  HighWatermark(0, 1, 7);  // a deposed one may go on in its epoch
  EXPECT_EQ(Violations(), 0u);
  HighWatermark(1, 2, 3);
  EXPECT_EQ(Violations(), 1u);
}

TEST_F(ClusterInvariantsTest, AnInSyncReplicaWithoutTheCommittedRecordIsSeen) {
  Use("isr-holds-committed");
  Append(0, 0, 4);
  Append(1, 0, 4);
  Isr(0, 0, {BrokerId(0), BrokerId(1)});
  HighWatermark(0, 0, 5);
  EXPECT_EQ(Violations(), 0u);
  Append(0, 5, 5);
  HighWatermark(0, 0, 6);
  EXPECT_EQ(Violations(), 1u);
}

TEST_F(ClusterInvariantsTest, AMemberThatLostDataIsDamageAndNoViolation) {
  Use("isr-holds-committed");
  Append(0, 0, 4);
  Append(1, 0, 4);
  Isr(0, 0, {BrokerId(0), BrokerId(1)});
  Fetched(0, 0, 1, 5);
  Load(1, 0);  // a power loss took it
  Append(0, 5, 5);
  HighWatermark(0, 0, 5);
  EXPECT_EQ(Violations(), 0u);
  Append(1, 0, 4);  // it has fetched again
  HighWatermark(0, 0, 6);
  EXPECT_EQ(Violations(), 1u);
}

// [W7] What it had told the leader of the epoch before counts for nothing.
TEST_F(ClusterInvariantsTest, AMemberThatLostDataBeforeItFetchedInThisEpochIsSeen) {
  Use("isr-holds-committed");
  Append(0, 0, 4);
  Append(1, 0, 4);
  Isr(0, 0, {BrokerId(0), BrokerId(1)});
  Fetched(0, 0, 1, 5);
  Load(1, 0);
  Isr(0, 1, {BrokerId(0), BrokerId(1)});
  HighWatermark(0, 1, 5);
  EXPECT_EQ(Violations(), 1u);
}

TEST_F(ClusterInvariantsTest, AFollowerThatHoldsItsOwnTailToBeCommittedIsSeen) {
  Use("log-matching");
  Append(0, 0, 4, 0);
  Append(1, 0, 4, 0);
  Append(0, 5, 5, 0);  // nobody else has it
  Append(1, 5, 6, 1);
  Lead(1, 1, 5);
  FollowerHighWatermark(0, 1, 5);
  EXPECT_EQ(Violations(), 0u);
  FollowerHighWatermark(0, 1, 6);
  ASSERT_EQ(Violations(), 1u);
  EXPECT_EQ(sink_.violations[0].offset, Offset(5));
  EXPECT_THAT(sink_.violations[0].witnesses[1], HasSubstr("holds 5..5 of leader epoch 0"));
}

TEST_F(ClusterInvariantsTest, AFollowerOfAnOlderLeaderIsNotHeldAgainstTheNewOne) {
  Use("log-matching");
  Append(0, 0, 4, 0);
  Append(1, 0, 4, 1);
  Lead(1, 1, 0);
  FollowerHighWatermark(0, 0, 5);
  EXPECT_EQ(Violations(), 0u);
}

TEST_F(ClusterInvariantsTest, ABrokerThatIsTakenInWhileItIsGoneIsSeen) {
  Use("isr-admits-live");
  Write(0, 0, {0, 1, 2}, {0, 1, 2});
  Write(0, 1, {0, 1}, {0, 1});
  Write(0, 2, {0, 1, 2}, {0, 1, 2});
  EXPECT_EQ(Violations(), 0u);
  Write(0, 3, {0, 1}, {0, 1});
  Write(0, 4, {0, 1, 2}, {0, 1});
  ASSERT_EQ(Violations(), 1u);
  EXPECT_THAT(sink_.violations[0].witnesses[0], HasSubstr("takes broker-2 into the ISR"));
}

TEST_F(ClusterInvariantsTest, ADeadMemberThatStaysIsNotTakenIn) {
  Use("isr-admits-live");
  Write(0, 0, {0, 1, 2}, {0, 1, 2});
  Write(0, 1, {0, 2}, {0});
  EXPECT_EQ(Violations(), 0u);
}

TEST_F(ClusterInvariantsTest, AnUnknownStateBeforeSaysNothingOfWhoWasTakenIn) {
  Use("isr-admits-live");
  Write(0, 0, {0, 1}, {0, 1});
  Write(0, 2, {0, 1, 2}, {0, 1});  // the answer to the write before was lost
  Write(1, 3, {0, 1, 2}, {0, 1});  // an election
  EXPECT_EQ(Violations(), 0u);
}

TEST_F(ClusterInvariantsTest, AReplicaThatIsMissingAtRestIsSeenUnlessItsBrokerIsDown) {
  int32_t down = 0;
  facts_.brokers_down = [&down] { return down; };
  Use("in-sync-at-rest");
  Isr(0, 0, {BrokerId(0), BrokerId(1), BrokerId(2)});
  Isr(1, 1, {BrokerId(0), BrokerId(1)});
  Isr(0, 0, {BrokerId(0), BrokerId(1), BrokerId(2)});  // a deposed leader's word
  down = 1;
  AtRest();
  EXPECT_EQ(Violations(), 0u);
  down = 0;
  AtRest();
  EXPECT_EQ(Violations(), 1u);
}

TEST_F(ClusterInvariantsTest, RecordsThatStayUnseenAtRestAreSeenWhereEnoughAreInSync) {
  Use("committed-at-rest");
  Lead(0, 1, 0);
  Isr(0, 1, {BrokerId(0), BrokerId(1)});
  Append(0, 0, 9);
  HighWatermark(0, 1, 10);
  AtRest();
  EXPECT_EQ(Violations(), 0u);
  Append(0, 10, 11);
  AtRest();
  EXPECT_EQ(Violations(), 1u);
}

TEST_F(ClusterInvariantsTest, ANewLeaderThatNeverCatchesUpWithItsOwnLogIsSeenAtRest) {
  Use("committed-at-rest");
  FollowerHighWatermark(1, 0, 8);
  Lead(1, 1, 10);
  Isr(1, 1, {BrokerId(0), BrokerId(1)});
  AtRest();
  EXPECT_EQ(Violations(), 1u);
  Lead(1, 2, 8);
  Isr(1, 2, {BrokerId(0), BrokerId(1)});
  AtRest();
  EXPECT_EQ(Violations(), 1u);
}

TEST_F(ClusterInvariantsTest, APartitionThatWaitsForABrokerLeftOutIsExcused) {
  std::set<BrokerId> left_out = {BrokerId(2)};
  facts_.left_out = [&left_out] { return left_out; };
  Use("readable-at-rest");
  WriteNoLeader({BrokerId(2)}, {BrokerId(1)}, {BrokerId(1)});
  AtRest(/*readable=*/false);
  EXPECT_EQ(Violations(), 0u);
  left_out.clear();
  AtRest(/*readable=*/false);
  EXPECT_EQ(Violations(), 1u) << "everybody is there";
}

TEST_F(ClusterInvariantsTest, WhoCouldLeadWithoutTheBrokerLeftOutHasNoExcuse) {
  facts_.left_out = [] { return std::set<BrokerId>{BrokerId(2)}; };
  Use("readable-at-rest");
  WriteNoLeader({BrokerId(2)}, {BrokerId(1)}, {});
  AtRest(/*readable=*/false);
  EXPECT_EQ(Violations(), 1u);
}

TEST_F(ClusterInvariantsTest, AReplicaThatMayStillBeWaitedForIsJudgedOnlyWhereThatIsNamed) {
  facts_.settles = false;
  Use("in-sync-at-rest");
  Isr(0, 0, {BrokerId(0)});
  AtRest();
  EXPECT_EQ(Violations(), 0u);
  facts_.scope = Scope::kEverybody;
  Use("in-sync-at-rest");
  Isr(0, 0, {BrokerId(0)});
  AtRest();
  EXPECT_EQ(Violations(), 1u);
}

TEST_F(ClusterInvariantsTest, AcksAllFromTooFewBrokersIsSeen) {
  Use("min-insync-acked");
  Append(0, 0, 4);
  invariant_->OnAcknowledged(State(0, 0), Offset(4), 1);
  EXPECT_EQ(Violations(), 0u);
  invariant_->OnAcknowledged(State(0, 0), Offset(4), -1);
  EXPECT_EQ(Violations(), 1u);
  Append(1, 0, 4);
  invariant_->OnAcknowledged(State(0, 0), Offset(4), -1);
  EXPECT_EQ(Violations(), 1u);
  Load(1, 0);  // it had the record; a power loss before the answer is damage
  invariant_->OnAcknowledged(State(0, 0), Offset(4), -1);
  EXPECT_EQ(Violations(), 1u);
}

TEST_F(ClusterInvariantsTest, AnAckedRecordPastTheEndOfANewLeaderIsLost) {
  Use("acked-durable");
  const uint32_t producer = history_.AddProducer("producer-0");
  const RecordId id = history_.AddSend(producer, {.partition = orders_, .acks = 1});
  invariant_->OnAcked(
      {.id = id, .partition = orders_, .offset = Offset(7), .at = absl::Seconds(1)});
  Lead(1, 1, 8);
  EXPECT_EQ(Violations(), 0u);
  Load(1, 5);  // one replica of three
  EXPECT_EQ(Violations(), 0u);
  Lead(2, 2, 7);
  ASSERT_EQ(Violations(), 1u);
  EXPECT_EQ(sink_.violations[0].sentence, "a record acknowledged with acks=1 is gone.");
  EXPECT_THAT(sink_.violations[0].witnesses[2], HasSubstr("absent      on broker-2"));
}

}  // namespace
}  // namespace highwater::invariants
