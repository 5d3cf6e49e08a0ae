#include "core/timer_wheel.h"

namespace highwater::core {

TimerWheel::~TimerWheel() {
  for (Slot& slot : slots_) {
    while (slot.first != nullptr) {
      TimerNode* node = slot.first;
      slot.first = node->next_;
      node->wheel_ = nullptr;
    }
  }
}

TimerNode* TimerWheel::PopDue(int64_t until) {
  HW_CHECK(until >= now_, "time goes back from {} to {}", now_, until);
  while (levels_ != 0) {
    const int level = __builtin_ctz(levels_);
    const uint32_t index = FirstOccupied(level);
    const int64_t start = SlotStart(level, index);
    if (start > until) break;
    if (level == 0) {
      now_ = start;
      TimerNode* node = slots_[index].first;
      Unlink(*node);
      return node;
    }
    if (TimerNode* node = slots_[static_cast<uint32_t>(level) * kSlots + index].first;
        node->next_ == nullptr && node->when_ <= until) {
      // Alone in the first slot of the lowest level: the next of all.
      now_ = node->when_;
      Unlink(*node);
      return node;
    }
    // Every pending time is at or after this slot's start, so now may move there; what differs from
    // now in a lower byte only belongs to a lower level. Order is kept: nothing can be on a lower
    // level yet.
    now_ = start;
    Cascade(level, index);
  }
  now_ = until;
  return nullptr;
}

void TimerWheel::Cascade(int level, uint32_t index) {
  const uint32_t slot = static_cast<uint32_t>(level) * kSlots + index;
  TimerNode* node = slots_[slot].first;
  slots_[slot] = Slot{};
  ClearSlot(slot);
  while (node != nullptr) {
    TimerNode* next = node->next_;
    Place(*node);
    node = next;
  }
}

int64_t TimerWheel::NextTimeBound() const {
  if (levels_ == 0) return kNever;
  const int level = __builtin_ctz(levels_);
  return SlotStart(level, FirstOccupied(level));
}

std::vector<TimerNode*> TimerWheel::PendingOf(uint32_t owner) const {
  std::vector<TimerNode*> result;
  for (const Slot& slot : slots_) {
    for (TimerNode* node = slot.first; node != nullptr; node = node->next_) {
      if (node->owner_ == owner) result.push_back(node);
    }
  }
  return result;
}

}  // namespace highwater::core
