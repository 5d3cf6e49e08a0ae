#include "broker/replication/offset_waiter.h"

#include "core/check.h"

namespace highwater::broker {

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

}  // namespace highwater::broker
