#include "invariants/history.h"
#include "invariants/invariant.h"

namespace highwater::invariants {
namespace {

using broker::Offset;
using broker::PartitionIndex;
using broker::TopicPartition;

class Collector final : public ViolationSink {
 public:
  void Report(Violation violation) override { violations.push_back(std::move(violation)); }
  std::vector<Violation> violations;
};

class InvariantsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Invariant> Make(std::string_view id, Scope scope = Scope::kPromised) {
    for (const InvariantInfo& info : CatalogOfInvariants()) {
      if (info.id != id) continue;
      RunFacts facts = facts_;
      facts.scope = scope;
      return info.make(facts, sink_);
    }
    return nullptr;
  }
  // How many violations a log of these records shows, from offset 10 on.
  size_t CountAtRest(std::string_view rule, const std::vector<RecordId>& records,
                     Scope scope = Scope::kPromised) {
    PartitionAtRest rest{.partition = orders_, .readable = true, .log_start = Offset(10)};
    for (size_t i = 0; i < records.size(); ++i) {
      rest.records.emplace_back(Offset(10 + static_cast<int64_t>(i)), records[i]);
    }
    Make(rule, scope)->AtRest({rest}, absl::Seconds(9));
    return std::exchange(sink_.violations, {}).size();
  }
  RecordId Sent(int16_t acks = -1, uint32_t size = 100) {
    return history_.AddSend(producer_, {.partition = orders_, .value_size = size, .acks = acks});
  }
  AckedRecord Acked(RecordId id, int64_t offset) {
    return {.id = id, .partition = orders_, .offset = Offset(offset), .at = absl::Seconds(3)};
  }
  static broker::LogLoadedEvent Loaded(const TopicPartition& partition, int64_t end) {
    return {.partition = partition,
            .clean = false,
            .log_start_offset = Offset(0),
            .log_end_offset = Offset(end),
            .truncated_bytes = 10};
  }

