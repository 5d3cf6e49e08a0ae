#pragma once

// A world just large enough to run a Disk in a test: a timer wheel, a hash, a ledger, and one
// process at a time.

#include <string>
#include <vector>

#include "core/fibers.h"
#include "core/mix.h"
#include "sim/disk/disk.h"
#include "sim/disk_port.h"

namespace highwater::sim {

class TestWorld final : public DiskContext {
 public:
  explicit TestWorld(DiskOptions options = {}, uint64_t seed = 1)
      : key_(core::Mix(seed, 77)), disk_(std::make_unique<Disk>(*this, std::move(options))) {
    StartProcess();
  }
  ~TestWorld() override { EndProcess(); }

  // DiskContext.
  [[nodiscard]] int64_t Now() const override { return wheel_.now(); }
  [[nodiscard]] absl::Time WallNow() const override {
    return absl::UnixEpoch() + absl::Nanoseconds(wheel_.now());
  }
  void SetTimer(core::TimerNode& node, int64_t when) override {
    ++timers_set;
    wheel_.Set(node, when);
  }
  void CancelTimer(core::TimerNode& node) override { wheel_.Cancel(node); }
  [[nodiscard]] uint64_t key() const override { return key_; }
  void Fold(EventKind kind, uint64_t digest) override {
    hash = core::Mix(core::Mix(hash, static_cast<uint64_t>(kind)), digest);
    hash = core::Mix(hash, static_cast<uint64_t>(wheel_.now()));
    ++folds;
  }
  [[nodiscard]] FaultLedger& ledger() override { return ledger_; }

  // Runs `body` on a fiber of the process until nothing happens any more or it is `until`. Without
  // `until` it must come to its end, unless the process crashes.
  void Run(absl::AnyInvocable<void(core::FileSystem&)> body, int64_t until = kForever) {
    const auto finished = std::make_shared<bool>(false);
    Spawn([finished, b = std::move(body)](core::FileSystem& files) mutable {
      b(files);
      *finished = true;
    });
    RunUntil(until);
    HW_CHECK(*finished || until != kForever || process_ == nullptr, "the test's fiber is stuck");
  }
  void Spawn(absl::AnyInvocable<void(core::FileSystem&)> body) {
    process_->fibers_.Spawn("test",
                            [this, b = std::move(body)]() mutable { b(*process_->files_); });
  }
  void RunUntil(int64_t until) {
    if (process_ != nullptr) process_->RunReady();
    while (until != kForever || !wheel_.empty()) {
      core::TimerNode* node = wheel_.PopDue(until);
      if (node == nullptr) return;
      node->OnTimer();
      if (process_ != nullptr) process_->RunReady();
    }
  }
  // The next effect crashes the process instead, then every `n`th.
  void CrashAtEffect(uint64_t n) { crash_at_ = effects + n; }
  void Crash() { EndProcess(); }
  void LosePower() {
    EndProcess();
    disk_->PowerLost();
  }
  void StartProcess() { process_ = std::make_unique<TestProcess>(*this, ++runs_); }
  [[nodiscard]] bool running() const { return process_ != nullptr; }
  [[nodiscard]] size_t live_fibers() const { return process_->fibers_.live(); }
  [[nodiscard]] FaultId Fault(std::string_view kind) { return ledger_.Request(kind); }
  [[nodiscard]] Disk& disk() { return *disk_; }
  [[nodiscard]] bool idle() const { return wheel_.empty(); }

  static constexpr int64_t kForever = int64_t{1} << 60;
  static constexpr int64_t kSecond = 1'000'000'000;
  uint64_t hash = 1;
  uint64_t folds = 0;
  uint64_t timers_set = 0;
  uint64_t effects = 0;
  uint64_t fiber_runs = 0;
  bool buggify = false;

 private:
  struct TestProcess final : ProcessContext, core::FiberBackend {
    TestProcess(TestWorld& world, uint64_t run)
        : world_(world),
          run_(run),
          fibers_(*this, run),
          files_(world.disk_->OpenFileSystem(*this)) {}

    [[nodiscard]] core::Fibers& fibers() override { return fibers_; }
    [[nodiscard]] bool dead() const override { return dead_; }
    [[nodiscard]] bool BeginEffect(EventKind) override {
      if (dead_) return false;
      if (++world_.effects == world_.crash_at_) {
        crash_pending_ = true;
        fibers_.ParkForever("the crash");
      }
      return true;
    }
    [[nodiscard]] bool BeginEffectWithoutWaiting(EventKind) override { return !dead_; }
    void ChargeCpu(uint64_t) override {}
    [[nodiscard]] bool BuggifyFires(std::string_view) override { return !dead_ && world_.buggify; }
    [[nodiscard]] uint64_t run_id() const override { return run_; }

    [[nodiscard]] core::MonotonicTime Now() const override {
      return core::MonotonicTime::FromNanos(world_.wheel_.now());
    }
    void MakeReady(core::Fiber& fiber) override { ready_.push_back(&fiber); }
    void OnReady(core::Fiber&) override {}
    void SetTimer(core::TimerNode& node, core::MonotonicTime when) override {
      world_.wheel_.Set(node, when.nanos());
    }
    void CancelTimer(core::TimerNode& node) override { world_.wheel_.Cancel(node); }
    void RunReady() {
      while (!ready_.empty() && !crash_pending_) {
        core::Fiber* fiber = ready_.front();
        ready_.erase(ready_.begin());
        ++world_.fiber_runs;
        fiber->Resume();
      }
      if (crash_pending_) world_.EndProcess();
    }

    TestWorld& world_;
    const uint64_t run_;
    bool dead_ = false;
    bool crash_pending_ = false;
    std::vector<core::Fiber*> ready_;
    core::Fibers fibers_;
    std::unique_ptr<core::FileSystem> files_;
  };

  void EndProcess() {
    if (process_ == nullptr) return;
    process_->dead_ = true;
    process_->fibers_.UnwindAll();
    process_->files_.reset();
    process_.reset();
    disk_->ProcessEnded();
  }

  core::TimerWheel wheel_;
  uint64_t key_;
  FaultLedger ledger_;
  uint64_t runs_ = 0;
  uint64_t crash_at_ = 0;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<TestProcess> process_;
};

}  // namespace highwater::sim
