#include "scenarios/world/write_watch.h"

#include <gtest/gtest.h>

namespace highwater::scenarios {
namespace {

using broker::Offset;
using broker::TopicPartition;
using invariants::PartitionAtRest;
using invariants::RecordId;
using invariants::Send;
using invariants::SendOutcome;

const TopicPartition kOrders0{"orders", broker::PartitionIndex(0)};
const TopicPartition kOrders1{"orders", broker::PartitionIndex(1)};

absl::Duration At(int64_t seconds) { return absl::Seconds(seconds); }

// Load from second 2 to second 22; watched from 8 to 12.
Scenario Watched() {
  Scenario scenario;
  scenario.topics = {{.name = "orders", .partitions = 2}};
  scenario.run.watch = DurationRange{At(6), At(10)};
  return scenario;
}

PartitionAtRest Found(const TopicPartition& partition, std::vector<RecordId> ids) {
  PartitionAtRest rest{.partition = partition, .readable = true, .as_of = At(30)};
  for (const RecordId id : ids) rest.records.emplace_back(Offset(rest.log_end.value()), id);
  return rest;
}

class WriteWatchTest : public testing::Test {
 protected:
  RecordId Sent(uint32_t client, const TopicPartition& partition, int64_t at,
                SendOutcome outcome = SendOutcome::kAcked, int64_t completed = 0) {
    Send send{.partition = partition, .outcome = outcome, .invoked = At(at)};
    send.completed = completed == 0 ? send.invoked : At(completed);
    return history_.AddSend(client, send);
  }
  SeedMetrics Metrics() const {
    SeedMetrics metrics;
    watch_.AddTo(history_, metrics);
    return metrics;
  }
  uint64_t LostOf(const std::vector<PartitionAtRest>& partitions, bool judged = true) {
    watch_.AtRest(partitions, [&](const std::string&) { return judged; });
    return Metrics().lost;
  }

  invariants::ClientHistory history_;
  uint32_t near_ = history_.AddProducer("producer-0");
  uint32_t far_ = history_.AddProducer("producer-1");
  WriteWatch watch_{Watched()};
};

TEST_F(WriteWatchTest, WhatAProducerWasToldIsSentAndNobodyCanReadIsLost) {
  const RecordId there = Sent(near_, kOrders0, 5);
  Sent(near_, kOrders0, 6);
  Sent(near_, kOrders0, 7, SendOutcome::kFailed);
  Sent(near_, kOrders0, 8, SendOutcome::kUnknown);
  EXPECT_EQ(LostOf({Found(kOrders0, {there})}), 1u);
}

TEST_F(WriteWatchTest, WithAcks0EverythingThatNeverArrivedIsLost) {
  const RecordId id = Sent(near_, kOrders0, 5, SendOutcome::kUnknown);
  history_.Of(id).acks = 0;
  const RecordId refused = Sent(near_, kOrders0, 5, SendOutcome::kFailed);
  history_.Of(refused).acks = 0;
  EXPECT_EQ(LostOf({Found(kOrders0, {})}), 1u);
}

TEST_F(WriteWatchTest, OfAPartitionThatCouldNotBeReadNothingCountsAsLost) {
  Sent(near_, kOrders0, 5);
  PartitionAtRest rest = Found(kOrders0, {});
  rest.readable = false;
  EXPECT_EQ(LostOf({rest}), 0u);
}

TEST_F(WriteWatchTest, WhatRetentionOrATopicsEndTookIsNotLost) {
  Sent(near_, kOrders0, 5);
  PartitionAtRest rest = Found(kOrders0, {});
  rest.log_start = Offset(1);
  EXPECT_EQ(LostOf({rest}), 0u);
  EXPECT_EQ(LostOf({Found(kOrders0, {})}, false), 0u);
}

TEST_F(WriteWatchTest, WhatWasAcknowledgedAfterTheReaderLookedIsNotLost) {
  Sent(near_, kOrders0, 5, SendOutcome::kAcked, 31);
  EXPECT_EQ(LostOf({Found(kOrders0, {})}), 0u);
}

TEST_F(WriteWatchTest, AStallIsTheLongestTimeWithoutAnAnswerWhileThereIsLoad) {
  Sent(near_, kOrders0, 4);
  Sent(far_, kOrders0, 5, SendOutcome::kAcked, 9);
  Sent(near_, kOrders0, 8, SendOutcome::kUnknown);
  Sent(near_, kOrders0, 20, SendOutcome::kAcked, 25);  // the load is over: no answer within it
  EXPECT_EQ(Metrics().write_stall.max(), At(22 - 9));
  EXPECT_EQ(Metrics().write_stall.count(), 1u);
}

TEST_F(WriteWatchTest, CountsPartitionsThatTookARecordWhileItWatchedBySides) {
  watch_.SetCutOff("producer-1", true, At(5));
  Sent(near_, kOrders0, 8);
  Sent(near_, kOrders1, 9, SendOutcome::kAcked, 13);  // answered too late
  Sent(near_, kOrders1, 13);                          // sent too late
  Sent(far_, kOrders0, 9, SendOutcome::kUnknown);
  EXPECT_EQ(Metrics().majority_writes, (WatchedWrites{.offered = 2, .written = 1}));
  EXPECT_EQ(Metrics().minority_writes, (WatchedWrites{.offered = 1, .written = 0}));
}

TEST_F(WriteWatchTest, AClientIsOnTheSideOnWhichItWasWhenItSent) {
  watch_.SetCutOff("producer-1", true, At(5));
  watch_.SetCutOff("producer-1", false, At(10));
  Sent(far_, kOrders0, 9);
  Sent(far_, kOrders0, 10);
  EXPECT_EQ(Metrics().minority_writes.written, 1u);
  EXPECT_EQ(Metrics().majority_writes.written, 1u);
}

}  // namespace
}  // namespace highwater::scenarios
