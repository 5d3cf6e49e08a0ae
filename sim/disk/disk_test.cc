#include "sim/disk/disk.h"

#include <string>
#include <vector>

#include "sim/disk/test_world.h"

namespace highwater::sim {
namespace {

using core::ByteChain;
using core::Bytes;
using core::FileSystem;
using core::OpenMode;
using Kind = DiskFault::Kind;

constexpr int64_t kMs = 1'000'000;

std::string Read(FileSystem& files, std::string_view path) {
  auto content = core::ReadWholeFile(files, path);
  return content.ok() ? *content : std::string(content.status().message());
}

void WriteFile(FileSystem& files, std::string_view path, std::string_view content) {
  auto file = files.Open(path, OpenMode::kCreate);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->WriteAt(0, Bytes::Copy(content)).ok());
}

void WriteAndSync(FileSystem& files, std::string_view path, std::string_view content) {
  auto file = files.Open(path, OpenMode::kCreate);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->WriteAt(0, Bytes::Copy(content)).ok());
  ASSERT_TRUE((*file)->Sync().ok());
  ASSERT_TRUE(files.SyncDirectory("/").ok());
}

TEST(DiskTest, WritesAndCachedReadsCostNoTimeAndNoSwitch) {
  TestWorld world;
  world.Run(
      [&](FileSystem& files) {
        auto file = *files.Open("a", OpenMode::kCreate);
        const uint64_t timers = world.timers_set;
        for (int i = 0; i < 100; ++i) {
          ASSERT_TRUE(file->WriteAt(i * 3, Bytes::Copy("abc")).ok());
          ASSERT_EQ(file->ReadAt(i * 3, 10)->ToString(), "abc");
        }
        EXPECT_EQ(world.timers_set, timers);
        EXPECT_EQ(world.Now(), 0);
      },
      0);
  EXPECT_EQ(world.fiber_runs, 1u);
}

TEST(DiskTest, ASyncTakesItsTime) {
  TestWorld world;
  world.Run([&](FileSystem& files) {
    WriteFile(files, "a", "abc");
    auto file = *files.Open("a", OpenMode::kReadWrite);
    ASSERT_TRUE(file->Sync().ok());
    EXPECT_GE(world.Now(), 2 * kMs);
    EXPECT_LE(world.Now(), 21 * kMs);
    const int64_t then = world.Now();
    ASSERT_TRUE(file->Sync().ok());
    EXPECT_EQ(world.Now(), then) << "nothing was dirty";
  });
}

TEST(DiskTest, WriteBackMakesEverythingDurableInTheEndAndThenRests) {
  TestWorld world;
  world.Run([](FileSystem& files) {
    for (int i = 0; i < 20; ++i) WriteFile(files, fmt::format("f{}", i), "content");
  });
  EXPECT_TRUE(world.idle());
  EXPECT_GE(world.disk().statistics().written_back, 1u);
  world.Run([](FileSystem& files) { WriteFile(files, "f3", "CONTENT"); });
  world.LosePower();
  world.StartProcess();
  world.Run([](FileSystem& files) {
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(Read(files, fmt::format("f{}", i)), i == 3 ? "CONTENT" : "content");
    }
  });
}

TEST(DiskTest, ACrashOfTheProcessKeepsThePageCache) {
  TestWorld world;
  world.Run([](FileSystem& files) { WriteFile(files, "a", "abc"); }, 0);
  world.Crash();
  world.StartProcess();
  world.Run([](FileSystem& files) { EXPECT_EQ(Read(files, "a"), "abc"); }, 0);
}

TEST(DiskTest, APowerLossDuringASyncKeepsADrawnPart) {
  std::set<std::string> results;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    TestWorld world({}, seed);
    world.Run([](FileSystem& files) { WriteAndSync(files, "a", "old"); }, 100 * kMs);
    world.Run(
        [](FileSystem& files) {
          auto file = *files.Open("a", OpenMode::kReadWrite);
          ASSERT_TRUE(file->WriteAt(0, Bytes::Copy("new")).ok());
          static_cast<void>(file->Sync());
          FAIL() << "the power was lost before";
        },
        101 * kMs);
    world.LosePower();
    EXPECT_TRUE(world.idle()) << "nothing is in flight any more";
    world.StartProcess();
    world.Run([&](FileSystem& files) { results.insert(Read(files, "a")); });
  }
  EXPECT_EQ(results, (std::set<std::string>{"old", "new"}));
}

