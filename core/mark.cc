#include "core/mark.h"

#include <algorithm>

namespace highwater::core {
namespace {
std::vector<std::string_view>& Names() {
  static std::vector<std::string_view> names;
  return names;
}
}  // namespace

Mark::Mark(std::string_view name) : index_(Names().size()) { Names().push_back(name); }

std::vector<uint64_t>& Mark::counts() {
  thread_local std::vector<uint64_t> counts(Names().size());
  return counts;
}

std::vector<Mark::Count> Mark::Counts() {
  std::vector<Count> result;
  for (size_t i = 0; i < Names().size(); ++i) result.push_back({Names()[i], counts()[i]});
  std::sort(result.begin(), result.end(),
            [](const Count& a, const Count& b) { return a.name < b.name; });
  size_t kept = 0;
  for (size_t i = 0; i < result.size(); ++i) {
    if (kept > 0 && result[kept - 1].name == result[i].name) {
      result[kept - 1].count += result[i].count;
    } else {
      result[kept++] = result[i];
    }
  }
  result.resize(kept);
  return result;
}

void Mark::ResetCounts() { std::fill(counts().begin(), counts().end(), 0); }

}  // namespace highwater::core
