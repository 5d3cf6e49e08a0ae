#pragma once

// HW_CHECK: an assertion that is on in every build.
//
//   HW_CHECK(offset >= log_start, "offset {} below log start {}", offset, log_start);
//
// A failed check is a bug in Highwater (or, inside a simulated world, in the code under test). It
// prints the condition, the place and the message, lets the current world add its seed, virtual
// time and last events, then ends the process. It is not for the user's input (absl::Status) nor
// for failures of the simulated world (data).

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace highwater::core {

struct FailedCheck {
  const char* file;  // as the compiler was given it; relative to the source root where possible
  int line;
  const char* condition;
  std::string_view message;
  // What handlers have to tell of it, from the inside out; printed after they have all been asked.
  std::string& story;
};

// What somebody around the failed code does with a failed check: a world tells its last events, a
// worker process writes what it knows. After all have been asked, the innermost first, the process
// aborts.
class CheckFailureHandler {
 public:
  virtual ~CheckFailureHandler() = default;
  virtual void OnFailedCheck(const FailedCheck& check) = 0;
};

// Installs `handler` for this thread while the scope lives, in front of those of outer scopes.
class ScopedCheckFailureHandler {
 public:
  explicit ScopedCheckFailureHandler(CheckFailureHandler& handler);
  ~ScopedCheckFailureHandler();
  ScopedCheckFailureHandler(const ScopedCheckFailureHandler&) = delete;
  ScopedCheckFailureHandler& operator=(const ScopedCheckFailureHandler&) = delete;

  [[nodiscard]] CheckFailureHandler& handler() const { return handler_; }
  [[nodiscard]] ScopedCheckFailureHandler* outer() const { return outer_; }

 private:
  CheckFailureHandler& handler_;
  ScopedCheckFailureHandler* outer_;
};

namespace internal {
[[noreturn]] void FailCheck(const char* file, int line, const char* condition,
                            std::string_view message);
[[noreturn]] inline void FailCheckFormat(const char* file, int line, const char* condition) {
  FailCheck(file, line, condition, "");
}
template <typename... Args>
[[noreturn, gnu::noinline, gnu::cold]] void FailCheckFormat(const char* file, int line,
                                                            const char* condition,
                                                            fmt::format_string<Args...> format,
                                                            Args&&... args) {
  FailCheck(file, line, condition, fmt::format(format, std::forward<Args>(args)...));
}
}  // namespace internal

}  // namespace highwater::core

#define HW_CHECK(condition, ...)                                                           \
  do {                                                                                     \
    if (!(condition)) [[unlikely]]                                                         \
      ::highwater::core::internal::FailCheckFormat(__FILE__, __LINE__,                     \
                                                   #condition __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)

// For a place that no execution may reach.
#define HW_UNREACHABLE(...)                                        \
  ::highwater::core::internal::FailCheckFormat(__FILE__, __LINE__, \
                                               "unreachable" __VA_OPT__(, ) __VA_ARGS__)
