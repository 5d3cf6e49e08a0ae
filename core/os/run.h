#pragma once

// Run: a node on this machine. The seam of core/ on Linux: epoll, worker threads, the real clock.
//
//   int main() {
//     return core::os::Run({.root_directory = "/"}, [](core::Environment& env) { return Serve(env);
//     });
//   }
//
// `main` is the first fiber. SIGTERM and SIGINT ask for a clean stop (Process::OnStopRequested); a
// second one ends the process at once. When `main` returns, what worker threads are doing is waited
// for, all other fibers are unwound and its value is returned.
//
// World is the same in parts, for tests that want several worlds in one process, one after the
// other or one per thread.

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/environment.h"

namespace highwater::core::os {

struct Options {
  // Every path of the node lies below it. It must exist.
  std::string root_directory = "/";
  // Worker threads for each mounted file system; they start when they are first needed.
  int threads_per_mount = 8;
  // Whether SIGTERM and SIGINT are taken over while the world lives.
  bool handle_signals = true;
  // Process::RunId; 0 takes the wall clock in nanoseconds, which grows unless it is set back
  // between two starts.
  uint64_t run_id = 0;
};

class World {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<World>> Create(const Options& options);
  virtual ~World() = default;

  [[nodiscard]] virtual Environment& environment() = 0;
  // Runs `main` on a fiber and everything else beside it until it returns. May be called again.
  virtual int Run(absl::AnyInvocable<int(Environment&)> main) = 0;
  // As the first SIGTERM does. REQUIRES: on the world's thread.
  virtual void RequestStop() = 0;
};

// Prints why and returns 1 if the world cannot be made.
int Run(const Options& options, absl::AnyInvocable<int(Environment&)> main);

}  // namespace highwater::core::os
