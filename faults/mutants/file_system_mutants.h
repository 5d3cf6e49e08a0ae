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

// A sync that failed is taken for one that did not (fsyncgate, KAFKA-10778).
[[nodiscard]] std::unique_ptr<core::FileSystem> MakeSwallowedSyncErrors(core::FileSystem& inner);

// Segments are never synced, their checkpoints are: the recovery point is ahead of what is on the
// disk (KAFKA-10101).
[[nodiscard]] std::unique_ptr<core::FileSystem> MakeUnsyncedSegments(core::FileSystem& inner);

// Directories are never synced [K6].
[[nodiscard]] std::unique_ptr<core::FileSystem> MakeUnsyncedDirectories(core::FileSystem& inner);

// A checkpoint is cut and written anew instead of being replaced as a whole (KAFKA-16541 class).
[[nodiscard]] std::unique_ptr<core::FileSystem> MakeRewrittenCheckpoints(core::FileSystem& inner);

// Producer snapshots outlive the records that they speak of (KAFKA-12964).
[[nodiscard]] std::unique_ptr<core::FileSystem> MakeLastingSnapshots(core::FileSystem& inner);

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
