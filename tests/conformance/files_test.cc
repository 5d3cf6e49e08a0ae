// Files: bytes, positions, ends, open modes.

#include "core/file_system.h"

#include "core/status_macros.h"
#include "tests/conformance/world_under_test.h"

namespace highwater::conformance {
namespace {

using core::ByteChain;
using core::Bytes;
using core::File;
using core::FileInfo;
using core::OpenMode;

class FilesTest : public ConformanceTest {
 protected:
  static std::shared_ptr<File> Create(core::Environment& env, std::string_view path,
                                      std::string_view content) {
    auto file = env.files.Open(path, OpenMode::kCreate);
    HW_EXPECT_OK(file);
    if (!file.ok()) return nullptr;
    HW_EXPECT_OK((*file)->WriteAt(0, Bytes::Copy(content)));
    return *file;
  }
  static std::string Content(core::Environment& env, std::string_view path) {
    auto content = core::ReadWholeFile(env.files, path);
    return content.ok() ? *content : content.status().ToString();
  }
  static std::string ReadString(File& file, uint64_t offset, size_t length) {
    auto chain = file.ReadAt(offset, length);
    return chain.ok() ? chain->ToString() : chain.status().ToString();
  }
};

TEST_P(FilesTest, ReadsBackWhatWasWrittenInSlices) {
  world_->Run([](core::Environment& env) {
    auto file = env.files.Open("log", OpenMode::kCreate);
    HW_ASSERT_OK(file);
    HW_EXPECT_OK((*file)->WriteAt(0, ByteChain{Bytes::Copy("high"), Bytes::Copy("water")}));
    HW_EXPECT_OK((*file)->WriteAt(4, Bytes::Copy("W")));
    EXPECT_EQ(ReadString(**file, 0, 9), "highWater");
    EXPECT_EQ(ReadString(**file, 4, 3), "Wat");
    EXPECT_EQ((*file)->Size().value(), 9u);
  });
}

TEST_P(FilesTest, AReadEndsWhereTheFileEnds) {
  world_->Run([](core::Environment& env) {
    auto file = Create(env, "log", "0123456789");
    auto tail = core::ReadExactly(*file, 7, 3);
    HW_ASSERT_OK(tail);
    EXPECT_EQ(tail->ToString(), "789");
    HW_EXPECT_CODE(core::ReadExactly(*file, 7, 4), kOutOfRange);
    EXPECT_EQ(ReadString(*file, 10, 5), "");
    EXPECT_EQ(ReadString(*file, uint64_t{1} << 40, 5), "");
    EXPECT_EQ(ReadString(*file, 3, 0), "");
    // A great length costs nothing but what is there.
    EXPECT_EQ(Content(env, "log"), "0123456789");
    auto all = file->ReadAt(0, size_t{1} << 40);
    HW_ASSERT_OK(all);
    EXPECT_LE(all->size(), 10u);
    EXPECT_GT(all->size(), 0u);
  });
}

TEST_P(FilesTest, AGapReadsAsZeros) {
  world_->Run([](core::Environment& env) {
    auto file = Create(env, "log", "ab");
    HW_EXPECT_OK(file->WriteAt(6, Bytes::Copy("cd")));
    EXPECT_EQ(Content(env, "log"), std::string("ab\0\0\0\0cd", 8));
  });
}

TEST_P(FilesTest, TruncateCutsAndExtendsWithZeros) {
  world_->Run([](core::Environment& env) {
    auto file = Create(env, "log", "0123456789");
    HW_EXPECT_OK(file->Truncate(4));
    EXPECT_EQ(file->Size().value(), 4u);
    HW_EXPECT_OK(file->Truncate(6));
    EXPECT_EQ(Content(env, "log"), std::string("0123\0\0", 6));
    HW_EXPECT_OK(file->WriteAt(8, Bytes::Copy("x")));
    EXPECT_EQ(Content(env, "log"), std::string("0123\0\0\0\0x", 9));
    HW_EXPECT_OK(file->Truncate(0));
    EXPECT_EQ(Content(env, "log"), "");
  });
}

TEST_P(FilesTest, EveryHandleSeesAWriteAtOnce) {
  world_->Run([](core::Environment& env) {
    auto writer = Create(env, "log", "old");
    auto reader = env.files.Open("log", OpenMode::kRead);
    HW_ASSERT_OK(reader);
    HW_EXPECT_OK(writer->WriteAt(0, Bytes::Copy("new and longer")));
    EXPECT_EQ(ReadString(**reader, 0, 3), "new");
    EXPECT_EQ((*reader)->Size().value(), 14u);
  });
}

TEST_P(FilesTest, AnEmptyWriteChangesNothing) {
  world_->Run([](core::Environment& env) {
    auto file = Create(env, "log", "abc");
    HW_EXPECT_OK(file->WriteAt(100, ByteChain()));
    EXPECT_EQ(file->Size().value(), 3u);
  });
}

TEST_P(FilesTest, OpenModesDifferInWhatMustExist) {
  world_->Run([](core::Environment& env) {
    HW_EXPECT_CODE(env.files.Open("log", OpenMode::kRead), kNotFound);
    HW_EXPECT_CODE(env.files.Open("log", OpenMode::kReadWrite), kNotFound);
    HW_EXPECT_CODE(env.files.Open("no/log", OpenMode::kCreate), kNotFound);
    auto created = env.files.Open("log", OpenMode::kCreateExclusive);
    HW_ASSERT_OK(created);
    HW_EXPECT_OK((*created)->WriteAt(0, Bytes::Copy("kept")));
    HW_EXPECT_CODE(env.files.Open("log", OpenMode::kCreateExclusive), kAlreadyExists);
    HW_EXPECT_OK(env.files.Open("log", OpenMode::kCreate));
    EXPECT_EQ(Content(env, "log"), "kept");
    auto again = env.files.Open("log", OpenMode::kReadWrite);
    HW_ASSERT_OK(again);
    HW_EXPECT_OK((*again)->WriteAt(0, Bytes::Copy("K")));
    EXPECT_EQ(Content(env, "log"), "Kept");
  });
}

TEST_P(FilesTest, AFileOpenedForReadingCannotBeChanged) {
  world_->Run([](core::Environment& env) {
    Create(env, "log", "abc");
    auto file = env.files.Open("log", OpenMode::kRead);
    HW_ASSERT_OK(file);
    HW_EXPECT_CODE((*file)->WriteAt(0, Bytes::Copy("x")), kFailedPrecondition);
    HW_EXPECT_CODE((*file)->Truncate(0), kFailedPrecondition);
    EXPECT_EQ(Content(env, "log"), "abc");
  });
}

TEST_P(FilesTest, LargeWritesOfManySlicesArriveWhole) {
  world_->Run([](core::Environment& env) {
    ByteChain data;
    for (int i = 0; i < 3000; ++i)
      data.Append(Bytes::Copy(std::string(1 + i % 1500, 'a' + i % 26)));
    auto file = env.files.Open("log", OpenMode::kCreate);
    HW_ASSERT_OK(file);
    HW_EXPECT_OK((*file)->WriteAt(13, data));
    auto back = core::ReadExactly(**file, 13, data.size());
    HW_ASSERT_OK(back);
    EXPECT_TRUE(*back == data);
  });
}

TEST_P(FilesTest, ARemovedFileStaysReadableThroughItsHandle) {
  world_->Run([](core::Environment& env) {
    auto file = Create(env, "log", "still here");
    HW_EXPECT_OK(env.files.Remove("log"));
    HW_EXPECT_CODE(env.files.Stat("log"), kNotFound);
    EXPECT_EQ(ReadString(*file, 0, 10), "still here");
    HW_EXPECT_OK(file->WriteAt(0, Bytes::Copy("S")));
    Create(env, "log", "another");
    EXPECT_EQ(ReadString(*file, 0, 10), "Still here");
    EXPECT_EQ(Content(env, "log"), "another");
  });
}

TEST_P(FilesTest, StatTellsSizeKindAndModification) {
  world_->Run([](core::Environment& env) {
    const absl::Time before = env.clock.WallNow() - absl::Seconds(1);  // file clocks are coarse
    Create(env, "log", "12345");
    HW_EXPECT_OK(env.files.CreateDirectory("dir"));
    auto file = env.files.Stat("log");
    HW_ASSERT_OK(file);
    EXPECT_EQ(file->kind, FileInfo::Kind::kFile);
    EXPECT_EQ(file->size, 5u);
    EXPECT_GE(file->modified, before);
    EXPECT_LE(file->modified, env.clock.WallNow());
    auto directory = env.files.Stat("dir");
    HW_ASSERT_OK(directory);
    EXPECT_EQ(directory->kind, FileInfo::Kind::kDirectory);
    EXPECT_EQ(directory->size, 0u);
    HW_EXPECT_CODE(env.files.Stat("none"), kNotFound);
  });
}

TEST_P(FilesTest, SyncsSucceedAndThereIsSpace) {
  world_->Run([](core::Environment& env) {
    auto file = Create(env, "log", "x");
    HW_EXPECT_OK(file->Sync());
    HW_EXPECT_OK(env.files.SyncDirectory("."));
    HW_EXPECT_OK(env.files.SyncDirectory("/"));
    HW_EXPECT_CODE(env.files.SyncDirectory("none"), kNotFound);
    auto space = env.files.FreeSpace("/");
    HW_ASSERT_OK(space);
    EXPECT_GT(*space, 0u);
  });
}

TEST_P(FilesTest, ManyFibersUseManyFilesAtOnce) {
  int right = 0;
  world_->Run([&right](core::Environment& env) {
    int running = 0;
    for (int i = 0; i < 64; ++i) {
      ++running;
      env.fibers.Spawn("user", [&env, &running, &right, i] {
        const std::string path = fmt::format("file-{}", i);
        auto file = Create(env, path, "");
        std::string expected;
        for (int n = 0; n < 20; ++n) {
          const std::string part = fmt::format("{}:{};", i, n);
          HW_EXPECT_OK(file->WriteAt(expected.size(), Bytes::Copy(part)));
          expected += part;
          if (n % 7 == 0) HW_EXPECT_OK(file->Sync());
        }
        if (Content(env, path) == expected) ++right;
        --running;
      });
    }
    Await(env, [&running] { return running == 0; });
  });
  EXPECT_EQ(right, 64);
}

// A random sequence of writes, truncates and reads against a string.
TEST_P(FilesTest, BehavesAsAString) {
  world_->Run([](core::Environment& env) {
    core::KeyedRandom random(20);
    auto file = env.files.Open("log", OpenMode::kCreate);
    HW_ASSERT_OK(file);
    std::string model;
    for (int step = 0; step < 400; ++step) {
      const uint64_t kind = random.Below(10);
      const size_t offset = random.Below(20'000);
      const size_t length = 1 + random.Below(9'000);
      if (kind < 5) {
        const std::string data(length, static_cast<char>('a' + step % 26));
        HW_ASSERT_OK((*file)->WriteAt(offset, Bytes::Copy(data)));
        if (model.size() < offset + length) model.resize(offset + length);
        model.replace(offset, length, data);
      } else if (kind == 5) {
        HW_ASSERT_OK((*file)->Truncate(offset));
        model.resize(offset);
      } else if (offset < model.size()) {
        const size_t within = std::min(length, model.size() - offset);
        auto back = core::ReadExactly(**file, offset, within);
        HW_ASSERT_OK(back);
        ASSERT_EQ(back->ToString(), model.substr(offset, within)) << "step " << step;
      }
    }
    EXPECT_TRUE(Content(env, "log") == model);
  });
}

HW_CONFORMANCE_SUITE(FilesTest);

}  // namespace
}  // namespace highwater::conformance
