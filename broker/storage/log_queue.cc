// The queue of a Log: admission, the worker fiber, completion, failure.

#include <algorithm>

#include "broker/storage/log.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {
namespace {

// Appends that are written together, at most.
constexpr uint64_t kMaxGroupBytes = 1 << 20;
constexpr size_t kMaxGroupOperations = 256;

uint64_t BytesOf(const LogOperation& operation) {
  uint64_t bytes = 0;
  for (const protocol::RecordBatch& batch : operation.batches) bytes += batch.size();
  return bytes;
}

}  // namespace

absl::Status Log::CheckOpen() const {
  if (!failure_.ok()) {
    return absl::UnavailableError(
        fmt::format("log {} is offline: {}", partition_, std::string(failure_.message())));
  }
  if (closed_) return absl::FailedPreconditionError(fmt::format("log {} is closed", partition_));
  return absl::OkStatus();
}

absl::Status Log::Enqueue(LogOperation operation) {
  queue_.push_back(std::move(operation));
  ++enqueued_;
  if (worker_running_) return absl::OkStatus();
  worker_running_ = true;
  env_.fibers.Spawn("log writer", [self = shared_from_this()] { self->RunWorker(); });
  return absl::OkStatus();
}

absl::StatusOr<AdmittedOffsets> Log::AppendAsLeader(protocol::RecordBatch batch, LeaderEpoch epoch,
                                                    Completion done) {
  HW_RETURN_IF_ERROR(CheckOpen());
  if (batch.header().has_producer_id() && !KnowsProducers()) {
    return absl::FailedPreconditionError(
        fmt::format("log {} does not know its producers yet", partition_));
  }
  LogOperation operation{.kind = LogOperation::Kind::kAppend, .done = std::move(done)};
  operation.batches.push_back(batch.WithOffset(next_admitted_offset_, epoch));
  AdmitProducer(operation.batches[0].header());
  const Offset last = operation.batches[0].header().last_offset();
  const AdmittedOffsets admitted{next_admitted_offset_, last};
  next_admitted_offset_ = last + 1;
  HW_RETURN_IF_ERROR(Enqueue(std::move(operation)));
  return admitted;
}

absl::StatusOr<AdmittedOffsets> Log::AppendAsFollower(const core::ByteChain& records,
                                                      Completion done) {
  HW_RETURN_IF_ERROR(CheckOpen());
  LogOperation operation{.kind = LogOperation::Kind::kAppend, .done = std::move(done)};
  Offset next = next_admitted_offset_;
  protocol::RecordBatchReader reader(records);
  while (std::optional<protocol::RecordBatch> batch = reader.Next()) {
    HW_RETURN_IF_ERROR(batch->Validate());
    if (batch->header().base_offset < next) {
      return absl::OutOfRangeError(fmt::format("{}: a batch at {}, below the log end {}",
                                               partition_, batch->header().base_offset, next));
    }
    if (batch->header().last_offset() < batch->header().base_offset) {
      return absl::DataLossError(
          fmt::format("{}: offsets of the batch at {} overflow", partition_, next));
    }
    next = batch->header().next_offset();
    operation.batches.push_back(*std::move(batch));
  }
  HW_RETURN_IF_ERROR(reader.status());
  AdmittedOffsets admitted{next_admitted_offset_, next - 1};
  if (!operation.batches.empty()) admitted.first = operation.batches[0].header().base_offset;
  next_admitted_offset_ = next;
  HW_RETURN_IF_ERROR(Enqueue(std::move(operation)));
  producers_unknown_until_ = enqueued_;
  return admitted;
}

absl::Status Log::AssignEpoch(LeaderEpoch epoch, Completion done) {
  HW_RETURN_IF_ERROR(CheckOpen());
  return Enqueue(
      {.kind = LogOperation::Kind::kAssignEpoch, .epoch = epoch, .done = std::move(done)});
}

absl::Status Log::TruncateTo(Offset offset, Completion done) {
  HW_RETURN_IF_ERROR(CheckOpen());
  if (offset.value() < 0) return absl::InvalidArgumentError("a truncation to a negative offset");
  next_admitted_offset_ = std::min(next_admitted_offset_, offset);
  producers_unknown_until_ = enqueued_ + 1;
  return Enqueue(
      {.kind = LogOperation::Kind::kTruncateTo, .offset = offset, .done = std::move(done)});
}

