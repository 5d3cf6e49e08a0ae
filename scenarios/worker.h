#pragma once

// Worker: a process of our own that runs cases one after the other and sends their results back.
// Whatever happens in it — a crash, a hang, running out of memory — costs the case that it was
// running and no other.
//
// The worker is forked, so it has the scenarios already; requests and results go over a socket
// pair. What it writes to its standard error is kept in memory and becomes part of the result if it
// dies.

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/campaign_result.h"
#include "scenarios/harness.h"
#include "scenarios/scenario.h"

namespace highwater::scenarios {

struct WorkerOptions {
  std::optional<uint64_t> memory_limit;  // bytes of address space
};

struct CaseRequest {
  uint64_t id = 0;  // the caller's own
  size_t scenario = 0;
  uint64_t seed = 0;
  bool run_twice = false;  // failures are run twice anyhow
  bool once = false;       // not even failures, and with the trace at once
};

class Worker {
 public:
  // Forks. `scenarios` and `harness` must outlive the worker.
  static absl::StatusOr<std::unique_ptr<Worker>> Start(const std::vector<Scenario>& scenarios,
                                                       const Harness& harness,
                                                       const WorkerOptions& options);
  ~Worker();  // kills it
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Requests wait in the worker, in order.
  void Send(const CaseRequest& request);

  struct Reply {
    CaseRequest request;
    CaseResult result;
  };
  // Takes in what has arrived without waiting. After the end of the stream, Alive() is false.
  [[nodiscard]] std::vector<Reply> Receive();

  [[nodiscard]] bool Alive() const { return alive_; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const std::deque<CaseRequest>& waiting() const { return waiting_; }
  // When the first of waiting() was begun, by HostNow().
  [[nodiscard]] absl::Duration busy_since() const { return busy_since_; }
  // For so long nobody has listened to it: that was not its time.
  void Excuse(absl::Duration time) { busy_since_ += time; }

  // Ends it and says how it ended: `signal 11 (Segmentation fault)`, and the end of what it wrote
  // to standard error.
  struct Death {
    std::string cause;
    std::string last_words;
  };
  [[nodiscard]] Death Bury();

 private:
  Worker(pid_t pid, int fd, int stderr_fd) : pid_(pid), fd_(fd), stderr_fd_(stderr_fd) {}

  pid_t pid_;
  int fd_;
  int stderr_fd_;
  bool alive_ = true;
  std::string input_;
  std::deque<CaseRequest> waiting_;
  absl::Duration busy_since_;
};

// The case as the worker runs it, also for use without one: judged, and run again where it failed
// or `run_twice` asks for it. The second run keeps the trace, and is what is returned.
// `on_second_run` is called between them.
[[nodiscard]] CaseResult RunCase(const Scenario& scenario, const CaseRequest& request,
                                 SeedRunner& runner, const std::function<void()>& on_second_run);

}  // namespace highwater::scenarios