  TopicPartition orders_{"orders", PartitionIndex(0)};
  ClientHistory history_;
  ReplicaLogs logs_;
  RunFacts facts_{.history = history_, .logs = logs_, .promise = [](std::string_view) {
                    return TopicPromise{};
                  }};
  Collector sink_;
  uint32_t producer_ = history_.AddProducer("producer-0");
};

TEST_F(InvariantsTest, AnAckedRecordPastTheEndOfAnOpenedLogIsLost) {
  auto durable = Make("acked-durable");
  const RecordId first = Sent(), second = Sent();
  durable->OnAcked(Acked(first, 56));
  durable->OnAcked(Acked(second, 57));
  durable->OnLogLoaded(broker::BrokerId(0), Loaded(orders_, 58), absl::Seconds(4));
  EXPECT_TRUE(sink_.violations.empty());
  durable->OnLogLoaded(broker::BrokerId(0), Loaded(orders_, 57), absl::Seconds(5));
  ASSERT_EQ(sink_.violations.size(), 1u);
  EXPECT_EQ(sink_.violations[0].offset, Offset(57));
  EXPECT_EQ(sink_.violations[0].sentence, "a record acknowledged with acks=all is gone.");
  EXPECT_THAT(sink_.violations[0].witnesses[0], ::testing::HasSubstr("producer-0/1"));
}

TEST_F(InvariantsTest, AcksZeroPromisesNothing) {
  auto durable = Make("acked-durable");
  durable->OnAcked(Acked(Sent(0), 5));
  durable->OnLogLoaded(broker::BrokerId(0), Loaded(orders_, 0), absl::Seconds(4));
  EXPECT_TRUE(sink_.violations.empty());
}

TEST_F(InvariantsTest, AnAckedOffsetThatHoldsSomethingElseAtRestIsLost) {
  auto durable = Make("acked-durable");
  const RecordId lost = Sent(), other = Sent();
  durable->OnAcked(Acked(lost, 3));
  PartitionAtRest rest{.partition = orders_,
                       .readable = true,
                       .as_of = absl::Seconds(8),
                       .log_start = Offset(0),
                       .log_end = Offset(4)};
  rest.records = {{Offset(3), lost}};
  durable->AtRest({rest}, absl::Seconds(9));
  EXPECT_TRUE(sink_.violations.empty());
  rest.records = {{Offset(3), other}};
  durable->AtRest({rest}, absl::Seconds(9));
  EXPECT_EQ(sink_.violations.size(), 1u);
  rest.records.clear();
  durable->AtRest({rest}, absl::Seconds(9));
  EXPECT_EQ(sink_.violations.size(), 2u);
  rest.log_start = Offset(4);  // retention may take it
  durable->AtRest({rest}, absl::Seconds(9));
  EXPECT_EQ(sink_.violations.size(), 2u);
}

TEST_F(InvariantsTest, OneOffsetAcknowledgedTwiceForDifferentRecordsIsALoss) {
  auto durable = Make("acked-durable");
  durable->OnAcked(Acked(Sent(), 3));
  durable->OnAcked(Acked(Sent(), 3));
  EXPECT_EQ(sink_.violations.size(), 1u);
}

TEST_F(InvariantsTest, WhatNobodySentIsAPhantom) {
  auto phantom = Make("phantom");
  const RecordId sent = Sent();
  auto consume = [&](core::Bytes value, const TopicPartition& partition) {
    phantom->OnConsumed({.consumer = "consumer-0",
                         .partition = partition,
                         .offset = Offset(1),
                         .value = value,
                         .id = ParseValue(value),
                         .at = absl::Seconds(1)});
    return std::exchange(sink_.violations, {}).size();
  };
  EXPECT_EQ(consume(MakeValue(sent, 100), orders_), 0u);
  EXPECT_EQ(consume(MakeValue({.client = 0, .operation = 77}, 100), orders_), 1u);
  EXPECT_EQ(consume(MakeValue(sent, 99), orders_), 1u);
  EXPECT_EQ(consume(core::Bytes::Copy("junk"), orders_), 1u);
  EXPECT_EQ(consume(MakeValue(sent, 100), {"orders", PartitionIndex(1)}), 1u);
}

TEST_F(InvariantsTest, AStuckPartitionIsReported) {
  auto readable = Make("readable-at-rest");
  readable->AtRest({{.partition = orders_, .readable = true}}, absl::Seconds(1));
  EXPECT_TRUE(sink_.violations.empty());
  readable->AtRest({{.partition = orders_, .readable = false, .obstacle = "connection refused"}},
                   absl::Seconds(1));
  EXPECT_EQ(sink_.violations.size(), 1u);
}

TEST_F(InvariantsTest, ARecordOfAnIdempotentProducerIsStoredOnce) {
  const uint32_t idempotent = history_.AddProducer("producer-1", {.idempotent = true});
  const auto send = [&](uint32_t client) {
    return history_.AddSend(client, {.partition = orders_});
  };
  const RecordId a = send(idempotent), b = send(idempotent), c = send(producer_);
  EXPECT_EQ(CountAtRest("duplicate", {a, c, b}), 0u);
  EXPECT_EQ(CountAtRest("duplicate", {a, b, a}), 1u);
  EXPECT_EQ(CountAtRest("duplicate", {c, a, c}), 0u) << "it was not promised to that one";
  EXPECT_EQ(CountAtRest("duplicate", {c, a, c}, Scope::kEverybody), 1u);
}

TEST_F(InvariantsTest, ADuplicateNamesBothOffsets) {
  const uint32_t idempotent = history_.AddProducer("producer-1", {.idempotent = true});
  const RecordId a = history_.AddSend(idempotent, {.partition = orders_});
  auto duplicate = Make("duplicate");
  PartitionAtRest rest{.partition = orders_, .readable = true};
  rest.records = {{Offset(3), a}, {Offset(8), a}, {Offset(9), a}};
  duplicate->AtRest({rest}, absl::Seconds(9));
  ASSERT_EQ(sink_.violations.size(), 1u);
  EXPECT_EQ(sink_.violations[0].offset, Offset(8));
  EXPECT_EQ(sink_.violations[0].witnesses[1], "stored at offset 3 and again at offset 8");
}

TEST_F(InvariantsTest, RecordsOfOneProducerStandInTheOrderInWhichTheyWereSent) {
  const uint32_t ordered = history_.AddProducer("producer-1", {.ordered = true});
  const auto send = [&](uint32_t client) {
    return history_.AddSend(client, {.partition = orders_});
  };
  const RecordId a = send(ordered), b = send(ordered), c = send(ordered);
  const RecordId x = send(producer_), y = send(producer_);
  EXPECT_EQ(CountAtRest("nonmonotonic-send", {a, x, b, y, c}), 0u);
  EXPECT_EQ(CountAtRest("nonmonotonic-send", {a, c}), 0u) << "b is lost, which is another matter";
  EXPECT_EQ(CountAtRest("nonmonotonic-send", {a, b, a, c}), 0u) << "a copy is another matter, too";
  EXPECT_EQ(CountAtRest("nonmonotonic-send", {a, c, b}), 1u);
  EXPECT_EQ(CountAtRest("nonmonotonic-send", {y, a, x}), 0u);
  EXPECT_EQ(CountAtRest("nonmonotonic-send", {y, a, x}, Scope::kEverybody), 1u);
}

RC_GTEST_PROP(RecordValueTest, ParsesOnlyWhatWasMade, (uint32_t client, uint32_t operation)) {
  const RecordId id{.client = client, .operation = operation};
  const auto size = *rc::gen::inRange<uint32_t>(kSmallestValue, 2000);
  const core::Bytes value = MakeValue(id, size);
  RC_ASSERT(ParseValue(value) == id);
  std::string broken = value.ToString();
  const auto at = *rc::gen::inRange<size_t>(0, broken.size());
  broken[at] = static_cast<char>(broken[at] ^ 1 << *rc::gen::inRange(0, 8));
  RC_ASSERT(!ParseValue(core::Bytes::Copy(broken)).has_value());
}

}  // namespace
}  // namespace highwater::invariants