absl::Status Log::TruncateFullyAndStartAt(Offset offset, Completion done) {
  HW_RETURN_IF_ERROR(CheckOpen());
  if (offset.value() < 0) return absl::InvalidArgumentError("a truncation to a negative offset");
  next_admitted_offset_ = offset;
  producers_unknown_until_ = enqueued_ + 1;
  return Enqueue(
      {.kind = LogOperation::Kind::kTruncateFully, .offset = offset, .done = std::move(done)});
}

absl::Status Log::IncrementLogStartOffset(Offset offset, Completion done) {
  HW_RETURN_IF_ERROR(CheckOpen());
  return Enqueue(
      {.kind = LogOperation::Kind::kIncrementLogStart, .offset = offset, .done = std::move(done)});
}

absl::Status Log::ApplyRetention(Offset high_watermark, Completion done) {
  HW_RETURN_IF_ERROR(CheckOpen());
  return Enqueue(
      {.kind = LogOperation::Kind::kRetention, .offset = high_watermark, .done = std::move(done)});
}

absl::Status Log::Roll(Completion done) {
  HW_RETURN_IF_ERROR(CheckOpen());
  return Enqueue({.kind = LogOperation::Kind::kRoll, .done = std::move(done)});
}

absl::Status Log::RenameAway(std::string renamed, Completion done) {
  HW_RETURN_IF_ERROR(CheckOpen());
  const absl::Status queued = Enqueue({.kind = LogOperation::Kind::kRenameAway,
                                       .name = std::move(renamed),
                                       .done = std::move(done)});
  closed_ = true;
  return queued;
}

void Log::RunWorker() {
  while (!queue_.empty()) {
    if (!failure_.ok()) {
      FailQueue();
    } else if (queue_.front().kind == LogOperation::Kind::kAppend) {
      RunAppends();
    } else {
      LogOperation operation = std::move(queue_.front());
      queue_.pop_front();
      absl::Status status = Execute(operation);
      ++completed_;
      if (!failure_.ok()) status = failure_;
      if (operation.done) operation.done(status);
    }
  }
  worker_running_ = false;
}

// What an operation answers; an error of the disk takes the log offline besides.
absl::Status Log::Execute(LogOperation& operation) {
  absl::Status status;
  switch (operation.kind) {
    case LogOperation::Kind::kAppend:
      HW_UNREACHABLE("appends are written in groups");
    case LogOperation::Kind::kBarrier:
      return absl::OkStatus();
    case LogOperation::Kind::kIncrementLogStart:
      if (operation.offset > log_end_offset_) {
        return absl::OutOfRangeError(fmt::format("log start offset {} above the log end {}",
                                                 operation.offset, log_end_offset_));
      }
      status = DoIncrementLogStart(operation.offset);
      break;
    case LogOperation::Kind::kAssignEpoch:
      status = EnterEpoch(operation.epoch, log_end_offset_);
      break;
    case LogOperation::Kind::kTruncateTo:
      status = DoTruncateTo(operation.offset);
      break;
    case LogOperation::Kind::kTruncateFully:
      status = DoTruncateFully(operation.offset);
      break;
    case LogOperation::Kind::kRetention:
      status = DoApplyRetention(operation.offset);
      break;
    case LogOperation::Kind::kRoll:
      if (active().size() > 0) status = RollAt(log_end_offset_);
      break;
    case LogOperation::Kind::kRenameAway:
      status = DoRenameAway(operation.name);
      break;
  }
  if (!status.ok()) Fail(status);
  return status;
}

void Log::RunAppends() {
  std::vector<LogOperation> appends;
  uint64_t bytes = 0;
  do {
    bytes += BytesOf(queue_.front());
    appends.push_back(std::move(queue_.front()));
    queue_.pop_front();
  } while (!queue_.empty() && queue_.front().kind == LogOperation::Kind::kAppend &&
           bytes + BytesOf(queue_.front()) <= kMaxGroupBytes &&
           appends.size() < kMaxGroupOperations);
  if (const absl::Status status = WriteAppends(absl::MakeSpan(appends)); !status.ok()) Fail(status);
  completed_ += appends.size();
  for (LogOperation& append : appends) {
    if (append.done) append.done(failure_);
  }
}

