#include "broker/replication/partition_leader.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker {

using core::MonotonicTime;
using protocol::ErrorCode;

void PartitionLeader::BecomeLeader(const Leadership& leadership, Offset high_watermark,
                                   Offset log_end_offset, MonotonicTime now, Effects& effects) {
  HW_CHECK(leadership.epoch > epoch_, "leader epoch {} does not follow {}", leadership.epoch,
           epoch_);
  const bool led = leads_ || leadership.led_before;
  // What was written under an older epoch is no longer ours to acknowledge [W5].
  Resign(ErrorCode::NOT_LEADER_OR_FOLLOWER, effects);
  leads_ = true;
  refusal_ = ErrorCode::NONE;
  epoch_ = leadership.epoch;
  partition_epoch_ = leadership.partition_epoch;
  epoch_start_offset_ = log_end_offset;  // [R17]
  log_end_offset_ = log_end_offset;
  high_watermark_ = high_watermark;

  const std::vector<RemoteReplica> before = std::exchange(remote_, {});
  for (const BrokerId broker : leadership.replicas) {
    if (broker == self_) continue;
    RemoteReplica& replica = remote_.emplace_back();
    replica.broker = broker;
    replica.leader_end_at_last_fetch = log_end_offset;  // [R19]
    // [R20] Unknown, so that the high watermark waits until each member of the ISR has fetched.
    if (!rules_.KeepsRemoteProgress(led)) continue;
    for (const RemoteReplica& old : before) {
      if (old.broker == broker) replica.progress.log_end_offset = old.progress.log_end_offset;
    }
  }
  others_eligible_ = leadership.others_eligible;
  SetIsr(leadership.isr);
  HW_CHECK(InCommittedIsr(self_), "a leader outside of its ISR");
  for (RemoteReplica& replica : remote_) {
    if (replica.in_maximal_isr) replica.progress.last_caught_up = now;
  }
  effects.isr_changed = true;
  MaybeAdvanceHighWatermark(now, effects);  // [R21]
  CheckInvariants();
}

void PartitionLeader::Resign(ErrorCode why, Effects& effects) {
  leads_ = false;
  refusal_ = why;
  pending_.reset();
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
  if (acks == -1 && static_cast<int64_t>(committed_isr_.size()) < min_insync_replicas_) {
    return ErrorCode::NOT_ENOUGH_REPLICAS;
  }
  return ErrorCode::NONE;
}

void PartitionLeader::OnAppended(LeaderEpoch epoch, Offset log_end_offset, MonotonicTime now,
                                 Effects& effects) {
  if (!leads_ || epoch != epoch_) return;
  HW_CHECK(log_end_offset >= log_end_offset_, "log end moved back from {} to {}", log_end_offset_,
           log_end_offset);
  log_end_offset_ = log_end_offset;
  while (OffsetWaiter* waiter = appended_.PopBelow(log_end_offset_)) {
    effects.completed.push_back({waiter, ErrorCode::NONE});
  }
  MaybeAdvanceHighWatermark(now, effects);
  CheckInvariants();
}

void PartitionLeader::OnFollowerFetch(const FollowerFetch& fetch, MonotonicTime now,
                                      Effects& effects) {
  if (!leads_ || fetch.fetch_offset > log_end_offset_) return;
  RemoteReplica* replica = Find(fetch.follower);
  if (replica == nullptr) return;  // not assigned: it counts for nothing [P10]
  ReplicaProgress& progress = replica->progress;
  if (fetch.fetch_offset >= log_end_offset_) {
    progress.last_caught_up = now;  // [H9]
  } else if (replica->fetched && fetch.fetch_offset >= replica->leader_end_at_last_fetch &&
             (!progress.last_caught_up || *progress.last_caught_up < replica->last_fetch)) {
    // It has what there was when it asked before: then it was caught up.
    progress.last_caught_up = replica->last_fetch;
  }
  const bool log_end_moved = progress.log_end_offset != fetch.fetch_offset;
  progress.log_end_offset = fetch.fetch_offset;
  replica->log_start_offset = fetch.log_start_offset;
  replica->last_fetch = now;
  replica->leader_end_at_last_fetch = log_end_offset_;
  replica->fetched = true;
  MaybeExpandIsr(*replica, now, effects);
  if (log_end_moved) MaybeAdvanceHighWatermark(now, effects);  // [H3]
  CheckInvariants();
}

void PartitionLeader::OnFollowerStillThere(BrokerId follower, MonotonicTime at) {
  RemoteReplica* replica = Find(follower);
  if (!leads_ || replica == nullptr || !replica->fetched || at < replica->last_fetch) return;
  replica->last_fetch = at;
  replica->leader_end_at_last_fetch = replica->progress.log_end_offset;
  replica->progress.last_caught_up = at;
}

