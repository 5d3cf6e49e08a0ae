#include "core/os/workers.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>

namespace highwater::core::os {
namespace {

// Blocks all signals while it lives, so that a thread that is started meanwhile gets none.
class ScopedNoSignals {
 public:
  ScopedNoSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~ScopedNoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// Mount points from /proc/self/mountinfo, field five; octal escapes undone.
std::vector<std::string> MountPoints() {
  std::vector<std::string> points;
  std::ifstream table("/proc/self/mountinfo");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string field;
    for (int i = 0; i < 5 && fields >> field; ++i) {
    }
    std::string point;
    for (size_t i = 0; i < field.size(); ++i) {
      if (field[i] == '\\' && i + 3 < field.size()) {
        point += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 +
                                   (field[i + 3] - '0'));
        i += 3;
      } else {
        point += field[i];
      }
    }
    if (!point.empty()) points.push_back(std::move(point));
  }
  points.push_back("/");
  return points;
}

bool LiesBelow(std::string_view path, std::string_view point) {
  if (point == "/") return true;
  return path.substr(0, point.size()) == point &&
         (path.size() == point.size() || path[point.size()] == '/');
}

// Work for which a fiber waits.
class AwaitedJob final : public Job {
 public:
  explicit AwaitedJob(absl::FunctionRef<void()> work) : work_(work) {}
  void Work() override { work_(); }
  void OnComplete() override {
    done_ = true;
    waiter_.WakeOne();
  }
  void OnDropped() override {}  // its fiber is about to be unwound
  [[nodiscard]] bool done() const { return done_; }
  WaitQueue& waiter() { return waiter_; }

 private:
  absl::FunctionRef<void()> work_;
  bool done_ = false;
  WaitQueue waiter_;
};

class DetachedJob final : public Job {
 public:
  explicit DetachedJob(absl::AnyInvocable<void()> work) : work_(std::move(work)) {}
  void Work() override { work_(); }
  void OnComplete() override { delete this; }
  void OnDropped() override {
    work_();
    delete this;
  }

 private:
  absl::AnyInvocable<void()> work_;
};

}  // namespace

Mailbox::Mailbox() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Mailbox::~Mailbox() {
  if (fd_ >= 0) close(fd_);
}

bool Mailbox::Post(Completion& completion) {
  bool first;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return false;
    first = first_ == nullptr;
    completion.next_ = nullptr;
    (first ? first_ : last_->next_) = &completion;
    last_ = &completion;
  }
  if (first) eventfd_write(fd_, 1);
  return true;
}

void Mailbox::Deliver() {
  eventfd_t count;
  eventfd_read(fd_, &count);
  Completion* next;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    next = std::exchange(first_, nullptr);
    last_ = nullptr;
  }
  while (next != nullptr) {
    Completion* completion = next;
    next = completion->next_;
    completion->OnComplete();
  }
}

void Mailbox::Close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
}

void Lane::Submit(Job& job, WorkKind kind) {
  job.kind_ = kind;
  job.sequence_ = sequences_++;
  staged_.push_back(&job);
}

void Lane::Flush() {
  if (staged_.empty()) return;
  size_t to_wake;
  size_t to_start = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Job* job : staged_) (job->kind_ == WorkKind::kSync ? syncs_ : ordinary_).push_back(job);
    to_wake = std::min(staged_.size(), static_cast<size_t>(idle_));
    const size_t waiting = ordinary_.size() + syncs_.size();
    const size_t startable = static_cast<size_t>(max_threads_) - threads_.size();
    if (waiting > static_cast<size_t>(idle_)) to_start = std::min(waiting - idle_, startable);
  }
  staged_.clear();
  if (to_wake > 0) work_.notify_all();
  if (to_start == 0) return;
  const ScopedNoSignals no_signals;
  for (; to_start > 0; --to_start) {
    threads_.emplace_back([this] {
      pthread_setname_np(pthread_self(), "highwater-io");
      Serve();
    });
  }
}

