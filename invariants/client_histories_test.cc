// The invariants of client histories, each seen to hold and seen to fail.

#include "invariants/history.h"
#include "invariants/invariant.h"

namespace highwater::invariants {
namespace {

using broker::BrokerId;
using broker::Offset;
using broker::PartitionIndex;
using broker::TopicPartition;

class Collector final : public ViolationSink {
 public:
  void Report(Violation violation) override { violations.push_back(std::move(violation)); }
  std::vector<Violation> violations;
};

class ClientHistoriesTest : public ::testing::Test {
 protected:
  void Judge(std::string_view id) {
    for (const InvariantInfo& info : CatalogOfInvariants()) {
      if (info.id == id) invariant_ = info.make(facts_, sink_);
    }
    ASSERT_NE(invariant_, nullptr) << id;
    EXPECT_EQ(invariant_->id(), id);
  }
  RecordId Sent(int64_t at = 0, int16_t acks = -1) {
    return history_.AddSend(producer_,
                            {.partition = orders_, .acks = acks, .invoked = absl::Seconds(at)});
  }
  void Acked(RecordId id, int64_t offset, int64_t at = 1) {
    invariant_->OnAcked(
        {.id = id, .partition = orders_, .offset = Offset(offset), .at = absl::Seconds(at)});
  }
  void Read(RecordId id, int64_t offset, uint64_t poll = 1, std::string_view who = "consumer-0") {
    invariant_->OnConsumed({.consumer = who,
                            .partition = orders_,
                            .offset = Offset(offset),
                            .value = value_,
                            .id = id,
                            .poll = poll,
                            .at = absl::Seconds(2)});
  }
  void Jumped(int64_t from, JumpReason reason) {
    invariant_->OnPositionJumped({.consumer = "consumer-0",
                                  .partition = orders_,
                                  .from = Offset(from),
                                  .reason = reason,
                                  .at = absl::Seconds(2)});
  }
  void Rest(int64_t log_start = 0) {
    invariant_->AtRest({{.partition = orders_,
                         .readable = true,
                         .as_of = absl::Seconds(8),
                         .log_start = Offset(log_start)}},
                       absl::Seconds(9));
  }
  size_t Found() { return std::exchange(sink_.violations, {}).size(); }

