// The producer state of a Log: when it is judged from, moved, written down and read again
// [I2, I8, I11-I16].

#include <algorithm>

#include "broker/storage/log.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {

ProducerVerdict Log::CheckProducer(const protocol::RecordBatchHeader& header) const {
  if (!KnowsProducers()) {
    HW_MARK("produce_before_producer_state_is_known");
    return {.error = protocol::ErrorCode::NOT_LEADER_OR_FOLLOWER};
  }
  return producers_.Check(ProducerAppend::Of(header));
}

void Log::AdmitProducer(const protocol::RecordBatchHeader& header) {
  if (header.has_producer_id()) producers_.Admit(ProducerAppend::Of(header));
}

void Log::ApplyProducer(const protocol::RecordBatchHeader& header) {
  if (header.has_producer_id()) producers_.Apply(ProducerAppend::Of(header));
}

absl::Status Log::TakeProducerSnapshot(Offset offset) {
  // A log that has never held anything needs none.
  if (snapshots_.empty() && log_end_offset_ == segments_.front()->base()) return absl::OkStatus();
  return snapshots_.Write(offset, producers_);
}

// [K14] The newest snapshot at or below the log end, then the batches behind it.
absl::Status Log::LoadProducers(bool clean) {
  if (!producers_.rules().RebuildsState()) return absl::OkStatus();
  HW_RETURN_IF_ERROR(snapshots_.RemoveAbove(log_end_offset_));
  // A log that was stopped cleanly without any snapshot is of a time before there were any: what
  // its producers did is not worth reading all of it.
  if (clean && snapshots_.empty()) return absl::OkStatus();
  HW_ASSIGN_OR_RETURN(const Offset snapshot, snapshots_.LoadNewest(producers_));
  HW_RETURN_IF_ERROR(ReplayProducers(snapshot));
  return TakeProducerSnapshot(log_end_offset_);  // [I12]
}

absl::Status Log::ReloadProducers() {
  if (!producers_.rules().RebuildsState()) return absl::OkStatus();
  HW_MARK("producer_state_reloaded");
  HW_RETURN_IF_ERROR(snapshots_.RemoveAbove(log_end_offset_));
  HW_ASSIGN_OR_RETURN(const Offset snapshot, snapshots_.LoadNewest(producers_));
  return ReplayProducers(snapshot);
}

// Applies what lies at and above `from`; everything if that is kNoOffset.
absl::Status Log::ReplayProducers(Offset from) {
  if (from >= log_end_offset_) return absl::OkStatus();
  const size_t first = from < segments_.front()->base() ? 0 : SegmentIndexOf(from);
  for (size_t i = first; i < segments_.size(); ++i) {
    LogSegment& segment = *segments_[i];
    uint64_t position = 0;
    if (i == first && from > segment.base()) {
      HW_RETURN_IF_ERROR(segment.LoadIndexes(env_));
      HW_ASSIGN_OR_RETURN(const std::optional<BatchPosition> batch, segment.FindBatch(env_, from));
      position = batch ? batch->position : segment.size();
    }
    const absl::Status walked = segment.ForEachHeader(
        env_, position,
        [this](const protocol::RecordBatchHeader& header) { ApplyProducer(header); });
    // Damage below the recovery point is found when it is read [K17]; it is no reason not to start.
    if (absl::IsDataLoss(walked)) {
      HW_MARK("producer_state_replay_met_damage");
      continue;
    }
    HW_RETURN_IF_ERROR(walked);
  }
  return absl::OkStatus();
}

}  // namespace highwater::broker::storage
