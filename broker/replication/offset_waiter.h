#pragma once

// OffsetWaiter, WaiterList: who waits for an offset of a partition to be reached; Kafka's purgatory
// (P5), without keys, threads and timers: whoever waits has its own time-out and leaves.
//
//   struct Client final : OffsetWaiter { void OnDone(ErrorCode error) override { ... } };
//   list.Insert(client, last_offset);
//   while (OffsetWaiter* waiter = list.PopBelow(high_watermark)) done.push_back(waiter);
//
// Invariant: a waiter is in at most one list, and out of it when it is told or destroyed.

#include "broker/protocol/error_code.h"
#include "broker/types.h"

namespace highwater::broker {

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

}  // namespace highwater::broker
