// What survives the death of a process, and of its host.

#include "core/file_system.h"
#include "tests/conformance/world_under_test.h"

namespace highwater::conformance {
namespace {

using core::Bytes;
using core::OpenMode;

class DurabilityTest : public ConformanceTest {
 protected:
  // Whether this world can show it; if not the test has nothing to say.
  [[nodiscard]] bool Can(Death death) const { return world_->CanDie(death); }

  static std::shared_ptr<core::File> Create(core::Environment& env, std::string_view path,
                                            std::string_view content) {
    auto file = env.files.Open(path, OpenMode::kCreate);
    HW_EXPECT_OK(file);
    if (!file.ok()) return nullptr;
    HW_EXPECT_OK((*file)->WriteAt(0, Bytes::Copy(content)));
    return *file;
  }
  // The file's content on node 0, or its error.
  std::string ContentAfter(std::string path) {
    std::string result;
    world_->Run([&](core::Environment& env) {
      auto content = core::ReadWholeFile(env.files, path);
      result = content.ok() ? *content : content.status().ToString();
    });
    return result;
  }
  bool ExistsAfter(std::string path) {
    bool exists = false;
    world_->Run([&](core::Environment& env) { exists = env.files.Stat(path).ok(); });
    return exists;
  }
};

TEST_P(DurabilityTest, WrittenBytesSurviveTheEndOfTheProcess) {
  world_->Run([](core::Environment& env) { Create(env, "log", "not synced"); });
  EXPECT_EQ(ContentAfter("log"), "not synced");
}

TEST_P(DurabilityTest, WrittenBytesAndNamesSurviveAKilledProcess) {
  if (!Can(Death::kProcess)) return;
  world_->RunAndKill(Death::kProcess, [](core::Environment& env, auto die) {
    Create(env, "log", "not synced");
    Create(env, "old", "renamed");
    Create(env, "gone", "x");
    HW_EXPECT_OK(env.files.Rename("old", "new"));
    HW_EXPECT_OK(env.files.Remove("gone"));
    die();
  });
  EXPECT_EQ(ContentAfter("log"), "not synced");
  EXPECT_EQ(ContentAfter("new"), "renamed");
  EXPECT_FALSE(ExistsAfter("old"));
  EXPECT_FALSE(ExistsAfter("gone"));
}

TEST_P(DurabilityTest, AKilledProcessReleasesItsLocks) {
  if (!Can(Death::kProcess)) return;
  world_->RunAndKill(Death::kProcess, [](core::Environment& env, auto die) {
    auto lock = env.files.Lock(".lock");
    HW_EXPECT_OK(lock);
    die();
  });
  world_->Run([](core::Environment& env) { HW_EXPECT_OK(env.files.Lock(".lock")); });
}

TEST_P(DurabilityTest, SyncedBytesOfASyncedNameSurviveAPowerLoss) {
  if (!Can(Death::kPowerLoss)) return;
  world_->RunAndKill(Death::kPowerLoss, [](core::Environment& env, auto die) {
    auto file = Create(env, "log", "synced");
    HW_EXPECT_OK(file->Sync());
    HW_EXPECT_OK(env.files.SyncDirectory("/"));
    HW_EXPECT_OK(file->WriteAt(6, Bytes::Copy(" and not synced")));
    die();
  });
  EXPECT_EQ(ContentAfter("log").substr(0, 6), "synced");
}

TEST_P(DurabilityTest, SyncMakesTheSizeDurable) {
  if (!Can(Death::kPowerLoss)) return;
  world_->RunAndKill(Death::kPowerLoss, [](core::Environment& env, auto die) {
    auto file = Create(env, "log", "0123456789");
    HW_EXPECT_OK(env.files.SyncDirectory("/"));
    HW_EXPECT_OK(file->Sync());
    HW_EXPECT_OK(file->Truncate(4));
    HW_EXPECT_OK(file->Sync());
    die();
  });
  EXPECT_EQ(ContentAfter("log"), "0123");
}

TEST_P(DurabilityTest, ASyncedRenameSurvivesAPowerLoss) {
  if (!Can(Death::kPowerLoss)) return;
  world_->RunAndKill(Death::kPowerLoss, [](core::Environment& env, auto die) {
    auto file = Create(env, "old", "content");
    HW_EXPECT_OK(file->Sync());
    HW_EXPECT_OK(env.files.SyncDirectory("/"));
    HW_EXPECT_OK(env.files.Rename("old", "new"));
    HW_EXPECT_OK(env.files.SyncDirectory("/"));
    die();
  });
  EXPECT_EQ(ContentAfter("new"), "content");
  EXPECT_FALSE(ExistsAfter("old"));
}

TEST_P(DurabilityTest, AnUnsyncedRenameLeavesOneOfTheTwoNames) {
  if (!Can(Death::kPowerLoss)) return;
  world_->RunAndKill(Death::kPowerLoss, [](core::Environment& env, auto die) {
    auto file = Create(env, "old", "content");
    HW_EXPECT_OK(file->Sync());
    HW_EXPECT_OK(env.files.SyncDirectory("/"));
    HW_EXPECT_OK(env.files.Rename("old", "new"));
    die();
  });
  EXPECT_NE(ExistsAfter("old"), ExistsAfter("new"));
}

TEST_P(DurabilityTest, ASyncedRemovalSurvivesAPowerLoss) {
  if (!Can(Death::kPowerLoss)) return;
  world_->RunAndKill(Death::kPowerLoss, [](core::Environment& env, auto die) {
    auto file = Create(env, "log", "x");
    HW_EXPECT_OK(file->Sync());
    HW_EXPECT_OK(env.files.SyncDirectory("/"));
    HW_EXPECT_OK(env.files.Remove("log"));
    HW_EXPECT_OK(env.files.SyncDirectory("/"));
    die();
  });
  EXPECT_FALSE(ExistsAfter("log"));
}

TEST_P(DurabilityTest, DirectoriesNeedTheirOwnSyncs) {
  if (!Can(Death::kPowerLoss)) return;
  world_->RunAndKill(Death::kPowerLoss, [](core::Environment& env, auto die) {
    HW_EXPECT_OK(env.files.CreateDirectory("dir"));
    auto file = Create(env, "dir/log", "content");
    HW_EXPECT_OK(file->Sync());
    HW_EXPECT_OK(env.files.SyncDirectory("dir"));
    HW_EXPECT_OK(env.files.SyncDirectory("/"));
    die();
  });
  EXPECT_EQ(ContentAfter("dir/log"), "content");
}

TEST_P(DurabilityTest, WriteFileAtomicallyLeavesOneContentWhole) {
  if (!Can(Death::kPowerLoss)) return;
  for (const bool replace : {false, true}) {
    world_->RunAndKill(Death::kPowerLoss, [replace](core::Environment& env, auto die) {
      HW_EXPECT_OK(core::WriteFileAtomically(env.files, "checkpoint", "first"));
      if (replace) HW_EXPECT_OK(core::WriteFileAtomically(env.files, "checkpoint", "second"));
      die();
    });
    EXPECT_EQ(ContentAfter("checkpoint"), replace ? "second" : "first");
  }
}

HW_CONFORMANCE_SUITE(DurabilityTest);

}  // namespace
}  // namespace highwater::conformance
