#include "invariants/lawful_stall.h"

#include <absl/algorithm/container.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace highwater::invariants {

using broker::BrokerId;

std::optional<std::string> WhyStalled(const WrittenState& state,
                                      const std::set<BrokerId>& left_out) {
  if (state.leader != broker::kNoBroker) return std::nullopt;
  std::vector<BrokerId> vouched = state.isr;
  for (const BrokerId broker : state.eligible) {
    if (!absl::c_linear_search(vouched, broker)) vouched.push_back(broker);
  }
  std::vector<BrokerId> missing;
  for (const BrokerId broker : vouched) {
    if (left_out.contains(broker)) {
      missing.push_back(broker);
    } else if (!absl::c_linear_search(state.unclean, broker)) {
      return std::nullopt;  // it is there, and could lead
    }
  }
  if (missing.empty()) return std::nullopt;
  return fmt::format(
      "for broker [{}], which stays away; of those who may hold what is committed [{}], nobody "
      "else "
      "is there that came back clean",
      fmt::join(missing, ", "), fmt::join(vouched, ", "));
}

}  // namespace highwater::invariants
