#pragma once

// Environment: all that a node may ask of the world. Nothing else is global.
//
//   absl::Status Serve(core::Environment& env) {
//     HW_ASSIGN_OR_RETURN(auto listener, env.network.Listen({.host = "", .port = 9092}));
//     ...
//   }
//
// core/os gives one on Linux; sim/ gives one for each process that runs on a simulated host. Code
// behind the seam never asks which of them it has.

#include <absl/time/time.h>

#include <cstdint>
#include <string_view>

#include "core/fibers.h"
#include "core/file_system.h"
#include "core/monotonic_time.h"
#include "core/network.h"
#include "core/random.h"

namespace highwater::core {

// The running process itself.
class Process {
 public:
  virtual ~Process() = default;
  // Ends the process at once, as a crash does: nothing is flushed, no destructor sends anything.
  // Does not return.
  [[noreturn]] virtual void Halt(std::string_view reason) = 0;
  // Whether somebody asked for a clean stop (SIGTERM; `stop` in a scenario).
  [[nodiscard]] virtual bool StopRequested() const = 0;
  // Calls back once when a stop is requested (at once if it already was); not on a fiber, must not
  // wait.
  virtual void OnStopRequested(absl::AnyInvocable<void()> callback) = 0;
  // The incarnation: grows with each start of this process on its host.
  [[nodiscard]] virtual uint64_t RunId() const = 0;
};

// A node's own clocks. They may drift and jump against other nodes'.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonotonicTime Now() const = 0;   // never goes back
  [[nodiscard]] virtual absl::Time WallNow() const = 0;  // may jump
};

// Places where simulation makes a rare but legal thing common: short reads, early time-outs, tiny
// buffers, delayed effects.
//   if (env.buggify.Fires("log.short_read")) length = 1;
// A site is switched on for a run with chance 1/4 and then fires with chance 1/4. Never in
// production.
class Buggify {
 public:
  virtual ~Buggify() = default;
  // `site` is a literal, unique in the code base.
  [[nodiscard]] virtual bool Fires(std::string_view site) = 0;
};

class NoBuggify final : public Buggify {
 public:
  [[nodiscard]] bool Fires(std::string_view) override { return false; }
};

struct Environment {
  Process& process;
  Clock& clock;
  Fibers& fibers;
  Network& network;
  FileSystem& files;
  Random& random;
  Buggify& buggify;
};

}  // namespace highwater::core
