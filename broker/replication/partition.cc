#include "broker/replication/partition.h"

#include <algorithm>
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
                     Offset high_watermark, const Options& options, PartitionHost& host,
                     Observer& observer)
    : env_(env),
      self_(self),
      topic_id_(topic_id),
      log_(std::move(log)),
      host_(host),
      observer_(observer),
      leader_(self, options.rules, options.lag_max),
      follower_(options.rules),
      // [R16]
      high_watermark_(std::clamp(high_watermark, log_->log_start_offset(), log_->log_end_offset())),
      min_insync_replicas_(config.min_insync_replicas) {
  leader_.SetMinInsyncReplicas(config.min_insync_replicas);
}

// A step of the leader, then its effects, with nothing in between.
template <typename Step>
void Partition::Do(Step step) {
  PartitionLeader::Effects effects;
  step(effects);
  if (leader_.leads()) high_watermark_ = leader_.high_watermark();
  if (effects.isr_changed) {
    observer_.OnIsrChanged(self_, id(), leader_.epoch(), leader_.partition_epoch(), leader_.isr());
  }
  if (effects.high_watermark_moved) {
    observer_.OnHighWatermarkMoved(self_, id(), leader_.epoch(), leader_.high_watermark());
  }
  for (const PartitionLeader::Completed& done : effects.completed) done.waiter->OnDone(done.error);
  if (!effects.alter_partition.has_value()) return;
  if (host_.ProposeIsr(shared_from_this(), *effects.alter_partition)) return;
  OnIsrAnswer({.serial = effects.alter_partition->serial,
               .error = ErrorCode::OPERATION_NOT_ATTEMPTED});  // [H21b]
}

void Partition::BeginRole(Role role, LeaderEpoch epoch) {
  HW_CHECK(epoch > epoch_, "leader epoch {} does not follow {}", epoch, epoch_);
  // Before anything else: nothing may be admitted under the old epoch behind what the new role puts
  // into the log's queue.
  Resign(ErrorCode::NOT_LEADER_OR_FOLLOWER);
  follower_.Stop();
  ++serial_;
  role_ = role;
  epoch_ = epoch;
  settled_ = false;
  role_error_ = absl::OkStatus();
}

void Partition::Settle(const absl::Status& status) {
  settled_ = true;
  role_error_ = status;
  role_changed_.WakeAll();
}

absl::Status Partition::AwaitRole() {
  while (!settled_) {
    const core::Wake wake =
        role_changed_.Wait(env_.fibers, "a role to take effect", core::MonotonicTime::Never());
    HW_RETURN_IF_ERROR(core::ToStatus(wake, "a role to take effect"));
  }
  return role_error_;
}

void Partition::BecomeLeader(Leadership leadership) {
  leadership.led_before = role_ == Role::kLeader;
  BeginRole(Role::kLeader, leadership.epoch);
  const LeaderEpoch epoch = leadership.epoch;
  const absl::Status queued = log_->AssignEpoch(
      epoch, [self = shared_from_this(), serial = serial_, leadership = std::move(leadership)](
                 const absl::Status& status) { self->OnEpochOnDisk(serial, leadership, status); });
  if (!queued.ok()) Settle(queued);
}

void Partition::OnEpochOnDisk(uint64_t serial, const Leadership& leadership,
                              const absl::Status& status) {
  if (serial != serial_) return;
  if (status.ok()) {
    const Offset log_end = log_->log_end_offset();
    const Offset high_watermark = std::clamp(high_watermark_, log_->log_start_offset(), log_end);
    replicas_ = leadership.replicas;
    observer_.OnAssignment(self_, id(), replicas_, min_insync_replicas_);
    observer_.OnBecameLeader(self_, id(), leadership.epoch, log_end);
    Do([&](PartitionLeader::Effects& effects) {
      leader_.BecomeLeader(leadership, high_watermark, log_end, env_.clock.Now(), effects);
    });
  }
  Settle(status);
}

void Partition::EndReaders(ErrorCode why) {
  while (OffsetWaiter* waiter = readers_.Pop()) waiter->OnDone(why);
}

void Partition::Resign(ErrorCode why) {
  if (leader_.leads()) observer_.OnStoppedLeading(self_, id(), leader_.epoch());
  EndReaders(why);
  Do([&](PartitionLeader::Effects& effects) { leader_.Resign(why, effects); });
}

void Partition::StopLeading() {
  if (role_ != Role::kLeader) return;
  Resign(ErrorCode::NOT_LEADER_OR_FOLLOWER);
  ++serial_;  // a role that has not taken effect yet never will
  role_ = Role::kNone;
  Settle(absl::OkStatus());
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
    leader_.OnAppended(epoch, last_offset + 1, env_.clock.Now(), effects);
  });
}

ErrorCode Partition::Check(LeaderEpoch claimed) const {
  if (leader_.leads()) {
    return log_->offline() ? ErrorCode::KAFKA_STORAGE_ERROR : leader_.CheckEpoch(claimed);
  }
  // [P6] The epoch comes before the role.
  const ErrorCode error = CheckFollowedEpoch(claimed);
  return error == ErrorCode::NONE ? leader_.refusal() : error;
}

ErrorCode Partition::CheckFollowedEpoch(LeaderEpoch claimed) const {
  if (role_ != Role::kFollower || claimed == kNoLeaderEpoch || claimed == epoch_) {
    return ErrorCode::NONE;
  }
  return claimed < epoch_ ? ErrorCode::FENCED_LEADER_EPOCH : ErrorCode::UNKNOWN_LEADER_EPOCH;
}