void PartitionLeader::MaybeExpandIsr(const RemoteReplica& replica, MonotonicTime now,
                                     Effects& effects) {
  if (pending_.has_value() || replica.in_maximal_isr) return;  // [H13]
  if (!rules_.MayJoinIsr(replica.progress, Progress(now))) return;
  std::vector<BrokerId> isr = committed_isr_;
  isr.push_back(replica.broker);
  // [H14] From now on the high watermark waits for it: the controller may have let it in already.
  Find(replica.broker)->in_maximal_isr = true;
  HW_MARK("isr_expand_proposed");
  Propose(std::move(isr), effects);
}

void PartitionLeader::CheckIsr(MonotonicTime now, Effects& effects) {
  if (!leads_) return;
  // [H2] A replica that was waited for because it was caught up lately may hold nothing back now.
  MaybeAdvanceHighWatermark(now, effects);
  if (pending_.has_value()) return;  // [H13]
  const LeaderProgress progress = Progress(now);
  std::vector<BrokerId> isr;
  for (const BrokerId broker : committed_isr_) {
    const RemoteReplica* replica = Find(broker);
    // [H4] Who is not assigned holds nothing back, and leaves with the next assignment.
    if (replica == nullptr || !rules_.MustLeaveIsr(replica->progress, progress)) {
      isr.push_back(broker);
    }
  }
  if (isr.size() == committed_isr_.size()) return;
  // [H14] Who leaves counts until the controller has said so: it may still be elected.
  HW_MARK("isr_shrink_proposed");
  Propose(std::move(isr), effects);
  CheckInvariants();
}

void PartitionLeader::Propose(std::vector<BrokerId> isr, Effects& effects) {
  pending_ = IsrProposal{.serial = ++changes_,
                         .leader_epoch = epoch_,
                         .partition_epoch = partition_epoch_,
                         .isr = std::move(isr)};
  effects.alter_partition = pending_;
}

void PartitionLeader::OnIsrAnswer(const IsrAnswer& answer, MonotonicTime now, Effects& effects) {
  // [H22, H24] A LeaderAndIsr request may have come meanwhile.
  if (!leads_) return;
  if (!pending_.has_value() || pending_->serial != answer.serial)
    return HearFollowersAgain(effects);
  switch (answer.error) {
    case ErrorCode::NONE:
      if (answer.leader_epoch != epoch_ || answer.partition_epoch < partition_epoch_) return;
      partition_epoch_ = answer.partition_epoch;
      pending_.reset();
      others_eligible_ = answer.others_eligible;
      SetIsr(answer.isr);
      effects.isr_changed = true;
      MaybeAdvanceHighWatermark(now, effects);
      // One that is still outside may have asked while this change was in flight [H13].
      if (committed_isr_.size() <= remote_.size()) HearFollowersAgain(effects);
      break;
    case ErrorCode::OPERATION_NOT_ATTEMPTED: {
      // [H21b, H23] It was not done: back to what is committed; the next fetch or check tries.
      pending_.reset();
      HearFollowersAgain(effects);
      SetIsr(std::vector<BrokerId>(committed_isr_));
      MaybeAdvanceHighWatermark(now, effects);
      break;
    }
    case ErrorCode::UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode::FENCED_LEADER_EPOCH:
    case ErrorCode::INVALID_UPDATE_VERSION:
    case ErrorCode::INVALID_REQUEST:
      // [H23] What the controller has is not known to us: pending, and so careful, until it tells.
      HW_MARK("isr_change_given_up");
      break;
    default:
      effects.alter_partition = pending_;
      break;
  }
  CheckInvariants();
}

// [H12] A follower joins by a fetch. One that has everything has nothing new to say in its fetch
// session: where its joining was refused for now, or stood behind an older change in the queue, it
// is woken as if the high watermark had moved, and its next fetch counts again.
void PartitionLeader::HearFollowersAgain(Effects& effects) {
  while (OffsetWaiter* waiter = watching_.Pop()) {
    effects.completed.push_back({waiter, ErrorCode::NONE});
  }
}

