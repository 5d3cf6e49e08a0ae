#pragma once

// Where a simulated host and its disk meet: what the disk may ask of the world (DiskContext), what
// a file system may ask of the process that it serves (ProcessContext), and what a host asks of its
// disk (DiskPort).
//
// A DiskPort survives the death of processes: it is the kernel's page cache and the devices below.
// A core::FileSystem belongs to one incarnation of a process. The order at the end of a process:
//   1. its ports are dead: ProcessContext::dead() is true;
//   2. all its fibers are unwound and its objects destroyed, open files and locks among them:
//   nothing they call has an effect;
//   3. its core::FileSystem is destroyed;
//   4. DiskPort::ProcessEnded, and for a power loss then DiskPort::PowerLost, at the same instant.
//
// Not responsible for: what a file system does (sim/disk).

#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "core/fibers.h"
#include "core/file_system.h"
#include "core/random.h"
#include "core/timer_wheel.h"
#include "sim/event_kind.h"
#include "sim/fault_ledger.h"

namespace highwater::sim {

// The world as a disk sees it. All times are the world's own nanoseconds, which no clock fault
// touches.
class DiskContext {
 public:
  virtual ~DiskContext() = default;
  [[nodiscard]] virtual int64_t Now() const = 0;
  // The host's wall clock, for modification times; it may have jumped.
  [[nodiscard]] virtual absl::Time WallNow() const = 0;
  // Calls node.OnTimer() at world time `when`, outside any fiber. These are the kernel's timers:
  // they go on while a process is frozen or dead. After PowerLost the disk withdraws its own.
  virtual void SetTimer(core::TimerNode& node, int64_t when) = 0;
  virtual void CancelTimer(core::TimerNode& node) = 0;
  // The root of this disk's keys: mixes seed and host. A draw is core::KeyedRandom::Draw(Mix(key(),
  // what), which): keyed by a stable identity, such as (file's number, its nth operation), never by
  // a counter of the whole disk's draws.
  [[nodiscard]] virtual uint64_t key() const = 0;
  // Folds an executed event of this disk into the world's hash chain. Hash fields, and remembered
  // digests of content.
  virtual void Fold(EventKind kind, uint64_t digest) = 0;
  [[nodiscard]] virtual FaultLedger& ledger() = 0;
};

// The process as its file system sees it.
class ProcessContext {
 public:
  virtual ~ProcessContext() = default;
  [[nodiscard]] virtual core::Fibers& fibers() = 0;
  // True from the instant of a crash on: no call may have an effect, an event, a draw or a wake.
  [[nodiscard]] virtual bool dead() const = 0;

  // Counts one effect (a numbered crash point), to be called just before the effect is made: "write
  // A, write B" can be split between them. False: the process is dead, make no effect and return
  // Cancelled. If a crash is planned at this point it happens now: the call then does not return
  // but parks until the fiber is unwound. REQUIRES: on a fiber of the process, or dead().
  [[nodiscard]] virtual bool BeginEffect(EventKind kind) = 0;
  // The same for calls that must not wait (destructors, Close): returns false also when the planned
  // crash happens now.
  [[nodiscard]] virtual bool BeginEffectWithoutWaiting(EventKind kind) = 0;

  // Adds `bytes` to what the running fiber's run costs the host's CPU.
  virtual void ChargeCpu(uint64_t bytes) = 0;
  // False at once while dead.
  [[nodiscard]] virtual bool BuggifyFires(std::string_view site) = 0;
  // The incarnation, from 1.
  [[nodiscard]] virtual uint64_t run_id() const = 0;
};

// A completion wakes a fiber by a core::WaitQueue; a frozen process's fiber then stays ready until
// the thaw. The state of an operation in flight belongs to the disk, not to the fiber's stack: the
// fiber may be unwound before the completion.
class DiskPort {
 public:
  virtual ~DiskPort() = default;
  // For a new incarnation. `process` outlives the file system. At most one exists at a time.
  [[nodiscard]] virtual std::unique_ptr<core::FileSystem> OpenFileSystem(
      ProcessContext& process) = 0;
  // The process is gone, by whatever way: open files and locks are released, the page cache is
  // kept, writes that the kernel has accepted go on to the device.
  virtual void ProcessEnded() = 0;
  // The host lost power: what was not synced is dropped, torn or kept as drawn; nothing is in
  // flight any more.
  virtual void PowerLost() = 0;
};

// Makes a host's disk; `context` outlives it.
using DiskFactory = std::function<std::unique_ptr<DiskPort>(DiskContext& context)>;

}  // namespace highwater::sim
