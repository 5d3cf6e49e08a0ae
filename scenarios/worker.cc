#include "scenarios/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <set>

#include "core/check.h"
#include "core/mark.h"
#include "reports/result_json.h"
#include "scenarios/host_clock.h"
#include "scenarios/judge.h"
#include "scenarios/recycling_new.h"
#include "scenarios/worker_heap.h"

namespace highwater::scenarios {
namespace {

constexpr char kSecondRun = 'S';  // the case is run again: its time begins anew
constexpr char kResult = 'R';
constexpr size_t kHeader = 1 + sizeof(uint32_t);
constexpr size_t kLastWords = 64 << 10;
// Of a failure's timeline: what a report draws is near its end.
constexpr uint64_t kTimelineMessages = 20'000;
// That a worker sends: more than get a folder, since cases of a worker that died come late.
constexpr uint64_t kTimelinesOfASignature = 8;

// False if the other side is gone.
bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool ReadAll(int fd, char* out, size_t size) {
  while (size > 0) {
    const ssize_t n = read(fd, out, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    out += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

void SendMessage(int fd, char type, std::string_view body) {
  std::array<char, kHeader> header;
  header[0] = type;
  const auto size = static_cast<uint32_t>(body.size());
  std::memcpy(&header[1], &size, sizeof(size));
  if (!WriteAll(fd, {header.data(), header.size()}) || !WriteAll(fd, body)) _exit(0);
}

struct WireRequest {
  uint64_t scenario;
  uint64_t seed;
  uint64_t run_twice;
  uint64_t once;
};

bool IsBrokerCode(std::string_view file) {
  return file.starts_with("broker/") || file.find("/broker/") != std::string_view::npos;
}

// A failed check outside any world's own handling still names its case before the process ends.
class ReportingCheckHandler final : public core::CheckFailureHandler {
 public:
  ReportingCheckHandler(int fd, const Scenario& scenario, const CaseRequest& request)
      : fd_(fd), scenario_(scenario), request_(request) {}

  void OnFailedCheck(const core::FailedCheck& check) override {
    CaseResult result{.scenario = request_.scenario, .died = true};
    result.result.scenario = scenario_.name;
    result.result.seed = request_.seed;
    const bool broker = IsBrokerCode(check.file);
    result.result.verdict = broker ? Verdict::kBrokerAborted : Verdict::kInternalError;
    result.result.signature =
        fmt::format("{}/{}:{}", VerdictName(result.result.verdict), check.file, check.line);
    result.result.dump =
        fmt::format("HW_CHECK failed at {}:{}: {}{}{}\n", check.file, check.line, check.condition,
                    check.message.empty() ? "" : ": ", check.message) +
        check.story;
    SendMessage(fd_, kResult, reports::EncodeCase(result));
  }

 private:
  int fd_;
  const Scenario& scenario_;
  const CaseRequest& request_;
};

SeedResult RunOnce(const Scenario& scenario, uint64_t seed, SeedRunner& runner, bool trace,
                   bool timeline) {
  RunOptions options;
  options.trace = trace;
  if (timeline) options.timeline_messages = kTimelineMessages;
  core::Mark::ResetCounts();
  const absl::Duration begin = HostNow();
  SeedResult result = runner.Run(scenario, seed, options);
  result.host = HostNow() - begin;
  result.scenario = scenario.name;
  result.seed = seed;
  if (result.marks.empty()) {
    for (const core::Mark::Count& mark : core::Mark::Counts()) {
      if (mark.count > 0) result.marks.push_back({std::string(mark.name), mark.count});
    }
  }
  JudgeSeed(scenario, result);
  return result;
}

// What the second run says that the first did not; empty if they agree.
std::string Difference(const SeedResult& first, const SeedResult& second) {
  if (first.trace_hash != second.trace_hash) {
    return fmt::format("trace hash {} in one run, {} in the next", FormatHash(first.trace_hash),
                       FormatHash(second.trace_hash));
  }
  if (first.verdict != second.verdict) {
    return fmt::format("{} in one run, {} in the next", VerdictName(first.verdict),
                       VerdictName(second.verdict));
  }
  return "";
}

// An exception (memory ran out) must end the process here and not unwind into the parent's frames,
// of which this is a copy.
[[noreturn]] void WorkerMain(int fd, const std::vector<Scenario>& scenarios,
                             const Harness& harness) noexcept {
  const std::unique_ptr<SeedRunner> runner = harness.make_runner();
  std::set<std::pair<size_t, std::string>> expected_shown;
  std::map<std::pair<size_t, std::string>, uint64_t> failures;
  for (;;) {
    WireRequest wire;
    if (!ReadAll(fd, reinterpret_cast<char*>(&wire), sizeof(wire))) _exit(0);
    CaseRequest request{.scenario = wire.scenario,
                        .seed = wire.seed,
                        .run_twice = wire.run_twice != 0,
                        .once = wire.once != 0};
    const Scenario& scenario = scenarios[request.scenario];
    ReportingCheckHandler handler(fd, scenario, request);
    core::ScopedCheckFailureHandler scope(handler);
    const auto on_second_run = [fd] { SendMessage(fd, kSecondRun, ""); };
    CaseResult result = RunCase(scenario, request, *runner, on_second_run);
    // The first seed that violates as expected is shown in full, so it needs its trace.
    if (result.result.verdict == Verdict::kExpected && !result.run_twice && !request.once &&
        expected_shown.emplace(request.scenario, result.result.signature).second) {
      request.run_twice = true;
      on_second_run();
      result = RunCase(scenario, request, *runner, on_second_run);
    }
    // Nobody draws the hundredth failure of a kind.
    if (++failures[{request.scenario, result.result.signature}] > kTimelinesOfASignature) {
      result.result.timeline = {};
    }
    SendMessage(fd, kResult, reports::EncodeCase(result));
    if (lseek(STDERR_FILENO, 0, SEEK_CUR) > 0 && ftruncate(STDERR_FILENO, 0) == 0) {
      lseek(STDERR_FILENO, 0, SEEK_SET);
    }
  }
}

void EnterWorker(int stderr_fd, const WorkerOptions& options, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  // An interrupt from the terminal goes to the whole group: the parent decides what it means.
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_DFL);
  dup2(stderr_fd, STDERR_FILENO);
  // No core files of workers: a crash is reported and replayed instead.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  if (options.memory_limit) {
    const rlimit limit{*options.memory_limit, *options.memory_limit};
    setrlimit(RLIMIT_AS, &limit);
  }
  PrepareWorkerHeap(options.memory_limit);
  // Whoever has malloc fill what it gives, or runs us under valgrind, wants to see every block.
  const bool watched =
      getenv("MALLOC_PERTURB_") != nullptr || getenv("GLIBCXX_FORCE_NEW") != nullptr;
  if (!watched) (void)RecycleSmallBlocks(Recycling::kOn);
}

}  // namespace

CaseResult RunCase(const Scenario& scenario, const CaseRequest& request, SeedRunner& runner,
                   const std::function<void()>& on_second_run) {
  CaseResult result{.scenario = request.scenario};
  result.result = RunOnce(scenario, request.seed, runner, request.once, false);
  if (request.once) return result;
  if (!request.run_twice && !IsFailure(result.result.verdict)) return result;
  if (on_second_run) on_second_run();
  // Fresh memory looks different the second time, so that reading it uninitialized does too.
  mallopt(M_PERTURB, 0xa5);
  const Recycling recycling = RecycleSmallBlocks(Recycling::kOff);
  SeedResult second = RunOnce(scenario, request.seed, runner, true, true);
  (void)RecycleSmallBlocks(recycling);
  mallopt(M_PERTURB, 0);
  result.run_twice = true;
  result.differs = Difference(result.result, second);
  result.result = std::move(second);
  return result;
}

absl::StatusOr<std::unique_ptr<Worker>> Worker::Start(const std::vector<Scenario>& scenarios,
                                                      const Harness& harness,
                                                      const WorkerOptions& options) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::UnavailableError(
        fmt::format("cannot make a socket pair: {}", std::strerror(errno)));
  }
  const int stderr_fd = memfd_create("highwater-worker-stderr", MFD_CLOEXEC);
  const pid_t parent = getpid();
  fflush(nullptr);
  const pid_t pid = stderr_fd < 0 ? -1 : fork();
  if (pid < 0) {
    const int error = errno;
    close(sockets[0]);
    close(sockets[1]);
    if (stderr_fd >= 0) close(stderr_fd);
    return absl::UnavailableError(fmt::format("cannot start a worker: {}", std::strerror(error)));
  }
  if (pid == 0) {
    close(sockets[0]);
    EnterWorker(stderr_fd, options, parent);
    WorkerMain(sockets[1], scenarios, harness);
  }
  close(sockets[1]);
  return std::unique_ptr<Worker>(new Worker(pid, sockets[0], stderr_fd));
}

