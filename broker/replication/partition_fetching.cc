// A Partition as a follower: what carries out the actions of its PartitionFollower.

#include <limits>

#include "broker/replication/partition.h"
#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker {

using protocol::ErrorCode;
using Action = PartitionFollower::Action;

namespace {

constexpr Offset kBeyondAll{std::numeric_limits<int64_t>::max()};

// The base offset of the first batch, which stands first in it.
std::optional<Offset> FirstBaseOffset(const core::ByteChain& records) {
  uint8_t bytes[8];
  if (records.size() < sizeof(bytes)) return std::nullopt;
  records.CopyTo(0, sizeof(bytes), bytes);
  uint64_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return Offset(static_cast<int64_t>(value));
}

}  // namespace

FollowerLog Partition::View() const {
  return {log_->epochs(), log_->log_start_offset(), log_->log_end_offset()};
}

void Partition::BecomeFollower(LeaderEpoch epoch, PartitionEpoch, BrokerId leader) {
  BeginRole(Role::kFollower, epoch);
  follower_.Follow(epoch, leader, high_watermark_);
  observer_.OnBecameFollower(self_, id(), epoch, leader, log_->log_end_offset());
  // Behind everything in the queue. It cuts no record, but an epoch that we entered as a leader and
  // never wrote under [F22, KAFKA-10706].
  const absl::Status queued = log_->TruncateTo(
      kBeyondAll, [self = shared_from_this(), serial = serial_](const absl::Status& status) {
        self->OnCut(serial, status);
        if (serial == self->serial_) self->Settle(status);
      });
  if (!queued.ok()) {
    follower_.OnFailed();
    Settle(queued);
  }
}

void Partition::StopFetching() { follower_.Stop(); }

// A step of the follower, then its action and its news, with nothing in between.
template <typename Step>
void Partition::DoFollow(Step step) {
  step();
  if (role_ == Role::kFollower && follower_.high_watermark() != high_watermark_) {
    high_watermark_ = follower_.high_watermark();
    observer_.OnFollowerHighWatermarkMoved(self_, id(), epoch_, high_watermark_);
    // [P12, KAFKA-14334] Kafka 3.2.3 lets them wait for their time-out.
    while (OffsetWaiter* waiter = readers_.PopBelow(high_watermark_)) {
      waiter->OnDone(protocol::ErrorCode::NONE);
    }
  }
}

void Partition::OnCut(uint64_t serial, const absl::Status& status) {
  if (serial != serial_) return;
  if (!status.ok()) {
    follower_.OnFailed();
  } else {
    DoFollow([&] { Carry(follower_.OnSettled(View()), nullptr); });
  }
  if (listener_ != nullptr) listener_->OnFollowerStep(*this);
}

void Partition::OnFetched(PartitionFollower::Fetched answer, const core::ByteChain& records) {
  answer.first_base_offset = FirstBaseOffset(records);
  DoFollow([&] { Carry(follower_.OnFetched(answer, View()), &records); });
  if (follower_.state() == PartitionFollower::State::kFetching) FollowLogStart();
}

// [F7, L12] The leader's log start, but never past what is committed.
void Partition::FollowLogStart() {
  const Offset start = follower_.leader_log_start_offset();
  if (start <= log_->log_start_offset() || start > high_watermark_) return;
  log_->IncrementLogStartOffset(start, [](const absl::Status&) {}).IgnoreError();
}

void Partition::Carry(const Action& action, const core::ByteChain* records) {
  absl::Status queued;
  const auto on_cut = [this] {
    return [self = shared_from_this(), serial = serial_](const absl::Status& status) {
      self->OnCut(serial, status);
    };
  };
  switch (action.kind) {
    case Action::Kind::kAppend:
      return AppendFetched(*records);
    case Action::Kind::kTruncate:
      queued = log_->TruncateTo(action.offset, on_cut());
      break;
    case Action::Kind::kTruncateFully:
      queued = log_->TruncateFullyAndStartAt(action.offset, on_cut());
      break;
    case Action::Kind::kTruncateFullyAndAppend:
      queued = log_->TruncateFullyAndStartAt(action.offset, [](const absl::Status&) {});
      if (queued.ok()) return AppendFetched(*records);
      break;
    case Action::Kind::kNone:
    case Action::Kind::kAskLatestOffset:
    case Action::Kind::kAskEarliestOffset:
    case Action::Kind::kDelay:
      break;  // its fetcher sees it in the follower's state
  }
  if (!queued.ok()) follower_.OnFailed();
}

void Partition::AppendFetched(const core::ByteChain& records) {
  const auto admitted = log_->AppendAsFollower(
      records, [self = shared_from_this(), serial = serial_](const absl::Status& status) {
        self->OnFetchedWritten(serial, status);
      });
  if (admitted.ok()) return;
  if (absl::IsDataLoss(admitted.status())) {
    Carry(follower_.OnDamagedRecords(), nullptr);  // [F10]
  } else {
    HW_MARK("follower_failed");
    follower_.OnFailed();
  }
}

void Partition::OnFetchedWritten(uint64_t serial, const absl::Status& status) {
  if (serial != serial_) return;
  if (!status.ok()) {
    follower_.OnFailed();
  } else {
    DoFollow([&] { follower_.OnAppended(View()); });
    FollowLogStart();
  }
  if (listener_ != nullptr) listener_->OnFollowerStep(*this);
}

void Partition::OnLeaderLatestOffset(LeaderEpoch asked, Offset offset) {
  DoFollow([&] { Carry(follower_.OnLeaderLatestOffset(asked, offset, View()), nullptr); });
}

void Partition::OnLeaderEarliestOffset(LeaderEpoch asked, Offset offset) {
  DoFollow([&] { Carry(follower_.OnLeaderEarliestOffset(asked, offset, View()), nullptr); });
}

void Partition::OnFetchFailed(LeaderEpoch asked) {
  Carry(follower_.OnRequestFailed(asked), nullptr);
}

void Partition::OnDelayOver() { follower_.OnDelayOver(View()); }

}  // namespace highwater::broker
