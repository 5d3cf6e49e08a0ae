#include "sim/application.h"

namespace highwater::sim {
namespace {

class FunctionApplication final : public Application {
 public:
  explicit FunctionApplication(const std::function<void(core::Environment&)>& main) : main_(main) {}
  void Run(core::Environment& env) override { main_(env); }

 private:
  std::function<void(core::Environment&)> main_;
};

}  // namespace

Program ProgramOf(std::function<void(core::Environment& env)> main) {
  return [main = std::move(main)](core::Environment&) {
    return std::make_unique<FunctionApplication>(main);
  };
}

std::string_view ProcessEndName(ProcessEnd end) {
  switch (end) {
    case ProcessEnd::kExited:
      return "exited";
    case ProcessEnd::kHalted:
      return "halted";
    case ProcessEnd::kCrashed:
      return "crashed";
    case ProcessEnd::kPowerLost:
      return "lost power";
  }
  return "unknown";
}

}  // namespace highwater::sim