Worker::~Worker() {
  if (pid_ > 0) (void)Bury();
  close(fd_);
  close(stderr_fd_);
}

void Worker::Send(const CaseRequest& request) {
  if (waiting_.empty()) busy_since_ = HostNow();
  waiting_.push_back(request);
  const WireRequest wire{request.scenario, request.seed, request.run_twice ? 1u : 0u,
                         request.once ? 1u : 0u};
  // A dead worker shows at the next Receive.
  (void)WriteAll(fd_, {reinterpret_cast<const char*>(&wire), sizeof(wire)});
}

std::vector<Worker::Reply> Worker::Receive() {
  std::vector<Reply> replies;
  std::array<char, 64 << 10> buffer;
  for (;;) {
    const ssize_t n = recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n <= 0) {
      alive_ = false;
      break;
    }
    input_.append(buffer.data(), static_cast<size_t>(n));
  }
  size_t at = 0;
  while (input_.size() - at >= kHeader) {
    uint32_t size;
    std::memcpy(&size, &input_[at + 1], sizeof(size));
    if (input_.size() - at - kHeader < size) break;
    const char type = input_[at];
    const std::string_view body(input_.data() + at + kHeader, size);
    at += kHeader + size;
    busy_since_ = HostNow();
    if (type == kSecondRun) continue;
    absl::StatusOr<CaseResult> result = reports::DecodeCase(body);
    HW_CHECK(result.ok() && !waiting_.empty(), "a worker sent a broken message");
    replies.push_back({waiting_.front(), *std::move(result)});
    waiting_.pop_front();
  }
  input_.erase(0, at);
  return replies;
}

Worker::Death Worker::Bury() {
  Death death;
  kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  alive_ = false;
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    death.cause = fmt::format("signal {} ({})", number, strsignal(number));
  } else {
    death.cause = fmt::format("exit status {}", WEXITSTATUS(status));
  }
  const off_t size = lseek(stderr_fd_, 0, SEEK_END);
  if (size > 0) {
    const auto length = std::min<size_t>(static_cast<size_t>(size), kLastWords);
    death.last_words.resize(length);
    const ssize_t n =
        pread(stderr_fd_, death.last_words.data(), length, size - static_cast<off_t>(length));
    death.last_words.resize(n < 0 ? 0 : static_cast<size_t>(n));
  }
  return death;
}

}  // namespace highwater::scenarios
