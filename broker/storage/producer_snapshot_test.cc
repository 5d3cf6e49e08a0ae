#include "broker/storage/producer_snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ProducerStateEntry EntryOf(int64_t id, int batches, int16_t epoch = 2) {
  ProducerStateEntry entry{.producer_id = ProducerId(id), .epoch = epoch};
  for (int32_t i = 0; i < batches; ++i) {
    entry.batches.push_back({.last_sequence = 10 * i + 9,
                             .last_offset = Offset(100 * id + 20 * i),
                             .offset_delta = 9,
                             .timestamp = 1000 + i});
    entry.last_timestamp = 1000 + i;
  }
  return entry;
}

std::string BytesOf(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text.push_back(static_cast<char>(byte));
  return text;
}

// [I11] Byte for byte, as Kafka 3.2.3 lays it out.
TEST(ProducerSnapshotTest, HasKafkasLayout) {
  ProducerStateEntry entry = EntryOf(258, 1);
  entry.coordinator_epoch = 3;
  const std::string bytes = EncodeProducerSnapshot({entry}, ProducerStateRules());
  ASSERT_EQ(bytes.size(), 10u + 46u);
  EXPECT_EQ(bytes.substr(0, 2), BytesOf({0, 1}));
  EXPECT_EQ(bytes.substr(6),
            BytesOf({0,    0,    0,    1,                             // rows
                     0,    0,    0,    0,    0,    0,    1,    2,     // id
                     0,    2,                                         // epoch
                     0,    0,    0,    9,                             // last sequence
                     0,    0,    0,    0,    0,    0,    0x64, 0xc8,  // last offset
                     0,    0,    0,    9,                             // offset delta
                     0,    0,    0,    0,    0,    0,    3,    0xe8,  // timestamp
                     0,    0,    0,    3,                             // coordinator
                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
}

// [I11]
TEST(ProducerSnapshotTest, KeepsAllRememberedBatchesTheLastOneLast) {
  const std::vector<ProducerStateEntry> entries = {EntryOf(1, 5), EntryOf(2, 0), EntryOf(3, 2)};
  const std::string bytes = EncodeProducerSnapshot(entries, ProducerStateRules());
  EXPECT_EQ(bytes.size(), 10u + 46u * (5 + 1 + 2));
  const auto read = DecodeProducerSnapshot(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, entries);
}

// [W12] What 3.2.3 itself writes.
// [I11]
TEST(ProducerSnapshotTest, ByKafkasOwnRuleOnlyTheLastBatchIsKept) {
  const std::string bytes = EncodeProducerSnapshot({EntryOf(1, 5)}, ProducerStateRules::Kafka323());
  const auto read = DecodeProducerSnapshot(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 1u);
  EXPECT_THAT((*read)[0].batches, ElementsAre(EntryOf(1, 5).batches.back()));
}

RC_GTEST_PROP(ProducerSnapshotProperty, ReadsBackWhatWasWritten, ()) {
  std::vector<ProducerStateEntry> entries;
  const auto count = *rc::gen::inRange(0, 6);
  for (int id = 0; id < count; ++id) {
    ProducerStateEntry entry =
        EntryOf(id, *rc::gen::inRange(0, 6), *rc::gen::inRange<int16_t>(0, 32767));
    if (entry.batches.empty()) entry.last_timestamp = *rc::gen::arbitrary<int64_t>();
    entry.coordinator_epoch = *rc::gen::arbitrary<int32_t>();
    if (*rc::gen::arbitrary<bool>()) entry.open_transaction = Offset(*rc::gen::inRange(0, 99));
    entries.push_back(entry);
  }
  const auto read = DecodeProducerSnapshot(EncodeProducerSnapshot(entries, ProducerStateRules()));
  RC_ASSERT(read.ok());
  RC_ASSERT(*read == entries);
}

RC_GTEST_PROP(ProducerSnapshotProperty, AnyChangedOrMissingByteIsNoticed, ()) {
  const std::string bytes =
      EncodeProducerSnapshot({EntryOf(1, 3), EntryOf(2, 1)}, ProducerStateRules());
  const auto at = *rc::gen::inRange<size_t>(0, bytes.size());
  std::string broken = bytes;
  broken[at] = static_cast<char>(broken[at] ^ 1 << *rc::gen::inRange(0, 8));
  RC_ASSERT(absl::IsDataLoss(DecodeProducerSnapshot(broken).status()));
  RC_ASSERT(absl::IsDataLoss(DecodeProducerSnapshot(bytes.substr(0, at)).status()));
}

// [I12]
// [M89]
TEST(ProducerSnapshotTest, ASnapshotWithoutSegmentIsStrayUnlessItIsTheNewest) {
  const std::vector<Offset> snapshots = {Offset(3), Offset(10), Offset(15), Offset(22)};
  EXPECT_THAT(StraySnapshots(snapshots, {Offset(10)}), ElementsAre(Offset(3), Offset(15)));
  EXPECT_THAT(StraySnapshots({}, {Offset(10)}), IsEmpty());
}

}  // namespace
}  // namespace highwater::broker::storage
