// Rules of recovery, truncation and reading back, one after the other, on files made for them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/zookeeper/log/epoch_files.h"
#include "broker/zookeeper/log/log_history.h"
#include "broker/zookeeper/log/log_tail.h"
#include "broker/zookeeper/log/snapshot_files.h"
#include "broker/zookeeper/log/truncation.h"
#include "tests/zookeeper/log_world.h"

namespace highwater::broker::zookeeper::testing {
namespace {

using ::testing::HasSubstr;

std::vector<Txn> TxnsUpTo(int64_t last) {
  std::vector<Txn> txns;
  for (int64_t zxid = 1; zxid <= last; ++zxid) {
    txns.push_back(AnyTxn(Zxid(zxid), static_cast<uint64_t>(zxid)));
  }
  return txns;
}

// A log file of groups of the given sizes, beginning with `txns`' first.
struct MadeFile {
  std::string bytes;
  std::vector<size_t> ends;  // of each record
};
MadeFile MakeFile(absl::Span<const Txn> txns, std::vector<size_t> groups) {
  MadeFile file{.bytes = EncodeLogHeader().ToString()};
  uint64_t start = 0;
  size_t next = 0;
  for (const size_t size : groups) {
    for (size_t i = 0; i < size; ++i) {
      file.bytes += EncodeRecord(EncodeTxn(txns[next++]), start).view();
      file.ends.push_back(file.bytes.size());
    }
    start = file.bytes.size();
  }
  return file;
}

void Write(core::Environment& env, const std::string& path, const std::string& bytes) {
  auto file = env.files.Open(path, core::OpenMode::kCreate);
  ASSERT_TRUE(file.ok() && (*file)->Truncate(0).ok());
  ASSERT_TRUE((*file)->WriteAt(0, core::Bytes::Copy(bytes)).ok());
}

// Files that a test makes, and what comes of them.
class LogFilesTest : public ::testing::Test {
 protected:
  // In a world of its own: `body` has the directories and the snapshot of an empty tree.
  void InNewWorld(std::function<void(core::Environment&)> body) {
    LogWorld world({});
    bool ran = false;
    world.WithFiles([&](core::Environment& env) {
      ASSERT_TRUE(CreateDataDirectories(env.files, kDirectories).ok());
      ASSERT_TRUE(WriteSnapshot(env, kDirectories, DataTree()).ok());
      body(env);
      ran = true;
    });
    ASSERT_TRUE(ran);
    ASSERT_EQ(world.problem(), "");
  }
  // The last zxid that is recovered, or the error.
  absl::StatusOr<Zxid> Recover(core::Environment& env) {
    auto database = RecoverDatabase(env, kDirectories);
    if (!database.ok()) return database.status();
    EXPECT_EQ(database->tree.last_processed_zxid(), database->last_logged);
    const auto count = static_cast<size_t>(database->last_logged.value());
    if (count <= txns_.size()) {
      const std::vector<Txn> txns(txns_.begin(),
                                  txns_.begin() + static_cast<std::ptrdiff_t>(count));
      EXPECT_EQ(Difference(database->tree, TreeOf(txns)), "");
    }
    return database->last_logged;
  }
  std::string ErrorOf(core::Environment& env) {
    const absl::StatusOr<Zxid> recovered = Recover(env);
    EXPECT_TRUE(absl::IsDataLoss(recovered.status())) << recovered.status();
    return std::string(recovered.status().message());
  }
  static void SnapshotAt(core::Environment& env, int64_t zxid) {
    ASSERT_TRUE(WriteSnapshot(env, kDirectories, TreeOf(TxnsUpTo(zxid))).ok());
  }
  absl::Span<const Txn> Txns(int64_t first, int64_t last) const {
    return absl::MakeConstSpan(txns_).subspan(static_cast<size_t>(first - 1),
                                              static_cast<size_t>(last - first + 1));
  }

