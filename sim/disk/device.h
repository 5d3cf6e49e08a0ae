#pragma once

// Device: one simulated storage device: a queue of operations, each with its time, and what is
// wrong with it.
//
//   auto op = std::make_shared<DeviceOperation>();
//   op->complete = [...] { ... the effect on the model ... };
//   device.Submit(op, bytes, latency);
//
// Operations start in order, one after the other: each occupies the device for 1 / operations per
// second plus its bytes by the bandwidth, and completes its latency later. While the device stalls,
// what would complete is held. Not responsible for: what an operation does, what is dirty (Disk).

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/timer_wheel.h"
#include "core/wait_queue.h"
#include "sim/disk/disk_options.h"
#include "sim/disk_port.h"

namespace highwater::sim {

class Device;

// Belongs to the device while it is in flight and to the fiber that waits for it; either may go
// first.
struct DeviceOperation final : core::TimerNode {
  void OnTimer() override;

  absl::AnyInvocable<void()> complete;  // when it is done, before anybody is woken
  core::WaitQueue waiters;
  bool done = false;
  absl::Status status;
  FaultId failed_by = kNoFault;  // why `status` is not OK
  FaultId delayed_by = kNoFault;

 private:
  friend class Device;
  Device* device_ = nullptr;
  int64_t service_ = 0;  // how long it occupies the device and completes afterwards, in nanoseconds
};

class Device {
 public:
  Device(DiskContext& context, const DiskOptions& options, size_t index)
      : context_(context), options_(options), index_(index) {}
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] size_t index() const { return index_; }

  void Submit(const std::shared_ptr<DeviceOperation>& operation, uint64_t bytes, int64_t latency);
  // Forgets all operations: none of them completes.
  void LosePower();

  void Begin(const DiskFault& fault);
  // True if there was one.
  bool End(FaultId fault);
  // The fault of a kind that began first; null if there is none. Nearly always none at all.
  [[nodiscard]] const DiskFault* Find(DiskFault::Kind kind) const {
    return faults_.empty() ? nullptr : FindAmong(kind);
  }
  // As Find, and by a draw of `random` it hits this call.
  [[nodiscard]] const DiskFault* Hits(DiskFault::Kind kind, uint64_t random) const;
  // What holds the device's operations: of both kinds of stalls the first.
  [[nodiscard]] const DiskFault* Stall() const;

  core::WaitQueue writers;  // fibers that wait for a stall's end or for room below the dirty limit
  FaultId replaced_by = kNoFault;  // until somebody noticed

 private:
  friend struct DeviceOperation;
  [[nodiscard]] const DiskFault* FindAmong(DiskFault::Kind kind) const;
  void OnDue(DeviceOperation& operation);
  void Release();

  DiskContext& context_;
  const DiskOptions& options_;
  const size_t index_;
  int64_t free_at_ = 0;  // when the last operation's turn ends
  std::vector<std::shared_ptr<DeviceOperation>> in_flight_;
  std::vector<std::shared_ptr<DeviceOperation>> held_;
  std::vector<DiskFault> faults_;
};

}  // namespace highwater::sim