ErrorCode Partition::CheckReader(const ReadSpec& spec) const {
  const bool from_follower =
      role_ == Role::kFollower && settled_ && spec.follower_may_answer && !log_->offline();
  if (leader_.leads() || !from_follower) return Check(spec.current_leader_epoch);
  // [P6] A follower answers under the epoch that it follows.
  return CheckFollowedEpoch(spec.current_leader_epoch);
}

std::optional<ReadOutcome> Partition::CheckDivergence(const ReadSpec& spec) const {
  if (spec.last_fetched_epoch == kNoLeaderEpoch) return std::nullopt;
  ReadOutcome outcome{.high_watermark = high_watermark_,
                      .log_start_offset = log_->log_start_offset()};
  const auto end = log_->EndOffsetForEpoch(spec.last_fetched_epoch);
  if (!end.has_value() || spec.from < log_->log_start_offset()) {
    outcome.error = ErrorCode::OFFSET_OUT_OF_RANGE;
    return outcome;
  }
  if (end->epoch < spec.last_fetched_epoch || end->end_offset < spec.from) {
    HW_MARK("fetch_of_diverging_log");
    outcome.diverging = *end;
    return outcome;
  }
  return std::nullopt;
}

ReadOutcome Partition::Read(const ReadSpec& spec) {
  ReadOutcome outcome;
  outcome.error = CheckReader(spec);
  if (outcome.error != ErrorCode::NONE) return outcome;
  if (auto diverged = CheckDivergence(spec)) return *std::move(diverged);
  const bool replica = spec.replica != kNoBroker;
  // [P10] A broker that is no replica of this partition gets nothing, and no error.
  const bool stranger = replica && !leader_.IsRemoteReplica(spec.replica);
  outcome.high_watermark = high_watermark_;
  outcome.log_start_offset = log_->log_start_offset();
  const storage::Log::ReadRequest request{
      .from = spec.from,
      .max_bytes = stranger ? 0 : spec.max_bytes,
      .upper_bound = replica ? log_->log_end_offset() : high_watermark_,
      .at_least_one_batch = spec.at_least_one_batch && !stranger};
  const uint64_t serial = serial_;
  auto ready = log_->TryRead(request);
  const auto read = ready.has_value() ? *std::move(ready) : log_->Read(request);
  outcome.error = FromStorage(read.status());
  if (!read.ok()) return outcome;
  outcome.records = read->records;
  if (!replica || stranger || !spec.tells_progress) return outcome;
  // [P10, W16] What was read under another role tells nothing of this one.
  if (serial != serial_ || !leader_.leads()) {
    outcome.records = {};
    outcome.error = leader_.refusal() == ErrorCode::NONE ? ErrorCode::NOT_LEADER_OR_FOLLOWER
                                                         : leader_.refusal();
    return outcome;
  }
  observer_.OnFollowerFetched(self_, id(), epoch_, spec.replica, spec.from);
  Do([&](PartitionLeader::Effects& effects) {
    leader_.OnFollowerFetch({.follower = spec.replica,
                             .fetch_offset = spec.from,
                             .log_start_offset = spec.replica_log_start},
                            env_.clock.Now(), effects);
  });
  return outcome;
}

uint64_t Partition::BytesReadable(Offset from, BrokerId replica) const {
  const Offset bound = replica != kNoBroker ? leader_.log_end_offset() : high_watermark_;
  if (from >= bound) return 0;
  const auto start = log_->PositionOf(from);
  const auto end = log_->PositionOf(bound);
  // [P11] Another segment lies between, or the place is not known without the disk: more than
  // anybody waits for.
  if (!start || !end || start->segment_base != end->segment_base) return UINT64_MAX / 2;
  return end->position > start->position ? end->position - start->position : 1;
}

void Partition::AwaitReadable(OffsetWaiter& waiter, Offset from, BrokerId replica) {
  if (!leader_.leads()) {
    readers_.Insert(waiter, std::max(from, high_watermark_));
  } else if (replica != kNoBroker) {
    // A fetch beyond the log end was refused already; it waits as one at the end does.
    leader_.AwaitAppended(waiter, std::max(from, leader_.log_end_offset()));
  } else {
    leader_.AwaitHighWatermark(waiter, std::max(from, leader_.high_watermark()));
  }
}

void Partition::CheckIsr() {
  Do([&](PartitionLeader::Effects& effects) { leader_.CheckIsr(env_.clock.Now(), effects); });
}

void Partition::OnIsrAnswer(const IsrAnswer& answer) {
  Do([&](PartitionLeader::Effects& effects) {
    leader_.OnIsrAnswer(answer, env_.clock.Now(), effects);
  });
}

OffsetOutcome Partition::FindOffset(int64_t timestamp, LeaderEpoch claimed, BrokerId replica) {
  OffsetOutcome outcome;
  outcome.error = Check(claimed);
  if (outcome.error != ErrorCode::NONE) return outcome;
  if (replica != kNoBroker && timestamp == -1) {  // a follower's view ends where the log does
    outcome.offset = leader_.log_end_offset();
    outcome.leader_epoch = leader_.epoch();
    return outcome;
  }
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

OffsetOutcome Partition::EndOfLog() const {
  if (log_->offline()) return {.error = ErrorCode::KAFKA_STORAGE_ERROR};
  return {.offset = log_->log_end_offset(),
          .leader_epoch = log_->LatestEpoch().value_or(kNoLeaderEpoch)};
}

void Partition::UpdateConfig(const TopicConfig& config) {
  const bool changes = config.min_insync_replicas != min_insync_replicas_;
  min_insync_replicas_ = config.min_insync_replicas;
  if (changes && leader_.leads()) {
    observer_.OnAssignment(self_, id(), replicas_, min_insync_replicas_);
  }
  leader_.SetMinInsyncReplicas(config.min_insync_replicas);
  log_->UpdateConfig(config.log);
}

}  // namespace highwater::broker
