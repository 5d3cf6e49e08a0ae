// What an append and a read near the end cost in CPU, the file system left out: its files swallow
// what is written.

#include <benchmark/benchmark.h>

#include "broker/protocol/record_batch_builder.h"
#include "broker/storage/append_validation.h"
#include "broker/storage/log.h"
#include "core/timer_wheel.h"

namespace highwater::broker::storage {
namespace {

class NullFile final : public core::File {
 public:
  absl::StatusOr<core::ByteChain> ReadAt(uint64_t, size_t) override { return core::ByteChain(); }
  absl::Status WriteAt(uint64_t offset, const core::ByteChain& data) override {
    size_ = std::max(size_, offset + data.size());
    return absl::OkStatus();
  }
  absl::Status Truncate(uint64_t size) override {
    size_ = size;
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::StatusOr<uint64_t> Size() override { return size_; }

 private:
  uint64_t size_ = 0;
};

class NullFileSystem final : public core::FileSystem {
 public:
  absl::StatusOr<std::shared_ptr<core::File>> Open(std::string_view, core::OpenMode mode) override {
    if (mode == core::OpenMode::kRead) return absl::NotFoundError("");
    return std::make_shared<NullFile>();
  }
  absl::Status CreateDirectory(std::string_view) override { return absl::OkStatus(); }
  absl::Status Rename(std::string_view, std::string_view) override { return absl::OkStatus(); }
  absl::Status Remove(std::string_view) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<core::DirectoryEntry>> List(std::string_view) override {
    return std::vector<core::DirectoryEntry>();
  }
  absl::StatusOr<core::FileInfo> Stat(std::string_view) override { return core::FileInfo(); }
  absl::Status SyncDirectory(std::string_view) override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<core::FileLock>> Lock(std::string_view) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<uint64_t> FreeSpace(std::string_view) override { return uint64_t{1} << 40; }
};

class NullNetwork final : public core::Network {
 public:
  absl::StatusOr<std::unique_ptr<core::Connection>> Dial(const core::Endpoint&,
                                                         core::MonotonicTime) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<std::unique_ptr<core::Listener>> Listen(const core::Endpoint&) override {
    return absl::UnimplementedError("");
  }
};

class TinyWorld final : public core::FiberBackend, public core::Clock, public core::Process {
 public:
  core::MonotonicTime Now() const override { return core::MonotonicTime::FromNanos(wheel_.now()); }
  absl::Time WallNow() const override { return absl::UnixEpoch(); }
  void MakeReady(core::Fiber& fiber) override { wheel_.Set(fiber.ready_node(), wheel_.now()); }
  void OnReady(core::Fiber& fiber) override { fiber.Resume(); }
  void SetTimer(core::TimerNode& node, core::MonotonicTime when) override {
    wheel_.Set(node, when.nanos());
  }
  void CancelTimer(core::TimerNode& node) override { wheel_.Cancel(node); }
  void Halt(std::string_view) override { std::abort(); }
  bool StopRequested() const override { return false; }
  void OnStopRequested(absl::AnyInvocable<void()>) override {}
  uint64_t RunId() const override { return 1; }
  void Run() {
    while (core::TimerNode* node = wheel_.PopDue(wheel_.now())) node->OnTimer();
  }

 private:
  core::TimerWheel wheel_;
};

struct Bench {
  Bench() {
    fibers.Spawn("load", [this] {
      log = *Log::Load(env, {"orders", PartitionIndex(0)}, "orders-0", LogConfig(), {}, owner,
                       BrokerId(0), observer);
    });
    world.Run();
    for (int i = 0; i < 8; ++i) builder.Append(1000 + i, "key-0", std::string(100, 'x'));
    produced = (*std::move(builder).Build()).bytes();
  }
  ~Bench() { fibers.UnwindAll(); }

  TinyWorld world;
  core::Fibers fibers{world, 1};
  NullNetwork network;
  NullFileSystem files;
  core::KeyedRandom random{1};
  core::NoBuggify buggify;
  core::Environment env{world, world, fibers, network, files, random, buggify};
  LogOwner owner;
  Observer observer;
  std::shared_ptr<Log> log;
  protocol::RecordBatchBuilder builder{{}};
  core::ByteChain produced;
};

void BM_Append(benchmark::State& state) {
  Bench bench;
  const ValidatedAppend valid = ValidateForAppend(bench.produced, {});
  const auto group = static_cast<int>(state.range(0));
  int64_t done = 0;
  for (auto _ : state) {
    for (int i = 0; i < group; ++i) {
      benchmark::DoNotOptimize(bench.log->AppendAsLeader(*valid.batch, LeaderEpoch(1),
                                                         [&](const absl::Status&) { ++done; }));
    }
    bench.world.Run();
  }
  state.SetItemsProcessed(done);
}
BENCHMARK(BM_Append)->Arg(1)->Arg(8);

void BM_Validate(benchmark::State& state) {
  Bench bench;
  AppendRules rules;
  rules.read_records = state.range(0) != 0;
  for (auto _ : state) benchmark::DoNotOptimize(ValidateForAppend(bench.produced, rules));
}
BENCHMARK(BM_Validate)->Arg(0)->Arg(1);

void BM_ReadNearTheEnd(benchmark::State& state) {
  Bench bench;
  const ValidatedAppend valid = ValidateForAppend(bench.produced, {});
  for (int i = 0; i < 100; ++i) {
    static_cast<void>(bench.log->AppendAsLeader(*valid.batch, LeaderEpoch(1), nullptr));
  }
  bench.world.Run();
  const Offset end = bench.log->log_end_offset();
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        bench.log->TryRead({.from = end - 8, .max_bytes = 1 << 20, .upper_bound = end}));
  }
}
BENCHMARK(BM_ReadNearTheEnd);

}  // namespace
}  // namespace highwater::broker::storage
