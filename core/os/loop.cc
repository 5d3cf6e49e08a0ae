#include "core/os/loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "core/os/errors.h"

namespace highwater::core::os {
namespace {

int64_t MonotonicNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void Fd::Reset() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

absl::StatusOr<std::unique_ptr<Loop>> Loop::Create() {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return NetworkError(errno, "make", "an epoll instance");
  std::unique_ptr<Loop> loop(new Loop(std::move(epoll)));
  if (loop->mailbox_->fd() < 0) return NetworkError(EMFILE, "make", "an event descriptor");
  absl::Status status = loop->Watch(loop->mailbox_->fd(), loop->mailbox_source_);
  if (!status.ok()) return status;
  return loop;
}

Loop::Loop(Fd epoll)
    : epoll_(std::move(epoll)),
      wheel_(MonotonicNanos()),
      mailbox_(std::make_shared<Mailbox>()),
      mailbox_source_(*mailbox_),
      events_(new epoll_event[kEventsPerPoll]) {}

Loop::~Loop() {
  mailbox_->Close();
  mailbox_->Deliver();  // look-ups whose fibers have gone
}

MonotonicTime Loop::Now() const { return MonotonicTime::FromNanos(MonotonicNanos()); }

void Loop::MakeReady(Fiber& fiber) {
  if (!dead_) ready_.push_back(&fiber);
}

absl::Status Loop::Watch(int fd, EventSource& source) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &source;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return NetworkError(errno, "watch", "a descriptor");
  }
  return absl::OkStatus();
}

void Loop::Unwatch(int fd, EventSource& source) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  // Its events may already be among those that are being handed out.
  for (int i = next_event_; i < event_count_; ++i) {
    if (events_[i].data.ptr == &source) events_[i].data.ptr = nullptr;
  }
}

void Loop::RunUntil(const bool& done) {
  while (!done) {
    for (size_t batch = ready_.size(); batch > 0 && !done; --batch) {
      Fiber* fiber = ready_.front();
      ready_.pop_front();
      if (ready_.size() > 1) ready_[1]->Prefetch();
      ++resumes_since_poll_;
      fiber->Resume();
    }
    if (workers_ != nullptr) workers_->Flush();
    if (done) return;
    if (ready_.empty() || resumes_since_poll_ >= kResumesPerPoll) {
      Poll();
      FireTimers();
    }
  }
}

void Loop::Kill() {
  dead_ = true;
  ready_.clear();
}

void Loop::FireTimers() {
  const int64_t now = MonotonicNanos();
  while (TimerNode* node = wheel_.PopDue(now)) node->OnTimer();
}

void Loop::Poll() {
  resumes_since_poll_ = 0;
  int64_t timeout = 0;
  if (ready_.empty()) {
    const int64_t next = wheel_.NextTimeBound();
    timeout = next == TimerWheel::kNever ? -1 : std::max<int64_t>(next - MonotonicNanos(), 0);
  }
  event_count_ = WaitForEvents(timeout);
  for (next_event_ = 0; next_event_ < event_count_;) {
    const epoll_event& event = events_[next_event_++];
    if (event.data.ptr != nullptr)
      static_cast<EventSource*>(event.data.ptr)->OnEvents(event.events);
  }
  event_count_ = 0;
}

int Loop::WaitForEvents(int64_t timeout_nanos) {
  const timespec timeout{.tv_sec = timeout_nanos / 1'000'000'000,
                         .tv_nsec = timeout_nanos % 1'000'000'000};
  int n = epoll_pwait2(epoll_.get(), events_.get(), kEventsPerPoll,
                       timeout_nanos < 0 ? nullptr : &timeout, nullptr);
  if (n < 0 && (errno == ENOSYS || errno == EPERM)) {
    // Linux before 5.11: whole milliseconds, rounded up so that no timer needs two rounds.
    const int64_t millis = std::min<int64_t>((timeout_nanos + 999'999) / 1'000'000, 60'000);
    n = epoll_wait(epoll_.get(), events_.get(), kEventsPerPoll,
                   timeout_nanos < 0 ? -1 : static_cast<int>(millis));
  }
  HW_CHECK(n >= 0 || errno == EINTR, "epoll fails with errno {}", errno);
  return std::max(n, 0);
}

}  // namespace highwater::core::os
