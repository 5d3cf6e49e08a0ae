// What the simulated disk costs: appends with later reads, overwrites, syncs, an empty disk.

#include <benchmark/benchmark.h>

#include <cstdlib>

#include "sim/disk/test_world.h"

namespace highwater::sim {
namespace {

using core::ByteChain;
using core::Bytes;
using core::FileSystem;
using core::OpenMode;

// One append of a shared 1 KiB slice through the seam, without write-back.
void Append(benchmark::State& state) {
  TestWorld world({.dirty_limit = uint64_t{1} << 50});
  const Bytes body = Bytes::Copy(std::string(1024, 'x'));
  static_cast<void>(body.Digest());
  world.Run(
      [&](FileSystem& files) {
        auto file = *files.Open("log", OpenMode::kCreate);
        uint64_t offset = 0;
        for (auto _ : state) {
          benchmark::DoNotOptimize(file->WriteAt(offset, ByteChain(body)));
          offset += 1024;
        }
      },
      0);
}
BENCHMARK(Append);

// The append of a batch (a header slice and a shared body), its read, and its share of the
// write-back.
void AppendReadWriteBack(benchmark::State& state) {
  TestWorld world;
  const Bytes body = Bytes::Copy(std::string(1024, 'x'));
  static_cast<void>(body.Digest());
  uint64_t offset = 0;
  while (state.KeepRunningBatch(10'000)) {
    world.Run([&](FileSystem& files) {
      auto file = *files.Open("log", OpenMode::kCreate);
      for (int i = 0; i < 10'000; ++i) {
        const ByteChain batch{Bytes::Copy("a header of some forty bytes or so, fresh"), body};
        benchmark::DoNotOptimize(file->WriteAt(offset, batch));
        benchmark::DoNotOptimize(file->ReadAt(offset, batch.size()));
        offset += batch.size();
      }
      if (offset > (64 << 20)) {
        static_cast<void>(file->Truncate(0));
        offset = 0;
      }
    });
  }
}
BENCHMARK(AppendReadWriteBack);

void RandomRead(benchmark::State& state) {
  TestWorld world;
  const Bytes body = Bytes::Copy(std::string(1024, 'x'));
  world.Run(
      [&](FileSystem& files) {
        auto file = *files.Open("log", OpenMode::kCreate);
        for (uint64_t i = 0; i < 50'000; ++i) {
          static_cast<void>(file->WriteAt(i << 10, ByteChain(body)));
        }
        uint64_t at = 0;
        for (auto _ : state) {
          at = (at * 5 + 12345) % 50'000;
          benchmark::DoNotOptimize(file->ReadAt(at << 10, 1024));
        }
      },
      0);
}
BENCHMARK(RandomRead);

void RandomOverwrite(benchmark::State& state) {
  TestWorld world;
  const Bytes body = Bytes::Copy(std::string(100, 'x'));
  static_cast<void>(body.Digest());
  uint64_t at = 0;
  while (state.KeepRunningBatch(1000)) {
    world.Run([&](FileSystem& files) {
      auto file = *files.Open("f", OpenMode::kCreate);
      for (int i = 0; i < 1000; ++i) {
        at = (at * 5 + 12345) % 1'000'003;
        benchmark::DoNotOptimize(file->WriteAt(at, ByteChain(body)));
      }
    });
  }
}
BENCHMARK(RandomOverwrite);

void AppendAndSync(benchmark::State& state) {
  TestWorld world;
  const Bytes body = Bytes::Copy(std::string(1024, 'x'));
  world.Run([&](FileSystem& files) {
    auto file = *files.Open("log", OpenMode::kCreate);
    uint64_t offset = 0;
    for (auto _ : state) {
      benchmark::DoNotOptimize(file->WriteAt(offset, ByteChain(body)));
      benchmark::DoNotOptimize(file->Sync());
      offset += 1024;
    }
  });
}
BENCHMARK(AppendAndSync);

void NewDisk(benchmark::State& state) {
  TestWorld world;
  for (auto _ : state) {
    Disk disk(world, DiskOptions{});
    benchmark::DoNotOptimize(&disk);
  }
}
BENCHMARK(NewDisk);

}  // namespace
}  // namespace highwater::sim
