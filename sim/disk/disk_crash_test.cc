// The simulated disk under a crash at each effect in turn, and twice with one seed.

#include <optional>
#include <string>

#include "sim/disk/disk.h"
#include "sim/disk/test_world.h"

namespace highwater::sim {
namespace {

using core::Bytes;
using core::FileSystem;
using core::OpenMode;
using Kind = DiskFault::Kind;

constexpr int64_t kMs = 1'000'000;

// A workload with everything in it.
void Work(TestWorld& world, FileSystem& files, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    auto file = files.Open(fmt::format("f{}", i % 7), OpenMode::kCreate);
    if (!file.ok()) continue;
    static_cast<void>((*file)->WriteAt(i * 10, Bytes::Copy(std::string(700, 'a' + i % 26))));
    if (i % 5 == 0) static_cast<void>((*file)->Sync());
    if (i % 7 == 0) static_cast<void>((*file)->Truncate(i * 3));
    if (i % 11 == 0) {
      static_cast<void>(core::WriteFileAtomically(files, "checkpoint", std::to_string(i)));
    }
    if (i % 13 == 0) static_cast<void>(files.Remove("f3"));
    static_cast<void>((*file)->ReadAt(0, 100));
    static_cast<void>(world);
  }
}

uint64_t HashOfRun(uint64_t seed) {
  TestWorld world({}, seed);
  const FaultId slow = world.Fault("slow");
  world.disk().Begin({.id = slow, .kind = Kind::kSlow, .factor = 3});
  world.disk().Begin({.id = world.Fault("eio"), .kind = Kind::kWriteErrors, .percent = 10});
  world.Spawn([&](FileSystem& files) { Work(world, files, 60); });
  world.Run([&](FileSystem& files) { Work(world, files, 60); }, 400 * kMs);
  world.LosePower();
  world.StartProcess();
  world.Run([&](FileSystem& files) { Work(world, files, 30); });
  for (const Disk::FileView& file : world.disk().Files()) {
    world.hash = core::Mix(world.hash, core::MixName(file.path));
    world.hash =
        core::Mix(world.hash, world.disk().InspectDurable(file.path)->content.Flatten().Digest());
  }
  return world.hash;
}

TEST(DiskCrashTest, EqualSeedsGiveEqualRuns) {
  EXPECT_EQ(HashOfRun(1), HashOfRun(1));
  EXPECT_NE(HashOfRun(1), HashOfRun(2));
}

// What a hostile destructor tries while its fiber is unwound.
struct Hostile {
  FileSystem& files;
  std::shared_ptr<core::File> file;
  bool ended_well = false;
  ~Hostile() {
    if (ended_well) return;
    EXPECT_TRUE(absl::IsCancelled(file->WriteAt(0, Bytes::Copy("late"))));
    EXPECT_TRUE(absl::IsCancelled(file->Sync()));
    EXPECT_TRUE(absl::IsCancelled(file->Truncate(0)));
    EXPECT_TRUE(absl::IsCancelled(file->ReadAt(0, 1).status()));
    EXPECT_TRUE(absl::IsCancelled(file->Size().status()));
    EXPECT_TRUE(absl::IsCancelled(files.Open("late", OpenMode::kCreate).status()));
    EXPECT_TRUE(absl::IsCancelled(files.Remove("f1")));
    EXPECT_TRUE(absl::IsCancelled(files.Rename("f1", "f9")));
    EXPECT_TRUE(absl::IsCancelled(files.SyncDirectory("/")));
    EXPECT_TRUE(absl::IsCancelled(files.Lock("late").status()));
    EXPECT_TRUE(absl::IsCancelled(files.List("/").status()));
  }
};

TEST(DiskCrashTest, ADeadProcessHasNoEffectAtAnyCrashPoint) {
  uint64_t points = 0;
  for (uint64_t point = 1; point == 1 || points >= point - 1; ++point) {
    uint64_t hashes[2] = {};
    for (const bool hostile : {false, true}) {
      TestWorld world;
      world.CrashAtEffect(point);
      world.Run([&](FileSystem& files) {
        std::optional<Hostile> late;
        auto lock = files.Lock("lock");
        if (hostile) late.emplace(files, *files.Open("h", OpenMode::kCreate));
        auto other = *files.Open("h", OpenMode::kCreate);
        Work(world, files, 14);
        if (late) late->ended_well = true;
      });
      points = world.effects;
      if (world.running()) world.Crash();
      hashes[hostile] = world.hash;
      world.StartProcess();
      world.Run([&](FileSystem& files) {
        EXPECT_TRUE(files.Lock("lock").ok()) << "a crash releases locks";
        EXPECT_TRUE(absl::IsNotFound(files.Stat("late").status()));
      });
    }
    ASSERT_EQ(hashes[0], hashes[1]) << "at point " << point;
  }
  EXPECT_GT(points, 30u);
}

}  // namespace
}  // namespace highwater::sim
