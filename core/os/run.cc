#include "core/os/run.h"

#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "core/os/errors.h"
#include "core/os/file_system.h"
#include "core/os/loop.h"
#include "core/os/network.h"
#include "core/os/workers.h"
#include "core/status_macros.h"

namespace highwater::core::os {
namespace {

constexpr int kExitOfHalt = 1;

uint64_t SeedFromKernel() {
  uint64_t seed = 0;
  HW_CHECK(getrandom(&seed, sizeof(seed), 0) == sizeof(seed), "getrandom fails");
  return seed;
}

class OsClock final : public Clock {
 public:
  explicit OsClock(const Loop& loop) : loop_(loop) {}
  MonotonicTime Now() const override { return loop_.Now(); }
  absl::Time WallNow() const override { return absl::Now(); }

 private:
  const Loop& loop_;
};

class OsProcess final : public Process {
 public:
  OsProcess(Loop& loop, uint64_t run_id)
      : loop_(loop),
        run_id_(run_id != 0 ? run_id : static_cast<uint64_t>(absl::ToUnixNanos(absl::Now()))) {}

  [[noreturn]] void Halt(std::string_view reason) override {
    const std::string message = fmt::format("highwater: halted: {}\n", reason);
    static_cast<void>(!write(STDERR_FILENO, message.data(), message.size()));
    _exit(kExitOfHalt);
  }
  bool StopRequested() const override { return stop_requested_; }
  void OnStopRequested(absl::AnyInvocable<void()> callback) override {
    callbacks_.push_back(std::move(callback));
    if (stop_requested_) CallBackSoon();
  }
  uint64_t RunId() const override { return run_id_; }

  void RequestStop() {
    stop_requested_ = true;
    CallBackSoon();
  }
  // What is captured in callbacks may belong to fibers.
  void DropCallbacks() { callbacks_.clear(); }

 private:
  // Calls back from the loop: whoever asks may be on a fiber.
  struct CallBackNode final : TimerNode {
    explicit CallBackNode(OsProcess& p) : process(p) {}
    void OnTimer() override {
      for (auto& callback : std::exchange(process.callbacks_, {})) callback();
    }
    OsProcess& process;
  };
  void CallBackSoon() { loop_.SetTimer(call_back_node_, MonotonicTime()); }

  Loop& loop_;
  const uint64_t run_id_;
  bool stop_requested_ = false;
  std::vector<absl::AnyInvocable<void()>> callbacks_;
  CallBackNode call_back_node_{*this};
};

// SIGTERM and SIGINT as events of the loop.
class Signals final : public EventSource {
 public:
  Signals(Loop& loop, OsProcess& process) : loop_(loop), process_(process) {}
  ~Signals() override {
    if (!fd_.valid()) return;
    loop_.Unwatch(fd_.get(), *this);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  absl::Status TakeOver() {
    sigset_t taken;
    sigemptyset(&taken);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGINT);
    pthread_sigmask(SIG_BLOCK, &taken, &before_);
    fd_ = Fd(signalfd(-1, &taken, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!fd_.valid()) return NetworkError(errno, "make", "a signal descriptor");
    return loop_.Watch(fd_.get(), *this);
  }

 private:
  void OnEvents(uint32_t) override {
    signalfd_siginfo info;
    while (read(fd_.get(), &info, sizeof(info)) == sizeof(info)) {
      if (process_.StopRequested()) _exit(128 + static_cast<int>(info.ssi_signo));
      process_.RequestStop();
    }
  }

  Loop& loop_;
  OsProcess& process_;
  Fd fd_;
  sigset_t before_;
};

class OsWorld final : public World {
 public:
  OsWorld(const Options& options, std::string root, std::unique_ptr<Loop> loop)
      : loop_(std::move(loop)),
        process_(*loop_, options.run_id),
        clock_(*loop_),
        random_(SeedFromKernel()),
        fibers_(*loop_, process_.RunId()),
        workers_(fibers_, *loop_->mailbox(), options.threads_per_mount),
        files_(workers_, std::move(root)),
        network_(fibers_, *loop_, workers_),
        signals_(*loop_, process_) {
    loop_->SetWorkers(&workers_);
    signal(SIGPIPE, SIG_IGN);  // sendfile to a closed connection raises it
  }

  ~OsWorld() override {
    process_.DropCallbacks();
    workers_.Stop();  // a worker borrows what a fiber owns
    loop_->Kill();
    fibers_.UnwindAll();
    loop_->SetWorkers(nullptr);
  }

  [[nodiscard]] absl::Status TakeOverSignals() { return signals_.TakeOver(); }

  Environment& environment() override { return environment_; }

  int Run(absl::AnyInvocable<int(Environment&)> main) override {
    bool done = false;
    int result = 0;
    fibers_.Spawn("main", [&] {
      result = main(environment_);
      done = true;
    });
    loop_->RunUntil(done);
    return result;
  }

  void RequestStop() override { process_.RequestStop(); }

 private:
  std::unique_ptr<Loop> loop_;
  OsProcess process_;
  OsClock clock_;
  KeyedRandom random_;
  NoBuggify buggify_;
  Fibers fibers_;
  Workers workers_;
  OsFileSystem files_;
  OsNetwork network_;
  Signals signals_;
  Environment environment_{.process = process_,
                           .clock = clock_,
                           .fibers = fibers_,
                           .network = network_,
                           .files = files_,
                           .random = random_,
                           .buggify = buggify_};
};

}  // namespace

absl::StatusOr<std::unique_ptr<World>> World::Create(const Options& options) {
  char* const resolved = realpath(options.root_directory.c_str(), nullptr);
  if (resolved == nullptr) return FileError(errno, "open root directory", options.root_directory);
  std::string root(resolved);
  std::free(resolved);
  struct stat info;
  if (stat(root.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return FileError(ENOTDIR, "open root directory", root);
  }
  HW_ASSIGN_OR_RETURN(std::unique_ptr<Loop> loop, Loop::Create());
  auto world = std::make_unique<OsWorld>(options, std::move(root), std::move(loop));
  if (options.handle_signals) HW_RETURN_IF_ERROR(world->TakeOverSignals());
  return world;
}

int Run(const Options& options, absl::AnyInvocable<int(Environment&)> main) {
  absl::StatusOr<std::unique_ptr<World>> world = World::Create(options);
  if (!world.ok()) {
    fmt::print(stderr, "highwater: {}\n", world.status().ToString());
    return 1;
  }
  return (*world)->Run(std::move(main));
}

}  // namespace highwater::core::os