TEST(DiskTest, AfterAPowerLossReadsComeFromTheDevice) {
  TestWorld world;
  world.Run([](FileSystem& files) { WriteAndSync(files, "a", std::string(10'000, 'x')); });
  world.LosePower();
  world.StartProcess();
  world.Run([&](FileSystem& files) {
    const int64_t then = world.Now();
    EXPECT_EQ(Read(files, "a").size(), 10'000u);
    EXPECT_GE(world.Now(), then + 50'000);
    const int64_t again = world.Now();
    EXPECT_EQ(Read(files, "a").size(), 10'000u);
    EXPECT_EQ(world.Now(), again) << "read from the cache";
  });
  EXPECT_EQ(world.disk().statistics().cache_misses, 1u);
}

TEST(DiskTest, WritersWaitAboveTheDirtyLimit) {
  TestWorld world({.bandwidth = 10 << 20, .dirty_limit = 1 << 20});
  world.Run([&](FileSystem& files) {
    auto file = *files.Open("a", OpenMode::kCreate);
    const Bytes block = Bytes::Copy(std::string(256 << 10, 'x'));
    for (uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(file->WriteAt(i << 18, block).ok());
    EXPECT_EQ(world.Now(), 0);
    for (uint64_t i = 4; i < 40; ++i) ASSERT_TRUE(file->WriteAt(i << 18, block).ok());
    EXPECT_GE(world.Now(), 800 * kMs) << "ten megabytes at ten a second, one of them dirty";
    EXPECT_LE(world.disk().model().dirty_bytes(0), uint64_t{1} << 20);
  });
  EXPECT_GE(world.disk().statistics().throttled, 8u);
}

TEST(DiskTest, ColdPagesLeaveAFullCache) {
  TestWorld world({.page_cache = 1 << 20});
  world.Run([&](FileSystem& files) {
    WriteAndSync(files, "cold", std::string(100'000, 'c'));
    WriteAndSync(files, "big", std::string(3 << 20, 'b'));
    EXPECT_EQ(world.disk().statistics().cache_misses, 0u);
    EXPECT_EQ(Read(files, "cold"), std::string(100'000, 'c'));
    EXPECT_EQ(world.disk().statistics().cache_misses, 1u);
  });
}

TEST(DiskTest, AStalledDeviceHoldsSyncsButNotWrites) {
  TestWorld world;
  const FaultId id = world.Fault("stall");
  world.disk().Begin({.id = id, .kind = Kind::kStallDevice});
  int64_t synced = 0;
  world.Run(
      [&](FileSystem& files) {
        WriteFile(files, "a", "abc");
        EXPECT_EQ(world.Now(), 0);
        auto file = *files.Open("a", OpenMode::kReadWrite);
        ASSERT_TRUE(file->Sync().ok());
        synced = world.Now();
      },
      3 * TestWorld::kSecond);
  EXPECT_EQ(synced, 0);
  EXPECT_EQ(world.ledger()[id].observed, 1u);
  world.disk().End(id);
  world.RunUntil(TestWorld::kForever);
  EXPECT_GE(synced, 3 * TestWorld::kSecond);
}

TEST(DiskTest, AStallOfWritesHoldsThemToo) {
  TestWorld world;
  const FaultId id = world.Fault("stall");
  int64_t written = 0;
  world.Run([](FileSystem& files) { WriteFile(files, "a", "abc"); }, 0);
  world.disk().Begin({.id = id, .kind = Kind::kStallWrites});
  world.Run(
      [&](FileSystem& files) {
        EXPECT_EQ(Read(files, "a"), "abc") << "cached reads go on";
        WriteFile(files, "a", "xyz");
        written = world.Now();
      },
      TestWorld::kSecond);
  EXPECT_EQ(written, 0);
  EXPECT_EQ(world.ledger()[id].observed, 1u);
  world.disk().End(id);
  world.RunUntil(TestWorld::kForever);
  EXPECT_EQ(written, TestWorld::kSecond);
}

TEST(DiskTest, AStalledDeviceLeavesTheOthersAlone) {
  TestWorld world({.mounts = {"one", "two"}});
  const FaultId id = world.Fault("stall");
  world.disk().Begin({.id = id, .kind = Kind::kStallWrites, .device = 1});
  bool one = false, two = false;
  world.Spawn([&](FileSystem& files) {
    WriteFile(files, "one/a", "abc");
    one = true;
  });
  world.Run(
      [&](FileSystem& files) {
        WriteFile(files, "two/a", "abc");
        ASSERT_TRUE((*files.Open("two/a", OpenMode::kReadWrite))->Sync().ok());
        two = true;
      },
      TestWorld::kSecond);
  EXPECT_FALSE(one);
  EXPECT_TRUE(two);
}

TEST(DiskTest, AStallThatHoldsNobodyIsNotObserved) {
  TestWorld world;
  const FaultId id = world.Fault("stall");
  world.disk().Begin({.id = id, .kind = Kind::kStallDevice});
  world.Run([](FileSystem& files) { WriteFile(files, "a", "abc"); }, 20 * TestWorld::kSecond);
  EXPECT_EQ(world.ledger()[id].applied, 1u);
  EXPECT_EQ(world.ledger()[id].observed, 0u) << "only write-back was held";
}

TEST(DiskTest, ASlowDeviceTakesLonger) {
  const auto time_of_sync = [](int64_t factor) {
    TestWorld world;
    const FaultId id = world.Fault("slow");
    if (factor > 1) world.disk().Begin({.id = id, .kind = Kind::kSlow, .factor = factor});
    int64_t time = 0;
    world.Run([&](FileSystem& files) {
      WriteFile(files, "a", "abc");
      ASSERT_TRUE((*files.Open("a", OpenMode::kReadWrite))->Sync().ok());
      time = world.Now();
    });
    EXPECT_EQ(world.ledger()[id].observed, factor > 1 ? 1u : 0u);
    return time;
  };
  EXPECT_EQ(time_of_sync(50), 50 * time_of_sync(1));
}

TEST(DiskTest, ErrorsReachTheCallsThatTheyAreMeantFor) {
  TestWorld world;
  const FaultId id = world.Fault("eio");
  world.Run([&](FileSystem& files) {
    WriteAndSync(files, "a", "abc");
    auto file = *files.Open("a", OpenMode::kReadWrite);
    world.disk().Begin({.id = id, .kind = Kind::kReadErrors});
    EXPECT_TRUE(absl::IsDataLoss(file->ReadAt(0, 3).status()));
    EXPECT_TRUE(file->WriteAt(3, Bytes::Copy("d")).ok());
    EXPECT_EQ(world.ledger()[id].observed, 1u);
    world.disk().End(id);
    world.disk().Begin({.id = id, .kind = Kind::kWriteErrors});
    EXPECT_TRUE(absl::IsDataLoss(file->WriteAt(0, Bytes::Copy("d"))));
    EXPECT_TRUE(absl::IsDataLoss(file->Truncate(0)));
    EXPECT_TRUE(absl::IsDataLoss(files.Remove("a")));
    EXPECT_TRUE(absl::IsDataLoss(files.CreateDirectory("d")));
    EXPECT_EQ(world.ledger()[id].observed, 5u);
    world.disk().End(id);
    EXPECT_TRUE(file->WriteAt(0, Bytes::Copy("d")).ok());
  });
}

TEST(DiskTest, AFailedSyncIsReportedOnceAndTheDataIsGoneAfterwards) {
  bool lost = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    TestWorld world({}, seed);
    const FaultId id = world.Fault("sync-error");
    world.Run([&](FileSystem& files) {
      WriteAndSync(files, "a", "old");
      auto file = *files.Open("a", OpenMode::kReadWrite);
      ASSERT_TRUE(file->WriteAt(0, Bytes::Copy("new")).ok());
      world.disk().Begin({.id = id, .kind = Kind::kSyncErrors});
      EXPECT_TRUE(absl::IsDataLoss(file->Sync()));
      world.disk().End(id);
      EXPECT_EQ(world.ledger()[id].observed, 1u);
      EXPECT_TRUE(file->Sync().ok()) << "the trap: it says that all is well";
      EXPECT_EQ(Read(files, "a"), "new");
      world.disk().DropCache();
      const std::string content = Read(files, "a");
      EXPECT_TRUE(content == "old" || content == "new");
      lost |= content == "old";
    });
  }
  EXPECT_TRUE(lost);
}

TEST(DiskTest, AFailedWriteBackIsReportedByTheNextSync) {
  TestWorld world;
  const FaultId id = world.Fault("sync-error");
  world.disk().Begin({.id = id, .kind = Kind::kSyncErrors});
  world.Run([](FileSystem& files) { WriteFile(files, "a", "abc"); }, 20 * TestWorld::kSecond);
  world.disk().End(id);
  EXPECT_EQ(world.ledger()[id].observed, 0u);
  world.Run([&](FileSystem& files) {
    auto file = *files.Open("a", OpenMode::kReadWrite);
    EXPECT_TRUE(absl::IsDataLoss(file->Sync()));
    EXPECT_TRUE(file->Sync().ok());
  });
  EXPECT_EQ(world.ledger()[id].observed, 1u);
}

TEST(DiskTest, AFullDiskTakesAPrefix) {
  TestWorld world({.capacity = 1000});
  world.Run([&](FileSystem& files) {
    auto file = *files.Open("a", OpenMode::kCreate);
    ASSERT_TRUE(file->WriteAt(0, Bytes::Copy(std::string(900, 'a'))).ok());
    EXPECT_EQ(*files.FreeSpace("/"), 100u);
    EXPECT_TRUE(absl::IsResourceExhausted(file->WriteAt(900, Bytes::Copy(std::string(200, 'b')))));
    EXPECT_EQ(*file->Size(), 1000u);
    EXPECT_TRUE(file->WriteAt(0, Bytes::Copy("over what is there")).ok());
    EXPECT_TRUE(absl::IsResourceExhausted(files.Open("b", OpenMode::kCreate).status()));
  });
}

TEST(DiskTest, TheFaultFullIsObservedAndEnds) {
  TestWorld world;
  const FaultId id = world.Fault("full");
  world.Run([&](FileSystem& files) {
    auto file = *files.Open("a", OpenMode::kCreate);
    world.disk().Begin({.id = id, .kind = Kind::kFull});
    EXPECT_TRUE(absl::IsResourceExhausted(file->WriteAt(0, Bytes::Copy("x"))));
    EXPECT_EQ(world.ledger()[id].observed, 1u);
    world.disk().End(id);
    EXPECT_TRUE(file->WriteAt(0, Bytes::Copy("x")).ok());
  });
}

TEST(DiskTest, RemovedFilesGiveTheirRoomBack) {
  TestWorld world;
  world.Run([&](FileSystem& files) {
    WriteFile(files, "a", std::string(5000, 'a'));
    EXPECT_EQ(world.disk().model().used(0), 5000u);
    ASSERT_TRUE(files.Remove("a").ok());
    ASSERT_TRUE(files.SyncDirectory("/").ok());
    EXPECT_EQ(world.disk().model().used(0), 0u);
  });
}

TEST(DiskTest, AFlippedBitIsReadAndObserved) {
  TestWorld world;
  const FaultId id = world.Fault("bit-flip");
  world.Run([&](FileSystem& files) {
    WriteAndSync(files, "a", "abcd");
    ASSERT_TRUE(world.disk().FlipBit("a", id));
    EXPECT_EQ(world.ledger()[id].observed, 0u);
    EXPECT_NE(Read(files, "a"), "abcd");
    EXPECT_GE(world.ledger()[id].observed, 1u);
  });
}

TEST(DiskTest, ALostWriteIsConfirmedAndNotThere) {
  TestWorld world;
  const FaultId id = world.Fault("lost-write");
  world.Run([&](FileSystem& files) {
    WriteAndSync(files, "a", "old");
    world.disk().LoseNextWrite(0, "a", id);
    EXPECT_EQ(world.ledger()[id].applied, 0u);
    WriteAndSync(files, "a", "new");
    EXPECT_EQ(world.ledger()[id].applied, 1u);
    EXPECT_EQ(Read(files, "a"), "old");
    EXPECT_GE(world.ledger()[id].observed, 1u);
  });
}

TEST(DiskTest, ATornWriteIsConfirmedAndThereUpToASector) {
  bool partly = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    TestWorld world({}, seed);
    const FaultId id = world.Fault("torn-write");
    int told = 0;
    world.Run([&](FileSystem& files) {
      world.disk().TearNextWrite(0, "a", id, [&] { ++told; });
      WriteAndSync(files, "a", std::string(4 * kSectorSize, 'x'));
      EXPECT_EQ(world.ledger()[id].applied, 1u);
      const std::string found = Read(files, "a");
      ASSERT_EQ(found.size(), 4 * kSectorSize);
      const size_t whole = found.find('\0');
      ASSERT_NE(whole, std::string::npos) << "nothing is torn";
      EXPECT_EQ(whole % kSectorSize, 0u);
      EXPECT_EQ(found.find('x', whole), std::string::npos);
      partly |= whole > 0;
      EXPECT_GE(world.ledger()[id].observed, 1u);
      // The next one is whole again.
      WriteAndSync(files, "a", std::string(4 * kSectorSize, 'y'));
      EXPECT_EQ(Read(files, "a"), std::string(4 * kSectorSize, 'y'));
    });
    EXPECT_EQ(told, 1);
  }
  EXPECT_TRUE(partly);
}

TEST(DiskTest, AWriteThatWasToBeLostIsMadeIfTheFaultIsTakenBackBefore) {
  TestWorld world;
  const FaultId id = world.Fault("lost-write");
  world.Run([&](FileSystem& files) {
    WriteAndSync(files, "a", "old");
    world.disk().LoseNextWrite(0, "a", id);
    world.disk().Disarm(id);
    WriteAndSync(files, "a", "new");
    EXPECT_EQ(Read(files, "a"), "new");
    EXPECT_EQ(world.ledger()[id].applied, 0u);
  });
}

TEST(DiskTest, AMisdirectedWriteLandsInAnotherPlace) {
  bool elsewhere = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    TestWorld world({}, seed);
    const FaultId id = world.Fault("misdirect");
    world.Run([&](FileSystem& files) {
      WriteAndSync(files, "a", "aaa");
      WriteAndSync(files, "b", "bbb");
      world.disk().MisdirectNextWrite(0, "a", id);
      WriteAndSync(files, "a", "new");
      elsewhere |= Read(files, "b") == "new";
      const std::string a = Read(files, "a");
      EXPECT_TRUE(a == "aaa" || a == "new") << a;
      EXPECT_GE(world.ledger()[id].observed, 1u);
    });
  }
  EXPECT_TRUE(elsewhere);
}

TEST(DiskTest, AReplacedDiskIsEmpty) {
  TestWorld world({.mounts = {"data"}});
  const FaultId id = world.Fault("replace");
  world.Run([&](FileSystem& files) {
    WriteAndSync(files, "data/a", "abc");
    WriteAndSync(files, "b", "abc");
  });
  world.LosePower();
  world.disk().Replace(1, id);
  world.StartProcess();
  world.Run([&](FileSystem& files) {
    EXPECT_EQ(Read(files, "b"), "abc");
    EXPECT_EQ(world.ledger()[id].observed, 0u);
    EXPECT_TRUE(absl::IsNotFound(files.Stat("data/a").status()));
    EXPECT_EQ(world.ledger()[id].observed, 1u);
    EXPECT_EQ(files.List("data")->size(), 0u);
  });
  EXPECT_EQ(world.disk().model().used(1), 0u);
}

TEST(DiskTest, ASyncThatLiesLeavesItToTheNextPowerLoss) {
  TestWorld world;
  const FaultId lie = world.ledger().Request("lie_sync");
  world.disk().Begin({.id = lie, .kind = DiskFault::Kind::kLieSync});
  world.Run([](FileSystem& files) { WriteAndSync(files, "a", "abc"); }, 0);
  EXPECT_EQ(world.ledger()[lie].observed, 2u);  // of the file, and of its name
  EXPECT_FALSE(world.disk().InspectDurable("a").ok());
  EXPECT_TRUE(world.disk().InspectCurrent("a").ok());
}

TEST(DiskTest, ShortReadsAreLegal) {
  TestWorld world;
  world.buggify = true;
  world.Run([&](FileSystem& files) {
    WriteFile(files, "a", "abcdefgh");
    EXPECT_LT((*files.Open("a", OpenMode::kRead))->ReadAt(0, 8)->size(), 8u);
    EXPECT_EQ(Read(files, "a"), "abcdefgh");
  });
}

TEST(DiskTest, InspectShowsWhatAPowerLossWouldKeepAndChangesNothing) {
  TestWorld world;
  world.Run(
      [&](FileSystem& files) {
        WriteAndSync(files, "a", "old");
        WriteFile(files, "a", "newer");
        WriteFile(files, "b", "b");
      },
      100 * kMs);
  const uint64_t hash = world.hash;
  EXPECT_EQ(world.disk().InspectDurable("a")->content.ToString(), "old");
  EXPECT_EQ(world.disk().InspectCurrent("a")->content.ToString(), "newer");
  EXPECT_EQ(world.disk().InspectDurable("a")->certain_prefix, 0u);
  EXPECT_TRUE(absl::IsNotFound(world.disk().InspectDurable("b").status()));
  EXPECT_EQ(world.disk().InspectCurrent("b")->content.ToString(), "b");
  EXPECT_EQ(world.hash, hash);
}

}  // namespace
}  // namespace highwater::sim
