#pragma once

// WriteBack: the kernel's flusher of one device: at intervals, while something is dirty, it writes
// a drawn part of it back.
//
// One write-back is in flight at a time. Part of Disk; not responsible for what becomes durable
// (DiskModel).

#include <cstdint>
#include <memory>
#include <vector>

#include "core/timer_wheel.h"
#include "sim/disk/disk.h"

namespace highwater::sim {

struct Disk::WriteBack final : core::TimerNode {
  struct Item {
    uint64_t inode;
    uint64_t upto;
  };

  WriteBack(Disk& owner, size_t of_device) : disk(owner), device(of_device) {}
  void OnTimer() override { disk.StartWriteBack(*this); }

  Disk& disk;
  const size_t device;
  uint64_t steps = 0;   // keys the draws
  bool urgent = false;  // writers wait: all that is dirty is written
  std::shared_ptr<DeviceOperation> in_flight;
  std::vector<Item> items;  // of the write-back in flight
  uint64_t names_upto = 0;
};

}  // namespace highwater::sim
