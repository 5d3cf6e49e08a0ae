#pragma once

// Channel<T>: a bounded queue between fibers of one process.
//
//   Channel<Request> requests(fibers, 500);
//   if (requests.Send(std::move(request), deadline) != ChannelResult::kOk) ...
//   while (auto request = requests.Receive()) Handle(*request);        // ends after Close, once it
//   is empty
//
// Values leave in the order in which they were sent.

#include <deque>
#include <optional>
#include <utility>

#include "core/wait_queue.h"

namespace highwater::core {

enum class ChannelResult : uint8_t { kOk, kClosed, kDeadline, kCancelled };

template <typename T>
class Channel {
 public:
  Channel(Fibers& fibers, size_t capacity) : fibers_(fibers), capacity_(capacity) {
    HW_CHECK(capacity > 0);
  }

  // Waits for room. On any result but kOk `value` is dropped.
  [[nodiscard]] ChannelResult Send(T value, MonotonicTime deadline = MonotonicTime::Never()) {
    while (!closed_ && values_.size() >= capacity_) {
      const Wake wake = senders_.Wait(fibers_, "room in a channel", deadline);
      if (wake != Wake::kSignaled) return ToResult(wake);
    }
    return TrySend(std::move(value)) ? ChannelResult::kOk : ChannelResult::kClosed;
  }
  // False if it is full or closed. Never waits; may be called outside fibers.
  [[nodiscard]] bool TrySend(T value) {
    if (closed_ || values_.size() >= capacity_) return false;
    values_.push_back(std::move(value));
    receivers_.WakeOne();
    return true;
  }
  // The next value; nullopt at the deadline, when cancelled, or when closed and empty.
  [[nodiscard]] std::optional<T> Receive(MonotonicTime deadline = MonotonicTime::Never()) {
    while (values_.empty()) {
      if (closed_) return std::nullopt;
      if (receivers_.Wait(fibers_, "a value in a channel", deadline) != Wake::kSignaled) {
        return std::nullopt;
      }
    }
    return TryReceive();
  }
  [[nodiscard]] std::optional<T> TryReceive() {
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    senders_.WakeOne();
    return value;
  }
  // Nothing more is accepted; what is inside can still be received.
  void Close() {
    closed_ = true;
    senders_.WakeAll();
    receivers_.WakeAll();
  }
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] size_t size() const { return values_.size(); }

 private:
  static ChannelResult ToResult(Wake wake) {
    return wake == Wake::kDeadline ? ChannelResult::kDeadline : ChannelResult::kCancelled;
  }

  Fibers& fibers_;
  size_t capacity_;
  bool closed_ = false;
  std::deque<T> values_;
  WaitQueue senders_;
  WaitQueue receivers_;
};

}  // namespace highwater::core
