#include "core/check.h"

#include <cstdio>
#include <cstdlib>

namespace highwater::core {
namespace {
thread_local ScopedCheckFailureHandler* innermost = nullptr;
}  // namespace

ScopedCheckFailureHandler::ScopedCheckFailureHandler(CheckFailureHandler& handler)
    : handler_(handler), outer_(innermost) {
  innermost = this;
}

ScopedCheckFailureHandler::~ScopedCheckFailureHandler() { innermost = outer_; }

namespace internal {

void FailCheck(const char* file, int line, const char* condition, std::string_view message) {
  fmt::print(stderr, "HW_CHECK failed at {}:{}: {}{}{}\n", file, line, condition,
             message.empty() ? "" : ": ", message);
  std::fflush(stderr);
  std::string story;
  const FailedCheck failed{
      .file = file, .line = line, .condition = condition, .message = message, .story = story};
  // A handler whose own check fails is not asked again; those around it are.
  while (innermost != nullptr) {
    ScopedCheckFailureHandler& scope = *innermost;
    innermost = scope.outer();
    scope.handler().OnFailedCheck(failed);
  }
  fmt::print(stderr, "{}", story);
  std::fflush(stderr);
  std::abort();
}

}  // namespace internal
}  // namespace highwater::core