// [H1] The least log end of those who count; it only rises.
void PartitionLeader::MaybeAdvanceHighWatermark(MonotonicTime now, Effects& effects) {
  Offset least = log_end_offset_;
  const LeaderProgress progress = Progress(now);
  for (const RemoteReplica& replica : remote_) {
    if (rules_.HoldsHighWatermark(replica.progress, replica.in_maximal_isr, progress)) {
      least = std::min(least, replica.progress.log_end_offset);
    }
  }
  const auto in_sync = static_cast<int64_t>(maximal_isr_size());
  const bool may_commit =
      rules_.MayCommit({.committed_isr = static_cast<int64_t>(committed_isr_.size()),
                        .replicas = static_cast<int64_t>(remote_.size()) + 1,
                        .min_insync_replicas = min_insync_replicas_,
                        .others_eligible = others_eligible_});
  if (may_commit && least > high_watermark_) {
    high_watermark_ = least;
    effects.high_watermark_moved = true;
    while (OffsetWaiter* waiter = watching_.PopBelow(high_watermark_)) {
      effects.completed.push_back({waiter, ErrorCode::NONE});
    }
  }
  // [H15] The record is where it should be, but there are too few of them.
  const ErrorCode error = in_sync < min_insync_replicas_
                              ? ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
                              : ErrorCode::NONE;
  const Offset reached =
      error == ErrorCode::NONE ? high_watermark_ : std::max(high_watermark_, least);
  while (OffsetWaiter* waiter = committed_.PopBelow(reached)) {
    effects.completed.push_back({waiter, error});
  }
}

LeaderProgress PartitionLeader::Progress(MonotonicTime now) const {
  return {.high_watermark = high_watermark_,
          .log_end_offset = log_end_offset_,
          .epoch_start_offset = epoch_start_offset_,
          .now = now,
          .lag_max = lag_max_};
}

PartitionLeader::RemoteReplica* PartitionLeader::Find(BrokerId broker) {
  for (RemoteReplica& replica : remote_) {
    if (replica.broker == broker) return &replica;
  }
  return nullptr;
}

bool PartitionLeader::IsRemoteReplica(BrokerId broker) const {
  return std::any_of(remote_.begin(), remote_.end(),
                     [&](const RemoteReplica& replica) { return replica.broker == broker; });
}

bool PartitionLeader::InCommittedIsr(BrokerId broker) const {
  return std::find(committed_isr_.begin(), committed_isr_.end(), broker) != committed_isr_.end();
}

void PartitionLeader::SetIsr(absl::Span<const BrokerId> isr) {
  committed_isr_.assign(isr.begin(), isr.end());
  for (RemoteReplica& replica : remote_) replica.in_maximal_isr = InCommittedIsr(replica.broker);
}

size_t PartitionLeader::maximal_isr_size() const {
  size_t joining = 0;
  if (pending_.has_value() && pending_->isr.size() > committed_isr_.size()) {
    joining = pending_->isr.size() - committed_isr_.size();
  }
  return committed_isr_.size() + joining;
}

void PartitionLeader::AwaitAppended(OffsetWaiter& waiter, Offset above) {
  HW_CHECK(leads_ && above >= log_end_offset_);
  appended_.Insert(waiter, above);
}

void PartitionLeader::AwaitCommitted(OffsetWaiter& waiter, Offset last_offset) {
  HW_CHECK(leads_ && last_offset >= high_watermark_);
  committed_.Insert(waiter, last_offset);
}

void PartitionLeader::AwaitHighWatermark(OffsetWaiter& waiter, Offset above) {
  HW_CHECK(leads_ && above >= high_watermark_);
  watching_.Insert(waiter, above);
}

void PartitionLeader::CheckInvariants() {
  HW_CHECK(high_watermark_ <= log_end_offset_, "high watermark {} above log end {}",
           high_watermark_, log_end_offset_);
  HW_CHECK(epoch_ != last_epoch_ || high_watermark_ >= last_high_watermark_,
           "the high watermark went back from {} to {} in epoch {}", last_high_watermark_,
           high_watermark_, epoch_);
  last_epoch_ = epoch_;
  last_high_watermark_ = high_watermark_;
  HW_CHECK(leads_ || (appended_.empty() && committed_.empty() && watching_.empty() &&
                      !pending_.has_value()),
           "somebody waits at a partition that is not led");
  if (!leads_) return;
  HW_CHECK(InCommittedIsr(self_), "a leader outside of its ISR");
  for (const RemoteReplica& replica : remote_) {
    HW_CHECK(replica.progress.log_end_offset <= log_end_offset_,
             "replica {} has more than its leader", replica.broker);
    const bool committed = InCommittedIsr(replica.broker);
    HW_CHECK(replica.in_maximal_isr || !committed, "the maximal ISR lacks {}", replica.broker);
    HW_CHECK(!replica.in_maximal_isr || committed || pending_.has_value(),
             "{} is in the maximal ISR, but no change is pending", replica.broker);
  }
}

}  // namespace highwater::broker
