#pragma once

// Host: a simulated machine: a name in the network, a zone, a clock, a CPU, a disk, and one process
// at a time.
//
// Its kernel outlives processes: connections are reset or ended for a dead process, buffers go on
// filling for a frozen one, the disk completes what it was given. All methods are called from
// outside its process (world.At, the injector, tests), or from a fiber of it, in which case an end
// takes effect when that fiber next waits.
//
// Each fault takes the id under which the ledger counts it; kNoFault for plain operation.

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <string>

#include "sim/application.h"
#include "sim/cpu.h"
#include "sim/disk_port.h"
#include "sim/event_kind.h"
#include "sim/fault_ledger.h"
#include "sim/host_clock.h"
#include "sim/network/network_options.h"

namespace highwater::sim {

class HostDiskContext;
class HostNetwork;
class SimulatedProcess;
class World;

struct HostOptions {
  std::string name;  // resolves in the network
  ZoneId zone;
  CpuCost cpu;
  // Makes the disk; empty: no disk, every file operation fails with NotFound.
  DiskFactory disk;
};

// What a crash takes away.
enum class CrashKind : uint8_t { kProcess, kPowerLoss };

class Host {
 public:
  // Use World::AddHost.
  Host(World& world, HostId id, HostOptions options);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] HostId id() const { return id_; }
  [[nodiscard]] const std::string& name() const { return options_.name; }
  [[nodiscard]] ZoneId zone() const { return options_.zone; }
  [[nodiscard]] World& world() { return world_; }

  // What Start runs; may change between incarnations (an upgrade).
  void SetProgram(Program program) { program_ = std::move(program); }
  void SetMain(std::function<void(core::Environment&)> main) {
    program_ = ProgramOf(std::move(main));
  }
  // Called after each end of a process, outside any fiber.
  void OnProcessEnd(absl::AnyInvocable<void(ProcessEnd)> callback) {
    on_process_end_ = std::move(callback);
  }

  // Powers the host on if need be and starts a new incarnation. REQUIRES: no process is running.
  void Start();
  // Asks the process to stop cleanly (SIGTERM). No effect if none is running or it was asked
  // before.
  void RequestStop(FaultId fault = kNoFault);
  // What the last process that halted said of it; for people, never part of the state hash.
  [[nodiscard]] const std::string& halt_reason() const { return halt_reason_; }
  // Whether the present or last incarnation was asked to stop.
  [[nodiscard]] bool stop_requested() const { return stop_requested_; }
  // Kills the process. No effect if none is running.
  void Crash(FaultId fault = kNoFault) { End(CrashKind::kProcess, fault); }
  // Takes the power away, from the process if one is running and from the disk.
  void LosePower(FaultId fault = kNoFault) { End(CrashKind::kPowerLoss, fault); }
  void End(CrashKind kind, FaultId fault);
  // Crashes at the `n`th effect (counted from 1, see effects()) just before it is made.
  void CrashAtPoint(uint64_t n, CrashKind kind, FaultId fault = kNoFault);
  // Effects on files and network that processes of this host have begun.
  [[nodiscard]] uint64_t effects() const { return effects_; }

  // Stops the process without its kernel (a long garbage collection, SIGSTOP); Thaw goes on.
  void Freeze(FaultId fault = kNoFault);
  void Thaw();
  // Each gets the disk of the other, with its page cache. Observed when a process of one of them
  // gives up. REQUIRES: no process of either is running.
  void SwapDisks(Host& other, FaultId fault = kNoFault);
  [[nodiscard]] bool has_foreign_disk() const { return swap_fault_ != kNoFault; }
  void SlowCpu(int64_t factor, FaultId fault = kNoFault);  // factor 1 ends it
  void JumpWallClock(absl::Duration by, FaultId fault = kNoFault);
  void SetClockDrift(int64_t ppm, FaultId fault = kNoFault);

  [[nodiscard]] bool powered() const { return powered_; }
  [[nodiscard]] bool running() const;  // a process is (frozen or not)
  [[nodiscard]] bool frozen() const;
  // nullptr if none is running.
  [[nodiscard]] SimulatedProcess* process() { return process_.get(); }
  [[nodiscard]] const SimulatedProcess* process() const { return process_.get(); }
  [[nodiscard]] uint64_t run_id() const { return run_id_; }
  [[nodiscard]] DiskPort* disk() { return disk_.get(); }

  // For the parts of sim/.
  [[nodiscard]] Cpu& cpu() { return cpu_; }
  [[nodiscard]] HostClock& clock() { return clock_; }
  [[nodiscard]] HostNetwork& kernel() { return *kernel_; }
  // Whom PendingOf and Set of the world's wheel know as the owner of this host's process's timers.
  [[nodiscard]] uint32_t timer_owner() const { return id_.value() + 1; }
  // The root of this host's keys for draws.
  [[nodiscard]] uint64_t key() const { return key_; }
  // Counts an effect; true if the planned crash is due at it.
  [[nodiscard]] bool CountEffect() { return ++effects_ == crash_at_; }
  [[nodiscard]] CrashKind planned_crash() const { return planned_crash_; }
  [[nodiscard]] FaultId planned_fault() const { return planned_fault_; }
  void NoteHaltReason(std::string_view reason) { halt_reason_ = reason; }
  // The process is unwound and destroyed: called by it on the scheduler's stack as its last act.
  void OnProcessGone(ProcessEnd end, FaultId fault);
  // An observed change of this host's clock: a port has returned what it would not have otherwise.
  void ObserveClock() {
    if (clock_fault_ != kNoFault) [[unlikely]]
      ObserveClockFault();
  }
  void ObserveWallClock() {
    if (wall_fault_ != kNoFault) [[unlikely]]
      ObserveWallFault();
    ObserveClock();
  }

 private:
  void ObserveClockFault();
  void ObserveWallFault();
  void DropPower();

  // What every turn of a fiber and every effect touches stands together.
  World& world_;
  uint64_t effects_ = 0;
  uint64_t crash_at_ = 0;
  Cpu cpu_;
  HostId id_;
  HostOptions options_;
  uint64_t key_;
  Program program_;
  absl::AnyInvocable<void(ProcessEnd)> on_process_end_;
  HostClock clock_;
  std::unique_ptr<HostDiskContext> disk_context_;
  std::unique_ptr<DiskPort> disk_;
  std::unique_ptr<HostNetwork> kernel_;
  std::unique_ptr<SimulatedProcess> process_;
  bool powered_ = true;
  bool stop_requested_ = false;
  FaultId stop_fault_;
  std::string halt_reason_;
  uint64_t run_id_ = 0;
  CrashKind planned_crash_ = CrashKind::kProcess;
  FaultId planned_fault_;
  FaultId swap_fault_;
  FaultId clock_fault_;
  FaultId wall_fault_;
};

}  // namespace highwater::sim