// Cuts the batches of `appends` into runs that go to one segment with one write, and flushes if so
// many messages wait [P2].
absl::Status Log::WriteAppends(absl::Span<LogOperation> appends) {
  absl::InlinedVector<const protocol::RecordBatch*, 8> run;
  uint64_t run_bytes = 0;
  const auto write_run = [&]() -> absl::Status {
    if (run.empty()) return absl::OkStatus();
    const absl::Status status = WriteRun(run);
    run.clear();
    run_bytes = 0;
    return status;
  };
  for (const LogOperation& append : appends) {
    for (const protocol::RecordBatch& batch : append.batches) {
      const LeaderEpoch epoch = batch.header().partition_leader_epoch;
      if (!run.empty() && epoch != run.back()->header().partition_leader_epoch) {
        HW_RETURN_IF_ERROR(write_run());
      }
      if (MustRollBefore(batch, run_bytes)) {
        HW_RETURN_IF_ERROR(write_run());
        // An empty segment that begins elsewhere may still have to be left.
        if (MustRollBefore(batch, 0)) HW_RETURN_IF_ERROR(RollAt(batch.header().base_offset));
      }
      run.push_back(&batch);
      run_bytes += batch.size();
    }
  }
  HW_RETURN_IF_ERROR(write_run());
  if (log_end_offset_ - recovery_point_ >= config_.flush_messages) {
    return FlushUpTo(log_end_offset_, IncludeEmptyActive::kNo);
  }
  return absl::OkStatus();
}

void Log::Fail(const absl::Status& status) {
  if (!failure_.ok()) return;
  HW_MARK("log_failed");
  failure_ = status;
  owner_.OnStorageError(status);
}

void Log::TakeOffline(const absl::Status& why) {
  if (failure_.ok()) failure_ = why;
}

void Log::FailQueue() {
  while (!queue_.empty()) {
    LogOperation operation = std::move(queue_.front());
    queue_.pop_front();
    if (operation.done) operation.done(failure_);
  }
}

absl::Status Log::WaitFor(absl::AnyInvocable<absl::Status(Completion)> start) {
  struct Outcome {
    std::optional<absl::Status> status;
    core::WaitQueue waiting;
  };
  const auto outcome = std::make_shared<Outcome>();
  HW_RETURN_IF_ERROR(start([outcome](const absl::Status& status) {
    outcome->status = status;
    outcome->waiting.WakeAll();
  }));
  while (!outcome->status) {
    const core::Wake wake =
        outcome->waiting.Wait(env_.fibers, "a log's queue", core::MonotonicTime::Never());
    if (wake == core::Wake::kCancelled) return absl::CancelledError("a log's queue");
  }
  return *outcome->status;
}

absl::Status Log::AppendAsLeaderAndWait(protocol::RecordBatch batch, LeaderEpoch epoch,
                                        AdmittedOffsets* admitted) {
  return WaitFor([&](Completion done) -> absl::Status {
    HW_ASSIGN_OR_RETURN(*admitted, AppendAsLeader(std::move(batch), epoch, std::move(done)));
    return absl::OkStatus();
  });
}

absl::Status Log::TruncateToAndWait(Offset offset) {
  return WaitFor([&](Completion done) { return TruncateTo(offset, std::move(done)); });
}

absl::Status Log::ApplyRetentionAndWait(Offset high_watermark) {
  return WaitFor([&](Completion done) { return ApplyRetention(high_watermark, std::move(done)); });
}

absl::Status Log::RenameAwayAndWait(std::string renamed) {
  return WaitFor([&](Completion done) { return RenameAway(std::move(renamed), std::move(done)); });
}

absl::Status Log::Drain() {
  return WaitFor([&](Completion done) -> absl::Status {
    if (!failure_.ok()) return failure_;
    return Enqueue({.kind = LogOperation::Kind::kBarrier, .done = std::move(done)});
  });
}

absl::Status Log::Close() {
  HW_RETURN_IF_ERROR(CheckOpen());
  closed_ = true;
  HW_RETURN_IF_ERROR(Drain());
  if (const absl::Status taken = TakeProducerSnapshot(log_end_offset_); !taken.ok()) {
    if (!absl::IsCancelled(taken)) Fail(taken);
    return taken;
  }
  active().OnBecomeInactive();
  return FlushUpTo(log_end_offset_, IncludeEmptyActive::kYes);
}

}  // namespace highwater::broker::storage
