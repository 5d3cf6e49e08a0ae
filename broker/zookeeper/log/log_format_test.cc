#include "broker/zookeeper/log/log_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "broker/zookeeper/log/epoch_files.h"
#include "broker/zookeeper/log/file_names.h"
#include "broker/zookeeper/log/log_tail.h"
#include "broker/zookeeper/log/purge.h"
#include "broker/zookeeper/log/snapshot_format.h"
#include "broker/zookeeper/log/snapshot_schedule.h"

namespace highwater::broker::zookeeper {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Txn ACreate(int64_t zxid, std::string data) {
  return {
      .header = {.client_id = SessionId(7),
                 .cxid = Xid(1),
                 .zxid = Zxid(zxid),
                 .time = 1,
                 .type = OpCode::kCreate},
      .body = CreateTxn{
          .path = "/a", .data = core::Bytes::Copy(data), .acl = OpenAcl(), .parent_cversion = 1}};
}

// [3.10, 3.12]
TEST(LogFormatTest, TheBytesAreApaches) {
  EXPECT_EQ(EncodeLogHeader().ToString(), std::string("ZKLG\0\0\0\2\0\0\0\0\0\0\0\0", 16));
  // zlib's own value for these bytes.
  EXPECT_EQ(Adler32(kAdlerOfNothing, "Wikipedia"), 0x11e60398u);
  const core::Bytes txn = EncodeTxn(ACreate(1, "x"));
  const core::Bytes record = EncodeRecord(txn, 16);
  EXPECT_EQ(record.view().substr(0, 4), std::string(4, '\0'));
  EXPECT_EQ(record.size(), 8 + 4 + txn.size() + 12 + 1);
  EXPECT_EQ(record[record.size() - 1], 'B');
}

RC_GTEST_PROP(LogFormatTest, ARecordComesBackAsItWas, (const std::string& data, uint64_t start)) {
  const Txn txn = ACreate(5, data);
  const core::Bytes record = EncodeRecord(EncodeTxn(txn), start);
  core::BytesBuilder more;
  more.Append(record.view());
  more.Append("behind it");
  const ParsedRecord parsed = ParseRecord(std::move(more).Freeze());
  RC_ASSERT(parsed.kind == ParsedRecord::Kind::kRecord);
  RC_ASSERT(parsed.size == record.size());
  const auto logged = DecodePayload(parsed.payload);
  RC_ASSERT(logged.ok());
  RC_ASSERT(logged->txn == txn);
  RC_ASSERT(logged->group_start == start);
  for (size_t size = 1; size < record.size(); ++size) {
    RC_ASSERT(ParseRecord(record.Slice(0, size)).kind == ParsedRecord::Kind::kIncomplete);
  }
}

TEST(LogFormatTest, ARecordOfApachesServerHasNoGroup) {
  JuteWriter digest;
  digest(int32_t{2});
  digest(int64_t{0x123456789});
  core::BytesBuilder payload;
  payload.Append(EncodeTxn(ACreate(5, "x")).view());
  payload.Append(std::move(digest).Finish().view());
  const auto logged = DecodePayload(std::move(payload).Freeze());
  ASSERT_TRUE(logged.ok());
  EXPECT_EQ(logged->txn, ACreate(5, "x"));
  EXPECT_EQ(logged->group_start, std::nullopt);
  EXPECT_EQ(DecodePayload(EncodeTxn(ACreate(5, "x")))->group_start, std::nullopt);
}

// Without our word on groups a whole record behind a bad one is always proof of damage.
TEST(LogTailTest, BehindABadPlaceOfApachesServerNoRecordMayStand) {
  core::BytesBuilder rest;
  rest.Append(std::string(kSectorSize, '\0'));
  const core::Bytes txn = EncodeTxn(ACreate(6, "x"));
  JuteWriter record;
  record(int64_t{Adler32(kAdlerOfNothing, txn.view())});
  record(txn);
  record(true);
  core::Bytes bytes = std::move(record).Finish();
  std::string text = bytes.ToString();
  text.back() = 'B';
  rest.Append(text);
  const core::Bytes whole = std::move(rest).Freeze();
  EXPECT_EQ(JudgeTail(whole, kSectorSize, Zxid(4)).kind, TailVerdict::Kind::kDamaged);
  // An older record there is what was in the file before.
  EXPECT_EQ(JudgeTail(whole, kSectorSize, Zxid(6)).kind, TailVerdict::Kind::kTorn);
}

// The first four bytes of a record are zeros: where only they lie in a sector, nothing is missing.
TEST(LogTailTest, ABadRecordAcrossTwoSectorsIsDamagedAsAnyOther) {
  std::string record = EncodeRecord(EncodeTxn(ACreate(5, "some data")), 16).ToString();
  record[40] ^= 1;
  for (uint64_t at = 3 * kSectorSize - 12; at <= 3 * kSectorSize; ++at) {
    const TailVerdict verdict = JudgeTail(core::Bytes::Copy(record), at, Zxid(4));
    EXPECT_EQ(verdict.kind, TailVerdict::Kind::kDamaged) << at;
  }
}

TEST(FileNamesTest, OnlyNamesThatAServerGivesCount) {
  const auto file = [](std::string name) { return core::DirectoryEntry{.name = std::move(name)}; };
  const DataFiles files =
      ClassifyFiles({file("log.1"),
                     file("log.10"),
                     file("log.a"),
                     file("log.0A"),
                     file("log."),
                     file("log.x"),
                     file("log.8000000000000000"),
                     file("snapshot.200000001"),
                     file("snapshot.0"),
                     file("snapshot.5.tmp"),
                       file("install.1f"),
                     file("acceptedEpoch"),
                     {.name = "log.2", .kind = core::FileInfo::Kind::kDirectory}});
  EXPECT_THAT(files.logs, ElementsAre(Zxid(1), Zxid(10), Zxid(16)));
  EXPECT_THAT(files.snapshots, ElementsAre(Zxid(0), FirstZxidOf(2) + 1));
  EXPECT_THAT(files.unfinished, ElementsAre("snapshot.5.tmp"));
  EXPECT_EQ(files.installing, Zxid(0x1f));
  EXPECT_EQ(LogFileName(FirstZxidOf(2) + 1), "log.200000001");
}

TEST(PurgeTest, TheNewestSnapshotsStayAndTheLogFromTheFileThatHoldsTheOldestOfThem) {  // [3.11]
  const DataFiles files{.logs = {Zxid(1), Zxid(11), Zxid(21), Zxid(31)},
                        .snapshots = {Zxid(0), Zxid(10), Zxid(20), Zxid(35)}};
  EXPECT_THAT(FilesToPurge(files, 2).snapshots, ElementsAre(Zxid(0), Zxid(10)));
  EXPECT_THAT(FilesToPurge(files, 2).logs, ElementsAre(Zxid(1)));
  EXPECT_THAT(FilesToPurge(files, 1).logs, ElementsAre(Zxid(1), Zxid(11), Zxid(21)));
  EXPECT_THAT(FilesToPurge(files, 0).snapshots, ElementsAre(Zxid(0), Zxid(10), Zxid(20)));
  EXPECT_THAT(FilesToPurge(files, 3).logs, IsEmpty()) << "log.1 holds 10";
  EXPECT_THAT(FilesToPurge(files, 4).snapshots, IsEmpty());
}

// [3.11]
RC_GTEST_PROP(SnapshotScheduleTest, ASnapshotIsDueBetweenHalfOfSnapCountAndAllOfIt,
              (uint64_t draw)) {
  const auto limit = *rc::gen::inRange<int64_t>(2, 1000);
  SnapshotSchedule schedule({.transactions = limit}, draw);
  int64_t count = 0;
  while (!schedule.Due()) {
    schedule.Count(100);
    ++count;
  }
  RC_ASSERT(count > limit / 2);
  RC_ASSERT(count <= limit + 1);
  schedule.Begin(draw + 1);
  RC_ASSERT(!schedule.Due());
}

TEST(SnapshotScheduleTest, ASnapshotIsDueWhenTheLogHasGrown) {
  SnapshotSchedule schedule({.transactions = 1000, .bytes = 10'000}, 3);
  schedule.Count(5'000);
  EXPECT_FALSE(schedule.Due());
  schedule.Count(5'000);
  EXPECT_TRUE(schedule.Due());
}

TEST(EpochFilesTest, WhatTheFilesSayMustFitTheLog) {  // [3.1]
  const Zxid last = FirstZxidOf(4) + 9;
  EXPECT_EQ(*JudgeEpochs({}, last), (Epochs{4, 4})) << "taken from the log";
  EXPECT_EQ(*JudgeEpochs({.accepted = 7, .current = 6}, last), (Epochs{7, 6}));
  EXPECT_EQ(*JudgeEpochs({.current = 6}, last), (Epochs{6, 6}));
  EXPECT_EQ(*JudgeEpochs({.accepted = 7, .current = 3}, last), (Epochs{7, 4})) << "from the log";
  EXPECT_FALSE(JudgeEpochs({.accepted = 3, .current = 3}, last).ok()) << "never promised";
  EXPECT_FALSE(JudgeEpochs({.accepted = 5, .current = 6}, last).ok()) << "less was promised";
  EXPECT_EQ(*ParseEpoch("12\n"), 12);
  for (const char* text : {"", "x", "-1", "1 2", "99999999999"})
    EXPECT_FALSE(ParseEpoch(text).ok()) << text;
}

}  // namespace
}  // namespace highwater::broker::zookeeper
