#pragma once

// PartitionLeader: what the leader of one partition decides: where the high watermark stands, which
// requests wait for it, and what they are told. A state machine without I/O; Partition drives it.
//
//   Effects effects;
//   leader.AwaitAppended(waiter, last_offset);                 // acks=1: once the write completed
//   leader.AwaitCommitted(waiter, last_offset);                // acks=all: once the high watermark
//   is past it leader.OnAppended(epoch, log_end_offset, effects);         // a write completed for
//   (auto& done : effects.completed) done.waiter->OnDone(done.error);
//
// Follows replication facts 3.2 (H1, H3, H7, H15) and 3.3 (P4, P6, P11, P12). Not responsible for:
// reading and writing the log, time-outs (whoever waits cancels its waiter), ISR changes through a
// controller, which belong to a cluster.
//
// Invariants:
//   1. high watermark <= log end offset; within an epoch it never goes back [H1].
//   2. A waiter is completed at most once and is out of the machine by then.
//   3. Nobody waits while the partition is not led.

#include <absl/types/span.h>

#include <vector>

#include "broker/protocol/error_code.h"
#include "broker/types.h"

namespace highwater::broker {

class PartitionLeader;

// Somebody who waits for an offset. Leaves the machine when destroyed.
class OffsetWaiter {
 public:
  OffsetWaiter() = default;
  virtual ~OffsetWaiter() { Cancel(); }
  OffsetWaiter(const OffsetWaiter&) = delete;
  OffsetWaiter& operator=(const OffsetWaiter&) = delete;

  // The offset has come (NONE), or will not come. Must not wait and must not destroy a waiter: it
  // wakes a fiber.
  virtual void OnDone(protocol::ErrorCode error) = 0;

  void Cancel();
  [[nodiscard]] bool waiting() const { return list_ != nullptr; }

 private:
  friend class PartitionLeader;
  friend class WaiterList;
  class WaiterList* list_ = nullptr;
  OffsetWaiter* previous_ = nullptr;
  OffsetWaiter* next_ = nullptr;
  Offset above_{0};
};

// Waiters by the offset that they wait for, first-in first-out among equals.
class WaiterList {
 public:
  WaiterList() = default;
  WaiterList(const WaiterList&) = delete;
  WaiterList& operator=(const WaiterList&) = delete;
  ~WaiterList();

  // `waiter` is done once the watched offset is greater than `above`. REQUIRES: it waits nowhere.
  void Insert(OffsetWaiter& waiter, Offset above);
  void Remove(OffsetWaiter& waiter);
  // Takes out the first waiter with above < offset; nullptr if there is none.
  [[nodiscard]] OffsetWaiter* PopBelow(Offset offset);
  [[nodiscard]] OffsetWaiter* Pop();
  [[nodiscard]] bool empty() const { return first_ == nullptr; }

 private:
  OffsetWaiter* first_ = nullptr;
  OffsetWaiter* last_ = nullptr;
};

class PartitionLeader {
 public:
  struct Completed {
    OffsetWaiter* waiter;
    protocol::ErrorCode error;
  };
  struct Effects {
    bool high_watermark_moved = false;
    std::vector<Completed> completed;
  };

  explicit PartitionLeader(BrokerId self) : self_(self) {}

  // ---- Leadership.

  // `isr` holds at least this broker. The high watermark starts where the replica's was and rises
  // at once if nobody else holds it back [H3, H7]. REQUIRES: `epoch` is greater than any before;
  // high_watermark <= log_end_offset.
  void BecomeLeader(LeaderEpoch epoch, absl::Span<const BrokerId> isr, Offset high_watermark,
                    Offset log_end_offset, Effects& effects);
  // Leadership, the partition or its directory is gone: everybody who waits is told so.
  void Resign(protocol::ErrorCode why, Effects& effects);
  [[nodiscard]] bool leads() const { return leads_; }
  // What a request is told while this partition is not led.
  [[nodiscard]] protocol::ErrorCode refusal() const { return refusal_; }

  // [P6] The epoch that a request claims: an older one is fenced, a newer one is not ours to judge,
  // -1 asks for no check.
  [[nodiscard]] protocol::ErrorCode CheckEpoch(LeaderEpoch claimed) const;

  // ---- Writing.

  void SetMinInsyncReplicas(int64_t count) { min_insync_replicas_ = count; }
  // [H15] Whether a write with these acks may begin.
  [[nodiscard]] protocol::ErrorCode CheckAppend(int16_t acks) const;
  // A write completed under `epoch`. One of an older epoch changes nothing: those who waited for it
  // were already told NOT_LEADER_OR_FOLLOWER.
  void OnAppended(LeaderEpoch epoch, Offset log_end_offset, Effects& effects);
  // [H8] A follower's fetch at `log_end_offset` says that it stores everything below it.
  void OnFollowerFetch(BrokerId follower, Offset log_end_offset, Effects& effects);

  // ---- Waiting. REQUIRES: leads(). An offset that is already reached is to be asked for first.

  void AwaitAppended(OffsetWaiter& waiter, Offset last_offset);
  // Told NOT_ENOUGH_REPLICAS_AFTER_APPEND if the in-sync replicas have become too few by then
  // [H15].
  void AwaitCommitted(OffsetWaiter& waiter, Offset last_offset);
  // Done once the high watermark is greater than `above`: a consumer's fetch [P12].
  void AwaitHighWatermark(OffsetWaiter& waiter, Offset above);

  // ---- State.

  [[nodiscard]] LeaderEpoch epoch() const { return epoch_; }
  [[nodiscard]] Offset high_watermark() const { return high_watermark_; }
  [[nodiscard]] Offset log_end_offset() const { return log_end_offset_; }
  [[nodiscard]] Offset leader_epoch_start_offset() const { return epoch_start_offset_; }
  [[nodiscard]] std::vector<BrokerId> isr() const;
  // [H7] A new leader whose high watermark is behind the start of its epoch cannot yet name a safe
  // end offset.
  [[nodiscard]] bool KnowsEndOffset() const { return high_watermark_ >= epoch_start_offset_; }

 private:
  struct InSync {
    BrokerId broker;
    Offset log_end_offset;
  };

  void MaybeAdvanceHighWatermark(Effects& effects);
  void CheckInvariants() const;
  [[nodiscard]] bool EnoughInSync() const {
    return static_cast<int64_t>(isr_.size()) >= min_insync_replicas_;
  }

  BrokerId self_;
  bool leads_ = false;
  protocol::ErrorCode refusal_ = protocol::ErrorCode::NOT_LEADER_OR_FOLLOWER;
  LeaderEpoch epoch_ = kNoLeaderEpoch;
  Offset high_watermark_{0};
  Offset log_end_offset_{0};
  Offset epoch_start_offset_{0};
  int64_t min_insync_replicas_ = 1;
  std::vector<InSync> isr_;
  WaiterList appended_;
  WaiterList committed_;
  WaiterList watching_;
};

}  // namespace highwater::broker
