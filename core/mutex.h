#pragma once

// Mutex and Condition for fibers of one process.
//
//   MutexLock lock(mutex);
//   while (queue.empty()) {
//     if (condition.Wait(mutex, deadline) != Wake::kSignaled) return;
//   }
//
// Needed only where a critical section waits: between two waits a fiber is alone anyway. Ownership
// passes first-in first-out.

#include "core/wait_queue.h"

namespace highwater::core {

class Mutex {
 public:
  explicit Mutex(Fibers& fibers) : fibers_(fibers) {}

  // Waits for ownership, also when the fiber is cancelled. REQUIRES: not owned by the caller.
  void Lock() { static_cast<void>(LockUntil(MonotonicTime::Never(), Cancellation::kIgnored)); }
  // kSignaled: owned by the caller now.
  [[nodiscard]] Wake LockUntil(MonotonicTime deadline,
                               Cancellation cancellation = Cancellation::kHeeded) {
    HW_CHECK(fibers_.current() != nullptr, "a mutex is locked outside a fiber");
    if (owner_ == nullptr) {
      owner_ = fibers_.current();
      return Wake::kSignaled;
    }
    HW_CHECK(owner_ != fibers_.current(), "fiber \"{}\" locks a mutex twice", owner_->name());
    return waiters_.Wait(fibers_, "a mutex", deadline, cancellation);  // Unlock made it the owner
  }
  void Unlock() {
    if (fibers_.unwinding()) return;
    HW_CHECK(owner_ == fibers_.current(), "a mutex is unlocked by a fiber that does not own it");
    if (waiters_.empty()) {
      owner_ = nullptr;
      return;
    }
    owner_ = &waiters_.front();
    waiters_.WakeOne();
  }
  [[nodiscard]] bool HeldByCaller() const {
    return owner_ != nullptr && owner_ == fibers_.current();
  }
  [[nodiscard]] Fibers& fibers() const { return fibers_; }

 private:
  Fibers& fibers_;
  Fiber* owner_ = nullptr;
  WaitQueue waiters_;
};

class MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class Condition {
 public:
  // Gives up `mutex`, waits for a notification, takes `mutex` again (however the wait ended).
  // REQUIRES: mutex is held.
  [[nodiscard]] Wake Wait(Mutex& mutex, MonotonicTime deadline = MonotonicTime::Never()) {
    mutex.Unlock();
    const Wake wake = waiters_.Wait(mutex.fibers(), "a condition", deadline);
    mutex.Lock();
    return wake;
  }
  void NotifyOne() { waiters_.WakeOne(); }
  void NotifyAll() { waiters_.WakeAll(); }

 private:
  WaitQueue waiters_;
};

}  // namespace highwater::core