  TopicPartition orders_{"orders", PartitionIndex(0)};
  ClientHistory history_;
  ReplicaLogs logs_;
  RunFacts facts_{.history = history_, .logs = logs_, .promise = [](std::string_view) {
                    return TopicPromise{};
                  }};
  Collector sink_;
  core::Bytes value_;
  uint32_t producer_ = history_.AddProducer("producer-0");
  std::unique_ptr<Invariant> invariant_;
};

TEST_F(ClientHistoriesTest, AnOffsetHoldsOneRecordWhoeverLooks) {
  Judge("inconsistent-offsets");
  const RecordId a = Sent(), b = Sent();
  Acked(a, 5);
  Read(a, 5);
  Read(a, 5, 1, "consumer-1");
  Read(a, 6);  // a copy is another matter
  EXPECT_EQ(Found(), 0u);
  Read(b, 5, 1, "consumer-1");
  ASSERT_EQ(sink_.violations.size(), 1u);
  EXPECT_EQ(sink_.violations[0].offset, Offset(5));
  EXPECT_EQ(sink_.violations[0].witnesses[1], "read as producer-0/0, then read as producer-0/1");
}

TEST_F(ClientHistoriesTest, AnOffsetThatOnlyALeaderAcknowledgedIsMarkedAsSuch) {
  Judge("inconsistent-offsets");
  const RecordId lost = Sent(0, 1), b = Sent(), c = Sent();
  Acked(lost, 5);
  Read(b, 5);
  ASSERT_EQ(sink_.violations.size(), 1u);
  EXPECT_EQ(sink_.violations[0].acks, 1);
  Read(c, 5, 1, "consumer-1");
  ASSERT_EQ(sink_.violations.size(), 2u);
  EXPECT_EQ(sink_.violations[1].acks, std::nullopt) << "two readers differ";
}

TEST_F(ClientHistoriesTest, AFailedRecordIsNeverRead) {
  Judge("G1a");
  const RecordId stored = Sent(), failed = Sent(), later = Sent();
  history_.Of(failed).outcome = SendOutcome::kFailed;
  Read(stored, 1);
  EXPECT_EQ(Found(), 0u);
  Read(failed, 2);
  Read(failed, 2, 1, "consumer-1");
  EXPECT_EQ(Found(), 1u) << "once a record";
  Read(later, 3);
  invariant_->OnSendFailed({.id = later, .partition = orders_, .at = absl::Seconds(3)});
  EXPECT_EQ(Found(), 1u);
}

TEST_F(ClientHistoriesTest, AnAckedRecordThatReadersPassedByIsALostWrite) {
  Judge("lost-write");
  const RecordId a = Sent(), b = Sent(), c = Sent();
  Acked(a, 1);
  Acked(b, 2);
  Acked(c, 3);
  Read(a, 1);
  Rest();
  EXPECT_EQ(Found(), 0u) << "nobody came so far";
  Read(c, 3);
  Rest(3);
  EXPECT_EQ(Found(), 0u) << "retention took it";
  Rest();
  ASSERT_EQ(sink_.violations.size(), 1u);
  EXPECT_EQ(sink_.violations[0].offset, Offset(2));
}

TEST_F(ClientHistoriesTest, ACopyFarBehindProvesNothingOfWhatLiesBetween) {
  Judge("lost-write");
  const RecordId a = Sent(), b = Sent();
  Acked(a, 1);
  Acked(b, 2);
  Read(a, 1);
  Read(a, 3);
  Rest();
  EXPECT_EQ(Found(), 0u);
}

TEST_F(ClientHistoriesTest, AnAckedRecordThatNobodyReadIsUnseen) {
  Judge("unseen");
  const RecordId a = Sent(), b = Sent(), late = Sent();
  Acked(a, 1);
  Acked(b, 2);
  Acked(late, 3, 9);
  Read(a, 1);
  Read(b, 2);
  Rest();
  EXPECT_EQ(Found(), 0u) << "the last one came when the reader had looked";
  const RecordId d = Sent();
  Acked(d, 4);
  Rest();
  EXPECT_EQ(Found(), 1u);
}

TEST_F(ClientHistoriesTest, AConsumerThatReadsOnIsHandedEveryRecordOnce) {
  for (const std::string_view rule :
       {"poll-skip", "nonmonotonic-poll", "int-poll-skip", "int-nonmonotonic-poll"}) {
    Judge(rule);
    for (int64_t offset = 1; offset <= 9; ++offset) {
      Read(Sent(), offset, static_cast<uint64_t>(offset) / 3);
    }
    Rest();
    EXPECT_EQ(Found(), 0u) << rule;
  }
}

TEST_F(ClientHistoriesTest, GoingBackFromOnePollToTheNextIsNonmonotonic) {
  Judge("nonmonotonic-poll");
  const RecordId a = Sent(), b = Sent();
  Read(a, 1, 1);
  Read(b, 2, 2);
  Read(b, 2, 3);
  EXPECT_EQ(Found(), 1u);
  Read(a, 1, 3);
  EXPECT_EQ(Found(), 0u) << "that is within one poll";
  Jumped(2, JumpReason::kAsked);
  Read(a, 1, 4);
  EXPECT_EQ(Found(), 0u) << "it asked for that";
  Read(a, 1, 1, "consumer-1");
  EXPECT_EQ(Found(), 0u) << "another one reads for itself";
}

TEST_F(ClientHistoriesTest, GoingBackWithinAPollHasANameOfItsOwn) {
  Judge("int-nonmonotonic-poll");
  const RecordId a = Sent(), b = Sent();
  Read(b, 2, 1);
  Read(a, 1, 1);
  EXPECT_EQ(Found(), 1u);
  Read(a, 1, 2);
  EXPECT_EQ(Found(), 0u);
}

TEST_F(ClientHistoriesTest, ASkipIsOneIfSomebodyKnowsOfARecordInTheHole) {
  Judge("poll-skip");
  const RecordId a = Sent(), b = Sent(), c = Sent();
  Read(a, 1, 1);
  Read(c, 3, 2);
  Rest();
  EXPECT_EQ(Found(), 0u) << "a control batch, for all that anybody knows";
  Acked(b, 2);
  Rest();
  ASSERT_EQ(sink_.violations.size(), 1u);
  EXPECT_EQ(sink_.violations[0].offset, Offset(2));
}

TEST_F(ClientHistoriesTest, ASkipBelowTheLogStartIsRetentions) {
  Judge("poll-skip");
  const RecordId a = Sent(), b = Sent(), c = Sent();
  Acked(b, 2);
  Read(a, 1, 1);
  Read(c, 3, 2);
  logs_.OnLogStartMoved(BrokerId(0), orders_, Offset(3));
  Rest();
  EXPECT_EQ(Found(), 0u);
}

TEST_F(ClientHistoriesTest, ASkipWithinAPollHasANameOfItsOwn) {
  Judge("int-poll-skip");
  const RecordId a = Sent(), b = Sent(), c = Sent();
  Acked(b, 2);
  Read(a, 1, 1);
  Read(c, 3, 2);
  Rest();
  EXPECT_EQ(Found(), 0u);
  Read(a, 1, 1, "consumer-1");
  Read(c, 3, 1, "consumer-1");
  Rest();
  EXPECT_EQ(Found(), 1u);
}

TEST_F(ClientHistoriesTest, WhatWasAckedBeforeASendStandsBeforeIt) {
  Judge("realtime-inversion");
  const RecordId a = Sent(0), during = Sent(0), after = Sent(2), inverted = Sent(4);
  Acked(a, 10, 1);
  Acked(during, 9, 2);  // sent before a was acknowledged: either order will do
  Acked(after, 11, 3);
  EXPECT_EQ(Found(), 0u);
  Acked(inverted, 8, 5);
  ASSERT_EQ(sink_.violations.size(), 1u);
  EXPECT_EQ(sink_.violations[0].acks, -1);
}

TEST_F(ClientHistoriesTest, AnInversionAgainstALeadersOwnWordIsMarkedAsSuch) {
  Judge("realtime-inversion");
  const RecordId alone = Sent(0, 1), after = Sent(2);
  Acked(alone, 10, 1);
  Acked(after, 7, 3);
  ASSERT_EQ(sink_.violations.size(), 1u);
  EXPECT_EQ(sink_.violations[0].acks, 1);
}

TEST_F(ClientHistoriesTest, APositionWithinTheCommittedLogIsAGoodOne) {
  Judge("spurious-reset");
  const TopicPartition& orders = orders_;
  logs_.OnAppended(BrokerId(0), {.partition = orders,
                                 .leader_epoch = broker::LeaderEpoch(0),
                                 .base_offset = Offset(0),
                                 .last_offset = Offset(9),
                                 .digest = 1});
  logs_.OnHighWatermarkMoved(BrokerId(0), orders_, Offset(10));
  logs_.OnLogStartMoved(BrokerId(0), orders_, Offset(4));
  Jumped(7, JumpReason::kAsked);
  Jumped(3, JumpReason::kOutOfRange);
  Jumped(11, JumpReason::kOutOfRange);
  EXPECT_EQ(Found(), 0u);
  Jumped(4, JumpReason::kOutOfRange);
  Jumped(10, JumpReason::kTruncation);
  EXPECT_EQ(Found(), 2u);
}

}  // namespace
}  // namespace highwater::invariants
