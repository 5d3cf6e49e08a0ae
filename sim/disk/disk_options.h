#pragma once

// DiskOptions: what a simulated disk is like; DiskFault: what can be wrong with it for a while.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/fault_ledger.h"

namespace highwater::sim {

// Nanoseconds; a draw is uniform in [low, high].
struct NanosRange {
  int64_t low = 0;
  int64_t high = 0;
};

struct DiskOptions {
  NanosRange sync{2'000'000, 20'000'000};  // beside the time for the bytes
  NanosRange read{50'000, 200'000};        // a read that misses the page cache, the same
  NanosRange write{20'000, 200'000};       // a write-back, the same
  int64_t bandwidth = 400 << 20;           // bytes a second
  int64_t operations_per_second = 20'000;
  uint64_t capacity = uint64_t{64} << 30;     // bytes of each device
  uint64_t page_cache = uint64_t{1} << 30;    // bytes of the host
  uint64_t dirty_limit = uint64_t{64} << 20;  // of a device; writers wait for write-back
  // How long after something became dirty, and after the last time, a part of what is dirty is
  // written back.
  NanosRange write_back{1'000'000'000, 5'000'000'000};
  // Directories of the root with a device of their own: mounts[i] is device i + 1, everything else
  // device 0.
  std::vector<std::string> mounts;
};

// Something that is wrong until Disk::End(id).
struct DiskFault {
  enum class Kind : uint8_t {
    kStallDevice,  // holds write-back, syncs and reads that miss the page cache
    kStallWrites,  // holds also write, truncate, create, rename and remove
    kSlow,         // operations of the device take `factor` times as long
    kReadErrors,   // reads fail with EIO, cached or not
    kWriteErrors,  // write, truncate, create, rename and remove fail with EIO
    kSyncErrors,   // the device fails to write: syncs fail, and what they covered is not durable
    kLieSync,      // syncs are confirmed at once and not made
    kFull,         // no room
  };
  FaultId id;
  Kind kind = Kind::kStallDevice;
  std::optional<size_t> device;  // empty: all of them
  int64_t factor = 1;            // kSlow
  int percent = 100;             // of the calls that fail, for the errors
};

}  // namespace highwater::sim
