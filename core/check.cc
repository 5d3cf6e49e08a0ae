#include "core/check.h"

#include <cstdio>
#include <cstdlib>

namespace highwater::core {
namespace {
thread_local CheckFailureHandler* current_handler = nullptr;
}  // namespace

ScopedCheckFailureHandler::ScopedCheckFailureHandler(CheckFailureHandler& handler)
    : outer_(current_handler) {
  current_handler = &handler;
}

ScopedCheckFailureHandler::~ScopedCheckFailureHandler() { current_handler = outer_; }

namespace internal {

void FailCheck(const char* file, int line, const char* condition, std::string_view message) {
  fmt::print(stderr, "HW_CHECK failed at {}:{}: {}{}{}\n", file, line, condition,
             message.empty() ? "" : ": ", message);
  std::fflush(stderr);
  if (CheckFailureHandler* handler = std::exchange(current_handler, nullptr)) {
    handler->OnFailedCheck(
        FailedCheck{.file = file, .line = line, .condition = condition, .message = message});
  }
  std::abort();
}

}  // namespace internal
}  // namespace highwater::core