bool Lane::Withdraw(Job& job) {
  if (const auto it = std::find(staged_.begin(), staged_.end(), &job); it != staged_.end()) {
    staged_.erase(it);
    return true;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  std::deque<Job*>& queue = job.kind_ == WorkKind::kSync ? syncs_ : ordinary_;
  const auto it = std::find(queue.begin(), queue.end(), &job);
  if (it == queue.end()) return false;
  queue.erase(it);
  return true;
}

void Lane::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (std::deque<Job*>* queue : {&ordinary_, &syncs_}) {
    while (!queue->empty()) {
      Job* job = queue->front();
      queue->pop_front();
      job->OnDropped();
    }
  }
  for (Job* job : std::exchange(staged_, {})) job->OnDropped();
}

Job* Lane::TakeLocked() {
  const bool may_sync = !syncs_.empty() && MaySyncLocked();
  if (may_sync && (ordinary_.empty() || syncs_.front()->sequence_ < ordinary_.front()->sequence_)) {
    Job* job = syncs_.front();
    syncs_.pop_front();
    ++running_syncs_;
    return job;
  }
  if (ordinary_.empty()) return nullptr;
  Job* job = ordinary_.front();
  ordinary_.pop_front();
  return job;
}

void Lane::Serve() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    Job* job = TakeLocked();
    if (job == nullptr) {
      ++idle_;
      work_.wait(lock);
      --idle_;
      continue;
    }
    const bool is_sync = job->kind_ == WorkKind::kSync;
    lock.unlock();
    job->Work();
    mailbox_.Post(*job);  // the job may be gone from here on
    lock.lock();
    if (is_sync) --running_syncs_;
  }
}

Workers::Workers(Fibers& fibers, Mailbox& mailbox, int threads_per_mount)
    : fibers_(fibers), mailbox_(mailbox), threads_per_mount_(std::max(threads_per_mount, 2)) {
  std::vector<std::string> points = MountPoints();
  std::sort(points.begin(), points.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  points.erase(std::unique(points.begin(), points.end()), points.end());
  for (std::string& point : points) mounts_.push_back({.point = std::move(point)});
}

Workers::~Workers() { Stop(); }

Lane& Workers::LaneOf(std::string_view path) {
  for (Mount& mount : mounts_) {
    if (!LiesBelow(path, mount.point)) continue;
    if (mount.lane == nullptr) mount.lane = std::make_unique<Lane>(mailbox_, threads_per_mount_);
    return *mount.lane;
  }
  HW_UNREACHABLE("{} is not below /", path);
}

absl::Status Workers::Run(Lane& lane, WorkKind kind, const char* waiting_for,
                          absl::FunctionRef<void()> work) {
  if (stopped_) return absl::CancelledError("the process is ending");
  AwaitedJob job(work);
  lane.Submit(job, kind);
  while (!job.done()) {
    const Wake wake = job.waiter().Wait(fibers_, waiting_for, MonotonicTime::Never());
    if (wake != Wake::kCancelled) continue;
    if (lane.Withdraw(job)) return ToStatus(wake, waiting_for);
    while (!job.done()) {
      static_cast<void>(
          job.waiter().Wait(fibers_, waiting_for, MonotonicTime::Never(), Cancellation::kIgnored));
    }
  }
  return absl::OkStatus();
}

void Workers::RunDetached(Lane& lane, absl::AnyInvocable<void()> work) {
  if (stopped_) return work();
  lane.Submit(*new DetachedJob(std::move(work)), WorkKind::kOrdinary);
}

void Workers::Flush() {
  for (Mount& mount : mounts_) {
    if (mount.lane != nullptr) mount.lane->Flush();
  }
}

void Workers::Stop() {
  stopped_ = true;
  for (Mount& mount : mounts_) {
    if (mount.lane != nullptr) mount.lane->Stop();
  }
  mailbox_.Deliver();
}

}  // namespace highwater::core::os
