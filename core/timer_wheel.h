#pragma once

// TimerWheel: pending instants of one world, in order, at one nanosecond.
//
//   struct Expiry : core::TimerNode { void OnTimer() override { ... } };
//   wheel.Set(expiry, now + 30 s);   wheel.Cancel(expiry);             // both O(1)
//   while (TimerNode* due = wheel.PopDue(until)) due->OnTimer();
//
// Hierarchical: eight levels of 256 slots; a node sits at the level of the highest byte in which
// its time differs from now and comes down at most once a level. Invariants:
//   1. Nodes leave in order of time; among equal times in order of Set.
//   2. A time in the past counts as now.
//   3. A node belongs to at most one wheel; its destructor cancels it.
//   4. now() never goes back.

#include <cstdint>
#include <limits>
#include <vector>

#include "core/check.h"

namespace highwater::core {

class TimerWheel;

// Something that can be pending in a wheel; the object that holds it decides what its instant
// means.
class TimerNode {
 public:
  TimerNode() = default;
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;
  inline virtual ~TimerNode();

  // The instant has come. The node is not pending any more and may be set again.
  virtual void OnTimer() = 0;

  [[nodiscard]] bool pending() const { return wheel_ != nullptr; }
  [[nodiscard]] int64_t when() const { return when_; }
  // The number that was given to Set.
  [[nodiscard]] uint32_t owner() const { return owner_; }

 private:
  friend class TimerWheel;
  TimerNode* previous_ = nullptr;
  TimerNode* next_ = nullptr;
  TimerWheel* wheel_ = nullptr;
  int64_t when_ = 0;
  uint32_t slot_ = 0;  // level * 256 + slot in level
  uint32_t owner_ = 0;
};

class TimerWheel {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  explicit TimerWheel(int64_t now = 0) : now_(now) {}
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  [[nodiscard]] int64_t now() const { return now_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] size_t size() const { return size_; }

  // Makes `node` pending at `when`, moving it if it already was. `owner` means something to the
  // caller only (whose timer it is).
  void Set(TimerNode& node, int64_t when, uint32_t owner = 0) {
    if (node.wheel_ != nullptr) node.wheel_->Unlink(node);
    node.owner_ = owner;
    node.when_ = when < now_ ? now_ : when;
    node.wheel_ = this;
    ++size_;
    Place(node);
  }
  void Cancel(TimerNode& node) {
    if (node.wheel_ != nullptr) node.wheel_->Unlink(node);
  }

  // The first node due at or before `until`, no longer pending, with now() moved to its time; or
  // nullptr with now() moved to `until`. REQUIRES: until >= now().
  [[nodiscard]] TimerNode* PopDue(int64_t until);
  // A lower bound of the next pending time, exact when it lies within 256 ns; kNever if nothing is
  // pending.
  [[nodiscard]] int64_t NextTimeBound() const;
  // All pending nodes of `owner`, in an order that depends only on what was set when; for rare use.
  [[nodiscard]] std::vector<TimerNode*> PendingOf(uint32_t owner) const;

 private:
  friend class TimerNode;
  static constexpr int kLevels = 8;
  static constexpr int kSlots = 256;

  struct Slot {
    TimerNode* first = nullptr;
    TimerNode* last = nullptr;
  };

  void Place(TimerNode& node) {
    const uint64_t difference = static_cast<uint64_t>(node.when_ ^ now_);
    const int level = difference == 0 ? 0 : (63 - __builtin_clzll(difference)) >> 3;
    const uint32_t index = static_cast<uint32_t>(node.when_ >> (8 * level)) & 255;
    const uint32_t slot = static_cast<uint32_t>(level) * kSlots + index;
    node.slot_ = slot;
    Slot& s = slots_[slot];
    node.previous_ = s.last;
    node.next_ = nullptr;
    if (s.last != nullptr) {
      s.last->next_ = &node;
    } else {
      s.first = &node;
      occupied_[level][index >> 6] |= uint64_t{1} << (index & 63);
      levels_ |= 1u << level;
    }
    s.last = &node;
  }

  void Unlink(TimerNode& node) {
    Slot& s = slots_[node.slot_];
    (node.previous_ != nullptr ? node.previous_->next_ : s.first) = node.next_;
    (node.next_ != nullptr ? node.next_->previous_ : s.last) = node.previous_;
    if (s.first == nullptr) ClearSlot(node.slot_);
    node.wheel_ = nullptr;
    --size_;
  }

  void ClearSlot(uint32_t slot) {
    const uint32_t level = slot / kSlots;
    const uint32_t index = slot % kSlots;
    auto& words = occupied_[level];
    words[index >> 6] &= ~(uint64_t{1} << (index & 63));
    if ((words[0] | words[1] | words[2] | words[3]) == 0) levels_ &= ~(1u << level);
  }

  // The first occupied slot of a level. REQUIRES: there is one.
  [[nodiscard]] uint32_t FirstOccupied(int level) const {
    const auto& words = occupied_[level];
    for (uint32_t w = 0;; ++w) {
      if (words[w] != 0) return w * 64 + static_cast<uint32_t>(__builtin_ctzll(words[w]));
    }
  }
  [[nodiscard]] int64_t SlotStart(int level, uint32_t index) const {
    const int shift = 8 * level;
    const uint64_t above =
        level == kLevels - 1 ? 0 : static_cast<uint64_t>(now_) >> (shift + 8) << (shift + 8);
    return static_cast<int64_t>(above | static_cast<uint64_t>(index) << shift);
  }
  void Cascade(int level, uint32_t index);

  int64_t now_;
  size_t size_ = 0;
  uint32_t levels_ = 0;  // bit per level that has a node
  uint64_t occupied_[kLevels][kSlots / 64] = {};
  Slot slots_[kLevels * kSlots] = {};
};

TimerNode::~TimerNode() {
  if (wheel_ != nullptr) wheel_->Unlink(*this);
}

}  // namespace highwater::core
