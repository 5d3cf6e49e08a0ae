#include "broker/replication/partition.h"

#include <utility>

#include "broker/storage/append_validation.h"
#include "core/check.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker {

using protocol::ErrorCode;

namespace {

ErrorCode FromStorage(const absl::Status& status) {
  if (status.ok()) return ErrorCode::NONE;
  if (absl::IsOutOfRange(status)) return ErrorCode::OFFSET_OUT_OF_RANGE;
  // Closed or deleted while the request was on its way.
  if (absl::IsFailedPrecondition(status)) return ErrorCode::NOT_LEADER_OR_FOLLOWER;
  return ErrorCode::KAFKA_STORAGE_ERROR;
}

}  // namespace

Partition::Partition(core::Environment& env, BrokerId self, const protocol::Uuid& topic_id,
                     const TopicConfig& config, std::shared_ptr<storage::Log> log,
                     Observer& observer)
    : env_(env),
      self_(self),
      topic_id_(topic_id),
      log_(std::move(log)),
      observer_(observer),
      leader_(self) {
  leader_.SetMinInsyncReplicas(config.min_insync_replicas);
}

// A step of the machine, then its effects, with nothing in between.
template <typename Step>
void Partition::Do(Step step) {
  PartitionLeader::Effects effects;
  step(effects);
  if (effects.high_watermark_moved) {
    observer_.OnHighWatermarkMoved(self_, id(), leader_.epoch(), leader_.high_watermark());
  }
  for (const PartitionLeader::Completed& done : effects.completed) done.waiter->OnDone(done.error);
}

absl::Status Partition::LeadAlone() {
  const LeaderEpoch epoch = log_->LatestEpoch().value_or(kNoLeaderEpoch) + 1;
  core::WaitQueue done;
  std::optional<absl::Status> result;
  HW_RETURN_IF_ERROR(log_->AssignEpoch(epoch, [&](const absl::Status& status) {
    result = status;
    done.WakeAll();
  }));
  while (!result.has_value()) {
    // The log holds references to this frame: only the end of the process ends this wait early.
    done.Wait(env_.fibers, "a leader epoch on disk", core::MonotonicTime::Never(),
              core::Cancellation::kIgnored);
  }
  HW_RETURN_IF_ERROR(*result);
  const Offset log_end = log_->log_end_offset();
  observer_.OnBecameLeader(self_, id(), epoch, log_end);
  Do([&](PartitionLeader::Effects& effects) {
    leader_.BecomeLeader(epoch, {self_}, log_->log_start_offset(), log_end, effects);
  });
  return absl::OkStatus();
}

void Partition::Resign(ErrorCode why) {
  Do([&](PartitionLeader::Effects& effects) { leader_.Resign(why, effects); });
}

AppendOutcome Partition::Append(const core::ByteChain& records, int16_t acks,
                                OffsetWaiter& waiter) {
  AppendOutcome outcome;
  outcome.error = leader_.CheckAppend(acks);
  if (outcome.error != ErrorCode::NONE) return outcome;
  outcome.log_start_offset = log_->log_start_offset();
  const int64_t now_ms = absl::ToUnixMillis(env_.clock.WallNow());
  storage::ValidatedAppend validated = storage::ValidateForAppend(
      records, storage::AppendRules::Of(log_->config(), storage::AppendOrigin::kClient, now_ms));
  if (validated.error != ErrorCode::NONE) {
    outcome.error = validated.error;
    outcome.message = std::move(validated.message);
    return outcome;
  }
  const protocol::RecordBatchHeader& header = validated.batch->header();
  if (header.has_producer_id()) {
    const storage::ProducerVerdict verdict = log_->CheckProducer(header);
    outcome.error = verdict.error;
    if (outcome.error != ErrorCode::NONE) return outcome;
    if (verdict.duplicate) return AnswerDuplicate(*verdict.duplicate, acks, waiter);
  }
  const LeaderEpoch epoch = leader_.epoch();
  const Offset expected_last = log_->next_admitted_offset() + header.last_offset_delta;
  // The log calls back on a fiber of its own, never from within AppendAsLeader.
  auto admitted = log_->AppendAsLeader(
      *std::move(validated.batch), epoch,
      [self = shared_from_this(), epoch, expected_last](const absl::Status& status) {
        self->OnWritten(epoch, expected_last, status);
      });
  if (!admitted.ok()) {
    outcome.error = FromStorage(admitted.status());
    return outcome;
  }
  HW_CHECK(admitted->last == expected_last, "admitted up to {}, expected {}", admitted->last,
           expected_last);
  outcome.leader_epoch = epoch;
  outcome.base_offset = admitted->first;
  outcome.last_offset = admitted->last;
  outcome.log_append_time_ms = validated.log_append_time_ms;
  if (acks == -1) {
    leader_.AwaitCommitted(waiter, admitted->last);
  } else {
    leader_.AwaitAppended(waiter, admitted->last);
  }
  return outcome;
}

// [I2] As the batch was answered when it was appended, and no earlier than that answer could come.
AppendOutcome Partition::AnswerDuplicate(const storage::ProducerBatchMetadata& batch, int16_t acks,
                                         OffsetWaiter& waiter) {
  AppendOutcome outcome{.base_offset = batch.first_offset(),
                        .last_offset = batch.last_offset,
                        .log_start_offset = log_->log_start_offset(),
                        .log_append_time_ms = batch.timestamp};
  outcome.leader_epoch = log_->epochs().EpochOf(outcome.base_offset).value_or(leader_.epoch());
  if (acks == -1 && batch.last_offset >= leader_.high_watermark()) {
    leader_.AwaitCommitted(waiter, batch.last_offset);
  } else if (acks != -1 && batch.last_offset >= leader_.log_end_offset()) {
    leader_.AwaitAppended(waiter, batch.last_offset);
  }
  return outcome;
}

