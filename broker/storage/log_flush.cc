// Flushing a Log: what is synced and when the recovery point moves [L6, M82, M83, M93].

#include <algorithm>

#include "broker/storage/flush_order.h"
#include "broker/storage/log.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {

void Log::SpawnFlush(Offset offset) {
  env_.fibers.Spawn("log flush", [self = shared_from_this(), offset] {
    static_cast<void>(self->FlushUpTo(offset, IncludeEmptyActive::kNo));
  });
}

absl::Status Log::FlushUpTo(Offset offset, IncludeEmptyActive include) {
  const core::MutexLock lock(flush_mutex_);
  if (!failure_.ok()) return failure_;
  if (renamed_away_) return absl::OkStatus();
  // The offset may have been cut since the flush was asked for.
  flushing_to_ = std::min(offset, log_end_offset_);
  const absl::Status status = RunFlush(flushing_to_, include);
  if (renamed_away_) return absl::OkStatus();  // [M93] a deleted log owes nobody a flush
  if (absl::IsCancelled(status))
    return status;  // nothing is known to have failed, and nothing was promised
  if (!status.ok()) {
    Fail(status);
    return status;
  }
  if (!failure_.ok()) return failure_;
  last_flush_time_ = env_.clock.Now();
  // [M82] What a truncation cut meanwhile, and what was appended in its place, was not synced.
  if (flushing_to_ > recovery_point_) {
    recovery_point_ = flushing_to_;
    observer_.OnFlushed(broker_, partition_, recovery_point_);
  }
  return absl::OkStatus();
}

absl::Status Log::RunFlush(Offset target, IncludeEmptyActive include) {
  const std::vector<std::shared_ptr<LogSegment>> segments = segments_;
  std::vector<FlushableSegment> flushable;
  for (const auto& segment : segments) flushable.push_back({.base = segment->base()});
  const std::vector<FlushStep> steps =
      FlushOrder(flushable, {.recovery_point = recovery_point_,
                             .target = target,
                             .log_end_offset = log_end_offset_,
                             .directory_changed = directory_changed_,
                             .include_empty_active = include == IncludeEmptyActive::kYes});
  for (const FlushStep& step : steps) {
    if (step.kind == FlushStep::Kind::kDirectory) {
      directory_changed_ = false;
      const absl::Status synced = env_.files.SyncDirectory(directory_);
      if (!synced.ok()) directory_changed_ = true;
      HW_RETURN_IF_ERROR(synced);
      continue;
    }
    LogSegment& segment = *segments[step.segment];
    absl::Status status;
    switch (step.kind) {
      case FlushStep::Kind::kLog:
        status = segment.WriteIndexes();
        if (status.ok()) status = segment.SyncLog();
        break;
      case FlushStep::Kind::kOffsetIndex:
        status = segment.SyncOffsetIndex();
        break;
      case FlushStep::Kind::kTimeIndex:
        status = segment.SyncTimeIndex();
        break;
      case FlushStep::Kind::kTransactionIndex:
      case FlushStep::Kind::kDirectory:
        break;
    }
    if (!status.ok() && segment.deleted()) {
      HW_MARK("log_flush_of_deleted_segment");
      continue;  // [M93] retention or a truncation took it away while we worked
    }
    HW_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

}  // namespace highwater::broker::storage
