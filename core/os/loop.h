#pragma once

// Loop: the fiber backend on Linux. One thread resumes fibers in the order in which they became
// ready, fires timers by CLOCK_MONOTONIC and waits in epoll when there is nothing to run.
//
// Sockets are watched edge-triggered, once for their whole life: whoever uses one tries first and
// waits for an edge only after EAGAIN. Invariants:
//   1. OnEvents, OnTimer and OnComplete run between fibers, never on one.
//   2. A timer never fires before its time.
//   3. Events and timers are looked at after at most kResumesPerPoll fiber runs.
//   4. After Kill no fiber becomes ready any more.

#include <absl/status/statusor.h>

#include <array>
#include <deque>
#include <memory>

#include "core/fibers.h"
#include "core/os/workers.h"

struct epoll_event;

namespace highwater::core::os {

class EventSource {
 public:
  virtual ~EventSource() = default;
  // `events` as epoll gives them.
  virtual void OnEvents(uint32_t events) = 0;
};

// A file descriptor that is closed when its owner goes.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { Reset(); }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  void Reset();

 private:
  int fd_ = -1;
};

class Loop final : public FiberBackend {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Loop>> Create();
  ~Loop() override;

  [[nodiscard]] MonotonicTime Now() const override;
  void MakeReady(Fiber& fiber) override;
  void OnReady(Fiber& fiber) override { fiber.Resume(); }
  void SetTimer(TimerNode& node, MonotonicTime when) override { wheel_.Set(node, when.nanos()); }
  void CancelTimer(TimerNode& node) override { wheel_.Cancel(node); }

  // Calls `source` at every change of `fd`'s readiness. Unwatch before `fd` is closed.
  [[nodiscard]] absl::Status Watch(int fd, EventSource& source);
  void Unwatch(int fd, EventSource& source);

  [[nodiscard]] std::shared_ptr<Mailbox> mailbox() const { return mailbox_; }
  // What is flushed before the thread waits.
  void SetWorkers(Workers* workers) { workers_ = workers; }

  void RunUntil(const bool& done);
  void Kill();

 private:
  static constexpr int kResumesPerPoll = 128;
  static constexpr int kEventsPerPoll = 256;

  struct MailboxSource final : EventSource {
    explicit MailboxSource(Mailbox& m) : mailbox(m) {}
    void OnEvents(uint32_t) override { mailbox.Deliver(); }
    Mailbox& mailbox;
  };

  explicit Loop(Fd epoll);
  void FireTimers();
  void Poll();
  int WaitForEvents(int64_t timeout_nanos);

  Fd epoll_;
  TimerWheel wheel_;
  bool dead_ = false;
  int resumes_since_poll_ = 0;
  std::deque<Fiber*> ready_;
  Workers* workers_ = nullptr;
  std::shared_ptr<Mailbox> mailbox_;
  MailboxSource mailbox_source_;
  std::unique_ptr<epoll_event[]> events_;
  int next_event_ = 0;
  int event_count_ = 0;
};

}  // namespace highwater::core::os
