#pragma once

// LogOperation: one entry of a log's queue.

#include <absl/container/inlined_vector.h>
#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include <cstdint>
#include <string>

#include "broker/protocol/record_batch.h"
#include "broker/types.h"

namespace highwater::broker::storage {

// Called when the operation has happened (OK) or never will. Must not wait.
using Completion = absl::AnyInvocable<void(const absl::Status&)>;

struct LogOperation {
  enum class Kind : uint8_t {
    kAppend,
    kAssignEpoch,
    kTruncateTo,
    kTruncateFully,
    kIncrementLogStart,
    kRetention,
    kRoll,
    kRenameAway,
    kBarrier,
  };

  Kind kind = Kind::kBarrier;
  absl::InlinedVector<protocol::RecordBatch, 1> batches;  // kAppend: with their offsets and epochs
  Offset offset{0};       // target, or the high watermark for kRetention
  LeaderEpoch epoch{-1};  // kAssignEpoch
  std::string name;       // kRenameAway
  Completion done;
};

}  // namespace highwater::broker::storage