  const std::vector<Txn> txns_ = TxnsUpTo(30);
};

// [3.10]
TEST_F(LogFilesTest, ALogCutAnywhereGivesTheRecordsThatAreWholeAndStaysSo) {
  const MadeFile file = MakeFile(Txns(1, 7), {2, 1, 4});
  for (size_t cut = 0; cut <= file.bytes.size(); ++cut) {
    InNewWorld([&](core::Environment& env) {
      Write(env, kDirectories.LogPath(Zxid(1)), file.bytes.substr(0, cut));
      const int64_t whole =
          std::upper_bound(file.ends.begin(), file.ends.end(), cut) - file.ends.begin();
      const absl::StatusOr<Zxid> recovered = Recover(env);
      ASSERT_TRUE(recovered.ok()) << "cut at " << cut << ": " << recovered.status();
      EXPECT_EQ(*recovered, Zxid(whole)) << "cut at " << cut;
      // What was cut off is gone from the file too; a file without a record is gone itself.
      const auto info = env.files.Stat(kDirectories.LogPath(Zxid(1)));
      if (whole == 0) {
        EXPECT_TRUE(absl::IsNotFound(info.status()));
      } else {
        EXPECT_EQ(info->size, file.ends[static_cast<size_t>(whole) - 1]);
      }
      EXPECT_EQ(*Recover(env), Zxid(whole));
    });
  }
}

// [3.10]
TEST_F(LogFilesTest, AFlippedBitIsRefusedWhereverItIs) {
  const MadeFile file = MakeFile(Txns(1, 7), {2, 1, 4});
  for (size_t at = 0; at < file.bytes.size(); ++at) {
    // The header's database id means nothing.
    if (at >= 8 && at < kLogHeaderSize) continue;
    for (const int bit : {0, 3, 7}) {
      InNewWorld([&](core::Environment& env) {
        std::string bytes = file.bytes;
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
        Write(env, kDirectories.LogPath(Zxid(1)), bytes);
        EXPECT_THAT(ErrorOf(env), HasSubstr("log.1: a record at byte")) << at << " bit " << bit;
      });
    }
  }
}

// Zeros in place of the sectors of one group are what a power loss leaves; before it they are not.
TEST_F(LogFilesTest, ALostSectorIsTornOnlyInTheLastGroup) {
  const MadeFile file = MakeFile(Txns(1, 30), {10, 20});
  const size_t group = file.ends[9];
  ASSERT_GT(file.bytes.size(), group + 4 * kSectorSize);
  for (size_t sector = 0; sector < file.bytes.size(); sector += kSectorSize) {
    const size_t end = std::min(sector + kSectorSize, file.bytes.size());
    InNewWorld([&](core::Environment& env) {
      std::string bytes = file.bytes;
      // A sector that the group before shares keeps what was synced.
      const size_t begin = end > group ? std::max(sector, group) : sector;
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                bytes.begin() + static_cast<std::ptrdiff_t>(end), '\0');
      Write(env, kDirectories.LogPath(Zxid(1)), bytes);
      if (begin < group) {
        EXPECT_THAT(ErrorOf(env), HasSubstr("a whole one")) << sector;
        return;
      }
      const int64_t whole =
          std::upper_bound(file.ends.begin(), file.ends.end(), begin) - file.ends.begin();
      EXPECT_EQ(*Recover(env), Zxid(whole)) << sector;
    });
  }
}

TEST_F(LogFilesTest, ZerosThatApachesServerPutsBehindAreTheEndOfAnyFile) {
  InNewWorld([&](core::Environment& env) {
    const std::string zeros(100'000, '\0');
    Write(env, kDirectories.LogPath(Zxid(1)), MakeFile(Txns(1, 4), {4}).bytes + zeros);
    Write(env, kDirectories.LogPath(Zxid(5)), MakeFile(Txns(5, 6), {2}).bytes + zeros);
    EXPECT_EQ(*Recover(env), Zxid(6));
    EXPECT_GT(env.files.Stat(kDirectories.LogPath(Zxid(1)))->size, 100'000u);
    EXPECT_LT(env.files.Stat(kDirectories.LogPath(Zxid(5)))->size, 100'000u)
        << "cut for what follows";
  });
}

// [3.10]
TEST_F(LogFilesTest, AnEarlierFileMayNotBeTorn) {
  InNewWorld([&](core::Environment& env) {
    const std::string first = MakeFile(Txns(1, 4), {4}).bytes;
    Write(env, kDirectories.LogPath(Zxid(1)), first.substr(0, first.size() - 3));
    Write(env, kDirectories.LogPath(Zxid(4)), MakeFile(Txns(4, 6), {3}).bytes);
    EXPECT_THAT(ErrorOf(env), HasSubstr("log.1: a record at byte"));
  });
}

TEST_F(LogFilesTest, AnEmptyNewestFileIsRemoved) {  // [hazard 3]
  for (const std::string& content : {std::string(), std::string("ZK"), std::string(600, '\0')}) {
    InNewWorld([&](core::Environment& env) {
      Write(env, kDirectories.LogPath(Zxid(1)), MakeFile(Txns(1, 4), {4}).bytes);
      Write(env, kDirectories.LogPath(Zxid(5)), content);
      EXPECT_EQ(*Recover(env), Zxid(4));
      EXPECT_TRUE(absl::IsNotFound(env.files.Stat(kDirectories.LogPath(Zxid(5))).status()));
    });
  }
}

TEST_F(LogFilesTest, AMissingTransactionIsRefused) {
  // Between the snapshot and the log, between two files, and within one.
  InNewWorld([&](core::Environment& env) {
    Write(env, kDirectories.LogPath(Zxid(3)), MakeFile(Txns(3, 6), {4}).bytes);
    EXPECT_THAT(ErrorOf(env), HasSubstr("0x3 comes behind 0x0"));
    SnapshotAt(env, 2);
    EXPECT_EQ(*Recover(env), Zxid(6));
  });
  InNewWorld([&](core::Environment& env) {
    Write(env, kDirectories.LogPath(Zxid(1)), MakeFile(Txns(1, 2), {2}).bytes);
    Write(env, kDirectories.LogPath(Zxid(4)), MakeFile(Txns(4, 6), {3}).bytes);
    EXPECT_THAT(ErrorOf(env), HasSubstr("0x4 comes behind 0x2"));
  });
  InNewWorld([&](core::Environment& env) {
    const std::vector<Txn> hole = {txns_[0], txns_[1], txns_[3]};
    Write(env, kDirectories.LogPath(Zxid(1)), MakeFile(hole, {3}).bytes);
    EXPECT_THAT(ErrorOf(env), HasSubstr("has zxid 0x4, which can not stand there"));
  });
}

TEST_F(LogFilesTest, AFileBeginsWithTheTransactionThatItIsNamedFor) {
  InNewWorld([&](core::Environment& env) {
    Write(env, kDirectories.LogPath(Zxid(2)), MakeFile(Txns(1, 4), {4}).bytes);
    EXPECT_THAT(ErrorOf(env), HasSubstr("has zxid 0x1, which can not stand there"));
  });
}

TEST_F(LogFilesTest, ANewEpochBeginsWithItsFirstTransaction) {
  EXPECT_TRUE(MayFollow(Zxid(5), FirstZxidOf(3) + 1));
  EXPECT_FALSE(MayFollow(Zxid(5), FirstZxidOf(3) + 2));
  EXPECT_FALSE(MayFollow(FirstZxidOf(3) + 1, Zxid(5)));
  EXPECT_FALSE(MayFollow(Zxid(5), Zxid(5)));
}

TEST_F(LogFilesTest, LogsWithoutASnapshotAreNoEmptyDatabase) {  // [hazard 11]
  InNewWorld([&](core::Environment& env) {
    Write(env, kDirectories.LogPath(Zxid(1)), MakeFile(Txns(1, 4), {4}).bytes);
    ASSERT_TRUE(env.files.Remove(kDirectories.SnapshotPath(Zxid(0))).ok());
    EXPECT_THAT(ErrorOf(env), HasSubstr("holds no snapshot"));
  });
}

// [3.11]
TEST_F(LogFilesTest, ABadSnapshotIsPassedOverForAnOlderOne) {
  InNewWorld([&](core::Environment& env) {
    Write(env, kDirectories.LogPath(Zxid(1)), MakeFile(Txns(1, 9), {9}).bytes);
    SnapshotAt(env, 7);
    const std::string path = kDirectories.SnapshotPath(Zxid(7));
    const std::string whole = *core::ReadWholeFile(env.files, path);
    EXPECT_EQ(RecoverDatabase(env, kDirectories)->snapshot, Zxid(7));
    for (size_t at = 0; at < whole.size(); at += 7) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ 4);
      Write(env, path, bytes);
      auto database = RecoverDatabase(env, kDirectories);
      ASSERT_TRUE(database.ok()) << database.status();
      EXPECT_EQ(database->snapshot, Zxid(0)) << at;
      EXPECT_EQ(database->last_logged, Zxid(9));
      EXPECT_THAT(database->notes, ::testing::ElementsAre(HasSubstr("snapshot.7: passed over")));
    }
    Write(env, path, "");
    ASSERT_TRUE(env.files.Remove(kDirectories.SnapshotPath(Zxid(0))).ok());
    EXPECT_THAT(ErrorOf(env), HasSubstr("none of the snapshots"));
  });
}

// [3.11]
TEST_F(LogFilesTest, ASnapshotThatReachesPastTheLogIsRefused) {
  InNewWorld([&](core::Environment& env) {
    Write(env, kDirectories.LogPath(Zxid(1)), MakeFile(Txns(1, 9), {9}).bytes);
    DataTree tree = TreeOf(TxnsUpTo(7));
    // While the second half is written three more are applied.
    ASSERT_TRUE(
        WriteSnapshot(env, kDirectories, tree, [&](Zxid) { return absl::OkStatus(); }).ok());
    EXPECT_EQ(*Recover(env), Zxid(9));
    env.fibers.Spawn("writer", [&] {
      for (const Txn& txn : Txns(8, 10)) tree.Apply(txn);
    });
    ASSERT_TRUE(WriteSnapshot(env, kDirectories, tree).ok());
    EXPECT_THAT(ErrorOf(env), HasSubstr("may hold changes up to 0xa, but the log ends at 0x9"));
  });
}

TEST_F(LogFilesTest, TheHistoryIsReadFromAnyZxidThatTheLogHolds) {
  InNewWorld([&](core::Environment& env) {
    Write(env, kDirectories.LogPath(Zxid(1)), MakeFile(Txns(1, 4), {4}).bytes);
    Write(env, kDirectories.LogPath(Zxid(5)), MakeFile(Txns(5, 9), {2, 3}).bytes);
    for (int64_t after = 0; after <= 8; ++after) {
      auto history = LogHistory::OpenAfter(env, kDirectories, Zxid(after), Zxid(8));
      ASSERT_TRUE(history.ok()) << history.status();
      for (int64_t zxid = after + 1; zxid <= 8; ++zxid) {
        EXPECT_EQ(**(*history)->Next(), txns_[static_cast<size_t>(zxid) - 1]);
      }
      EXPECT_EQ(*(*history)->Next(), std::nullopt) << "the ninth is not durable yet";
    }
    ASSERT_TRUE(env.files.Remove(kDirectories.LogPath(Zxid(1))).ok());
    for (const int64_t after : {0, 3, 4}) {
      EXPECT_TRUE(absl::IsOutOfRange(
          LogHistory::OpenAfter(env, kDirectories, Zxid(after), Zxid(8)).status()));
    }
    EXPECT_TRUE(LogHistory::OpenAfter(env, kDirectories, Zxid(5), Zxid(8)).ok());
  });
}

TEST_F(LogFilesTest, ATruncationEndsExactlyAtItsZxid) {  // [hazard 7]
  for (int64_t to = 1; to <= 9; ++to) {
    InNewWorld([&](core::Environment& env) {
      Write(env, kDirectories.LogPath(Zxid(1)), MakeFile(Txns(1, 4), {4}).bytes);
      Write(env, kDirectories.LogPath(Zxid(5)), MakeFile(Txns(5, 6), {2}).bytes);
      Write(env, kDirectories.LogPath(Zxid(7)), MakeFile(Txns(7, 9), {3}).bytes);
      SnapshotAt(env, 5);
      SnapshotAt(env, 8);
      ASSERT_TRUE(TruncateTo(env, kDirectories, Zxid(to)).ok());
      EXPECT_EQ(*Recover(env), Zxid(to));
      // [hazard 9] No snapshot of what was cut is left.
      EXPECT_EQ(env.files.Stat(kDirectories.SnapshotPath(Zxid(5))).ok(), to >= 5);
      EXPECT_EQ(env.files.Stat(kDirectories.SnapshotPath(Zxid(8))).ok(), to >= 8);
      EXPECT_TRUE(absl::IsOutOfRange(TruncateTo(env, kDirectories, Zxid(to + 1))));
    });
  }
}

TEST_F(LogFilesTest, ATruncationRemovesAnOlderSnapshotThatMayHoldWhatIsCut) {  // [hazard 9]
  InNewWorld([&](core::Environment& env) {
    Write(env, kDirectories.LogPath(Zxid(1)), MakeFile(Txns(1, 12), {12}).bytes);
    DataTree tree = TreeOf(TxnsUpTo(5));
    env.fibers.Spawn("writer", [&] {
      for (const Txn& txn : Txns(6, 9)) tree.Apply(txn);
    });
    ASSERT_TRUE(WriteSnapshot(env, kDirectories, tree).ok());  // snapshot.5 with changes up to 9
    ASSERT_TRUE(TruncateTo(env, kDirectories, Zxid(7)).ok());
    EXPECT_FALSE(env.files.Stat(kDirectories.SnapshotPath(Zxid(5))).ok());
    EXPECT_EQ(*Recover(env), Zxid(7));
    ASSERT_TRUE(env.files.Remove(kDirectories.SnapshotPath(Zxid(0))).ok());
    SnapshotAt(env, 6);
    EXPECT_TRUE(absl::IsOutOfRange(TruncateTo(env, kDirectories, Zxid(5))));
    EXPECT_TRUE(env.files.Stat(kDirectories.SnapshotPath(Zxid(6))).ok()) << "nothing was changed";
  });
}

TEST_F(LogFilesTest, ATruncationThatThePowerLossCutsShortLeavesAHistoryThatStarts) {
  uint64_t effects = 1;
  for (uint64_t n = 0; n <= effects; ++n) {
    LogWorld world({.seed = n + 1});
    world.WithFiles([&](core::Environment& env) {
      ASSERT_TRUE(CreateDataDirectories(env.files, kDirectories).ok());
      ASSERT_TRUE(WriteSnapshot(env, kDirectories, DataTree()).ok());
      for (const int64_t first : {1, 4, 7, 10}) {
        const std::string path = kDirectories.LogPath(Zxid(first));
        Write(env, path, MakeFile(Txns(first, first + 2), {3}).bytes);
        ASSERT_TRUE((*env.files.Open(path, core::OpenMode::kRead))->Sync().ok());
      }
      SnapshotAt(env, 8);
      ASSERT_TRUE(env.files.SyncDirectory(kDirectories.logs).ok());
    });
    const uint64_t before = world.host().effects();
    if (n > 0) world.host().CrashAtPoint(before + n, sim::CrashKind::kPowerLoss);
    world.WithFiles(
        [&](core::Environment& env) { ASSERT_TRUE(TruncateTo(env, kDirectories, Zxid(5)).ok()); });
    if (n == 0) effects = world.host().effects() - before;
    world.WithFiles([&](core::Environment& env) {
      const absl::StatusOr<Zxid> recovered = Recover(env);
      ASSERT_TRUE(recovered.ok()) << "effect " << n << ": " << recovered.status();
      EXPECT_GE(*recovered, Zxid(5));
      ASSERT_TRUE(TruncateTo(env, kDirectories, Zxid(5)).ok());
      EXPECT_EQ(*Recover(env), Zxid(5));
    });
    ASSERT_EQ(world.problem(), "");
  }
  EXPECT_GE(effects, 7u);
}

TEST_F(LogFilesTest, EpochsAreWrittenWhereTheyAreMissingAndOutlastThePower) {  // [3.1]
  LogWorld world({});
  world.WithFiles([&](core::Environment& env) {
    ASSERT_TRUE(CreateDataDirectories(env.files, kDirectories).ok());
    EXPECT_EQ(*LoadEpochs(env.files, kDirectories, FirstZxidOf(2) + 7), (Epochs{2, 2}));
    ASSERT_TRUE(StoreAcceptedEpoch(env.files, kDirectories, 5).ok());
    ASSERT_TRUE(StoreCurrentEpoch(env.files, kDirectories, 4).ok());
    world.host().LosePower();
    env.fibers.SleepFor(absl::Hours(1));
  });
  world.WithFiles([&](core::Environment& env) {
    EXPECT_EQ(*LoadEpochs(env.files, kDirectories, FirstZxidOf(4) + 1), (Epochs{5, 4}));
    EXPECT_EQ(*core::ReadWholeFile(env.files, "data/version-2/acceptedEpoch"), "5");
    EXPECT_TRUE(absl::IsDataLoss(LoadEpochs(env.files, kDirectories, FirstZxidOf(6) + 1).status()));
    EXPECT_EQ(*LoadEpochs(env.files, kDirectories, FirstZxidOf(5) + 1), (Epochs{5, 5}));
    Write(env, "data/version-2/currentEpoch", "x");
    EXPECT_TRUE(absl::IsDataLoss(LoadEpochs(env.files, kDirectories, FirstZxidOf(5) + 1).status()));
  });
  EXPECT_EQ(world.problem(), "");
}

}  // namespace
}  // namespace highwater::broker::zookeeper::testing
