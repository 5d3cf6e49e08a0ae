#include "sim/disk/simulated_file_system.h"

#include "sim/disk/test_world.h"

namespace highwater::sim {
namespace {

using core::Bytes;
using core::FileInfo;
using core::FileSystem;
using core::OpenMode;

void In(std::function<void(FileSystem&)> body) {
  TestWorld world;
  bool ran = false;
  world.Run([&](FileSystem& files) {
    body(files);
    ran = true;
  });
  EXPECT_TRUE(ran);
}

TEST(SimulatedFileSystemTest, OpensAsTheModeSays) {
  In([](FileSystem& files) {
    EXPECT_TRUE(absl::IsNotFound(files.Open("a", OpenMode::kRead).status()));
    EXPECT_TRUE(absl::IsNotFound(files.Open("a", OpenMode::kReadWrite).status()));
    EXPECT_TRUE(files.Open("a", OpenMode::kCreateExclusive).ok());
    EXPECT_TRUE(absl::IsAlreadyExists(files.Open("a", OpenMode::kCreateExclusive).status()));
    EXPECT_TRUE(files.Open("/a", OpenMode::kCreate).ok());
    EXPECT_TRUE(absl::IsNotFound(files.Open("d/a", OpenMode::kCreate).status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(files.Open("a/b", OpenMode::kCreate).status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(files.Open("/", OpenMode::kRead).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(files.Open("../a", OpenMode::kCreate).status()));
    auto file = *files.Open("a", OpenMode::kRead);
    EXPECT_TRUE(absl::IsFailedPrecondition(file->WriteAt(0, Bytes::Copy("x"))));
  });
}

TEST(SimulatedFileSystemTest, ReadsUpToTheEnd) {
  In([](FileSystem& files) {
    auto file = *files.Open("a", OpenMode::kCreate);
    ASSERT_TRUE(file->WriteAt(2, Bytes::Copy("abc")).ok());
    EXPECT_EQ(file->ReadAt(0, 100)->ToString(), std::string("\0\0abc", 5));
    EXPECT_EQ(file->ReadAt(4, 1)->ToString(), "c");
    EXPECT_EQ(file->ReadAt(5, 1)->size(), 0u);
    EXPECT_EQ(file->ReadAt(500, 1)->size(), 0u);
    ASSERT_TRUE(file->Truncate(3).ok());
    ASSERT_TRUE(file->Truncate(4).ok());
    EXPECT_EQ(file->ReadAt(0, 100)->ToString(), std::string("\0\0a\0", 4));
    EXPECT_EQ(*file->Size(), 4u);
    EXPECT_TRUE(absl::IsInvalidArgument(file->WriteAt(~uint64_t{0}, Bytes::Copy("abc"))));
  });
}

TEST(SimulatedFileSystemTest, ListsSortedNamesWithTheirKinds) {
  In([](FileSystem& files) {
    ASSERT_TRUE(files.Open("b", OpenMode::kCreate).ok());
    ASSERT_TRUE(files.CreateDirectory("c").ok());
    ASSERT_TRUE(files.Open("a", OpenMode::kCreate).ok());
    const auto entries = *files.List("/");
    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[0].name, "a");
    EXPECT_EQ(entries[1].name, "b");
    EXPECT_EQ(entries[2].name, "c");
    EXPECT_EQ(entries[2].kind, FileInfo::Kind::kDirectory);
    EXPECT_TRUE(absl::IsAlreadyExists(files.CreateDirectory("c")));
    EXPECT_TRUE(absl::IsFailedPrecondition(files.List("a").status()));
    EXPECT_TRUE(absl::IsNotFound(files.List("x").status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(files.SyncDirectory("a")));
  });
}

TEST(SimulatedFileSystemTest, RenamesFilesAndDirectoriesUnderOpenHandles) {
  In([](FileSystem& files) {
    ASSERT_TRUE(core::CreateDirectories(files, "t/p").ok());
    auto file = *files.Open("t/p/a", OpenMode::kCreate);
    ASSERT_TRUE(files.Rename("t/p", "t/q").ok());
    ASSERT_TRUE(file->WriteAt(0, Bytes::Copy("abc")).ok());
    EXPECT_EQ(*core::ReadWholeFile(files, "t/q/a"), "abc");
    auto replaced = *files.Open("t/q/b", OpenMode::kCreate);
    ASSERT_TRUE(replaced->WriteAt(0, Bytes::Copy("old")).ok());
    ASSERT_TRUE(files.Rename("t/q/a", "t/q/b").ok());
    EXPECT_EQ(*core::ReadWholeFile(files, "t/q/b"), "abc");
    EXPECT_EQ(replaced->ReadAt(0, 3)->ToString(), "old");
    EXPECT_TRUE(absl::IsNotFound(files.Stat("t/q/a").status()));
  });
}

TEST(SimulatedFileSystemTest, ARemovedFileStaysReadableThroughItsHandle) {
  In([](FileSystem& files) {
    auto file = *files.Open("a", OpenMode::kCreate);
    ASSERT_TRUE(file->WriteAt(0, Bytes::Copy("abc")).ok());
    ASSERT_TRUE(files.Remove("a").ok());
    EXPECT_TRUE(absl::IsNotFound(files.Stat("a").status()));
    EXPECT_EQ(file->ReadAt(0, 3)->ToString(), "abc");
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(files.SyncDirectory("/").ok());
    EXPECT_EQ(file->ReadAt(0, 3)->ToString(), "abc");
  });
}

TEST(SimulatedFileSystemTest, StatTellsSizeKindAndTimeOfTheLastWrite) {
  In([](FileSystem& files) {
    auto file = *files.Open("a", OpenMode::kCreate);
    const absl::Time created = files.Stat("a")->modified;
    ASSERT_TRUE(file->WriteAt(0, Bytes::Copy("abc")).ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(file->WriteAt(0, Bytes::Copy("d")).ok());
    EXPECT_EQ(files.Stat("a")->size, 3u);
    EXPECT_GT(files.Stat("a")->modified, created);
    EXPECT_EQ(files.Stat("/")->kind, FileInfo::Kind::kDirectory);
  });
}

TEST(SimulatedFileSystemTest, ALockIsHeldByOneUntilItGoes) {
  In([](FileSystem& files) {
    auto lock = files.Lock("l");
    ASSERT_TRUE(lock.ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(files.Lock("l").status()));
    lock->reset();
    EXPECT_TRUE(files.Lock("l").ok());
  });
}

TEST(SimulatedFileSystemTest, AHandleThatOutlivesItsFileSystemDoesNothing) {
  TestWorld world;
  std::shared_ptr<core::File> kept;
  world.Run([&](FileSystem& files) { kept = *files.Open("a", OpenMode::kCreate); });
  world.Crash();
  EXPECT_TRUE(absl::IsCancelled(kept->WriteAt(0, Bytes::Copy("x"))));
  world.StartProcess();
  EXPECT_TRUE(absl::IsCancelled(kept->Sync()));
}

}  // namespace
}  // namespace highwater::sim
