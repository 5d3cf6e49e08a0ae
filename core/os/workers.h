#pragma once

// Workers: threads for calls that may block — files, fsync, sendfile of pages that are not
// resident.
//
//   Lane& lane = workers.LaneOf("/var/lib/kafka");
//   HW_RETURN_IF_ERROR(workers.Run(lane, WorkKind::kSync, "fsync", [&] { error = ...; }));
//
// A lane serves one mounted file system with a few threads of its own, so that a stalled device
// stops only its own files. Syncs take at most half of a lane's threads: reads go on beside them.
// What one turn of the loop submits goes to the threads together, with one lock and one wake-up.
//
// Invariants:
//   1. A worker borrows what the waiting fiber owns; therefore Run returns only after the work has
//      ended or was taken back before a thread began it.
//   2. Stop waits for the threads; only after it may fibers be unwound.
//   3. A worker never touches a Bytes, a fiber or the loop: it computes, then posts to the Mailbox.

#include <absl/functional/any_invocable.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/fibers.h"
#include "core/wait_queue.h"

namespace highwater::core::os {

// Something that another thread has done for the loop's thread.
class Completion {
 public:
  virtual ~Completion() = default;
  // On the loop's thread, not on a fiber.
  virtual void OnComplete() = 0;

 private:
  friend class Mailbox;
  Completion* next_ = nullptr;
};

// Completions on their way to the loop, which polls `fd`. Shared, since a name look-up may outlive
// the loop.
class Mailbox {
 public:
  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  // From any thread. False after Close: the completion stays the caller's.
  bool Post(Completion& completion);
  // Calls OnComplete of all that were posted, in order.
  void Deliver();
  void Close();

 private:
  int fd_;
  std::mutex mutex_;
  bool closed_ = false;
  Completion* first_ = nullptr;
  Completion* last_ = nullptr;
};

enum class WorkKind : uint8_t { kOrdinary, kSync };

// One piece of work; lives where its submitter keeps it until OnComplete.
class Job : public Completion {
 public:
  virtual void Work() = 0;  // on a worker thread
  // On the loop's thread: the lane stops before a thread began the job.
  virtual void OnDropped() = 0;

 private:
  friend class Lane;
  WorkKind kind_ = WorkKind::kOrdinary;
  uint64_t sequence_ = 0;
};

class Lane {
 public:
  Lane(Mailbox& mailbox, int max_threads) : mailbox_(mailbox), max_threads_(max_threads) {}
  ~Lane() { Stop(); }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // The next four on the loop's thread. Submit only notes the job; Flush hands all over.
  void Submit(Job& job, WorkKind kind);
  void Flush();
  // Takes a job back that no thread has begun.
  [[nodiscard]] bool Withdraw(Job& job);
  // Drops what no thread has begun, waits for the rest. Nothing may be submitted afterwards.
  void Stop();

 private:
  void Serve();
  [[nodiscard]] Job* TakeLocked();
  [[nodiscard]] bool MaySyncLocked() const { return running_syncs_ * 2 < max_threads_; }

  Mailbox& mailbox_;
  const int max_threads_;
  std::vector<Job*> staged_;
  uint64_t sequences_ = 0;
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::condition_variable work_;
  bool stopping_ = false;
  int idle_ = 0;
  int running_syncs_ = 0;
  std::deque<Job*> ordinary_;
  std::deque<Job*> syncs_;
};

class Workers {
 public:
  Workers(Fibers& fibers, Mailbox& mailbox, int threads_per_mount);
  ~Workers();

  // The lane of the mounted file system on which the absolute path `path` lies, judged by the mount
  // points as they were when the process started; a symbolic link to another one is not seen.
  [[nodiscard]] Lane& LaneOf(std::string_view path);

  // Runs `work` on a thread of `lane` while the calling fiber waits. Cancelled if the fiber was
  // cancelled and the work has not begun; begun work is waited for.
  [[nodiscard]] absl::Status Run(Lane& lane, WorkKind kind, const char* waiting_for,
                                 absl::FunctionRef<void()> work);
  // Runs `work` on a thread of `lane` some time; at once, here, after Stop.
  void RunDetached(Lane& lane, absl::AnyInvocable<void()> work);

  void Flush();
  void Stop();

 private:
  struct Mount {
    std::string point;
    std::unique_ptr<Lane> lane;
  };

  Fibers& fibers_;
  Mailbox& mailbox_;
  const int threads_per_mount_;
  bool stopped_ = false;
  std::vector<Mount> mounts_;  // longest mount point first; "/" last
};

}  // namespace highwater::core::os
