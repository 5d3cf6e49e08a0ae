#include "scenarios/hash_check.h"

#include <errno.h>
#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/status_macros.h"

namespace highwater::scenarios {
namespace {

// What the two processes fill fresh memory with.
constexpr int kPatterns[2] = {0x5a, 0xc3};
// A difference that comes and goes may hide when the seed is run again.
constexpr int kAttempts = 5;

struct Recording {
  uint64_t trace_hash = 0;
  std::vector<HashPoint> points;
};

// Files, not pipes: a chain may be long, and the two processes need not run at the same time.
class Scratch {
 public:
  Scratch() : file_(std::tmpfile()) {}
  ~Scratch() {
    if (file_ != nullptr) std::fclose(file_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] std::FILE* get() const { return file_; }

 private:
  std::FILE* file_;
};

void Put(std::FILE* out, uint64_t value) { std::fwrite(&value, sizeof(value), 1, out); }
void Put(std::FILE* out, const std::string& text) {
  Put(out, text.size());
  std::fwrite(text.data(), 1, text.size(), out);
}

bool Get(std::FILE* in, uint64_t& value) { return std::fread(&value, sizeof(value), 1, in) == 1; }
bool Get(std::FILE* in, std::string& text) {
  uint64_t size = 0;
  if (!Get(in, size) || size > (1u << 20)) return false;
  text.resize(size);
  return std::fread(text.data(), 1, size, in) == size;
}

// noexcept: an exception must not unwind into the parent's frames, of which this process has a
// copy.
[[noreturn]] void Record(const Scenario& scenario, uint64_t seed, const Harness& harness,
                         int pattern, bool with_points, std::FILE* out) noexcept {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  mallopt(M_PERTURB, pattern);
  // Another heap, too: what depends on addresses shows.
  [[maybe_unused]] void* shift = malloc(static_cast<size_t>(pattern) * 1000 + 64);
  HashLog log;
  RunOptions options;
  if (with_points) options.hash_log = &log;
  const SeedResult result = harness.make_runner()->Run(scenario, seed, options);
  Put(out, result.trace_hash);
  Put(out, log.points.size());
  for (const HashPoint& point : log.points) {
    Put(out, point.index);
    Put(out, static_cast<uint64_t>(point.time_ns));
    Put(out, point.host);
    Put(out, point.kind);
    Put(out, point.hash);
  }
  std::fflush(out);
  _exit(0);
}

bool Read(std::FILE* in, Recording& recording) {
  std::rewind(in);
  uint64_t count = 0;
  if (!Get(in, recording.trace_hash) || !Get(in, count)) return false;
  for (uint64_t i = 0; i < count; ++i) {
    HashPoint point;
    uint64_t time = 0;
    if (!Get(in, point.index) || !Get(in, time) || !Get(in, point.host) || !Get(in, point.kind) ||
        !Get(in, point.hash)) {
      return false;
    }
    point.time_ns = static_cast<int64_t>(time);
    recording.points.push_back(std::move(point));
  }
  return true;
}

absl::StatusOr<Recording> RunInChild(const Scenario& scenario, uint64_t seed,
                                     const Harness& harness, int pattern, bool with_points) {
  const Scratch scratch;
  if (scratch.get() == nullptr) {
    return absl::UnavailableError(fmt::format("no temporary file: {}", strerror(errno)));
  }
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return absl::UnavailableError(fmt::format("cannot fork: {}", strerror(errno)));
  if (pid == 0) Record(scenario, seed, harness, pattern, with_points, scratch.get());
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    return absl::AbortedError(fmt::format("the run died with signal {} ({})", WTERMSIG(status),
                                          strsignal(WTERMSIG(status))));
  }
  Recording recording;
  if (WEXITSTATUS(status) != 0 || !Read(scratch.get(), recording)) {
    return absl::AbortedError(fmt::format("the run ended with status {}", WEXITSTATUS(status)));
  }
  return recording;
}

absl::Status Check(const Scenario& scenario, const Harness& harness, HashCheckResult& result) {
  HW_ASSIGN_OR_RETURN(const Recording first,
                      RunInChild(scenario, result.seed, harness, kPatterns[0], false));
  HW_ASSIGN_OR_RETURN(const Recording second,
                      RunInChild(scenario, result.seed, harness, kPatterns[1], false));
  result.first_hash = first.trace_hash;
  result.second_hash = second.trace_hash;
  result.agrees = first.trace_hash == second.trace_hash;
  for (int i = 0; i < kAttempts && !result.agrees && !result.divergence; ++i) {
    HW_ASSIGN_OR_RETURN(const Recording a,
                        RunInChild(scenario, result.seed, harness, kPatterns[0], true));
    HW_ASSIGN_OR_RETURN(const Recording b,
                        RunInChild(scenario, result.seed, harness, kPatterns[1], true));
    result.divergence = FindDivergence(a.points, b.points);
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<Divergence> FindDivergence(const std::vector<HashPoint>& first,
                                         const std::vector<HashPoint>& second) {
  const size_t common = std::min(first.size(), second.size());
  // The first index in [0, common] whose hashes differ; `common` if none does.
  size_t low = 0;
  size_t high = common;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (first[middle].hash == second[middle].hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == first.size() && low == second.size()) return std::nullopt;
  Divergence divergence;
  if (low > 0) divergence.last_common = first[low - 1];
  if (low < first.size()) divergence.first = first[low];
  if (low < second.size()) divergence.second = second[low];
  return divergence;
}

HashCheckResult CheckHashes(const Scenario& scenario, uint64_t seed, const Harness& harness) {
  HashCheckResult result{.seed = seed};
  const absl::Status status = Check(scenario, harness, result);
  if (!status.ok()) {
    result.agrees = false;
    result.failure = std::string(status.message().data(), status.message().size());
  }
  return result;
}

}  // namespace highwater::scenarios
