#include "broker/replication/partition_leader.h"

#include <algorithm>

#include "core/check.h"

namespace highwater::broker {

using protocol::ErrorCode;

void OffsetWaiter::Cancel() {
  if (list_ != nullptr) list_->Remove(*this);
}

WaiterList::~WaiterList() {
  while (Pop() != nullptr) {
  }
}

void WaiterList::Insert(OffsetWaiter& waiter, Offset above) {
  HW_CHECK(waiter.list_ == nullptr, "a waiter waits twice");
  OffsetWaiter* before = last_;  // offsets mostly ascend, so the place is near the end
  while (before != nullptr && before->above_ > above) before = before->previous_;
  waiter.above_ = above;
  waiter.list_ = this;
  waiter.previous_ = before;
  waiter.next_ = before != nullptr ? before->next_ : first_;
  (before != nullptr ? before->next_ : first_) = &waiter;
  (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = &waiter;
}

void WaiterList::Remove(OffsetWaiter& waiter) {
  HW_CHECK(waiter.list_ == this, "a waiter leaves a list that it is not in");
  (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
  (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = waiter.previous_;
  waiter.list_ = nullptr;
  waiter.previous_ = nullptr;
  waiter.next_ = nullptr;
}

OffsetWaiter* WaiterList::PopBelow(Offset offset) {
  if (first_ == nullptr || first_->above_ >= offset) return nullptr;
  return Pop();
}

OffsetWaiter* WaiterList::Pop() {
  OffsetWaiter* waiter = first_;
  if (waiter != nullptr) Remove(*waiter);
  return waiter;
}

void PartitionLeader::BecomeLeader(LeaderEpoch epoch, absl::Span<const BrokerId> isr,
                                   Offset high_watermark, Offset log_end_offset, Effects& effects) {
  HW_CHECK(epoch > epoch_, "leader epoch {} does not follow {}", epoch, epoch_);
  HW_CHECK(std::find(isr.begin(), isr.end(), self_) != isr.end(), "a leader outside of its ISR");
  // What was written under an older epoch is no longer ours to acknowledge.
  Resign(ErrorCode::NOT_LEADER_OR_FOLLOWER, effects);
  leads_ = true;
  refusal_ = ErrorCode::NONE;
  epoch_ = epoch;
  epoch_start_offset_ = log_end_offset;
  log_end_offset_ = log_end_offset;
  high_watermark_ = high_watermark;
  isr_.clear();
  for (const BrokerId broker : isr) {
    isr_.push_back({broker, broker == self_ ? log_end_offset : Offset(0)});
  }
  MaybeAdvanceHighWatermark(effects);
  CheckInvariants();
}

void PartitionLeader::Resign(ErrorCode why, Effects& effects) {
  leads_ = false;
  refusal_ = why;
  for (WaiterList* list : {&appended_, &committed_, &watching_}) {
    while (OffsetWaiter* waiter = list->Pop()) effects.completed.push_back({waiter, why});
  }
}

ErrorCode PartitionLeader::CheckEpoch(LeaderEpoch claimed) const {
  if (claimed == kNoLeaderEpoch || claimed == epoch_) return ErrorCode::NONE;
  return claimed < epoch_ ? ErrorCode::FENCED_LEADER_EPOCH : ErrorCode::UNKNOWN_LEADER_EPOCH;
}

ErrorCode PartitionLeader::CheckAppend(int16_t acks) const {
  if (!leads_) return refusal_;
  // [H15] acks 0 and 1 never ask for more than the leader.
  if (acks == -1 && !EnoughInSync()) return ErrorCode::NOT_ENOUGH_REPLICAS;
  return ErrorCode::NONE;
}

void PartitionLeader::OnAppended(LeaderEpoch epoch, Offset log_end_offset, Effects& effects) {
  if (!leads_ || epoch != epoch_) return;
  HW_CHECK(log_end_offset >= log_end_offset_, "log end moved back from {} to {}", log_end_offset_,
           log_end_offset);
  log_end_offset_ = log_end_offset;
  for (InSync& replica : isr_) {
    if (replica.broker == self_) replica.log_end_offset = log_end_offset;
  }
  while (OffsetWaiter* waiter = appended_.PopBelow(log_end_offset_)) {
    effects.completed.push_back({waiter, ErrorCode::NONE});
  }
  MaybeAdvanceHighWatermark(effects);
  CheckInvariants();
}

void PartitionLeader::OnFollowerFetch(BrokerId follower, Offset log_end_offset, Effects& effects) {
  if (!leads_ || log_end_offset > log_end_offset_) return;
  for (InSync& replica : isr_) {
    if (replica.broker == follower && follower != self_) replica.log_end_offset = log_end_offset;
  }
  MaybeAdvanceHighWatermark(effects);
  CheckInvariants();
}

void PartitionLeader::MaybeAdvanceHighWatermark(Effects& effects) {
  // [H1] The least log end of those who count; it only rises.
  Offset least = log_end_offset_;
  for (const InSync& replica : isr_) least = std::min(least, replica.log_end_offset);
  if (least <= high_watermark_) return;
  high_watermark_ = least;
  effects.high_watermark_moved = true;
  const ErrorCode committed =
      EnoughInSync() ? ErrorCode::NONE : ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND;
  while (OffsetWaiter* waiter = committed_.PopBelow(high_watermark_)) {
    effects.completed.push_back({waiter, committed});
  }
  while (OffsetWaiter* waiter = watching_.PopBelow(high_watermark_)) {
    effects.completed.push_back({waiter, ErrorCode::NONE});
  }
}

void PartitionLeader::AwaitAppended(OffsetWaiter& waiter, Offset last_offset) {
  HW_CHECK(leads_ && last_offset >= log_end_offset_);
  appended_.Insert(waiter, last_offset);
}

void PartitionLeader::AwaitCommitted(OffsetWaiter& waiter, Offset last_offset) {
  HW_CHECK(leads_ && last_offset >= high_watermark_);
  committed_.Insert(waiter, last_offset);
}

void PartitionLeader::AwaitHighWatermark(OffsetWaiter& waiter, Offset above) {
  HW_CHECK(leads_ && above >= high_watermark_);
  watching_.Insert(waiter, above);
}

std::vector<BrokerId> PartitionLeader::isr() const {
  std::vector<BrokerId> brokers;
  for (const InSync& replica : isr_) brokers.push_back(replica.broker);
  return brokers;
}

void PartitionLeader::CheckInvariants() const {
  HW_CHECK(high_watermark_ <= log_end_offset_, "high watermark {} above log end {}",
           high_watermark_, log_end_offset_);
  HW_CHECK(leads_ || (appended_.empty() && committed_.empty() && watching_.empty()),
           "somebody waits at a partition that is not led");
}

}  // namespace highwater::broker
