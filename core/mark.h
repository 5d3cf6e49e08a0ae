#pragma once

// HW_MARK("fenced_fetch"): counts that a rare branch was reached. Marks are summed across seeds;
// one never reached by the nightly campaign fails it. A mark never decides anything and costs one
// increment.

#include <cstdint>
#include <string_view>
#include <vector>

namespace highwater::core {

// One place with a mark. Registered before main; names are unique literals ([a-z0-9_]+).
class Mark {
 public:
  explicit Mark(std::string_view name);
  void Reach() { ++counts()[index_]; }

  struct Count {
    std::string_view name;
    uint64_t count;
  };
  // All marks of the program with this thread's counts, sorted by name (places of equal name are
  // summed).
  [[nodiscard]] static std::vector<Count> Counts();
  static void ResetCounts();

 private:
  static std::vector<uint64_t>& counts();
  size_t index_;
};

namespace internal {
// A literal as a template argument.
template <size_t kSize>
struct MarkName {
  char text[kSize] = {};
  consteval explicit(false) MarkName(const char (&literal)[kSize]) {
    for (size_t i = 0; i < kSize; ++i) text[i] = literal[i];
  }
};
// Gives each HW_MARK a registered object without a guard variable in the branch.
template <MarkName kName>
struct MarkSite {
  static inline Mark mark{std::string_view(kName.text, sizeof(kName.text) - 1)};
};
}  // namespace internal

}  // namespace highwater::core

#define HW_MARK(literal) ::highwater::core::internal::MarkSite<literal>::mark.Reach()
