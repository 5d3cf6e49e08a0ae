#pragma once

// Mutants by port decorator: a broker whose disk breaks one promise. Each exists so that one
// invariant can be seen to fail.

#include <memory>
#include <string_view>

#include "core/environment.h"
#include "core/file_system.h"

namespace highwater::faults {

// Sync and SyncDirectory answer OK and do nothing (a drive with a lying write cache). Breaks
// acked-durable under flush.messages=1.
[[nodiscard]] std::unique_ptr<core::FileSystem> MakeLyingSync(core::FileSystem& inner);

// Every batch written to a log loses one bit of its last record's value, with a checksum that fits.
// Breaks phantom.
[[nodiscard]] std::unique_ptr<core::FileSystem> MakeAlteredRecords(core::FileSystem& inner);

// The clean-shutdown marker of a log directory is never removed, so that every later start takes
// what it finds for whole (KAFKA-15375 class).
[[nodiscard]] std::unique_ptr<core::FileSystem> MakeLastingCleanMarker(core::FileSystem& inner);

// A second incarnation never gets the lock of its log directory (a stale lock file that nobody
// removes). Breaks readable-at-rest.
[[nodiscard]] std::unique_ptr<core::FileSystem> MakeStaleLock(core::FileSystem& inner,
                                                              uint64_t run_id);

}  // namespace highwater::faults
