#pragma once

// Application: what a simulated process runs, and Program: how to make one for each incarnation.
//
//   class BrokerApplication : public sim::Application {
//     void Run(core::Environment& env) override { ... }   // on the process's first fiber
//   };
//   host.SetProgram([](core::Environment& env) { return std::make_unique<BrokerApplication>(env);
//   });
//
// The application is made and run on the first fiber. When Run returns the process exits cleanly
// (its connections end with an end of stream). However the process ends, the object is destroyed
// after all its fibers are unwound, with dead ports.

#include <functional>
#include <memory>

#include "core/environment.h"

namespace highwater::sim {

class Application {
 public:
  virtual ~Application() = default;
  virtual void Run(core::Environment& env) = 0;
};

using Program = std::function<std::unique_ptr<Application>(core::Environment& env)>;

// A program that is one function.
[[nodiscard]] Program ProgramOf(std::function<void(core::Environment& env)> main);

// How a process ended.
enum class ProcessEnd : uint8_t {
  kExited,     // its Run returned
  kHalted,     // it called Process::Halt
  kCrashed,    // killed: the kernel resets its connections, the page cache stays
  kPowerLost,  // with its host: silence, and what was not synced is lost
};
[[nodiscard]] std::string_view ProcessEndName(ProcessEnd end);

}  // namespace highwater::sim
