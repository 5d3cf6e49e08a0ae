#pragma once

// SimulatedProcess: one incarnation of the process on a host: its fibers, its ports, its objects.
//
// How it ends. A crash, a power loss, a planned crash point, Halt or the return of Run first makes
// the ports dead: no call has an effect, an event, a draw or a wake from then on. Then, at the same
// instant and on the scheduler's stack, all fibers are unwound, the application and the file system
// are destroyed, and the kernel deals with what the process had open.
//
// While frozen nothing of it runs; its timers, its input and its woken fibers wait and become ready
// at the thaw in drawn order.
//
// Invariants:
//   1. Whatever destructors do while the process ends, the world's hash is the same.
//   2. A draw's key is (seed, host, incarnation, fiber path, the fiber's wake count, the draw's
//   number since that wake).

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "core/environment.h"
#include "sim/application.h"
#include "sim/disk_port.h"
#include "sim/host.h"
#include "sim/ports.h"

namespace highwater::sim {

class NetworkPort;

class SimulatedProcess final : public core::FiberBackend, public ProcessContext {
 public:
  SimulatedProcess(Host& host, uint64_t run_id);
  ~SimulatedProcess() override;

  // Spawns the first fiber, which makes and runs the application.
  void Start(const Program& program);
  // Makes the ports dead and ends the process: at once, or when the running fiber of this process
  // waits. The process may be destroyed on return. No effect if it is ending already.
  void End(ProcessEnd how, FaultId fault);
  void RequestStop();
  void Freeze(FaultId fault);
  void Thaw();

  [[nodiscard]] Host& host() { return host_; }
  [[nodiscard]] core::Environment& environment() { return *environment_; }
  [[nodiscard]] bool frozen() const { return frozen_ != nullptr; }
  [[nodiscard]] size_t live_fibers() const { return fibers_.live(); }
  [[nodiscard]] std::vector<core::FiberInfo> DescribeFibers() const { return fibers_.Describe(); }

  // The kernel has something for the process: calls input.OnTimer() now, or after the thaw. The
  // process may be gone on return.
  void Input(core::TimerNode& input);
  // A timer of this process is due.
  void OnOwnedTimer(core::TimerNode& node);
  // The scheduler has chosen `fiber`: runs it, or queues it for the CPU.
  void RunChosen(core::Fiber& fiber);
  // Ends the process now if it is ending and none of its fibers runs. The process is destroyed on
  // return of true.
  bool FinishIfEnding();

  // FiberBackend.
  [[nodiscard]] core::MonotonicTime Now() const override;
  void MakeReady(core::Fiber& fiber) override;
  void OnReady(core::Fiber& fiber) override;
  void SetTimer(core::TimerNode& node, core::MonotonicTime when) override;
  void CancelTimer(core::TimerNode& node) override;

  // ProcessContext.
  [[nodiscard]] core::Fibers& fibers() override { return fibers_; }
  [[nodiscard]] bool dead() const override { return dead_; }
  [[nodiscard]] bool BeginEffect(EventKind kind) override;
  [[nodiscard]] bool BeginEffectWithoutWaiting(EventKind kind) override;
  void ChargeCpu(uint64_t bytes) override { charged_bytes_ += bytes; }
  // What the present run has cost so far.
  [[nodiscard]] int64_t CostOfRun() const {
    const Cpu& cpu = host_.cpu();
    return cpu.free_of_charge() ? 0 : cpu.CostOf(charged_bytes_);
  }
  [[nodiscard]] bool BuggifyFires(std::string_view site) override;
  [[nodiscard]] uint64_t run_id() const override { return run_id_; }

  // For calls without an effect: whether the process is dead. Then does not return on a fiber that
  // is not being unwound yet.
  [[nodiscard]] bool EndsHere() {
    if (!dead_) [[likely]]
      return false;
    if (fibers_.current() != nullptr && !fibers_.unwinding()) AbandonFiber();
    return true;
  }

  // The next draw of whoever runs.
  [[nodiscard]] uint64_t Draw(uint64_t purpose);
  // Leaves the current fiber for good: the process is dead. REQUIRES: on a fiber of it.
  [[noreturn]] void AbandonFiber() { fibers_.ParkForever("the end of its process"); }
  [[nodiscard]] bool stop_requested() const { return stop_requested_; }
  void OnStopRequested(absl::AnyInvocable<void()> callback);

 private:
  struct CpuNode final : core::TimerNode {
    explicit CpuNode(SimulatedProcess& p) : process(p) {}
    void OnTimer() override { process.OnCpuFree(); }
    SimulatedProcess& process;
  };
  struct StopNode final : core::TimerNode {
    explicit StopNode(SimulatedProcess& p) : process(p) {}
    void OnTimer() override { process.DeliverStop(); }
    SimulatedProcess& process;
  };

  void Resume(core::Fiber& fiber);
  void OnCpuFree();
  void DeliverStop();
  void Hold(core::TimerNode& node, uint32_t owner);
  [[nodiscard]] bool HitsPlannedCrash();
  // What the names of Buggify's sites come to, worked out once for each literal.
  struct BuggifySite {
    std::string_view name;
    bool on;
    uint64_t key;
  };
  [[nodiscard]] const BuggifySite& Remember(std::string_view site);

  Host& host_;
  World& world_;
  // What every turn of a fiber touches stands together.
  bool dead_ = false;
  FaultId thawed_fault_;  // the freeze that held what has not run yet
  uint64_t charged_bytes_ = 0;
  // What waits for the thaw, in drawn order. Exists while frozen.
  std::unique_ptr<core::TimerWheel> frozen_;
  uint64_t run_id_;
  uint64_t key_;
  core::Fibers fibers_;
  ProcessPort process_port_;
  ClockPort clock_port_;
  RandomPort random_port_;
  BuggifyPort buggify_port_;
  std::unique_ptr<NetworkPort> network_port_;
  std::unique_ptr<core::FileSystem> files_;
  std::unique_ptr<core::Environment> environment_;
  std::unique_ptr<Application> application_;

  bool stop_requested_ = false;
  ProcessEnd end_ = ProcessEnd::kExited;
  FaultId end_fault_;
  uint64_t draws_outside_fibers_ = 0;
  std::vector<BuggifySite> buggify_sites_;
  std::vector<absl::AnyInvocable<void()>> on_stop_;
  StopNode stop_node_;

  // Ready fibers that wait for the CPU.
  std::deque<core::Fiber*> cpu_queue_;
  CpuNode cpu_node_;

  FaultId freeze_fault_;
  uint64_t freezes_ = 0;
  uint64_t held_ = 0;
};

}  // namespace highwater::sim
