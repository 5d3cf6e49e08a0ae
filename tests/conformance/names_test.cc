// Names: directories, rename, remove, list, paths, locks.

#include "core/file_system.h"
#include "tests/conformance/world_under_test.h"

namespace highwater::conformance {
namespace {

using core::Bytes;
using core::DirectoryEntry;
using core::FileInfo;
using core::OpenMode;

class NamesTest : public ConformanceTest {
 protected:
  static void Create(core::Environment& env, std::string_view path, std::string_view content = "") {
    auto file = env.files.Open(path, OpenMode::kCreate);
    HW_ASSERT_OK(file);
    HW_EXPECT_OK((*file)->WriteAt(0, Bytes::Copy(content)));
  }
  static std::string Content(core::Environment& env, std::string_view path) {
    auto content = core::ReadWholeFile(env.files, path);
    return content.ok() ? *content : content.status().ToString();
  }
  // "a b/ c": names in the order given, directories with a slash.
  static std::string Listing(core::Environment& env, std::string_view directory) {
    auto entries = env.files.List(directory);
    if (!entries.ok()) return entries.status().ToString();
    std::string result;
    for (const DirectoryEntry& entry : *entries) {
      if (!result.empty()) result += ' ';
      result += entry.name;
      if (entry.kind == FileInfo::Kind::kDirectory) result += '/';
    }
    return result;
  }
};

TEST_P(NamesTest, ListsInOrderOfBytes) {
  world_->Run([](core::Environment& env) {
    for (const char* name : {"b", "a", "B", "a.log", "a-1", "10", "9"}) Create(env, name);
    HW_EXPECT_OK(env.files.CreateDirectory("dir"));
    Create(env, "dir/inside");
    EXPECT_EQ(Listing(env, "/"), "10 9 B a a-1 a.log b dir/");
    EXPECT_EQ(Listing(env, "."), Listing(env, "/"));
    EXPECT_EQ(Listing(env, "dir"), "inside");
    EXPECT_EQ(Listing(env, "/dir/"), "inside");
    HW_EXPECT_CODE(env.files.List("none"), kNotFound);
    HW_EXPECT_CODE(env.files.List("a"), kFailedPrecondition);
  });
}

TEST_P(NamesTest, DirectoriesNeedAParentAndAFreeName) {
  world_->Run([](core::Environment& env) {
    HW_EXPECT_CODE(env.files.CreateDirectory("a/b"), kNotFound);
    HW_EXPECT_OK(env.files.CreateDirectory("a"));
    HW_EXPECT_OK(env.files.CreateDirectory("a/b"));
    HW_EXPECT_CODE(env.files.CreateDirectory("a/b"), kAlreadyExists);
    Create(env, "file");
    HW_EXPECT_CODE(env.files.CreateDirectory("file"), kAlreadyExists);
    HW_EXPECT_CODE(env.files.CreateDirectory("file/below"), kFailedPrecondition);
    HW_EXPECT_OK(core::CreateDirectories(env.files, "a/c/d/e"));
    HW_EXPECT_OK(core::CreateDirectories(env.files, "a/c/d/e"));
    EXPECT_EQ(Listing(env, "a"), "b/ c/");
  });
}

TEST_P(NamesTest, OnlyAnEmptyDirectoryCanBeRemoved) {
  world_->Run([](core::Environment& env) {
    HW_EXPECT_OK(env.files.CreateDirectory("a"));
    Create(env, "a/file");
    HW_EXPECT_CODE(env.files.Remove("a"), kFailedPrecondition);
    HW_EXPECT_OK(env.files.Remove("a/file"));
    HW_EXPECT_OK(env.files.Remove("a"));
    HW_EXPECT_CODE(env.files.Remove("a"), kNotFound);
    EXPECT_EQ(Listing(env, "/"), "");
  });
}

TEST_P(NamesTest, RemoveAllTakesATree) {
  world_->Run([](core::Environment& env) {
    HW_EXPECT_OK(core::CreateDirectories(env.files, "a/b/c"));
    Create(env, "a/b/file");
    Create(env, "a/b/c/file");
    Create(env, "other");
    HW_EXPECT_OK(core::RemoveAll(env.files, "a"));
    HW_EXPECT_OK(core::RemoveAll(env.files, "a"));
    EXPECT_EQ(Listing(env, "/"), "other");
  });
}

TEST_P(NamesTest, ADirectoryIsNoFile) {
  world_->Run([](core::Environment& env) {
    HW_EXPECT_OK(env.files.CreateDirectory("dir"));
    HW_EXPECT_CODE(env.files.Open("dir", OpenMode::kRead), kFailedPrecondition);
    HW_EXPECT_CODE(env.files.Open("dir", OpenMode::kReadWrite), kFailedPrecondition);
    HW_EXPECT_CODE(env.files.Open("dir", OpenMode::kCreate), kFailedPrecondition);
    HW_EXPECT_CODE(env.files.Open("dir", OpenMode::kCreateExclusive), kAlreadyExists);
    Create(env, "file");
    HW_EXPECT_CODE(env.files.Open("file/below", OpenMode::kRead), kFailedPrecondition);
    HW_EXPECT_CODE(env.files.Open("file/below", OpenMode::kCreate), kFailedPrecondition);
    HW_EXPECT_CODE(env.files.Stat("file/below"), kFailedPrecondition);
    HW_EXPECT_CODE(env.files.Remove("file/below"), kFailedPrecondition);
  });
}

TEST_P(NamesTest, RenameReplacesAFile) {
  world_->Run([](core::Environment& env) {
    Create(env, "new", "new content");
    Create(env, "current", "old content");
    auto replaced = env.files.Open("current", OpenMode::kRead);
    auto moved = env.files.Open("new", OpenMode::kReadWrite);
    HW_ASSERT_OK(replaced);
    HW_ASSERT_OK(moved);
    HW_EXPECT_OK(env.files.Rename("new", "current"));
    EXPECT_EQ(Listing(env, "/"), "current");
    EXPECT_EQ(Content(env, "current"), "new content");
    // Handles go with the file, not with the name.
    auto old_content = (*replaced)->ReadAt(0, 3);
    HW_ASSERT_OK(old_content);
    EXPECT_EQ(old_content->ToString(), "old");
    HW_EXPECT_OK((*moved)->WriteAt(0, Bytes::Copy("NEW")));
    EXPECT_EQ(Content(env, "current"), "NEW content");
  });
}

TEST_P(NamesTest, RenameMovesADirectoryWithWhatIsInIt) {
  world_->Run([](core::Environment& env) {
    HW_EXPECT_OK(core::CreateDirectories(env.files, "orders-0/sub"));
    HW_EXPECT_OK(env.files.CreateDirectory("trash"));
    Create(env, "orders-0/sub/log", "bytes");
    auto open = env.files.Open("orders-0/sub/log", OpenMode::kReadWrite);
    HW_ASSERT_OK(open);
    HW_EXPECT_OK(env.files.Rename("orders-0", "trash/orders-0-delete"));
    EXPECT_EQ(Listing(env, "/"), "trash/");
    EXPECT_EQ(Content(env, "trash/orders-0-delete/sub/log"), "bytes");
    HW_EXPECT_OK((*open)->WriteAt(5, Bytes::Copy("!")));
    EXPECT_EQ(Content(env, "trash/orders-0-delete/sub/log"), "bytes!");
  });
}

TEST_P(NamesTest, RenameNeverReplacesADirectory) {
  world_->Run([](core::Environment& env) {
    Create(env, "file", "f");
    HW_EXPECT_OK(env.files.CreateDirectory("dir"));
    HW_EXPECT_OK(env.files.CreateDirectory("empty"));
    HW_EXPECT_CODE(env.files.Rename("file", "empty"), kFailedPrecondition);
    HW_EXPECT_CODE(env.files.Rename("dir", "empty"), kFailedPrecondition);
    HW_EXPECT_CODE(env.files.Rename("dir", "file"), kFailedPrecondition);
    HW_EXPECT_CODE(env.files.Rename("dir", "dir/below"), kFailedPrecondition);
    EXPECT_EQ(Listing(env, "/"), "dir/ empty/ file");
  });
}

TEST_P(NamesTest, RenameNeedsBothEnds) {
  world_->Run([](core::Environment& env) {
    Create(env, "file", "f");
    HW_EXPECT_CODE(env.files.Rename("none", "other"), kNotFound);
    HW_EXPECT_CODE(env.files.Rename("none", "none"), kNotFound);
    HW_EXPECT_CODE(env.files.Rename("file", "none/file"), kNotFound);
    HW_EXPECT_OK(env.files.Rename("file", "file"));
    EXPECT_EQ(Content(env, "file"), "f");
  });
}

TEST_P(NamesTest, APathMayNotLeaveTheRoot) {
  world_->Run([](core::Environment& env) {
    HW_EXPECT_OK(env.files.CreateDirectory("dir"));
    Create(env, "file", "f");
    HW_EXPECT_CODE(env.files.Open("../file", OpenMode::kCreate), kInvalidArgument);
    HW_EXPECT_CODE(env.files.Open("/../file", OpenMode::kCreate), kInvalidArgument);
    HW_EXPECT_CODE(env.files.Open("dir/../../file", OpenMode::kRead), kInvalidArgument);
    HW_EXPECT_CODE(env.files.CreateDirectory(".."), kInvalidArgument);
    HW_EXPECT_CODE(env.files.Remove("../file"), kInvalidArgument);
    HW_EXPECT_CODE(env.files.Rename("file", "../file"), kInvalidArgument);
    HW_EXPECT_CODE(env.files.Rename("../file", "file"), kInvalidArgument);
    HW_EXPECT_CODE(env.files.List(".."), kInvalidArgument);
    HW_EXPECT_CODE(env.files.Stat("dir/../.."), kInvalidArgument);
    HW_EXPECT_CODE(env.files.SyncDirectory(".."), kInvalidArgument);
    HW_EXPECT_CODE(env.files.Lock("../lock"), kInvalidArgument);
    EXPECT_EQ(Content(env, "dir/../file"), "f");
    EXPECT_EQ(Content(env, "/dir/.././/file"), "f");
    EXPECT_EQ(Content(env, "/file"), "f");
  });
}

TEST_P(NamesTest, BadNamesAreRefused) {
  world_->Run([](core::Environment& env) {
    HW_EXPECT_CODE(env.files.Open("", OpenMode::kCreate), kInvalidArgument);
    HW_EXPECT_CODE(env.files.Open(std::string_view("a\0b", 3), OpenMode::kCreate),
                   kInvalidArgument);
    HW_EXPECT_CODE(env.files.Open(std::string(256, 'n'), OpenMode::kCreate), kInvalidArgument);
    HW_EXPECT_OK(env.files.Open(std::string(255, 'n'), OpenMode::kCreate));
  });
}

TEST_P(NamesTest, ALockIsHeldOnceUntilItsHolderGoes) {
  world_->Run([](core::Environment& env) {
    auto lock = env.files.Lock(".lock");
    HW_ASSERT_OK(lock);
    HW_EXPECT_CODE(env.files.Lock(".lock"), kFailedPrecondition);
    HW_EXPECT_OK(env.files.Lock("another"));
    lock->reset();
    HW_EXPECT_OK(env.files.Lock(".lock"));
    EXPECT_EQ(Listing(env, "/"), ".lock another");
  });
}

TEST_P(NamesTest, WriteFileAtomicallyReplaces) {
  world_->Run([](core::Environment& env) {
    HW_EXPECT_OK(env.files.CreateDirectory("dir"));
    HW_EXPECT_OK(core::WriteFileAtomically(env.files, "dir/checkpoint", "a long first content"));
    HW_EXPECT_OK(core::WriteFileAtomically(env.files, "dir/checkpoint", "second"));
    EXPECT_EQ(Content(env, "dir/checkpoint"), "second");
    EXPECT_EQ(Listing(env, "dir"), "checkpoint");
  });
}

HW_CONFORMANCE_SUITE(NamesTest);

}  // namespace
}  // namespace highwater::conformance