void Partition::OnWritten(LeaderEpoch epoch, Offset last_offset, const absl::Status& status) {
  if (!leader_.leads() || leader_.epoch() != epoch) {
    HW_MARK("append_completed_under_an_older_epoch");
    return;
  }
  if (!status.ok()) {
    // [P3] The whole directory goes; the log's owner sees to the rest.
    Resign(FromStorage(status));
    return;
  }
  Do([&](PartitionLeader::Effects& effects) {
    leader_.OnAppended(epoch, last_offset + 1, effects);
  });
}

ErrorCode Partition::Check(LeaderEpoch claimed) const {
  if (!leader_.leads()) return leader_.refusal();
  if (log_->offline()) return ErrorCode::KAFKA_STORAGE_ERROR;
  return leader_.CheckEpoch(claimed);
}

std::optional<ReadOutcome> Partition::CheckDivergence(const ReadSpec& spec) const {
  if (spec.last_fetched_epoch == kNoLeaderEpoch) return std::nullopt;
  ReadOutcome outcome{.high_watermark = leader_.high_watermark(),
                      .log_start_offset = log_->log_start_offset()};
  const auto end = log_->EndOffsetForEpoch(spec.last_fetched_epoch);
  if (!end.has_value() || spec.from < log_->log_start_offset()) {
    outcome.error = ErrorCode::OFFSET_OUT_OF_RANGE;
    return outcome;
  }
  if (end->epoch < spec.last_fetched_epoch || end->end_offset < spec.from) {
    outcome.diverging = *end;
    return outcome;
  }
  return std::nullopt;
}

ReadOutcome Partition::Read(const ReadSpec& spec) {
  ReadOutcome outcome;
  outcome.error = Check(spec.current_leader_epoch);
  if (outcome.error != ErrorCode::NONE) return outcome;
  if (auto diverged = CheckDivergence(spec)) return *std::move(diverged);
  outcome.high_watermark = leader_.high_watermark();
  outcome.log_start_offset = log_->log_start_offset();
  const storage::Log::ReadRequest request{.from = spec.from,
                                          .max_bytes = spec.max_bytes,
                                          .upper_bound = outcome.high_watermark,
                                          .at_least_one_batch = spec.at_least_one_batch};
  auto ready = log_->TryRead(request);
  const auto read = ready.has_value() ? *std::move(ready) : log_->Read(request);
  outcome.error = FromStorage(read.status());
  if (read.ok()) outcome.records = read->records;
  return outcome;
}

uint64_t Partition::BytesBelowHighWatermark(Offset from) const {
  const Offset bound = leader_.high_watermark();
  if (from >= bound) return 0;
  const auto start = log_->PositionOf(from);
  const auto end = log_->PositionOf(bound);
  // [P11] Another segment lies between, or the place is not known without the disk: more than
  // anybody waits for.
  if (!start || !end || start->segment_base != end->segment_base) return UINT64_MAX / 2;
  return end->position > start->position ? end->position - start->position : 1;
}

OffsetOutcome Partition::FindOffset(int64_t timestamp, LeaderEpoch claimed) {
  OffsetOutcome outcome;
  outcome.error = Check(claimed);
  if (outcome.error != ErrorCode::NONE) return outcome;
  // [H7] A new leader that does not yet know what is committed cannot name the end.
  if (!leader_.KnowsEndOffset() && timestamp != -2) {
    outcome.error = ErrorCode::OFFSET_NOT_AVAILABLE;
    return outcome;
  }
  if (timestamp == -1) {
    outcome.offset = leader_.high_watermark();
    outcome.leader_epoch = leader_.epoch();
    return outcome;
  }
  if (timestamp == -2) {
    outcome.offset = log_->log_start_offset();
    outcome.leader_epoch = log_->epochs().EpochOf(outcome.offset).value_or(kNoLeaderEpoch);
    return outcome;
  }
  const Offset bound = leader_.high_watermark();
  const auto found =
      timestamp == -3 ? log_->OffsetOfMaxTimestamp() : log_->OffsetForTimestamp(timestamp);
  outcome.error = FromStorage(found.status());
  if (!found.ok() || !found->has_value() || (*found)->offset >= bound) return outcome;
  outcome.timestamp = (*found)->timestamp;
  outcome.offset = (*found)->offset;
  outcome.leader_epoch = (*found)->leader_epoch;
  return outcome;
}

OffsetOutcome Partition::EndOffsetForEpoch(LeaderEpoch epoch, LeaderEpoch claimed) const {
  OffsetOutcome outcome;
  outcome.error = Check(claimed);
  if (outcome.error != ErrorCode::NONE) return outcome;
  if (const auto end = log_->EndOffsetForEpoch(epoch)) {
    outcome.leader_epoch = end->epoch;
    outcome.offset = end->end_offset;
  }
  return outcome;
}

void Partition::UpdateConfig(const TopicConfig& config) {
  leader_.SetMinInsyncReplicas(config.min_insync_replicas);
  log_->UpdateConfig(config.log);
}

}  // namespace highwater::broker
